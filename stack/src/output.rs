//! Prints results on stdout and notes on stderr, without a panic if nobody reads them.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints a result and a line end. A closed pipe (`| head -1`) is not an error.
///
/// # Errors
/// If standard output cannot be written.
pub fn line(result: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{result}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints a note for people. Errors of stderr are ignored.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
