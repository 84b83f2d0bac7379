//! What is said of a collection that is not this program's.

use model::layout::RESERVED;
use std::fmt;

/// Collections that are in the way, because this program did not create them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignCollections {
    database: String,
    found: Vec<(String, Reason)>,
}

impl std::error::Error for ForeignCollections {}

/// Why a collection is not taken for this program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The registry does not know it.
    NoMark,
    /// The registry knows another one of that name.
    CreatedAgain,
    /// It was another collection of this program, which somebody has renamed.
    Renamed,
    /// It is a view or a time-series collection.
    NoCollection,
    /// The whole database was restored from a dump, or copied.
    Copied,
    /// It has documents that this program did not write.
    OtherDocuments,
}

impl ForeignCollections {
    pub(super) fn new(database: &str, found: Vec<(String, Reason)>) -> Self {
        Self { database: database.to_owned(), found }
    }

    /// Their names, each with the reason.
    pub fn found(&self) -> &[(String, Reason)] {
        &self.found
    }
}

impl fmt::Display for ForeignCollections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = &self.database;
        if self.found.iter().any(|(_, reason)| *reason == Reason::Copied) {
            return write!(
                f,
                "the database {database} was restored from a dump or copied: its collections have other UUIDs than those that this \
                 program wrote down. `ingest check --adopt` accepts it with this stream's collections"
            );
        }
        for (at, (name, reason)) in self.found.iter().enumerate() {
            let pause = if at == 0 { "" } else { "; " };
            write!(f, "{pause}{}", sentence(name, database, *reason))?;
        }
        Ok(())
    }
}

fn sentence(name: &str, database: &str, reason: Reason) -> String {
    let way_out = if RESERVED.contains(&name) {
        "rename it, or use another database (--database)"
    } else {
        "rename it, give the rollup another name in the schema, or use another database (--database)"
    };
    let said = match reason {
        Reason::NoMark | Reason::Copied => "was not created by this program, which leaves it alone".to_owned(),
        Reason::NoCollection => "is a view or a time-series collection, which this program does not create".to_owned(),
        Reason::OtherDocuments => "has documents that this program did not write".to_owned(),
        Reason::CreatedAgain | Reason::Renamed => {
            return format!(
                "the collection {name} in the database {database} was {} since this program created it. If its documents are this \
                 program's, `ingest check --adopt` accepts it; otherwise {way_out}",
                if reason == Reason::Renamed {
                    "renamed"
                } else {
                    "created again (dropped, restored, converted or resharded)"
                }
            );
        }
    };
    format!("the collection {name} in the database {database} {said}: {way_out}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_collection_in_the_way_is_named() {
        let found = vec![("orders".to_owned(), Reason::NoMark), ("events".to_owned(), Reason::CreatedAgain)];
        let said = ForeignCollections::new("shop", found).to_string();
        for word in ["the collection orders in the database shop", "the collection events", "--adopt", "--database"] {
            assert!(said.contains(word), "{said}");
        }
    }
}
