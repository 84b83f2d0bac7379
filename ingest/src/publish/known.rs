//! What a publisher remembers of the rows it wrote, so that it need not ask for them.

use super::ranks::Ranks;
use model::rollup::{Group, Rollup, State};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// States that are remembered: a few MB a table.
const STATES: usize = 20_000;
/// Hashes of rows that are remembered: 16 MB at most.
const ROWS: usize = 1_000_000;

/// What is known of the row of a group.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    /// It has this state.
    State(State),
    /// It is there, probably.
    Row,
    /// It was not seen: probably it is not there.
    Nothing,
}

/// Rows that this publisher has written. States hold for the revision they were noted at alone; that a row is there is only a guess,
/// which saves the server an upsert of a new row.
#[derive(Debug, Default)]
pub(super) struct KnownRows {
    revision: i64,
    states: HashMap<Group, State>,
    rows: HashSet<u64>,
    /// By name of the rollup.
    ranks: HashMap<String, Ranks>,
}

impl KnownRows {
    /// Forgets what may have changed since, unless no other publisher had a round in between.
    pub(super) fn hold_for(&mut self, revision: i64) {
        if self.revision != revision {
            self.forget();
            self.revision = revision;
        }
    }

    /// Forgets the states: after a failure, it is not known which rows were written.
    pub(super) fn forget(&mut self) {
        self.states.clear();
        self.ranks.clear();
        self.revision = -1;
    }

    /// The round is stored.
    pub(super) fn advance(&mut self, revision: i64) {
        self.revision = revision;
    }

    /// What is known of a group's row.
    pub(super) fn get(&self, group: &Group) -> Known {
        match self.states.get(group) {
            Some(state) => Known::State(state.clone()),
            None if self.rows.contains(&hash(group)) => Known::Row,
            None => Known::Nothing,
        }
    }

    /// Notes what was written.
    pub(super) fn note(&mut self, group: Group, state: State) {
        if self.rows.len() >= ROWS {
            self.rows.clear();
        }
        self.rows.insert(hash(&group));
        if self.states.len() >= STATES {
            self.states.clear();
        }
        self.states.insert(group, state);
    }

    /// What is known of a ranked rollup.
    pub(super) fn ranks(&mut self, rollup: &Rollup) -> &mut Ranks {
        self.ranks.entry(rollup.name().to_owned()).or_default()
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::rollup::KeyValue;
    use model::schema::{IMDB_REVIEW, Schema};
    use model::window::Window;

    fn group(key: i64) -> Group {
        Group { window: Window { start: 0, end: 10 }, key: Box::new([KeyValue::Int(key)]) }
    }

    #[test]
    fn states_hold_while_nobody_else_publishes() {
        let schema = Schema::parse("imdb-review", IMDB_REVIEW).unwrap();
        let state = State::empty(&schema.rollups().tables()[0]);
        let mut known = KnownRows::default();
        known.hold_for(4);
        known.note(group(1), state.clone());
        known.advance(5);
        known.hold_for(5);
        assert_eq!(known.get(&group(1)), Known::State(state));
        assert_eq!(known.get(&group(2)), Known::Nothing);
        known.hold_for(7);
        assert_eq!(known.get(&group(1)), Known::Row, "another publisher had revision 6");
    }
}
