//! What a publisher remembers of the rows it wrote, so that it need not ask for them.

use super::ranks::Ranks;
use fastbloom::BloomFilter;
use model::rollup::{Group, Groups, Rollup, State, partial};
use std::collections::HashMap;

/// States that are remembered.
const BYTES: usize = 3 << 20;
/// 2 MiB, for tables with more rows than that: of a million new groups one in a thousand is taken for one that has a row, of four million
/// one in five. That only costs a question.
const BITS: usize = 1 << 24;
const EXPECTED: usize = 2_000_000;

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
#[derive(Default)]
pub(super) struct KnownRows {
    revision: i64,
    states: Groups,
    /// About the memory they take.
    bytes: usize,
    /// Groups whose states were forgotten.
    rows: Option<BloomFilter>,
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
        self.forget_states();
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
            None if self.rows.as_ref().is_some_and(|rows| rows.contains(group)) => Known::Row,
            None => Known::Nothing,
        }
    }

    /// Notes what was written.
    pub(super) fn note(&mut self, group: Group, state: State) {
        if self.bytes >= BYTES {
            self.forget_states();
        }
        let size = partial::size(&group, &state);
        if self.states.insert(group, state).is_none() {
            self.bytes += size;
        }
    }

    fn forget_states(&mut self) {
        if self.states.is_empty() {
            return;
        }
        let rows = || BloomFilter::with_num_bits(BITS).expected_items(EXPECTED);
        let rows = self.rows.get_or_insert_with(rows);
        for (group, _) in self.states.drain() {
            rows.insert(&group);
        }
        self.bytes = 0;
    }

    /// What is known of a ranked rollup.
    pub(super) fn ranks(&mut self, rollup: &Rollup) -> &mut Ranks {
        self.ranks.entry(rollup.name().to_owned()).or_default()
    }
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
