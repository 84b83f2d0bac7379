//! Breaks workers, servers and networks while records flow, and proves afterwards that nothing was lost and nothing counted twice.
//!
//! Everything that can be decided beforehand is decided by the seed: the records and what must become of each (`records`), the
//! faults (`schedule`). When each fault meets what is up to the machine, so a seed that failed can be run again with the same schedule
//! and the same records, but not with the same timing.

mod crew;
mod expected;
mod feeder;
mod inject;
mod positions;
mod proxy;
mod records;
mod report;
mod rows;
mod run;
mod schedule;
mod servers;
mod topic;
mod verify;
mod wire;

use clap::Parser;
use schedule::Kind;
use stack::output;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Runs workers against a broker and a three-member replica set of its own, breaks them by a seeded schedule, and checks the result.
#[derive(Debug, Parser)]
#[command(
    after_help = "Exit code 0: everything holds; 1: something does not, and the logs are kept.\n\nExample: faults --seed 7 --faults 200"
)]
struct Options {
    /// Decides the records and the faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many faults
    #[arg(long, default_value_t = 200)]
    faults: usize,
    /// How many records
    #[arg(long, default_value_t = 300_000)]
    records: u64,
    /// Only faults of this kind; may be repeated
    #[arg(long, value_name = "KIND", value_parser = Kind::parse)]
    only: Vec<Kind>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::note(format!("faults: no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stopped = async {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        };
        let allowed = if options.only.is_empty() { &Kind::ALL } else { &options.only[..] };
        let faults = schedule::schedule(options.seed, options.faults, allowed);
        run::run(options.seed, &faults, options.records, stopped).await
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            output::note(format!("faults: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
