//! Which rows of a table a command reads.

use analysis::load::{Condition, Moment, Rollup, TableInfo};
use clap::Args;

/// Time range and conditions.
#[derive(Debug, Clone, Args)]
pub struct Rows {
    /// First window start: 2004, 2004-05, 2004-05-31 or 2004-05-31T18:00:00Z
    #[arg(long, value_name = "DATE")]
    from: Option<Moment>,
    /// Window start before which to end
    #[arg(long, value_name = "DATE")]
    to: Option<Moment>,
    /// Only rows with this: COLUMN OP VALUE, OP one of = != < <= > >=; may be repeated, all must hold
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<Condition>,
}

impl Rows {
    /// Narrows a query.
    pub fn of(&self, rollup: Rollup) -> Rollup {
        let rollup = self.from.into_iter().fold(rollup, Rollup::from);
        let rollup = self.to.into_iter().fold(rollup, Rollup::to);
        self.conditions.iter().cloned().fold(rollup, Rollup::filter)
    }

    /// The time range in words.
    pub fn range_in_words(&self) -> Option<String> {
        match (self.from, self.to) {
            (None, None) => None,
            (Some(from), None) => Some(format!("from {from}")),
            (None, Some(to)) => Some(format!("before {to}")),
            (Some(from), Some(to)) => Some(format!("from {from}, before {to}")),
        }
    }

    /// Whether a condition leaves out rows by something else than a key, so that windows may lack rows that the table has.
    pub fn leaves_out_values(&self, table: &TableInfo) -> bool {
        let is_key = |condition: &Condition| table.keys().any(|key| key == condition.column());
        !self.conditions.iter().all(is_key)
    }

    /// The conditions in words.
    pub fn conditions_in_words(&self) -> Option<String> {
        let words: Vec<String> = self.conditions.iter().map(ToString::to_string).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}
