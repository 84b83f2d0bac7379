//! `analysis tables`

use analysis::{
    load::{Column, Store, TableInfo},
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
        let table = Table::new(&listing(&tables)?).rows(tables.len()).to_string();
        Ok(super::print(&format!("{table}{}", estimates(&tables)))?)
    }
}

/// A line about each column of estimates.
fn estimates(tables: &[TableInfo]) -> String {
    let columns = tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let line = |(table, column): (&TableInfo, &Column)| {
        let percent = column.relative_error? * 100.0;
        Some(format!("{}.{} is an estimate above 512 distinct values, ±{percent:.1} %\n", table.name, column.name))
    };
    columns.filter_map(line).collect()
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
