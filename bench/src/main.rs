//! How fast the pipeline is, against what the machine allows and against what else a user would take, in one run.
//!
//! A *part* measures one thing. A round measures every part once, so that parts are interleaved and share what the machine does
//! meanwhile; the report has the median of the rounds. A part that fails or cannot be measured here says so, and the others go on.
//!
//! | part | file |
//! | --- | --- |
//! | decode | `decode.rs` |
//! | consume, raw limit | `consume.rs`, `raw.rs` |
//! | `ingest run`: rollups, workers, growth | `drain.rs` |
//! | produced → visible in a rollup | `visible.rs` |
//! | `ingest produce` | `produce.rs` |
//! | Kafka Connect, Python | `peers.rs` |
//! | refresh of a notebook | `analysis.rs` |

mod analysis;
mod consume;
mod context;
mod decode;
mod drain;
mod part;
mod peers;
mod process;
mod produce;
mod raw;
mod report;
mod schemas;
mod usage;
mod visible;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use context::{Context, Sizes};
use part::{Outcome, PARTS, Part};
use report::Report;
use stack::output;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures the pipeline; needs KAFKA_BROKERS and MONGODB_URI.
#[derive(Debug, Parser)]
#[command(after_help = "Example: stack run -- target/release/bench --only raw ingest --rows 200000 --rounds 3")]
struct Options {
    /// Reviews in the topic that most parts read
    #[arg(long, value_name = "N")]
    rows: Option<u64>,
    /// Rounds; each measures every part once
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// A folder of reviews for that topic, instead of generated ones
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Parts to measure, instead of all
    #[arg(long, value_name = "PART", num_args = 1.., value_parser = part::names())]
    only: Vec<String>,
    /// Parts to leave out
    #[arg(long, value_name = "PART", num_args = 1.., value_parser = part::names())]
    skip: Vec<String>,
    /// One round of small sizes: whether it works, not how fast it is
    #[arg(long)]
    quick: bool,
    /// Where the results are written as JSON; bench/results.json for a whole run, nowhere for one of some parts, sizes or data
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Options {
    fn sizes(&self) -> Sizes {
        let sizes = if self.quick { Sizes::QUICK } else { Sizes::FULL };
        Sizes { rows: self.rows.unwrap_or(sizes.rows), rounds: self.rounds.unwrap_or(sizes.rounds), ..sizes }
    }

    /// A whole run is kept; figures of some parts or of other sizes would take its place.
    fn output(&self) -> Option<PathBuf> {
        let whole = self.only.is_empty() && self.skip.is_empty() && self.rows.is_none() && self.data.is_none();
        let kept = (whole && !self.quick).then(|| PathBuf::from("bench/results.json"));
        self.output.clone().or(kept)
    }

    fn parts(&self) -> Vec<&'static Part> {
        let wanted = |part: &&Part| {
            let named = |names: &[String]| names.iter().any(|name| name == part.name);
            (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
        };
        PARTS.iter().filter(wanted).collect()
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let context = Context::new(options.sizes(), options.data.clone())?;
    let mut report = Report::new(options.data.is_some());
    let left_out = measure(&context, &options.parts(), &mut report);
    output::line(report.markdown())?;
    if let Some(path) = options.output() {
        let mut results = report.summary();
        results.insert("rows".to_owned(), context.sizes.rows.into());
        results.insert("rounds".to_owned(), context.sizes.rounds.into());
        std::fs::write(&path, serde_json::to_string_pretty(&results)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    for (part, outcome) in &left_out {
        output::line(format!("Not measured: {part}: {outcome}"))?;
    }
    let failed: Vec<&str> =
        left_out.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_))).map(|(&part, _)| part).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Measures the parts in rounds; returns those that could not be measured. They are not tried again in later rounds.
fn measure(context: &Context, parts: &[&'static Part], report: &mut Report) -> BTreeMap<&'static str, Outcome> {
    let mut left_out = BTreeMap::new();
    for round in 1..=context.sizes.rounds {
        output::note(format!("round {round} of {}", context.sizes.rounds));
        for part in parts {
            if left_out.contains_key(part.name) {
                continue;
            }
            output::note(format!("  {}: {}", part.name, part.what));
            let outcome = (part.measure)(context, report).unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
            if !matches!(outcome, Outcome::Measured) {
                output::note(format!("    {outcome}"));
                left_out.insert(part.name, outcome);
            }
        }
    }
    left_out
}
