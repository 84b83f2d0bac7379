//! A sliding window over a byte stream: what has been read and not yet consumed, contiguous, with its offset.

use super::Trouble;
use super::input::Input;
use std::fmt;
use std::io::{self, Read};

/// Bytes the window starts with; it grows only for a record that is longer.
const INITIAL: usize = 256 << 10;

pub(super) struct Window {
    input: Input,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the stream of `buffer[start]`.
    byte: u64,
    at_end: bool,
    /// What ended a look ahead; the reader that gets there reports it.
    failed: Option<io::Error>,
}

impl Window {
    pub(super) fn new(input: Input) -> Self {
        Self { input, buffer: vec![0; INITIAL], start: 0, end: 0, byte: 0, at_end: false, failed: None }
    }

    /// Reads on until `is_enough` of what is held, or the stream ends or fails; a failure is told by [`Self::more`] later.
    pub(super) fn look_ahead(&mut self, is_enough: impl Fn(&[u8]) -> bool) {
        while self.failed.is_none() && !self.at_end && !is_enough(self.held()) {
            match self.read_some() {
                Ok(taken) => self.at_end = taken == 0,
                Err(error) => self.failed = Some(error),
            }
        }
    }

    /// Read and not yet consumed.
    pub(super) fn held(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Offset in the stream of the first of [`Self::held`].
    pub(super) fn byte(&self) -> u64 {
        self.byte
    }

    /// The stream has no bytes after [`Self::held`].
    pub(super) fn at_end(&self) -> bool {
        self.at_end
    }

    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start, "only what has been read can be consumed");
        self.start += count;
        self.byte += count as u64;
    }

    /// Reads at least one byte more behind [`Self::held`]; false at the end of the stream.
    pub(super) fn more(&mut self) -> Result<bool, Trouble> {
        if self.at_end {
            return Ok(false);
        }
        let read = self.failed.take().map_or_else(|| self.read_some(), Err);
        let taken = read.map_err(|error| Trouble::Read { byte: self.byte + self.held().len() as u64, error })?;
        self.at_end = taken == 0;
        Ok(taken > 0)
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end < self.buffer.len() {
            return;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        } else {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }

    fn read_some(&mut self) -> io::Result<usize> {
        self.make_room();
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(taken) => {
                    self.end += taken;
                    return Ok(taken);
                }
            }
        }
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.held().is_empty() && !self.more().map_err(io_error)? {
            return Ok(0);
        }
        let taken = self.held().len().min(buffer.len());
        buffer[..taken].copy_from_slice(&self.held()[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

/// The system's error in `trouble`.
pub(super) fn io_error(trouble: Trouble) -> io::Error {
    match trouble {
        Trouble::Read { error, .. } => error,
        other => io::Error::other(other.to_string()),
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window").field("byte", &self.byte).field("held", &self.held().len()).finish_non_exhaustive()
    }
}
