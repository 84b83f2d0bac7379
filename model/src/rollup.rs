//! Rollups: which states an event changes, how a state is stored, and which row it becomes.
//!
//! A [`StateTable`] is one `GROUP BY`: a window, keys and what is aggregated. A [`Rollup`] is a published table over it; rollups that
//! group alike share their states. A state table is named by its definition, so a changed definition is another table and never mixes
//! with the old one's states.
//!
//! A batch stores what it changes as [partial states](partial); combined, they are carried by the [rows](RollupPlan::group_rows).
//!
//! [`Facts`] reads what the states need from a *stored* event, so the worker and a rebuild run the same code.

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

/// The rollups of a stream with the states they need.
#[derive(Debug, Clone, Default)]
pub struct RollupPlan {
    pub(crate) tables: Vec<StateTable>,
    pub(crate) rollups: Vec<Rollup>,
    pub(crate) slots: Vec<Slot>,
}

/// A value that states read from an event: its field, and what it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Slot {
    pub(crate) field: Field,
}

/// One `GROUP BY` whose states are stored.
#[derive(Debug, Clone)]
pub struct StateTable {
    pub(crate) id: String,
    pub(crate) window: WindowSpec,
    pub(crate) keys: Vec<usize>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) distinct: Vec<DistinctCount>,
    pub(crate) rows: GroupRows,
}

/// The rows that carry the states of a table: one for each group.
#[derive(Debug, Clone)]
pub(crate) enum GroupRows {
    /// Those of the rollup at this place, which publishes every group.
    Published(usize),
    /// Rows that nobody reads, because every rollup of the table publishes only some groups.
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

/// Only the first rows of each window are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// How many.
    pub rows: usize,
    /// Place, in the columns, of the one that orders them (largest first).
    pub(crate) by: usize,
}

impl RollupPlan {
    /// The published tables, in the order of the schema.
    pub fn rollups(&self) -> &[Rollup] {
        &self.rollups
    }

    /// The stored `GROUP BY`s.
    pub fn tables(&self) -> &[StateTable] {
        &self.tables
    }

    /// The rollup whose rows carry the states of a table, one for each group. It is one of [`rollups`](Self::rollups), or a hidden one where
    /// all of these publish only the first rows of a window.
    pub fn group_rows<'a>(&'a self, table: &'a StateTable) -> &'a Rollup {
        match &table.rows {
            GroupRows::Published(place) => &self.rollups[*place],
            GroupRows::Hidden(rollup) => rollup,
        }
    }

    /// The rollups that are made of a table's states.
    pub fn rollups_of(&self, table: &StateTable) -> impl Iterator<Item = &Rollup> {
        self.rollups.iter().filter(move |rollup| self.tables[rollup.table].id == table.id)
    }

    /// Whether every window that holds the event time was closed already: the event can only correct what is final.
    pub fn has_closed(&self, event_time: i64, clock: EventClock, lateness: AllowedLateness) -> bool {
        let mut all = !self.tables.is_empty();
        for table in &self.tables {
            table.window.for_each(event_time, |window| all &= clock.has_closed(table.window.ends_at(window), lateness));
        }
        all
    }

    /// A plan of the table at this place alone, with the rollups that are made of it.
    #[must_use]
    pub fn only(&self, place: usize) -> Self {
        let table = self.tables[place].clone();
        let rollups = self.rollups_of(&table).map(|rollup| Rollup { table: 0, ..rollup.clone() }).collect();
        let rows = GroupRows::Hidden(Box::new(Rollup { table: 0, ..self.group_rows(&table).clone() }));
        Self { tables: vec![StateTable { rows, ..table }], rollups, slots: self.slots.clone() }
    }

    /// Whether a field is a key of any rollup.
    pub fn has_key(&self, field: &str) -> bool {
        self.tables.iter().flat_map(|table| &table.keys).any(|&slot| self.slots[slot].field.name == field)
    }

    /// The paths, in a stored event, of the fields that a table is made of.
    pub fn paths(&self, table: &StateTable) -> Vec<String> {
        let measures = table.measures.iter().map(|measure| measure.slot);
        let distinct = table.distinct.iter().map(|distinct| distinct.slot);
        let slots = table.keys.iter().copied().chain(measures).chain(distinct);
        slots.map(|slot| self.slots[slot].field.path()).collect()
    }

    /// Everything that decides the rows of a rollup but not its columns, as a text.
    pub fn definition_of(&self, rollup: &Rollup) -> String {
        let table = self.tables[rollup.table].id();
        match (&rollup.top, rollup.ordered_by()) {
            (Some(top), Some(by)) => format!("{table} top {} by {by}", top.rows),
            _ => table.to_owned(),
        }
    }

    /// The rollup of that name.
    pub fn find(&self, name: &str) -> Option<&Rollup> {
        self.rollups.iter().find(|rollup| rollup.name == name)
    }
}

impl StateTable {
    /// The definition in words, unique in a database: `reviews/month/movie/rating:1..10`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The windows.
    pub fn window(&self) -> &WindowSpec {
        &self.window
    }

    /// Whether the windows are sessions, which grow and are joined while events come.
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

    /// The place, in [`RollupPlan::tables`], of the states it is made of.
    pub fn table(&self) -> usize {
        self.table
    }

    /// The rule for publishing only the first rows of a window.
    pub fn top(&self) -> Option<&Top> {
        self.top.as_ref()
    }

    /// The column that orders the rows of a window, where only the first are published.
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
