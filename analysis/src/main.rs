//! The command `analysis`: tables, rows, charts and files of the rollups.
//!
//! Results go to standard output, logs to standard error. The exit code is 0 when it is done, 1 when it failed, 2 when it was
//! used wrongly.

mod cli;

use std::{io, process::ExitCode};

use analysis::load::StoreError;
use clap::Parser;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).without_time().init();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            let wrong_use = matches!(error.downcast_ref(), Some(StoreError::Config { .. }));
            ExitCode::from(if wrong_use { 2 } else { 1 })
        }
    }
}

/// Whoever reads the output has had enough, as in `analysis show … | head`.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    kinds.map(io::Error::kind).any(|kind| kind == io::ErrorKind::BrokenPipe)
}
