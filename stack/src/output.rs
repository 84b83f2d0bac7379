//! What programs print: results on stdout, notes on stderr. Neither panics where nobody reads it.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints a result and a line end. A reader that has had enough (`| head -1`) is no error.
///
/// # Errors
/// Standard output cannot be written.
pub fn line(result: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{result}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints a note for a person; where stderr cannot be written, nobody is left to tell.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
