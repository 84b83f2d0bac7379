//! What commands print: results on stdout, notes on stderr. Neither panics where nobody reads it.

use anyhow::Context;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints a result and a line end. A reader that has had enough (`| head -1`) is no error: the exit code still tells.
pub(super) fn line(result: impl Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{result}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Prints a note for a person; where stderr cannot be written, nobody is left to tell.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether the reader of the output has gone.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    kinds.into_iter().any(|kind| kind == ErrorKind::BrokenPipe)
}
