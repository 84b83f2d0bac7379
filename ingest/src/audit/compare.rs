//! What a row should hold, from a group of the server's, and where a published row differs.

use bson::{Bson, Document, doc};
use model::layout::{Column, ColumnRole, column};
use model::rollup::{Rollup, StateTable};
use std::cmp::Ordering;

/// Numbers with a fraction are sums in another order; they may differ by this share.
pub const RELATIVE_ERROR: f64 = 1e-9;
/// Up to here distinct counts are exact; beyond, five standard errors of the sketch are allowed.
const DISTINCT_EXACT: f64 = 512.0;
const DISTINCT_ERROR: f64 = 5.0 * 1.04 / 64.0;

/// The columns of a rollup that its events decide.
pub(super) struct Expectation {
    columns: Vec<Column>,
    top: Option<(usize, String)>,
}

impl Expectation {
    pub(super) fn new(table: &StateTable, rollup: &Rollup) -> Self {
        let decided = |column: &Column| match column.role {
            // Of other windows it follows from the start.
            ColumnRole::WindowEnd => table.has_sessions(),
            role => {
                !matches!(role, ColumnRole::Late | ColumnRole::IsFinal | ColumnRole::Revision | ColumnRole::UpdatedAt)
            }
        };
        let top = rollup.top().map(|top| (top.rows, rollup.ordered_by().unwrap_or_default().to_owned()));
        Self { columns: rollup.columns().into_iter().filter(decided).collect(), top }
    }

    pub(super) fn is_ranked(&self) -> bool {
        self.top.is_some()
    }

    /// A group as the row that it should be.
    pub(super) fn row(&self, mut group: Document) -> Document {
        let id = group.get_document("_id").cloned().unwrap_or_default();
        group.insert(column::WINDOW_START, id.get("w").cloned().unwrap_or(Bson::Null));
        let keys = id.get_array("k").cloned().unwrap_or_default();
        let names = self.columns.iter().filter(|column| column.role == ColumnRole::Key);
        for (name, key) in names.zip(keys) {
            group.insert(name.name.clone(), key);
        }
        for column in &self.columns {
            match column.role {
                ColumnRole::Quantile => {
                    let median = group.get_array(&column.name).ok().and_then(|values| median(values));
                    group.insert(column.name.clone(), median.map_or(Bson::Null, Bson::Double));
                }
                ColumnRole::Distinct => {
                    let size = group
                        .get_array(&column.name)
                        .map_or(0, |set| set.iter().filter(|value| **value != Bson::Null).count());
                    group.insert(column.name.clone(), i64::try_from(size).unwrap_or(i64::MAX));
                }
                _ => {}
            }
        }
        group
    }

    /// The groups of one window as the rows that should be published of them.
    pub(super) fn ranked(&self, groups: Vec<Document>) -> Vec<Document> {
        let Some((rows, by)) = &self.top else { return Vec::new() };
        let mut window: Vec<Document> = groups.into_iter().map(|group| self.row(group)).collect();
        // The groups come in the order of their keys, and the sort keeps that order among equals.
        window.sort_by(|a, b| match (number(a.get(by)), number(b.get(by))) {
            (Some(a), Some(b)) => b.total_cmp(&a),
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
        window.truncate(*rows);
        for (rank, row) in (1_i64..).zip(&mut window) {
            let start = row.get(column::WINDOW_START).cloned().unwrap_or(Bson::Null);
            row.insert("_id", doc! { "w": start, "rank": rank });
            row.insert(column::RANK, rank);
        }
        window
    }

    /// The first column in which a published row is not what it should be.
    pub(super) fn difference(&self, want: &Document, have: &Document) -> Option<String> {
        let column =
            self.columns.iter().find(|column| !equal(column, want.get(&column.name), have.get(&column.name)))?;
        let show = |value: Option<&Bson>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        Some(format!("{} is {}, should be {}", column.name, show(have.get(&column.name)), show(want.get(&column.name))))
    }
}

fn equal(column: &Column, want: Option<&Bson>, have: Option<&Bson>) -> bool {
    let is_int = matches!(have, Some(Bson::Int64(_)));
    match (number(want), number(have)) {
        (Some(want), Some(have)) if column.role == ColumnRole::Distinct => {
            (want - have).abs() <= if want <= DISTINCT_EXACT { 0.0 } else { want * DISTINCT_ERROR }
        }
        // The server's sum has left the numbers on the way; a mean that is updated step by step need not.
        (Some(want), Some(_)) if !want.is_finite() && matches!(column.role, ColumnRole::Mean | ColumnRole::Stddev) => {
            true
        }
        (Some(want), Some(have)) if matches!(column.role, ColumnRole::Mean | ColumnRole::Stddev | ColumnRole::Sum) => {
            // A column of integers is held at their limits.
            let want = if is_int { want.clamp(i64::MIN as f64, i64::MAX as f64) } else { want };
            want == have || (want - have).abs() <= RELATIVE_ERROR * want.abs().max(have.abs()).max(1.0)
        }
        (Some(want), Some(have)) => want == have,
        _ => want.unwrap_or(&Bson::Null) == have.unwrap_or(&Bson::Null),
    }
}

fn number(value: Option<&Bson>) -> Option<f64> {
    match value? {
        Bson::Int32(number) => Some((*number).into()),
        Bson::Int64(number) => Some(*number as f64),
        Bson::Double(number) => Some(*number),
        Bson::Decimal128(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

fn median(values: &[Bson]) -> Option<f64> {
    let mut numbers: Vec<f64> = values.iter().filter_map(|value| number(Some(value))).collect();
    numbers.sort_by(f64::total_cmp);
    let (low, high) = (numbers.get(numbers.len().checked_sub(1)? / 2)?, numbers.get(numbers.len() / 2)?);
    Some((low + high) / 2.0)
}

/// The order of two rows by `_id`, as the server sorts them.
pub(super) fn order(a: &Document, b: &Document) -> Ordering {
    let id = |row: &Document| row.get_document("_id").cloned().unwrap_or_default();
    let (a, b) = (id(a), id(b));
    let values = a.values().zip(b.values()).map(|(a, b)| order_values(a, b));
    values.into_iter().find(|order| order.is_ne()).unwrap_or(a.len().cmp(&b.len()))
}

/// MongoDB's order of the types that a key can have: null, numbers, texts, booleans, dates.
fn order_values(a: &Bson, b: &Bson) -> Ordering {
    let class = |value: &Bson| match value {
        Bson::Null => 0,
        Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) => 1,
        Bson::String(_) => 2,
        Bson::Boolean(_) => 3,
        _ => 4,
    };
    match (a, b) {
        (Bson::String(a), Bson::String(b)) => a.cmp(b),
        (Bson::Int64(a), Bson::Int64(b)) => a.cmp(b),
        (Bson::Boolean(a), Bson::Boolean(b)) => a.cmp(b),
        (Bson::DateTime(a), Bson::DateTime(b)) => a.cmp(b),
        (Bson::Array(a), Bson::Array(b)) => a
            .iter()
            .zip(b)
            .map(|(a, b)| order_values(a, b))
            .find(|order| order.is_ne())
            .unwrap_or(a.len().cmp(&b.len())),
        _ => class(a).cmp(&class(b)),
    }
}

/// Whether a row's `_id` is what the publisher makes; any other row can only be one too many.
pub(super) fn has_row_id(row: &Document) -> bool {
    row.get_document("_id").is_ok_and(|id| id.len() == 2 && matches!(id.get("w"), Some(Bson::DateTime(_))))
}

/// A row's identity for a person.
pub(super) fn name(row: Option<&Document>) -> String {
    row.and_then(|row| row.get("_id")).map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_in_the_middle_and_leaves_out_null() {
        let of = |values: &[Bson]| median(values);
        assert_eq!(of(&[Bson::Int64(10), Bson::Null, Bson::Int64(1), Bson::Int64(2)]), Some(2.0));
        assert_eq!(of(&[Bson::Int64(1), Bson::Int64(2)]), Some(1.5));
        assert_eq!(of(&[Bson::Null]), None);
    }

    #[test]
    fn keys_are_ordered_as_the_server_orders_them() {
        let row = |key: Vec<Bson>| doc! { "_id": { "w": 1_i64, "k": key } };
        let sorted = [
            row(vec![Bson::Null]),
            row(vec![Bson::Int64(-3)]),
            row(vec![Bson::Int64(9)]),
            row(vec!["Z".into()]),
            row(vec!["a".into()]),
            row(vec!["é".into()]),
            row(vec![true.into()]),
        ];
        for (at, a) in sorted.iter().enumerate() {
            for (other, b) in sorted.iter().enumerate() {
                assert_eq!(order(a, b), at.cmp(&other));
            }
        }
    }
}
