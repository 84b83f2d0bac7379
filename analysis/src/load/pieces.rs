//! Rows in their order with what identifies each, of which a few change at a time.
//!
//! They are kept in pieces of some thousand rows, so that a change costs what its piece costs, however many rows there are. The
//! frame of all rows is put together from the pieces without a copy of them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    iter,
    sync::Arc,
};

use polars::prelude::{Column, DataFrame, IdxCa, IdxSize, NamedFrom, PolarsResult, Series, SortMultipleOptions};

use super::decode::Decoded;

/// Rows of a piece; one of more than twice as many is cut.
const PIECE: usize = 8_192;

/// The bytes of a row's `_id`.
type Id = Arc<[u8]>;

#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// By number.
    pieces: Vec<Piece>,
    /// The numbers of the pieces, in the order of their rows; there is at least one.
    order: Vec<u32>,
    piece_of: HashMap<Id, u32>,
    whole: DataFrame,
}

#[derive(Debug, Default, Clone)]
struct Piece {
    rows: DataFrame,
    ids: Vec<Id>,
}

/// How many rows a merge touched.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Merged {
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
}

/// What a merge does to one piece.
#[derive(Default)]
struct Change<'a> {
    /// Places of its new and changed rows.
    places: Vec<IdxSize>,
    gone: HashSet<&'a [u8]>,
}

impl Pieces {
    /// Rows in order.
    pub fn new(decoded: Decoded) -> Self {
        let Decoded { mut frame, ids } = decoded;
        frame.rechunk_mut();
        let all = Piece { rows: frame.clone(), ids: ids.into_iter().map(Id::from).collect() };
        let mut new = Self { pieces: vec![Piece::default()], order: vec![0], whole: frame, ..Self::default() };
        new.put(0, all.cut());
        new
    }

    /// All rows in order.
    pub fn frame(&self) -> &DataFrame {
        &self.whole
    }

    /// Puts `changed` in place of the rows of the same ids or in between, by the columns `by`, and takes out those that are `gone`. An
    /// error leaves everything as it was.
    pub fn merge(&mut self, changed: Decoded, gone: &[Box<[u8]>], by: &[&str]) -> PolarsResult<Merged> {
        let changed = Piece { rows: changed.frame, ids: changed.ids.into_iter().map(Id::from).collect() };
        let mut counts = Merged::default();
        let mut changes: BTreeMap<u32, Change<'_>> = BTreeMap::new();
        let mut new = Vec::new();
        for (place, id) in (0..).zip(&changed.ids) {
            match self.piece_of.get(id) {
                Some(piece) => changes.entry(*piece).or_default().places.push(place),
                None => new.push(place),
            }
        }
        (counts.added, counts.changed) = (new.len(), changed.ids.len() - new.len());
        for (piece, place) in self.pieces_of_new(&changed.rows, new, by)? {
            changes.entry(piece).or_default().places.push(place);
        }
        for id in gone {
            if let Some(piece) = self.piece_of.get(&**id) {
                changes.entry(*piece).or_default().gone.insert(id);
                counts.removed += 1;
            }
        }
        let rebuild = |(number, change): (u32, Change<'_>)| {
            Ok((number, self.pieces[number as usize].changed(&changed, change, by)?.cut()))
        };
        let rebuilt = changes.into_iter().map(rebuild).collect::<PolarsResult<BTreeMap<u32, Vec<Piece>>>>()?;
        self.whole = self.joined(&rebuilt)?;
        for id in gone {
            self.piece_of.remove(&**id);
        }
        rebuilt.into_iter().for_each(|(number, pieces)| self.put(number, pieces));
        Ok(counts)
    }

    /// The piece in which each new row belongs: the last one that begins before it.
    fn pieces_of_new(&self, rows: &DataFrame, new: Vec<IdxSize>, by: &[&str]) -> PolarsResult<Vec<(u32, IdxSize)>> {
        if new.is_empty() || self.order.len() == 1 {
            return Ok(new.into_iter().map(|place| (self.order[0], place)).collect());
        }
        let mut keys = DataFrame::default();
        for number in &self.order {
            keys.vstack_mut(&self.pieces[*number as usize].rows.head(Some(1)).select(by.iter().copied())?)?;
        }
        keys.vstack_mut(&take(rows, new.clone())?.select(by.iter().copied())?)?;
        let mut piece = self.order[0];
        let mut found = Vec::with_capacity(new.len());
        for row in places_in_order(keys, by)? {
            match (row as usize).checked_sub(self.order.len()) {
                None => piece = self.order[row as usize],
                Some(place) => found.push((piece, new[place])),
            }
        }
        Ok(found)
    }

    /// All rows, with these pieces in place of those of their numbers.
    fn joined(&self, rebuilt: &BTreeMap<u32, Vec<Piece>>) -> PolarsResult<DataFrame> {
        let mut whole = self.whole.clear();
        for number in &self.order {
            match rebuilt.get(number) {
                Some(pieces) => pieces.iter().try_for_each(|piece| whole.vstack_mut(&piece.rows).map(drop))?,
                None => whole.vstack_mut(&self.pieces[*number as usize].rows).map(drop)?,
            }
        }
        Ok(whole)
    }

    /// Puts pieces in the place of one.
    fn put(&mut self, number: u32, pieces: Vec<Piece>) {
        let place = self.order.iter().position(|other| *other == number).expect("only pieces in the order are changed");
        let first_new = self.pieces.len() as u32;
        self.pieces[number as usize] = Piece::default();
        let numbers: Vec<u32> = iter::once(number).chain(first_new..).take(pieces.len()).collect();
        for (number, piece) in numbers.iter().zip(pieces) {
            self.piece_of.extend(piece.ids.iter().map(|id| (Arc::clone(id), *number)));
            match self.pieces.get_mut(*number as usize) {
                Some(old) => *old = piece,
                None => self.pieces.push(piece),
            }
        }
        self.order.splice(place..=place, numbers);
        if self.order.is_empty() {
            self.pieces[number as usize].rows = self.whole.clear();
            self.order.push(number);
        }
    }
}

impl Piece {
    /// The rows after a change.
    fn changed(&self, changed: &Self, change: Change<'_>, by: &[&str]) -> PolarsResult<Self> {
        let Change { places, gone } = change;
        let old = self.ids.len() as IdxSize;
        let id = |place: &IdxSize| &*changed.ids[*place as usize];
        let mut later: HashMap<&[u8], IdxSize> = places.iter().map(id).zip(old..).collect();
        let mut order: Vec<IdxSize> = Vec::with_capacity(self.ids.len() + places.len());
        for (place, id) in (0..).zip(&self.ids) {
            let now = later.remove(&**id).unwrap_or(place);
            order.extend((!gone.contains(&**id)).then_some(now));
        }
        let has_new = !later.is_empty();
        order.extend(places.iter().filter_map(|place| later.get(id(place))));
        let of_place = |place: &IdxSize| match place.checked_sub(old) {
            None => Arc::clone(&self.ids[*place as usize]),
            Some(place) => Arc::clone(&changed.ids[places[place as usize] as usize]),
        };
        let ids: Vec<Id> = order.iter().map(of_place).collect();
        let rows = take(&self.rows.vstack(&take(&changed.rows, places.clone())?)?, order)?;
        if !has_new {
            return Ok(Self { rows, ids });
        }
        let order = places_in_order(rows.select(by.iter().copied())?, by)?;
        let ids = order.iter().map(|place| Arc::clone(&ids[*place as usize])).collect();
        Ok(Self { rows: take(&rows, order)?, ids })
    }

    /// In pieces of the usual size where it is too large; nothing where it is empty.
    fn cut(self) -> Vec<Self> {
        match self.ids.len() {
            0 => Vec::new(),
            rows if rows <= 2 * PIECE => vec![self],
            rows => (0..rows)
                .step_by(PIECE)
                .map(|first| {
                    let ids = self.ids[first..rows.min(first + PIECE)].to_vec();
                    Self { rows: self.rows.slice(first as i64, ids.len()), ids }
                })
                .collect(),
        }
    }
}

fn take(rows: &DataFrame, places: Vec<IdxSize>) -> PolarsResult<DataFrame> {
    rows.take(&IdxCa::from_vec("".into(), places))
}

/// The places of rows in the order of the table, nulls first, as MongoDB sorts them.
fn places_in_order(mut keys: DataFrame, by: &[&str]) -> PolarsResult<Vec<IdxSize>> {
    const PLACE: &str = "place before sorting";
    let places: Vec<IdxSize> = (0..keys.height() as IdxSize).collect();
    keys.with_column(Column::from(Series::new(PLACE.into(), places)))?;
    let options = SortMultipleOptions::default().with_maintain_order(true).with_nulls_last(false);
    Ok(keys.sort(by.iter().copied(), options)?.column(PLACE)?.idx()?.iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use polars::prelude::df;
    use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};

    /// Rows of keys and values; the key is the id too.
    fn decoded(rows: &[(i64, i64)]) -> Decoded {
        let keys: Vec<Option<i64>> = rows.iter().map(|row| (row.0 != 0).then_some(row.0)).collect();
        let values: Vec<i64> = rows.iter().map(|row| row.1).collect();
        let ids = rows.iter().map(|row| id(row.0)).collect();
        Decoded { frame: df!("key" => keys, "value" => values).expect("a frame"), ids }
    }

    fn id(key: i64) -> Box<[u8]> {
        key.to_le_bytes().into()
    }

    fn rows(table: &BTreeMap<i64, i64>) -> Vec<(i64, i64)> {
        table.iter().map(|(key, value)| (*key, *value)).collect()
    }

    /// New and changed rows, and those to take out.
    type Step = (Vec<(i64, i64)>, BTreeSet<i64>);

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let key = || 0..40_000_i64;
        let few = prop::collection::vec((key(), any::<i64>()), 0..50);
        let many = (key(), 0..30_000_i64, any::<i64>())
            .prop_map(|(first, count, value)| (first..first + count).map(|key| (key, value)).collect());
        let changed = prop::strategy::Union::new_weighted(vec![(3, few.boxed()), (1, many.boxed())]);
        let gone = (key(), 0..20_000_i64, 1..4_i64)
            .prop_map(|(first, count, step)| (first..first + count).step_by(step as usize).collect());
        prop::collection::vec((changed, gone), 1..6)
    }

    proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(20))]

        #[test]
        fn pieces_are_the_table_after_every_merge(first in prop::collection::btree_map(0..40_000_i64, any::<i64>(), 0..200), filled in any::<bool>(), steps in steps()) {
            let mut table: BTreeMap<i64, i64> = first;
            if filled {
                table.extend((0..40_000).step_by(2).map(|key| (key, -key)));
            }
            let mut pieces = Pieces::new(decoded(&rows(&table)));
            for (changed, gone) in steps {
                let changed: BTreeMap<i64, i64> = changed.into_iter().filter(|(key, _)| !gone.contains(key)).collect();
                let known = changed.keys().filter(|key| table.contains_key(key)).count();
                let removed = gone.iter().filter(|key| table.contains_key(key)).count();
                // MongoDB sends the changed ones in no order.
                let backwards: Vec<(i64, i64)> = rows(&changed).into_iter().rev().collect();
                let gone_ids: Vec<Box<[u8]>> = gone.iter().map(|key| id(*key)).collect();
                let counts = pieces.merge(decoded(&backwards), &gone_ids, &["key"]).expect("merged");
                prop_assert_eq!(counts, Merged { added: changed.len() - known, changed: known, removed });
                table.extend(changed);
                table.retain(|key, _| !gone.contains(key));
                let expected = decoded(&rows(&table)).frame;
                assert!(pieces.frame().equals_missing(&expected), "{} {}", pieces.frame(), expected);
                let chunks = pieces.frame().columns()[0].n_chunks();
                assert!(chunks <= 1 + pieces.order.len() && pieces.piece_of.len() == table.len());
            }
        }
    }

    #[test]
    fn a_merge_that_fails_changes_nothing() {
        let mut pieces = Pieces::new(decoded(&[(1, 1), (2, 2)]));
        let other = Decoded { frame: df!("key" => ["a"], "value" => [1_i64]).expect("a frame"), ids: vec![id(3)] };
        assert!(pieces.merge(other, &[id(1)], &["key"]).is_err());
        assert_eq!(pieces.frame(), &decoded(&[(1, 1), (2, 2)]).frame);
        assert_eq!(pieces.merge(decoded(&[(1, 5)]), &[], &["key"]).expect("merged").changed, 1);
    }

    #[test]
    fn a_change_copies_the_rows_of_its_piece_alone() {
        let table: Vec<(i64, i64)> = (1..=100_000).map(|key| (2 * key, key)).collect();
        let mut pieces = Pieces::new(decoded(&table));
        // Until then all rows are one chunk.
        pieces.merge(decoded(&[(2, 0)]), &[], &["key"]).expect("merged");
        let places = |pieces: &Pieces| -> BTreeSet<*const i64> {
            let values = pieces.frame().column("value").expect("values").i64().expect("integers").clone();
            values
                .downcast_iter()
                .filter(|chunk| !chunk.values().is_empty())
                .map(|chunk| chunk.values().as_ptr())
                .collect()
        };
        for rows in [vec![(60_000, 0)], vec![(60_001, 0)], vec![(3, 0), (2, 0)]] {
            let before = places(&pieces);
            pieces.merge(decoded(&rows), &[], &["key"]).expect("merged");
            assert_eq!(places(&pieces).difference(&before).count(), 1, "{rows:?}");
            assert!(before.len() > 10);
        }
    }
}
