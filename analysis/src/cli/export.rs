//! `analysis export`

use std::path::PathBuf;

use analysis::{export::export, load::Store};
use clap::Args;

/// Writes rollups as CSV files for Tableau.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  analysis export tableau/ reviews_by_month reviews_by_ten_day")]
pub struct Export {
    /// Folder for the files; made if it is not there
    folder: PathBuf,
    /// Rollups to export, all unless given
    tables: Vec<String>,
    /// The files as a JSON array of objects
    #[arg(long)]
    json: bool,
}

impl Export {
    pub fn run(&self, store: &Store) -> anyhow::Result<()> {
        let files = export(store, &self.folder, &self.tables)?;
        if self.json {
            return super::print_json(&files);
        }
        let lines: String = files.iter().map(|file| format!("{file}\n")).collect();
        Ok(super::print(&lines)?)
    }
}
