//! From a state to a published row.

use super::state::MeasureState;
use super::{Group, Rollup, State};
use crate::layout::{Column, ColumnRole, ColumnType};
use crate::window::Window;
use bson::DateTime;
use bson::raw::{CString, RawBsonRef, RawDocumentBuf, cstr};
use std::cmp::Ordering;

/// A column and what fills it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OutputColumn {
    pub(super) column: Column,
    pub(super) name: CString,
    pub(super) output: Output,
}

/// What fills a column; numbers are the places of measures, keys and sets in the state table.
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
        Self { column: Column { name: name.to_owned(), kind, role, measure }, name: stored, output }
    }
}

/// A row as the publisher writes it: its identity and the columns that the state decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `{w: window's start, k: [key …]}`, or `{w, rank}` where only the first rows are published.
    pub id: RawDocumentBuf,
    /// The window, which decides whether the row is final.
    pub window: Window,
    /// Columns by name; null where a group has no value.
    pub columns: RawDocumentBuf,
}

impl Rollup {
    /// The first rows of one window from its groups, where only those are published: ordered by the column of `top`, largest first
    /// and null last, ties by key, so that equal states give equal rows.
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

    /// The order of two groups of one window in [`ranked`](Self::ranked).
    pub fn rank_order(&self, (group, state): (&Group, &State), (other_group, other): (&Group, &State)) -> Ordering {
        let by = self.top.as_ref().map(|top| &self.columns[top.by].output);
        let values = by.map(|by| (value(by, group, state, None), value(by, other_group, other, None)));
        values
            .map_or(Ordering::Equal, |(value, other)| descending(value, other))
            .then_with(|| group.key.cmp(&other_group.key))
    }

    /// Whether what orders the groups only rises while events are added, so that a group enters the first rows by a change of its
    /// own alone.
    pub fn only_rises(&self) -> bool {
        let by = self.top.as_ref().map(|top| &self.columns[top.by].output);
        matches!(by, Some(Output::Count | Output::MeasureCount(_) | Output::Max(_) | Output::Bucket(..) | Output::Late))
    }

    fn with_id(&self, id: RawDocumentBuf, group: &Group, state: &State, rank: Option<i64>) -> Row {
        let mut columns = RawDocumentBuf::new();
        self.append_with(group, state, rank, &mut columns);
        Row { id, window: group.window, columns }
    }

    /// Appends the columns of a group's row that its state decides.
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
        Output::Distinct(at) => RawBsonRef::Int64(state.distinct[at].estimate()),
        Output::Late => RawBsonRef::Int64(state.late),
        Output::Publisher => RawBsonRef::Null,
    }
}

fn int<'a>(value: Option<i64>) -> RawBsonRef<'a> {
    value.map_or(RawBsonRef::Null, RawBsonRef::Int64)
}

fn float<'a>(value: Option<f64>) -> RawBsonRef<'a> {
    value.map_or(RawBsonRef::Null, RawBsonRef::Double)
}

/// Larger numbers first, null last.
fn descending(a: RawBsonRef<'_>, b: RawBsonRef<'_>) -> Ordering {
    match (a, b) {
        (RawBsonRef::Int64(a), RawBsonRef::Int64(b)) => b.cmp(&a),
        (RawBsonRef::Double(a), RawBsonRef::Double(b)) => b.total_cmp(&a),
        (RawBsonRef::Null, RawBsonRef::Null) => Ordering::Equal,
        (RawBsonRef::Null, _) => Ordering::Greater,
        (_, RawBsonRef::Null) => Ordering::Less,
        _ => Ordering::Equal,
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

    /// The sum; one of integers that leaves 64 bits is held at their limit.
    fn sum(&self) -> RawBsonRef<'static> {
        match self {
            Self::Histogram(state) => RawBsonRef::Int64(state.sum()),
            Self::Int(state) => {
                let limit = if state.sum() < 0 { i64::MIN } else { i64::MAX };
                RawBsonRef::Int64(i64::try_from(state.sum()).unwrap_or(limit))
            }
            Self::Float(state) => RawBsonRef::Double(state.sum()),
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
