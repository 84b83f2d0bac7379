//! `TABLE.hyper`: extracts, written by Tableau's own engine in a Python program, because no other writes its format.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    ExportError,
    folder::Staging,
    manifest::Manifest,
    selection::{self, OutputColumn},
    source::SourceTable,
};

const PROGRAM: &str = include_str!("hyper.py");
/// The program's exit code where Tableau's package is missing.
const NO_API: i32 = 3;
/// The Python to run, if it is not `python3` on PATH: one in a virtual environment that has `tableauhyperapi`.
const PYTHON: &str = "RUSHES_PYTHON";

/// Writes the extracts of `tables`, which have just been staged, and enters them into the manifest.
pub(crate) fn write(
    staging: &Staging<'_>,
    folder: &Path,
    manifest: &mut Manifest,
    tables: &[&SourceTable],
) -> Result<(), ExportError> {
    if tables.is_empty() {
        return Ok(());
    }
    let jobs = tables.iter().map(|table| job(staging, folder, manifest, table));
    run(&Value::Array(jobs.collect::<Result<_, _>>()?))?;
    for table in tables {
        let file = staging.adopt(&file_name(table))?;
        if let Some(entry) = manifest.tables.get_mut(&table.info.name) {
            entry.files.insert(file_name(table), file);
        }
    }
    Ok(())
}

fn file_name(table: &SourceTable) -> String {
    format!("{}.hyper", table.stem)
}

fn job(staging: &Staging<'_>, folder: &Path, manifest: &Manifest, table: &SourceTable) -> Result<Value, ExportError> {
    let name = &table.info.name;
    let entry = &manifest.tables[name];
    let columns = selection::select(name, &entry.columns, &entry.settings)?;
    let kind = |column: &OutputColumn| match entry.long.contains(&column.name) {
        true => json!("long_int"),
        false => json!(column.kind()),
    };
    let columns: Vec<_> = columns.iter().map(|column| json!([column.name, kind(column)])).collect();
    let csv = entry.files.keys().filter(|name| name.ends_with(".csv"));
    let csv: Vec<PathBuf> = csv.map(|name| place(staging, folder, name)).collect();
    Ok(json!({ "csv": csv, "hyper": absolute(&staging.path_of(&file_name(table))), "columns": columns }))
}

/// Where the file is now: staged, or in the folder, because it did not change.
fn place(staging: &Staging<'_>, folder: &Path, name: &str) -> PathBuf {
    let staged = staging.path_of(name);
    absolute(&if staged.exists() { staged } else { folder.join(name) })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn run(jobs: &Value) -> Result<(), ExportError> {
    let python = std::env::var_os(PYTHON).filter(|python| !python.is_empty()).unwrap_or_else(|| "python3".into());
    let failed = |reason: String| ExportError::Hyper { reason };
    let named = python.to_string_lossy().into_owned();
    let remedy = format!("install Python 3 with tableauhyperapi, and name it in {PYTHON} unless it is python3 on PATH");
    // Where it starts Hyper leaves a log file, unless it is told otherwise; a temporary folder takes whatever it leaves.
    let scratch = tempfile::tempdir().map_err(|error| failed(format!("no temporary folder: {error}")))?;
    let started = Command::new(&python)
        .args(["-c", PROGRAM])
        .current_dir(scratch.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| failed(format!("{named} cannot be run ({error}); {remedy}")))?;
    let sent = child.stdin.take().map(|mut input| input.write_all(jobs.to_string().as_bytes()));
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => sent.transpose().map(drop).map_err(|error| failed(error.to_string())),
        Some(NO_API) => Err(failed(format!(
            "{named} lacks Tableau's package ({}); pip install tableauhyperapi, or name another Python in {PYTHON}",
            said.trim()
        ))),
        _ => Err(failed(format!("{named} failed: {}", said.trim()))),
    }
}
