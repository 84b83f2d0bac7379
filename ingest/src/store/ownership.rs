//! Which collections of the database are this program's.
//!
//! A name proves nothing: a collection of that name may have been there before, or may have been dropped and created again by somebody
//! else. A UUID does: a collection keeps it when it is renamed, and has another one when it is created again. So the registry (the
//! collection [`OWNED_COLLECTIONS`]) has a document `{_id: NAME, uuid}` for each collection that the program created. The document is
//! written without a UUID before the collection is created, and gets the UUID before anything is stored in the collection. After a crash
//! in between, the collection is still empty, and only then is it taken for ours.
//!
//! No collection that the registry does not know is written, renamed, replaced or dropped (invariant I10).

mod adopt;
mod change;
mod foreign;

pub(crate) use adopt::Adoption;
pub use foreign::{ForeignCollections, Reason};

use super::{Store, StoreError};
use crate::stream::place_of;
use bson::{Bson, Document, Uuid, doc};
use futures_util::TryStreamExt;
use model::layout::{EVENTS, LATE, OWNED_COLLECTIONS, source};
use mongodb::error::Result;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a collection is to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is none of that name.
    Absent,
    /// This program created it.
    Ours,
    /// This program was about to create it: it is ours if it is empty.
    Begun,
    /// Somebody else's.
    Foreign(Reason),
}

/// What exists in the database, beside what the registry says.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    existing: BTreeMap<String, Existing>,
    /// Names by UUID.
    marks: HashMap<Uuid, String>,
    /// Names of the registry; some may have no UUID yet.
    names: HashSet<String>,
    /// Names that were about to be created.
    begun: HashSet<String>,
    itself: Itself,
    /// The stream that the database belongs to.
    pub(super) stream: Option<String>,
}

/// What the registry is itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Itself {
    /// There is none yet.
    #[default]
    Absent,
    /// It was created, but its UUID was not written down.
    Begun,
    Ours,
    /// Its UUID is another one than when it was created: the database was restored or copied.
    Copied,
    Foreign,
}

/// A collection or view that exists.
#[derive(Debug)]
struct Existing {
    uuid: Option<Uuid>,
    /// Neither a view nor a time-series collection, which have no UUID of their own or are written otherwise.
    is_plain: bool,
    options: Document,
}

impl Existing {
    fn read(listed: &Document) -> Option<(String, Self)> {
        let uuid = listed.get_document("info").ok().and_then(|info| info.get("uuid"));
        let existing = Self {
            uuid: uuid.and_then(uuid_of),
            is_plain: listed.get_str("type").ok() == Some("collection"),
            options: listed.get_document("options").cloned().unwrap_or_default(),
        };
        Some((listed.get_str("name").ok()?.to_owned(), existing))
    }
}

fn uuid_of(value: &Bson) -> Option<Uuid> {
    match value {
        Bson::Binary(binary) => binary.to_uuid().ok(),
        _ => None,
    }
}

impl Registry {
    /// Reads what exists, and then what the registry says, so that a collection that another worker has just marked is known.
    pub(crate) async fn read(store: &Store) -> Result<Self> {
        loop {
            let mut registry = Self { existing: existing(store, doc! {}).await?, ..Self::default() };
            let documents: Vec<Document> =
                store.collection(OWNED_COLLECTIONS).find(doc! {}).await?.try_collect().await?;
            // Created by another worker in between.
            if !documents.is_empty() && !registry.existing.contains_key(OWNED_COLLECTIONS) {
                continue;
            }
            registry.take(&documents);
            return Ok(registry);
        }
    }

    fn take(&mut self, documents: &[Document]) {
        let mut own = None;
        for document in documents {
            let (Ok(name), uuid) = (document.get_str("_id"), document.get("uuid").and_then(uuid_of)) else { continue };
            if name == OWNED_COLLECTIONS {
                own = Some(uuid);
                self.stream = document.get_str("stream").ok().map(str::to_owned);
                continue;
            }
            self.names.insert(name.to_owned());
            match uuid {
                Some(uuid) => drop(self.marks.insert(uuid, name.to_owned())),
                None => drop(self.begun.insert(name.to_owned())),
            }
        }
        let existing = self.existing.get(OWNED_COLLECTIONS);
        self.itself = match (existing, own) {
            (None, _) => Itself::Absent,
            (Some(existing), _) if !existing.is_plain => Itself::Foreign,
            (Some(_), None) if documents.is_empty() => Itself::Absent,
            (Some(_), None) => Itself::Foreign,
            (Some(_), Some(None)) => Itself::Begun,
            (Some(existing), Some(noted)) if noted == existing.uuid => Itself::Ours,
            (Some(_), Some(Some(_))) => Itself::Copied,
        };
    }

    /// What the collection of that name is.
    pub(crate) fn standing(&self, name: &str) -> Standing {
        if name == OWNED_COLLECTIONS {
            return match self.itself {
                Itself::Absent => Standing::Absent,
                Itself::Begun | Itself::Ours => Standing::Ours,
                Itself::Copied => Standing::Foreign(Reason::Copied),
                Itself::Foreign => Standing::Foreign(Reason::NoMark),
            };
        }
        let Some(existing) = self.existing.get(name) else { return Standing::Absent };
        if !existing.is_plain {
            return Standing::Foreign(Reason::NoCollection);
        }
        let marked = existing.uuid.and_then(|uuid| self.marks.get(&uuid));
        match marked {
            // A rename that was done, but not written down.
            Some(marked) if marked == name || place_of(marked) == name => Standing::Ours,
            _ if self.itself == Itself::Copied => Standing::Foreign(Reason::Copied),
            Some(_) => Standing::Foreign(Reason::Renamed),
            None if self.begun.contains(name) => Standing::Begun,
            None if self.names.contains(name) => Standing::Foreign(Reason::CreatedAgain),
            None => Standing::Foreign(Reason::NoMark),
        }
    }

    /// Those of the names that are somebody else's.
    pub(crate) fn foreign<'n>(
        &self,
        store: &Store,
        names: impl IntoIterator<Item = &'n str>,
    ) -> std::result::Result<(), ForeignCollections> {
        let reason = |name: &str| match self.standing(name) {
            Standing::Foreign(reason) => Some((name.to_owned(), reason)),
            _ => None,
        };
        let found: Vec<_> = names.into_iter().filter_map(reason).collect();
        if found.is_empty() { Ok(()) } else { Err(ForeignCollections::new(store.database().name(), found)) }
    }

    /// One name that is somebody else's.
    pub(super) fn in_the_way(&self, store: &Store, name: &str) -> ForeignCollections {
        ForeignCollections::new(store.database().name(), vec![(name.to_owned(), Reason::NoMark)])
    }

    /// The registry's own UUID, where it is not written down yet.
    fn unnoted(&self) -> Option<(&'static str, Uuid)> {
        let uuid = self.existing.get(OWNED_COLLECTIONS)?.uuid?;
        (self.itself == Itself::Begun).then_some((OWNED_COLLECTIONS, uuid))
    }

    /// Whether a database that an earlier version of the program has made may have no registry yet.
    fn is_absent(&self) -> bool {
        self.itself == Itself::Absent
    }

    /// Names of everything that exists.
    pub(crate) fn existing(&self) -> impl Iterator<Item = &str> {
        self.existing.keys().map(String::as_str)
    }

    /// The view of late events: `None` where there is none, and whether it is this program's where there is one.
    pub(super) fn late_view(&self) -> Option<bool> {
        let view = self.existing.get(LATE)?;
        let is_ours = view.options.get_str("viewOn").ok() == Some(EVENTS)
            && view.options.get_array("pipeline").ok() == Some(&late_pipeline().map(Bson::from).to_vec());
        Some(is_ours)
    }
}

/// Events that were set aside.
pub(super) fn late_filter() -> Document {
    doc! { format!("{}.{}", source::FIELD, source::LATE): true }
}

/// The view of late events. A view has no UUID: it is known by what it shows.
pub(super) fn late_pipeline() -> [Document; 1] {
    [doc! { "$match": late_filter() }]
}

impl Store {
    /// The UUIDs of these collections.
    ///
    /// # Errors
    /// [`StoreError::Gone`] if one does not exist, or is none of documents.
    pub(crate) async fn uuids(&self, names: &[&str]) -> std::result::Result<BTreeMap<String, Uuid>, StoreError> {
        let listed = existing(self, doc! { "name": { "$in": names } }).await?;
        let uuid = |name: &&str| {
            let uuid = listed.get(*name).and_then(|existing| existing.uuid);
            Ok(((*name).to_owned(), uuid.ok_or_else(|| StoreError::Gone((*name).to_owned()))?))
        };
        names.iter().map(uuid).collect()
    }
}

/// What exists of what `filter` finds.
async fn existing(store: &Store, filter: Document) -> Result<BTreeMap<String, Existing>> {
    let listed = store.database().run_cursor_command(doc! { "listCollections": 1, "filter": filter }).await?;
    let listed: Vec<Document> = listed.try_collect().await?;
    Ok(listed.iter().filter_map(Existing::read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A registry over collections of these names and UUIDs, with these documents.
    fn registry(existing: &[(&str, Uuid)], documents: &[Document]) -> Registry {
        let plain = |&(name, uuid): &(&str, Uuid)| {
            (name.to_owned(), Existing { uuid: Some(uuid), is_plain: true, options: Document::new() })
        };
        let mut registry = Registry { existing: existing.iter().map(plain).collect(), ..Registry::default() };
        registry.take(documents);
        registry
    }

    fn mark(name: &str, uuid: Uuid) -> Document {
        doc! { "_id": name, "uuid": uuid }
    }

    #[test]
    fn a_collection_is_known_by_its_uuid_and_its_name() {
        let ids: [Uuid; 4] = std::array::from_fn(|_| Uuid::new());
        let [own, first, second, third] = ids;
        let itself = (OWNED_COLLECTIONS, own);
        let marked = [mark(OWNED_COLLECTIONS, own), mark("a", first), doc! { "_id": "b", "uuid": null }];
        for (name, uuid, standing) in [
            ("a", first, Standing::Ours),
            ("a", second, Standing::Foreign(Reason::CreatedAgain)),
            ("b", second, Standing::Begun),
            ("b", first, Standing::Foreign(Reason::Renamed)),
            ("c", third, Standing::Foreign(Reason::NoMark)),
        ] {
            assert_eq!(registry(&[itself, (name, uuid)], &marked).standing(name), standing, "{name}");
        }
        assert_eq!(registry(&[itself], &marked).standing("a"), Standing::Absent);
        let renamed = [mark(OWNED_COLLECTIONS, own), mark("a", first), mark("a.next-3", second)];
        assert_eq!(registry(&[itself, ("a", second)], &renamed).standing("a"), Standing::Ours, "a rename not noted");
        assert_eq!(registry(&[itself, ("b", second)], &renamed).standing("b"), Standing::Foreign(Reason::Renamed));
    }

    #[test]
    fn a_registry_of_somebody_else_and_of_a_copy_mark_nothing() {
        let [own, other, first] = std::array::from_fn(|_| Uuid::new());
        let existing = [(OWNED_COLLECTIONS, own), ("a", first)];
        let foreign = registry(&existing, &[doc! { "_id": "a", "price": 1 }]);
        assert_eq!(foreign.standing(OWNED_COLLECTIONS), Standing::Foreign(Reason::NoMark));
        let copied = registry(&existing, &[mark(OWNED_COLLECTIONS, other), mark("a", other)]);
        assert_eq!(copied.standing(OWNED_COLLECTIONS), Standing::Foreign(Reason::Copied));
        assert_eq!(copied.standing("a"), Standing::Foreign(Reason::Copied));
        assert_eq!(registry(&existing, &[]).standing(OWNED_COLLECTIONS), Standing::Absent, "it is empty");
    }

    #[test]
    fn neither_a_view_nor_a_time_series_is_ours() {
        let mut registry = registry(&[(OWNED_COLLECTIONS, Uuid::new())], &[]);
        for kind in ["view", "timeseries"] {
            let (name, existing) =
                Existing::read(&doc! { "name": "a", "type": kind, "options": {}, "info": {} }).unwrap();
            registry.existing.insert(name, existing);
            assert_eq!(registry.standing("a"), Standing::Foreign(Reason::NoCollection));
        }
    }
}
