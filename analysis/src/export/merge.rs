//! Rows that changed into the rows of the last export, so that a refresh reads only what is new.

use std::cmp::Ordering;

use model::layout::Column;
use polars::prelude::{DataFrame, IdxCa, IdxSize, PolarsError};

use super::meaning::identity;
use crate::cell::{Cell, Cells};

/// Replaces the rows of `base` that `changes` has too and puts the others in between, in the table's order.
///
/// Both frames are in that order and have the table's columns: MongoDB's, which compares numbers by value, texts by their bytes,
/// and puts null first.
pub(crate) fn merge(base: &DataFrame, changes: &DataFrame, columns: &[Column]) -> Result<DataFrame, PolarsError> {
    let names: Vec<&str> = identity(columns).iter().map(|column| column.name.as_str()).collect();
    let (old, new) = (Key::new(base, &names)?, Key::new(changes, &names)?);
    let rows = |frame: &DataFrame| IdxSize::try_from(frame.height()).unwrap_or(IdxSize::MAX);
    let (old_rows, new_rows) = (rows(base), rows(changes));
    let mut taken: Vec<IdxSize> = Vec::with_capacity(base.height() + changes.height());
    let (mut o, mut n) = (0, 0);
    while o < old_rows || n < new_rows {
        let order = match (o < old_rows, n < new_rows) {
            (true, true) => old.compare(o as usize, &new, n as usize),
            (true, false) => Ordering::Less,
            _ => Ordering::Greater,
        };
        if order == Ordering::Less {
            taken.push(o);
            o += 1;
        } else {
            taken.push(old_rows + n);
            n += 1;
            o += IdxSize::from(order == Ordering::Equal);
        }
    }
    let taken = IdxCa::from_vec("rows".into(), taken);
    base.vstack(changes)?.rechunk_mut().take(&taken)
}

/// The columns by which rows are told apart and ordered.
struct Key(Vec<Cells>);

impl Key {
    fn new(frame: &DataFrame, names: &[&str]) -> Result<Self, PolarsError> {
        names.iter().map(|name| Ok(Cells::new(frame.column(name)?))).collect::<Result<_, PolarsError>>().map(Self)
    }

    fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        let parts = self.0.iter().zip(&other.0);
        let orders = parts.map(|(mine, theirs)| compare(mine.get(row).as_ref(), theirs.get(other_row).as_ref()));
        orders.into_iter().find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
    }
}

fn compare(a: Option<&Cell<'_>>, b: Option<&Cell<'_>>) -> Ordering {
    match (a, b) {
        (Some(Cell::Int(a)), Some(Cell::Int(b))) => a.cmp(b),
        (Some(Cell::Float(a)), Some(Cell::Float(b))) => a.partial_cmp(b).unwrap_or_else(|| a.total_cmp(b)),
        (Some(Cell::Text(a)), Some(Cell::Text(b))) => a.cmp(b),
        (Some(Cell::Bool(a)), Some(Cell::Bool(b))) => a.cmp(b),
        (Some(Cell::Date(a)), Some(Cell::Date(b))) => a.cmp(b),
        (Some(Cell::Timestamp(a)), Some(Cell::Timestamp(b))) => a.cmp(b),
        // Two texts of any other type; a column has one type.
        (Some(Cell::Other(a)), Some(Cell::Other(b))) => a.cmp(b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tests::movies_by_month;
    use polars::prelude::{DataType, df};

    /// (day, movie, reviews)
    fn frame(rows: &[(i32, Option<&str>, i64)]) -> DataFrame {
        let frame = df!(
            "window_start" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "movie" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            "reviews" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        );
        let mut frame = frame.expect("a frame");
        frame.apply("window_start", |days| days.cast(&DataType::Date).expect("dates")).expect("a column");
        frame
    }

    fn merged(base: &[(i32, Option<&str>, i64)], changes: &[(i32, Option<&str>, i64)]) -> DataFrame {
        merge(&frame(base), &frame(changes), &movies_by_month().columns).expect("merged")
    }

    #[test]
    fn changed_rows_are_replaced_and_new_ones_put_in_their_place() {
        let base = [(-31, Some("Up"), 1), (0, None, 2), (0, Some("A"), 3), (0, Some("한"), 4)];
        let changes = [(-31, Some("V"), 5), (0, None, 6), (0, Some("Z"), 7), (31, Some("A"), 8)];
        let expected = [
            (-31, Some("Up"), 1),
            (-31, Some("V"), 5),
            (0, None, 6),
            (0, Some("A"), 3),
            (0, Some("Z"), 7),
            (0, Some("한"), 4),
            (31, Some("A"), 8),
        ];
        assert!(merged(&base, &changes).equals_missing(&frame(&expected)));
    }

    #[test]
    fn nothing_and_something_are_something() {
        let rows = [(0, Some("A"), 3), (1, Some("A"), 3)];
        assert!(merged(&rows, &[]).equals_missing(&frame(&rows)));
        assert!(merged(&[], &rows).equals_missing(&frame(&rows)));
    }
}
