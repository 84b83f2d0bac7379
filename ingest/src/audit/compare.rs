//! What a row should hold, from a group of the server's, and where a published row differs.

use bson::{Bson, Document, doc};
use model::layout::{Column, ColumnRole, ColumnType, column};
use model::rollup::{Rollup, StateTable};
use model::state::SPARSE_LIMIT;
use std::cmp::Ordering;

/// Numbers with a fraction are sums in another order; they may differ by this share.
pub const RELATIVE_ERROR: f64 = 1e-9;
/// Beyond what is exact, so many standard errors of a distinct count are allowed.
const DISTINCT_ERRORS: f64 = 5.0;

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
        window.sort_by(|a, b| match (a.get(by), b.get(by)) {
            (a, b) if exact(a).is_some() && exact(b).is_some() => exact(b).cmp(&exact(a)),
            (a, b) => match (number(a), number(b)) {
                (Some(a), Some(b)) => b.total_cmp(&a),
                (a, b) => b.is_some().cmp(&a.is_some()),
            },
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
    pub(super) fn difference(&self, want_row: &Document, have_row: &Document) -> Option<String> {
        let differs = |column: &&Column| {
            let (want, have) = (want_row.get(&column.name), have_row.get(&column.name));
            !match column.role {
                ColumnRole::Mean | ColumnRole::Stddev | ColumnRole::Sum if column.kind == ColumnType::Float => {
                    self.scale(column, want_row).allows(want, have)
                }
                _ => equal(column, want, have),
            }
        };
        let column = self.columns.iter().find(differs)?;
        let show = |value: Option<&Bson>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let (have, want) = (have_row.get(&column.name), want_row.get(&column.name));
        Some(format!("{} is {}, should be {}", column.name, show(have), show(want)))
    }

    /// How many values of a column's measure there are, and how large.
    fn scale(&self, column: &Column, row: &Document) -> Scale {
        let of = |role: ColumnRole| {
            let same = |other: &&Column| other.role == role && other.measure == column.measure;
            self.columns.iter().find(same).and_then(|column| number(row.get(&column.name))).unwrap_or_default()
        };
        let largest = of(ColumnRole::Min).abs().max(of(ColumnRole::Max).abs());
        Scale { largest, sum: of(ColumnRole::Count) * largest, is_squared: column.role == ColumnRole::Stddev }
    }
}

/// How far floats of these values can be from each other, computed in two orders.
struct Scale {
    /// The largest value, without its sign.
    largest: f64,
    /// No sum of some of the values is larger.
    sum: f64,
    /// The values are squared on the way.
    is_squared: bool,
}

impl Scale {
    fn allows(&self, want: Option<&Bson>, have: Option<&Bson>) -> bool {
        match (number(want), number(have)) {
            (Some(want), Some(have)) => {
                let rounding = f64::EPSILON * if self.is_squared { self.largest } else { self.sum };
                want == have || (want - have).abs() <= RELATIVE_ERROR * want.abs().max(have.abs()).max(1.0) + rounding
            }
            // One of the two has left the floats on its way.
            (Some(_), None) | (None, Some(_)) => self.can_leave_the_floats(),
            (None, None) => true,
        }
    }

    fn can_leave_the_floats(&self) -> bool {
        let square = if self.is_squared { self.sum * self.largest * 4.0 } else { self.sum };
        !square.is_finite()
    }
}

fn equal(column: &Column, want: Option<&Bson>, have: Option<&Bson>) -> bool {
    if let (Some(want), Some(have)) = (exact(want), exact(have)) {
        let allowed = match column.relative_error {
            Some(error) if want > SPARSE_LIMIT as i128 => (want as f64 * error * DISTINCT_ERRORS) as u128,
            _ => 0,
        };
        return want.abs_diff(have) <= allowed;
    }
    match (number(want), number(have)) {
        (Some(want), Some(have)) => want == have,
        _ => want.unwrap_or(&Bson::Null) == have.unwrap_or(&Bson::Null),
    }
}

/// A whole number, with all of its digits.
fn exact(value: Option<&Bson>) -> Option<i128> {
    match value? {
        Bson::Int32(number) => Some((*number).into()),
        Bson::Int64(number) => Some((*number).into()),
        Bson::Decimal128(number) => exact_decimal(&number.to_string()),
        _ => None,
    }
}

/// A sum of decimals that are whole is whole, however it is written: `18000000000000000000`, `1.8E+19`.
fn exact_decimal(text: &str) -> Option<i128> {
    let (digits, power) = text.split_once('E').unwrap_or((text, "0"));
    let power: u32 = power.trim_start_matches('+').parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = power.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    format!("{whole}{fraction}").parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(zeros)?)
}

fn number(value: Option<&Bson>) -> Option<f64> {
    match value? {
        Bson::Int32(number) => Some((*number).into()),
        Bson::Int64(number) => Some(*number as f64),
        Bson::Double(number) => Some(*number).filter(|number| number.is_finite()),
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

    fn difference(role: ColumnRole, want: &Document, have: &Document) -> bool {
        let column = |name: &str, kind, role| Column {
            name: name.to_owned(),
            kind,
            role,
            measure: Some("x".to_owned()),
            relative_error: None,
        };
        let columns = vec![
            column("value", ColumnType::Float, role),
            column("n", ColumnType::Int, ColumnRole::Count),
            column("min", ColumnType::Float, ColumnRole::Min),
            column("max", ColumnType::Float, ColumnRole::Max),
        ];
        Expectation { columns, top: None }.difference(want, have).is_some()
    }

    #[test]
    fn floats_may_differ_by_rounding_and_where_a_sum_can_leave_them() {
        let row =
            |value: Option<f64>, n: i64, largest: f64| doc! { "value": value, "n": n, "min": -largest, "max": largest };
        use ColumnRole::{Mean, Stddev, Sum};
        for (role, n, largest, want, have, differs) in [
            (Sum, 2, 1.7e308, Some(f64::INFINITY), None, false),
            (Sum, 2, 1.7e308, Some(f64::NAN), None, false),
            (Sum, 4, 1.7e308, Some(0.0), None, false),
            (Mean, 3, 1.7e308, Some(f64::INFINITY), Some(1.7e308), false),
            (Stddev, 2, 1e200, Some(f64::INFINITY), None, false),
            (Stddev, 2, 1e100, None, Some(1.0), true),
            (Sum, 2, 1e300, Some(1.0), None, true),
            (Sum, 3, 1e300, Some(1.0), Some(0.0), false),
            (Sum, 3, 10.0, Some(10.0), Some(10.1), true),
            (Mean, 3, 10.0, Some(5.0), Some(5.000_001), true),
            (Stddev, 3, 1e18, Some(0.0), Some(100.0), false),
        ] {
            let found = difference(role, &row(want, n, largest), &row(have, n, largest));
            assert_eq!(found, differs, "{role:?} of {n} values up to {largest}: {want:?} {have:?}");
        }
    }

    #[test]
    fn whole_numbers_are_compared_with_all_of_their_digits() {
        let decimal = |text: &str| Bson::Decimal128(text.parse().unwrap());
        let column = |relative_error| Column {
            name: "x".to_owned(),
            kind: ColumnType::Int,
            role: ColumnRole::Sum,
            measure: None,
            relative_error,
        };
        for (want, have, alike) in [
            (decimal("18000000000000000000"), decimal("1.8E+19"), true),
            (decimal("18000000000000000000"), decimal("18000000000000000001"), false),
            (decimal("9007199254740993"), Bson::Int64(9_007_199_254_740_993), true),
            (decimal("9007199254740992"), Bson::Int64(9_007_199_254_740_993), false),
            (Bson::Int32(0), Bson::Int64(0), true),
        ] {
            assert_eq!(equal(&column(None), Some(&want), Some(&have)), alike, "{want} {have}");
        }
        let estimated = column(Some(0.016));
        for (want, have, alike) in [(512_i64, 511_i64, false), (10_000, 10_700, true), (10_000, 11_000, false)] {
            assert_eq!(equal(&estimated, Some(&want.into()), Some(&have.into())), alike, "{want} {have}");
        }
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
