//! What readers wait for: `analysis/benches/analysis.rs`, with its figures taken into the report.

use crate::context::Context;
use crate::part::Outcome;
use crate::peers;
use crate::report::Report;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};
use stack::output;
use std::path::Path;
use std::process::Command;

/// Runs it once; it takes medians of its own.
pub fn measure(context: &Context, report: &mut Report) -> Result<Outcome> {
    if report.has("refresh_ms") {
        return Ok(Outcome::Measured);
    }
    // Built with the benchmark: target/release/bench.
    let root = context.program.ancestors().nth(3).filter(|root| root.join("Cargo.lock").is_file());
    let Some(root) = root else {
        return Ok(Outcome::Skipped("this program does not lie in the target folder of its sources".into()));
    };
    let output = context.folder().join("analysis.json");
    let python = match peers::python_packages() {
        Ok(packages) => Some(packages),
        Err(error) => {
            output::note(format!("    without a comparison with pymongo: {error}"));
            None
        }
    };
    let run = command(context, root, &output, python.as_deref()).output().context("cannot run cargo")?;
    ensure!(run.status.success(), "cargo bench --bench analysis: {}", String::from_utf8_lossy(&run.stderr));
    output::note(String::from_utf8_lossy(&run.stdout).trim_end());
    let Ok(found) = std::fs::read(&output) else {
        return Ok(Outcome::Skipped("analysis/benches/analysis.rs wrote no figures to OUTPUT".into()));
    };
    let found: Map<String, Value> = serde_json::from_slice(&found)?;
    for (name, value) in found.iter().filter(|(name, _)| *name != "rows") {
        if let Some(value) = value.as_f64() {
            report.name(name, value);
        }
    }
    Ok(Outcome::Measured)
}

fn command(context: &Context, root: &Path, output: &Path, python: Option<&Path>) -> Command {
    let mut command = Command::new("cargo");
    command.args(["bench", "--quiet", "--locked", "--bench", "analysis"]).current_dir(root);
    command.env("OUTPUT", output).env("ROWS", context.sizes.analysed.to_string());
    command.env(stack::MONGODB_URI, &context.uri);
    if let Some(packages) = python {
        command.env("PYTHONPATH", packages);
    }
    command
}
