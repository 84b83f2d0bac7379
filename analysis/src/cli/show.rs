//! `analysis show`

use analysis::load::Store;
use clap::Args;

use super::{Printed, rows::Rows};

/// Shows rows of a rollup.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// The rollup, one of `analysis tables`
    table: String,
    #[command(flatten)]
    rows: Rows,
    /// Only the N rows with the largest values of --by
    #[arg(long, value_name = "N")]
    top: Option<u32>,
    /// Column that --top compares, the number of records unless given
    #[arg(long, value_name = "COLUMN", requires = "top")]
    by: Option<String>,
    /// Columns to show, separated by commas; all unless given
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Vec<String>,
    #[command(flatten)]
    printed: Printed,
}

const EXAMPLES: &str = "Examples:
  analysis show movies_by_month --from 2019 --to 2020 --top 20 --by reviews
  analysis show movies_by_month --where \"movie = Up (2009)\" --where \"rated >= 10\" --columns window_start,rating_mean";

impl Show {
    pub fn run(&self, store: &Store) -> anyhow::Result<()> {
        let mut rollup = self.rows.of(store.rollup(&self.table));
        if !self.columns.is_empty() {
            rollup = rollup.columns(&self.columns);
        }
        if let Some(top) = self.top {
            let by = match &self.by {
                Some(by) => by.clone(),
                None => super::chart::count_column(&store.table(&self.table)?)?,
            };
            rollup = rollup.top(top, by);
        }
        self.printed.print(&rollup.collect()?)
    }
}
