//! Rollups: the states that an event changes, how they are stored, and the rows computed from them.
//!
//! A [`StateTable`] is one `GROUP BY`: a window, keys and aggregates. A [`Rollup`] is a published table over it; rollups with the same
//! grouping share their states. A state table is named by its definition, so a changed definition is another table and never mixes
//! with old states.
//!
//! A batch stores its changes as [partial states](partial). Merged, they are in the [rows](RollupPlan::group_rows).
//!
//! [`Facts`] reads the values that states need from a *stored* event, so the worker and a backfill run the same code.

mod compile;
mod facts;
mod key;
pub mod partial;
mod row;
mod state;

pub use compile::RollupError;
pub use facts::{Facts, FactsError};
pub use key::{Changes, Group, GroupHasher, Groups, KeyValue, join_sessions};
pub use row::Row;
pub use state::State;

use crate::clock::{AllowedLateness, EventClock};
use crate::layout::{Column, ColumnType};
use crate::schema::{Field, NumberRange};
use crate::window::{Window, WindowKind, WindowSpec};

/// The rollups of a stream and their state tables.
#[derive(Debug, Clone, Default)]
pub struct RollupPlan {
    pub(crate) tables: Vec<StateTable>,
    pub(crate) rollups: Vec<Rollup>,
    pub(crate) slots: Vec<Slot>,
}

/// A field whose value states read from an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Slot {
    pub(crate) field: Field,
}

/// One `GROUP BY` with stored states.
#[derive(Debug, Clone)]
pub struct StateTable {
    pub(crate) id: String,
    pub(crate) window: WindowSpec,
    pub(crate) keys: Vec<usize>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) distinct: Vec<DistinctCount>,
    pub(crate) rows: GroupRows,
}

/// The state collection of a table: its rows hold the merged states, one for each group.
#[derive(Debug, Clone)]
pub(crate) enum GroupRows {
    /// The rollup with this index, which publishes every group.
    Published(usize),
    /// A hidden collection, because every rollup of the table publishes only some groups.
    Hidden(Box<Rollup>),
}

/// A measure of a state table.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// Name of the field.
    pub name: String,
    /// Name of the column that counts its values.
    pub counted_as: String,
    /// How it is aggregated.
    pub kind: MeasureKind,
    pub(crate) slot: usize,
}

/// A field of a state table whose distinct values are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistinctCount {
    /// Name of the field.
    pub name: String,
    pub(crate) slot: usize,
}

/// How a measure is aggregated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MeasureKind {
    /// Exact counts of each value of a small range.
    Histogram(NumberRange<i64>),
    /// Moments of integers.
    Int,
    /// Moments of floating-point numbers.
    Float,
}

/// A published table.
#[derive(Debug, Clone)]
pub struct Rollup {
    pub(crate) name: String,
    pub(crate) table: usize,
    pub(crate) columns: Vec<row::OutputColumn>,
    pub(crate) top: Option<Top>,
}

/// Limits a rollup to the first rows of each window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// How many.
    pub rows: usize,
    /// Index of the column that orders the rows, largest first.
    pub(crate) by: usize,
}

impl RollupPlan {
    /// Returns the rollups in the order of the schema.
    pub fn rollups(&self) -> &[Rollup] {
        &self.rollups
    }

    /// Returns the state tables.
    pub fn tables(&self) -> &[StateTable] {
        &self.tables
    }

    /// Returns the rollup whose rows hold the merged states of a table, one for each group. It is one of [`rollups`](Self::rollups), or a
    /// hidden one if all of them publish only the first rows of a window.
    pub fn group_rows<'a>(&'a self, table: &'a StateTable) -> &'a Rollup {
        match &table.rows {
            GroupRows::Published(place) => &self.rollups[*place],
            GroupRows::Hidden(rollup) => rollup,
        }
    }

    /// Returns the rollups over a state table.
    pub fn rollups_of(&self, table: &StateTable) -> impl Iterator<Item = &Rollup> {
        self.rollups.iter().filter(move |rollup| self.tables[rollup.table].id == table.id)
    }

    /// Returns true if the clock has closed every window of the event time.
    pub fn has_closed(&self, event_time: i64, clock: EventClock, lateness: AllowedLateness) -> bool {
        let mut all = !self.tables.is_empty();
        for table in &self.tables {
            table.window.for_each(event_time, |window| all &= clock.has_closed(table.window.ends_at(window), lateness));
        }
        all
    }

    /// Returns a plan with only the state table at this index and its rollups.
    #[must_use]
    pub fn only(&self, place: usize) -> Self {
        let table = self.tables[place].clone();
        let rollups = self.rollups_of(&table).map(|rollup| Rollup { table: 0, ..rollup.clone() }).collect();
        let rows = GroupRows::Hidden(Box::new(Rollup { table: 0, ..self.group_rows(&table).clone() }));
        Self { tables: vec![StateTable { rows, ..table }], rollups, slots: self.slots.clone() }
    }

    /// Returns true if a field is a key of any rollup.
    pub fn has_key(&self, field: &str) -> bool {
        self.tables.iter().flat_map(|table| &table.keys).any(|&slot| self.slots[slot].field.name == field)
    }

    /// Returns the paths in a stored event of the fields that a state table uses.
    pub fn paths(&self, table: &StateTable) -> Vec<String> {
        let measures = table.measures.iter().map(|measure| measure.slot);
        let distinct = table.distinct.iter().map(|distinct| distinct.slot);
        let slots = table.keys.iter().copied().chain(measures).chain(distinct);
        slots.map(|slot| self.slots[slot].field.path()).collect()
    }

    /// Returns a text that identifies the rows of a rollup, without its columns.
    pub fn definition_of(&self, rollup: &Rollup) -> String {
        let table = self.tables[rollup.table].id();
        match (&rollup.top, rollup.ordered_by()) {
            (Some(top), Some(by)) => format!("{table} top {} by {by}", top.rows),
            _ => table.to_owned(),
        }
    }

    /// Returns the rollup with this name.
    pub fn find(&self, name: &str) -> Option<&Rollup> {
        self.rollups.iter().find(|rollup| rollup.name == name)
    }
}

impl StateTable {
    /// Returns the definition, unique in a database: `reviews/month/movie/rating:1..10`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The windows.
    pub fn window(&self) -> &WindowSpec {
        &self.window
    }

    /// Returns true if the windows are sessions, which grow and merge.
    pub fn has_sessions(&self) -> bool {
        matches!(self.window.kind(), WindowKind::Session { .. })
    }

    /// The measures.
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// The window with this start label.
    pub fn window_at(&self, start: i64) -> Window {
        self.window.at_start(start)
    }
}

impl Rollup {
    /// Name of the table and of its collection.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the index of its state table in [`RollupPlan::tables`].
    pub fn table(&self) -> usize {
        self.table
    }

    /// Returns the limit to the first rows of a window, if the rollup has one.
    pub fn top(&self) -> Option<&Top> {
        self.top.as_ref()
    }

    /// Returns the column that orders the rows of a window, if only the first are published.
    pub fn ordered_by(&self) -> Option<&str> {
        self.top.as_ref().map(|top| self.columns[top.by].column.name.as_str())
    }

    /// The columns of the table, in order.
    pub fn columns(&self) -> Vec<Column> {
        self.columns.iter().map(|column| column.column.clone()).collect()
    }
}

impl Field {
    pub(crate) fn is_number(&self) -> bool {
        matches!(self.kind.column_type(), ColumnType::Int | ColumnType::Float)
    }
}
