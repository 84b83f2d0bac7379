//! The command line of `ingest`, from a cell.

use std::fmt;
use std::process::{Command, Output, Stdio};

use super::NotebookError;

/// The program; the kernel's PATH has it.
const PROGRAM: &str = "ingest";

/// What a command printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said(pub String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs `ingest` with these arguments, separated by spaces, and waits for its end: `ingest("produce reviews")`. `start` returns
/// when the worker works; the worker itself runs on, whatever becomes of the notebook.
///
/// # Errors
/// [`NotebookError::NoProgram`], and [`NotebookError::Failed`] with the program's own words.
pub fn ingest(arguments: &str) -> Result<Said, NotebookError> {
    let output = run(&arguments.split_whitespace().collect::<Vec<_>>())?;
    let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    if output.status.success() || complains_by_its_answer_alone(&output) {
        return Ok(Said(said));
    }
    Err(failed(arguments, &output))
}

/// Runs the program to its end.
pub(super) fn run(arguments: &[&str]) -> Result<Output, NotebookError> {
    Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().map_err(NotebookError::NoProgram)
}

/// `status` of a worker that does not run ends with 1 after it has said so.
fn complains_by_its_answer_alone(output: &Output) -> bool {
    !output.stdout.is_empty() && output.stderr.is_empty()
}

/// The error for a run that did not succeed.
pub(super) fn failed(arguments: &str, output: &Output) -> NotebookError {
    let said = String::from_utf8_lossy(&output.stderr);
    // Logs come before it.
    let message = said.rsplit_once("error: ").map_or(said.trim(), |(_, message)| message.trim());
    NotebookError::Failed { arguments: arguments.to_owned(), said: message.to_owned() }
}
