//! The command `ingest`.

use clap::Parser;
use ingest::cli::{self, Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(Cli::parse())
}
