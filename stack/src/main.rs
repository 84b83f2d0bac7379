//! The program `stack`: a private Kafka and MongoDB for one command (`run`) or in the background (`up`, `down`).
//!
//! Exit codes: 0 done, 1 failed, 2 wrong use; `run` returns the exit code of its command.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use stack::output;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("stack=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .with_level(false)
        .without_time()
        .init();
    match cli.execute() {
        Ok(code) => code,
        Err(error) => {
            output::note(format!("stack: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
