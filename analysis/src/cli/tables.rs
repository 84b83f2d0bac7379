//! `analysis tables`

use analysis::{
    load::{Store, TableInfo},
    polars::prelude::{DataFrame, df},
    show::Table,
};
use clap::Args;

/// Lists the rollups.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  analysis tables --json")]
pub struct Tables {
    /// As JSON, with every column's type and meaning
    #[arg(long)]
    json: bool,
}

impl Tables {
    pub fn run(&self, store: &Store) -> anyhow::Result<()> {
        let tables = store.tables()?;
        if self.json {
            return super::print_json(&tables);
        }
        if tables.is_empty() {
            eprintln!("database {:?} has no rollups yet: `ingest run` writes them", store.database());
            return Ok(());
        }
        Ok(super::print(&Table::new(&listing(&tables)?).rows(tables.len()).to_string())?)
    }
}

fn listing(tables: &[TableInfo]) -> anyhow::Result<DataFrame> {
    let column = |value: fn(&TableInfo) -> String| tables.iter().map(value).collect::<Vec<_>>();
    let rows: Vec<u64> = tables.iter().map(|table| table.rows).collect();
    let revisions: Vec<i64> = tables.iter().map(|table| table.published_revision).collect();
    Ok(df!(
        "table" => column(|table| table.name.clone()),
        "window" => column(|table| table.window.clone()),
        "keys" => column(|table| table.keys().collect::<Vec<_>>().join(", ")),
        "rows" => rows,
        "revision" => revisions,
    )?)
}
