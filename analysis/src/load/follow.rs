//! A frame that is kept up to date: each refresh brings only what is new.

use std::fmt;

use polars::prelude::DataFrame;

use super::{
    Store, StoreError, events::EventQuery, follow_events::EventFollower, follow_rollup::RollupFollower, query::Query,
};

/// A frame of events or of a rollup, and the place up to which it has been read.
///
/// Events are found by the positions of their partitions, which move in the transaction that stores them: none is missed and
/// none comes twice, whatever the worker does in between. The counts of stored events prove it; where they do not agree
/// (a dead letter was sent again, the store was emptied) everything is read again. Rows of a rollup are found by their revision.
///
/// A refresh that fails leaves the frame as it was, so it is enough to try again when MongoDB is back. Events that somebody
/// deletes stay in the frame.
///
/// ```no_run
/// # use analysis::load::Store;
/// # let store = Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
/// let mut reviews = store.events().columns(["review_date", "rating"]).follow()?;
/// println!("{} reviews", reviews.frame().height());
/// let news = reviews.refresh()?; // a minute later
/// println!("{news}; now {}", reviews.frame().height());
/// # Ok::<(), analysis::load::StoreError>(())
/// ```
#[derive(Debug)]
pub struct Follow {
    store: Store,
    follower: Follower,
}

#[derive(Debug)]
enum Follower {
    Events(Box<EventFollower>),
    Rollup(Box<RollupFollower>),
}

/// What a refresh brought.
#[derive(Debug, Clone, Default)]
pub struct Refresh {
    /// The rows that are new or changed, with the columns of the frame; all of it where everything was read again.
    pub rows: DataFrame,
    /// Rows that were not there before.
    pub added: usize,
    /// Rows of a rollup that have other values now.
    pub changed: usize,
    /// Rows that the query's conditions no longer let through.
    pub removed: usize,
    /// Everything was read again, because what is new could not be told from what is known. What was made of the rows before
    /// (a windowed aggregation, say) has to be made anew.
    pub reloaded: bool,
}

impl Refresh {
    /// Whether the frame is as it was.
    pub fn is_empty(&self) -> bool {
        !self.reloaded && self.added + self.changed + self.removed == 0
    }

    pub(crate) fn reloaded(frame: &DataFrame) -> Self {
        Self { rows: frame.clone(), added: frame.height(), reloaded: true, ..Self::default() }
    }
}

/// In one line: `12 new rows, 3 changed`.
impl fmt::Display for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |rows: usize| crate::format::count(rows as u64);
        if self.reloaded {
            return write!(f, "all {} rows read again", count(self.rows.height()));
        }
        write!(f, "{} new {}", count(self.added), if self.added == 1 { "row" } else { "rows" })?;
        for (rows, what) in [(self.changed, "changed"), (self.removed, "removed")] {
            if rows > 0 {
                write!(f, ", {} {what}", count(rows))?;
            }
        }
        Ok(())
    }
}

impl Follow {
    pub(crate) fn events(store: Store, query: EventQuery) -> Result<Self, StoreError> {
        let follower = Follower::Events(Box::new(EventFollower::start(&store, query)?));
        Ok(Self { store, follower })
    }

    pub(crate) fn rollup(store: Store, name: String, query: Query) -> Result<Self, StoreError> {
        let follower = Follower::Rollup(Box::new(RollupFollower::start(&store, name, query)?));
        Ok(Self { store, follower })
    }

    /// The frame as of the last refresh, in the order of `collect`.
    pub fn frame(&self) -> &DataFrame {
        match &self.follower {
            Follower::Events(follower) => follower.frame(),
            Follower::Rollup(follower) => follower.frame(),
        }
    }

    /// Reads what is new since the last time and puts it into the frame.
    ///
    /// # Errors
    /// As `collect`; the frame stays as it was, and the next refresh brings what this one did not.
    pub fn refresh(&mut self) -> Result<Refresh, StoreError> {
        match &mut self.follower {
            Follower::Events(follower) => follower.refresh(&self.store),
            Follower::Rollup(follower) => follower.refresh(&self.store),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_is_told_in_a_line() {
        let refresh = Refresh { added: 1, changed: 1_200, ..Refresh::default() };
        assert_eq!(refresh.to_string(), "1 new row, 1,200 changed");
        assert!(Refresh::default().is_empty() && !refresh.is_empty());
        assert_eq!(Refresh::default().to_string(), "0 new rows");
        assert_eq!(Refresh::reloaded(&DataFrame::empty()).to_string(), "all 0 rows read again");
    }
}
