//! Computes published rows from states.

use super::state::MeasureState;
use super::{Group, Rollup, State};
use crate::layout::{Column, ColumnRole, ColumnType};
use crate::state::Distinct;
use crate::window::Window;
use bson::DateTime;
use bson::raw::{CString, RawBsonRef, RawDocumentBuf, cstr};
use std::cmp::Ordering;

/// A column and the source of its values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OutputColumn {
    pub(super) column: Column,
    pub(super) name: CString,
    pub(super) output: Output,
}

/// Source of a column's values. Numbers are indexes of measures, keys and sets in the state table.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Output {
    WindowStart,
    WindowEnd,
    Rank,
    Key(usize),
    Count,
    MeasureCount(usize),
    Sum(usize),
    Mean(usize),
    Stddev(usize),
    Min(usize),
    Max(usize),
    Median(usize),
    Bucket(usize, i64),
    Distinct(usize),
    Late,
    /// Filled by the publisher: `is_final`, `revision`, `updated_at`.
    Publisher,
}

impl OutputColumn {
    pub(super) fn new(name: &str, kind: ColumnType, role: ColumnRole, measure: Option<String>, output: Output) -> Self {
        let stored = CString::try_from(name).expect("names of fields and streams were checked for NUL characters");
        let relative_error = matches!(role, ColumnRole::Distinct).then_some(Distinct::RELATIVE_ERROR);
        Self { column: Column { name: name.to_owned(), kind, role, measure, relative_error }, name: stored, output }
    }
}

/// A row as the publisher writes it: its id and the columns computed from the state.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `{w: window's start, k: [key …]}`, or `{w, rank}` if only the first rows are published.
    pub id: RawDocumentBuf,
    /// The window, which determines whether the row is final.
    pub window: Window,
    /// Columns by name; null if a group has no value.
    pub columns: RawDocumentBuf,
}

impl Rollup {
    /// Returns the first rows of one window if only those are published. They are ordered by the column of `top`, largest first and null
    /// last, then by key, so equal states give equal rows.
    pub fn ranked(&self, mut groups: Vec<(Group, State)>) -> Vec<Row> {
        let Some(top) = &self.top else { return Vec::new() };
        groups.sort_by(|(a, state), (b, other)| self.rank_order((a, state), (b, other)));
        groups.truncate(top.rows);
        (1..)
            .zip(&groups)
            .map(|(rank, (group, state))| {
                let mut id = RawDocumentBuf::new();
                id.append(cstr!("w"), DateTime::from_millis(group.window.start));
                id.append(cstr!("rank"), rank);
                self.with_id(id, group, state, Some(rank))
            })
            .collect()
    }

    /// Compares two groups of one window in the order of [`ranked`](Self::ranked).
    pub fn rank_order(&self, (group, state): (&Group, &State), (other_group, other): (&Group, &State)) -> Ordering {
        let by = self.top.as_ref().map(|top| &self.columns[top.by].output);
        let values = by.map(|by| (value(by, group, state, None), value(by, other_group, other, None)));
        values
            .map_or(Ordering::Equal, |(value, other)| descending(value, other))
            .then_with(|| group.key.cmp(&other_group.key))
    }

    /// Returns true if the value that orders the groups never decreases. Then a group enters the first rows only by a change of its own.
    pub fn only_rises(&self) -> bool {
        let by = self.top.as_ref().map(|top| &self.columns[top.by].output);
        matches!(by, Some(Output::Count | Output::MeasureCount(_) | Output::Max(_) | Output::Bucket(..) | Output::Late))
    }

    fn with_id(&self, id: RawDocumentBuf, group: &Group, state: &State, rank: Option<i64>) -> Row {
        let mut columns = RawDocumentBuf::new();
        self.append_with(group, state, rank, &mut columns);
        Row { id, window: group.window, columns }
    }

    /// Appends the columns of a group's row that are computed from its state.
    pub fn append_columns(&self, group: &Group, state: &State, row: &mut RawDocumentBuf) {
        self.append_with(group, state, None, row);
    }

    fn append_with(&self, group: &Group, state: &State, rank: Option<i64>, row: &mut RawDocumentBuf) {
        for column in self.columns.iter().filter(|column| column.output != Output::Publisher) {
            row.append(&column.name, value(&column.output, group, state, rank));
        }
    }
}

fn value<'a>(output: &Output, group: &'a Group, state: &State, rank: Option<i64>) -> RawBsonRef<'a> {
    let moment = |millis| RawBsonRef::DateTime(DateTime::from_millis(millis));
    match *output {
        Output::WindowStart => moment(group.window.start),
        Output::WindowEnd => moment(group.window.end),
        Output::Rank => int(rank),
        Output::Key(at) => group.key[at].as_bson(),
        Output::Count => RawBsonRef::Int64(state.count),
        Output::MeasureCount(at) => RawBsonRef::Int64(state.measures[at].count()),
        Output::Sum(at) => state.measures[at].sum(),
        Output::Mean(at) => float(state.measures[at].mean()),
        Output::Stddev(at) => float(state.measures[at].variance().map(f64::sqrt)),
        Output::Min(at) => state.measures[at].min(),
        Output::Max(at) => state.measures[at].max(),
        Output::Median(at) => float(state.measures[at].median()),
        Output::Bucket(at, value) => RawBsonRef::Int64(state.measures[at].count_of(value)),
        Output::Distinct(at) => RawBsonRef::Int64(state.distinct[at].estimate().min(state.count)),
        Output::Late => RawBsonRef::Int64(state.late),
        Output::Publisher => RawBsonRef::Null,
    }
}

fn int<'a>(value: Option<i64>) -> RawBsonRef<'a> {
    value.map_or(RawBsonRef::Null, RawBsonRef::Int64)
}

/// Returns a number, or null if it is beyond the range of a float.
fn float<'a>(value: Option<f64>) -> RawBsonRef<'a> {
    value.filter(|value| value.is_finite()).map_or(RawBsonRef::Null, RawBsonRef::Double)
}

/// Returns an exact integer: Int64 if it fits, else Decimal128. Null beyond 34 digits, which need 10^15 summed integers.
fn integer(sum: i128) -> RawBsonRef<'static> {
    match i64::try_from(sum) {
        Ok(sum) => RawBsonRef::Int64(sum),
        Err(_) => sum.to_string().parse().map_or(RawBsonRef::Null, RawBsonRef::Decimal128),
    }
}

/// The inverse of [`integer`].
fn exact(value: RawBsonRef<'_>) -> Option<i128> {
    match value {
        RawBsonRef::Int64(number) => Some(number.into()),
        RawBsonRef::Decimal128(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// Orders larger numbers first and null last.
fn descending(a: RawBsonRef<'_>, b: RawBsonRef<'_>) -> Ordering {
    match (a, b) {
        (RawBsonRef::Double(a), RawBsonRef::Double(b)) => b.total_cmp(&a),
        (RawBsonRef::Null, RawBsonRef::Null) => Ordering::Equal,
        (RawBsonRef::Null, _) => Ordering::Greater,
        (_, RawBsonRef::Null) => Ordering::Less,
        (a, b) => exact(b).cmp(&exact(a)),
    }
}

impl MeasureState {
    fn count(&self) -> i64 {
        match self {
            Self::Histogram(state) => state.count(),
            Self::Int(state) => state.count(),
            Self::Float(state) => state.count(),
        }
    }

    /// Returns the sum: exact for integers, null for floats beyond the largest float.
    fn sum(&self) -> RawBsonRef<'static> {
        match self {
            Self::Histogram(state) => integer(state.sum()),
            Self::Int(state) => integer(state.sum()),
            Self::Float(state) => float(Some(state.sum())),
        }
    }

    fn mean(&self) -> Option<f64> {
        match self {
            Self::Histogram(state) => state.mean(),
            Self::Int(state) => state.mean(),
            Self::Float(state) => state.mean(),
        }
    }

    fn variance(&self) -> Option<f64> {
        match self {
            Self::Histogram(state) => state.variance(),
            Self::Int(state) => state.variance(),
            Self::Float(state) => state.variance(),
        }
    }

    fn min(&self) -> RawBsonRef<'static> {
        match self {
            Self::Histogram(state) => int(state.min()),
            Self::Int(state) => int(state.extremes().map(|(min, _)| min)),
            Self::Float(state) => float(state.extremes().map(|(min, _)| min)),
        }
    }

    fn max(&self) -> RawBsonRef<'static> {
        match self {
            Self::Histogram(state) => int(state.max()),
            Self::Int(state) => int(state.extremes().map(|(_, max)| max)),
            Self::Float(state) => float(state.extremes().map(|(_, max)| max)),
        }
    }

    fn median(&self) -> Option<f64> {
        match self {
            Self::Histogram(state) => state.quantile(0.5),
            _ => None,
        }
    }

    fn count_of(&self, value: i64) -> i64 {
        match self {
            Self::Histogram(state) => state.iter().find(|&(seen, _)| seen == value).map_or(0, |(_, count)| count),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{AllowedLateness, EventClock};
    use crate::rollup::{Changes, Facts, RollupPlan};
    use crate::schema::Schema;
    use bson::{Bson, Document, rawdoc};

    const FLOWS: &str = r#"
stream = "flows"
id = ["id"]
event_time = "day"
[fields]
id = { type = "int" }
day = { type = "date" }
host = { type = "string" }
bytes = { type = "int" }
x = { type = "float" }
near = { type = "int", range = [9223372036854775800, 9223372036854775807] }
[[rollups]]
name = "flows_by_day"
window = "day"
measures = ["bytes", "x", "near"]
distinct = ["host"]
[[rollups]]
name = "largest"
window = "day"
keys = ["host"]
measures = ["bytes"]
top = { rows = 3, by = "bytes_sum" }
"#;

    fn groups(plan: &RollupPlan, table: usize, events: &[RawDocumentBuf]) -> Vec<(Group, State)> {
        let (mut changes, mut clock) = (Changes::default(), EventClock::default());
        for event in events {
            changes.add(plan, 0, &Facts::read(plan, event).unwrap(), &mut clock, AllowedLateness::Unbounded);
        }
        let (table, groups) = changes.tables(plan).nth(table).unwrap();
        // As the publisher has them: read back from what is stored.
        let stored =
            groups.iter().map(|(group, state)| (group.clone(), State::read(table, &state.to_document()).unwrap()));
        stored.collect()
    }

    fn row(events: &[RawDocumentBuf]) -> Document {
        let schema = Schema::parse("flows", FLOWS).unwrap();
        let plan = schema.rollups();
        let groups = groups(plan, 0, events);
        let mut row = RawDocumentBuf::new();
        plan.rollups()[0].append_columns(&groups[0].0, &groups[0].1, &mut row);
        Document::try_from(row).unwrap()
    }

    fn decimal(text: &str) -> Bson {
        Bson::Decimal128(text.parse().unwrap())
    }

    #[test]
    fn a_sum_of_integers_is_exact_beyond_64_bits() {
        for (bytes, sum) in [
            (&[i64::MAX, 1][..], decimal("9223372036854775808")),
            (&[i64::MAX, i64::MAX, i64::MAX], decimal("27670116110564327421")),
            (&[i64::MIN, i64::MIN], decimal("-18446744073709551616")),
            (&[i64::MAX, i64::MIN], Bson::Int64(-1)),
            (&[i64::MAX, 0], Bson::Int64(i64::MAX)),
            (&[], Bson::Int64(0)),
        ] {
            let mut events: Vec<_> = bytes.iter().map(|&bytes| rawdoc! { "_id": 1_i64, "bytes": bytes }).collect();
            events.push(rawdoc! { "_id": 2_i64 });
            let row = row(&events);
            assert_eq!(row.get("bytes_sum"), Some(&sum), "{bytes:?}");
            let mean = bytes.iter().map(|&value| i128::from(value)).sum::<i128>() as f64 / bytes.len() as f64;
            assert_eq!(row.get_f64("bytes_mean").ok(), (!bytes.is_empty()).then_some(mean), "{bytes:?}");
        }
        let near = row(&[rawdoc! { "_id": 1_i64, "near": i64::MAX }, rawdoc! { "_id": 2_i64, "near": i64::MAX }]);
        assert_eq!(near.get("near_sum"), Some(&decimal("18446744073709551614")));
    }

    #[test]
    fn what_a_float_cannot_hold_is_null_in_a_row() {
        for (values, sum, mean, stddev) in [
            (&[1.7e308, 1.7e308, 1.7e308][..], None, Some(1.7e308), Some(0.0)),
            (&[1.7e308, -1.7e308], Some(0.0), Some(0.0), None),
            (&[1e200, -1e200], Some(0.0), Some(0.0), None),
            (&[1e150, -1e150], Some(0.0), Some(0.0), Some(2e300_f64.sqrt())),
            (&[1e300, 1.0, -1e300, 1.0], Some(2.0), Some(0.5), None),
            (&[1.7e308, 1.7e308, -1.7e308, -1.7e308], Some(0.0), Some(0.0), None),
            (&[1.7e308, 1.7e308, 0.5, -1.7e308, -1.7e308], Some(0.5), Some(0.1), None),
        ] {
            let events: Vec<_> = values.iter().map(|&x| rawdoc! { "_id": 1_i64, "x": x }).collect();
            let row = row(&events);
            let found = ["x_sum", "x_mean", "x_stddev"].map(|name| row.get_f64(name).ok());
            assert_eq!(found[..2], [sum, mean], "{values:?}");
            let close = |(a, b): (f64, f64)| (a - b).abs() <= 1e-9 * b.abs();
            assert!(
                found[2].is_some() == stddev.is_some() && found[2].zip(stddev).is_none_or(close),
                "{values:?}: {found:?}"
            );
        }
    }

    #[test]
    fn rows_are_ranked_by_sums_beyond_64_bits() {
        let schema = Schema::parse("flows", FLOWS).unwrap();
        let plan = schema.rollups();
        let event = |host: &str, bytes: i64| rawdoc! { "_id": 1_i64, "host": host, "bytes": bytes };
        let events = [
            event("small", 7),
            event("far", i64::MAX),
            event("far", i64::MAX),
            event("max", i64::MAX),
            event("below", i64::MIN),
            event("below", i64::MIN),
        ];
        let rows = plan.rollups()[1].ranked(groups(plan, 1, &events));
        let hosts: Vec<_> = rows.iter().map(|row| row.columns.get_str("host").unwrap().to_owned()).collect();
        assert_eq!(hosts, ["far", "max", "small"]);
    }

    #[test]
    fn a_distinct_count_is_never_above_the_count() {
        for count in [511_i64, 512, 513, 600, 1_000, 5_000, 12_000] {
            let events: Vec<_> = (0..count).map(|host| rawdoc! { "_id": host, "host": format!("h{host}") }).collect();
            let found = row(&events).get_i64("host_distinct").unwrap();
            assert!(found <= count && (count > 512 || found == count), "{found} of {count}");
        }
        let schema = Schema::parse("flows", FLOWS).unwrap();
        let columns = schema.rollups().rollups()[0].columns();
        let estimated =
            columns.iter().filter(|column| column.relative_error.is_some()).map(|column| column.name.as_str());
        assert_eq!(estimated.collect::<Vec<_>>(), ["host_distinct"]);
    }
}
