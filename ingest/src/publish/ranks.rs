//! Rollups that publish only the first rows of each window: which rows those are, and writing the ones that differ.
//!
//! Where groups are ordered by something that only rises, such as a count, the first of a window can only be those that were the
//! first before, or those that have just changed; so a window is ranked on the server once, and from then on in memory.

use super::rows::RowWriter;
use crate::store::{Corrupt, StoreError};
use bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf};
use bson::{Bson, DateTime, Document, doc};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use model::layout::column;
use model::rollup::{Group, GroupHasher, Rollup, Row, State, partial};
use model::window::Window;
use mongodb::options::Hint;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

pub(super) const WINDOWS_PER_QUERY: usize = 64;
const QUERIES_IN_FLIGHT: usize = 8;
/// Rows that are remembered: some 12 MB.
const ROWS: usize = 40_000;

/// What a publisher remembers of one ranked rollup.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    /// The first groups of windows, in their order.
    windows: HashMap<Window, Vec<(Group, State)>, GroupHasher>,
    /// Columns of the rows as they were last written, by `_id`.
    written: HashMap<Vec<u8>, Vec<u8>>,
}

/// How a ranked row is written.
enum Write {
    /// It is there as it should be.
    Nothing,
    /// It was written before.
    Replacement,
    /// It was not, as far as is known.
    New,
}

impl Ranks {
    fn has(&self, window: Window) -> bool {
        self.windows.contains_key(&window)
    }

    fn load(&mut self, rollup: &Rollup, window: Window, mut groups: Vec<(Group, State)>) {
        groups.sort_by(|(a, state), (b, other)| rollup.rank_order((a, state), (b, other)));
        self.windows.insert(window, groups);
    }

    /// Makes room for the windows of one more query.
    fn make_room(&mut self, rollup: &Rollup) {
        if self.windows.len() + WINDOWS_PER_QUERY > windows_of(rollup) {
            self.windows.clear();
        }
    }

    fn first(&self, window: Window) -> Vec<(Group, State)> {
        self.windows.get(&window).cloned().unwrap_or_default()
    }

    /// Takes the new state of a group into account.
    pub(super) fn offer(&mut self, rollup: &Rollup, group: &Group, state: &State) {
        let Some(top) = rollup.top() else { return };
        let Some(first) = self.windows.get_mut(&group.window) else { return };
        let is_before = |(other, its): &(Group, State)| rollup.rank_order((other, its), (group, state)).is_lt();
        match first.iter().position(|(other, _)| other == group) {
            Some(place) => drop(first.remove(place)),
            // Nearly all groups of a large window end here.
            None if first.len() >= top.rows && first.last().is_none_or(is_before) => return,
            None => {}
        }
        first.insert(first.partition_point(is_before), (group.clone(), state.clone()));
        first.truncate(top.rows);
    }

    /// How a row is to be written; notes it.
    fn note(&mut self, row: &Row) -> Write {
        if self.written.len() >= ROWS {
            self.written.clear();
        }
        match self.written.entry(row.id.as_bytes().to_vec()) {
            Entry::Occupied(before) if before.get() == row.columns.as_bytes() => Write::Nothing,
            Entry::Occupied(mut before) => {
                before.insert(row.columns.as_bytes().to_vec());
                Write::Replacement
            }
            Entry::Vacant(none) => {
                none.insert(row.columns.as_bytes().to_vec());
                Write::New
            }
        }
    }
}

impl RowWriter {
    /// Before the rows of a round are written: a window that has none yet needs no ranking on the server, because all its
    /// groups come with the rounds from now on.
    pub(super) async fn begin_ranks(
        &self,
        rollup: &Rollup,
        windows: &BTreeSet<Window>,
        ranks: &mut Ranks,
    ) -> Result<(), StoreError> {
        let room = windows_of(rollup).saturating_sub(ranks.windows.len());
        let unknown: Vec<_> = windows.iter().copied().filter(|window| !ranks.has(*window)).take(room).collect();
        let rows = self.store.collection::<Document>(self.plan().group_rows(self.table()).name());
        let has_none = async |some: Document| {
            let mut session = self.store.session_after(self.after).await?;
            let id = doc! { "_id": 1 };
            // Without the hint, an empty filter is answered by a collection scan.
            let any = rows.find_one(some).hint(Hint::Keys(id.clone())).projection(id).session(&mut session).await?;
            Ok::<_, StoreError>(any.is_none())
        };
        if unknown.len() > 1 && has_none(doc! {}).await? {
            unknown.into_iter().for_each(|window| ranks.load(rollup, window, Vec::new()));
            return Ok(());
        }
        let is_empty = async |window| Ok::<_, StoreError>(has_none(rows_of(window)).await?.then_some(window));
        let mut empty = stream::iter(unknown).map(is_empty).buffer_unordered(QUERIES_IN_FLIGHT);
        while let Some(window) = empty.try_next().await? {
            if let Some(window) = window {
                ranks.load(rollup, window, Vec::new());
            }
        }
        Ok(())
    }

    /// Ranks the groups of the changed windows, and writes the rows that differ from before.
    pub(super) async fn write_ranked(
        &self,
        rollup: &Rollup,
        windows: &BTreeSet<Window>,
        ranks: &mut Ranks,
    ) -> Result<(), StoreError> {
        let windows: Vec<_> = windows.iter().copied().collect();
        for some in windows.chunks(WINDOWS_PER_QUERY) {
            ranks.make_room(rollup);
            let unknown: Vec<_> = some.iter().copied().filter(|window| !ranks.has(*window)).collect();
            for (window, groups) in self.first_groups(rollup, &unknown).await? {
                ranks.load(rollup, window, groups);
            }
            let (mut new, mut there) = (Vec::new(), Vec::new());
            let rows: Vec<Row> = some.iter().flat_map(|window| rollup.ranked(ranks.first(*window))).collect();
            for row in rows {
                match ranks.note(&row) {
                    Write::Nothing => {}
                    Write::Replacement => there.push(row),
                    Write::New => new.push(row),
                }
            }
            self.write_ranked_rows(rollup, &new, &there).await?;
            if !rollup.only_rises() {
                ranks.windows.clear();
            }
        }
        Ok(())
    }

    /// The first groups of each window, in the order of the rollup.
    pub(super) async fn first_groups(
        &self,
        rollup: &Rollup,
        windows: &[Window],
    ) -> Result<Vec<(Window, Vec<(Group, State)>)>, StoreError> {
        if windows.is_empty() {
            return Ok(Vec::new());
        }
        let Some((top, by)) = rollup.top().zip(rollup.ordered_by()) else { return Ok(Vec::new()) };
        let count = i64::try_from(top.rows).unwrap_or(i64::MAX);
        let first = doc! { "$topN": {
            "n": count, "sortBy": { by: -1, "_id": 1 }, "output": { "k": "$_id.k", "s": format!("${}", column::STATE) },
        } };
        let pipeline = vec![
            doc! { "$match": { "$or": windows.iter().copied().map(rows_of).collect::<Vec<_>>() } },
            doc! { "$group": { "_id": "$_id.w", "first": first } },
        ];
        let rows = self.store.collection::<RawDocumentBuf>(&self.carrier);
        let mut session = self.store.session_after(self.after).await?;
        let answers = rows.aggregate(pipeline).with_type::<RawDocumentBuf>().session(&mut session);
        let answers: Vec<_> = answers.await?.stream(&mut session).try_collect().await?;
        answers.iter().map(|answer| self.ranked_groups(answer)).collect()
    }

    fn ranked_groups(&self, answer: &RawDocument) -> Result<(Window, Vec<(Group, State)>), StoreError> {
        // The answer is none that is stored; its window is.
        let corrupt = |problem: String| StoreError::from(Corrupt::new(&self.carrier, answer, problem));
        let start = answer.get_datetime("_id").map_err(|error| corrupt(error.to_string()))?;
        let window = self.table().window_at(start.timestamp_millis());
        let groups = answer.get_array("first").map_err(|error| corrupt(error.to_string()))?;
        let groups = groups.into_iter().map(|group| {
            let unreadable = || corrupt("a group of this window has no key or state".to_owned());
            let group = group.ok().and_then(RawBsonRef::as_document).ok_or_else(unreadable)?;
            let key = group.get_array("k").ok().and_then(partial::key).ok_or_else(unreadable)?;
            let state = group.get_document("s").map_err(|error| corrupt(error.to_string()))?;
            let state = State::read(self.table(), state).map_err(|error| corrupt(error.to_string()))?;
            Ok((Group { window, key }, state))
        });
        Ok((window, groups.collect::<Result<_, StoreError>>()?))
    }
}

/// How many windows of a ranked rollup are remembered.
fn windows_of(rollup: &Rollup) -> usize {
    let rows = rollup.top().map_or(1, |top| top.rows.max(1));
    (ROWS / rows).max(WINDOWS_PER_QUERY)
}

/// The group rows of a window, as a filter.
fn rows_of(window: Window) -> Document {
    let start = DateTime::from_millis(window.start);
    doc! { "_id": { "$gte": { "w": start }, "$lt": { "w": start, "k": Bson::MaxKey } } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::rollup::KeyValue;
    use model::schema::{IMDB_REVIEW, Schema};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranks_from_changes_are_ranks_of_all(changes in prop::collection::vec((0..60_i64, 1..4_i64), 0..200)) {
            let schema = Schema::parse("imdb-review", IMDB_REVIEW).unwrap();
            let plan = schema.rollups();
            let rollup = plan.rollups().iter().find(|rollup| rollup.top().is_some()).unwrap();
            let table = &plan.tables()[rollup.table()];
            prop_assert!(rollup.only_rises());
            let window = Window { start: 0, end: 10 };
            let mut ranks = Ranks::default();
            ranks.load(rollup, window, Vec::new());
            let mut all: HashMap<Group, State> = HashMap::new();
            for (movie, times) in changes {
                let group = Group { window, key: Box::new([KeyValue::Int(movie)]) };
                let mut stored = RawDocumentBuf::new();
                stored.append(bson::raw::cstr!("count"), times);
                let more = State::read(table, &stored).unwrap();
                let state = all.entry(group.clone()).or_insert_with(|| State::empty(table));
                state.combine(&more);
                ranks.offer(rollup, &group, state);
            }
            let expected = rollup.ranked(all.into_iter().collect());
            prop_assert_eq!(rollup.ranked(ranks.first(window)), expected);
        }
    }
}
