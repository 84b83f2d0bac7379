//! JSON Lines: one JSON value a line.
//!
//! A line is a record whatever is in it, so a broken one never costs another. Blank lines are passed over; `\r\n` is a line
//! end like `\n`. The last line needs none.

use super::FileRecord;
use super::check::{Checker, Fault};
use super::error::{BrokenRecord, Trouble};
use super::window::Window;

/// Reader of the lines.
#[derive(Debug)]
pub(super) struct Lines {
    window: Window,
    checker: Checker,
    longest: usize,
    records: u64,
    /// Length of the line that is lent out, with its end, at the beginning of the window.
    lent: usize,
}

impl Lines {
    pub(super) fn new(window: Window, checker: Checker, longest: usize) -> Self {
        Self { window, checker, longest, records: 0, lent: 0 }
    }

    pub(super) fn next_record(&mut self) -> Result<Option<FileRecord<'_>>, Trouble> {
        self.window.consume(std::mem::take(&mut self.lent));
        if !self.pass_white_space()? {
            return Ok(None);
        }
        self.records += 1;
        let Some(line) = self.find_end()? else { return Err(self.pass_long()?) };
        self.lent = line;
        let (byte, record) = (self.window.byte(), self.window.held()[..line].trim_ascii_end());
        match self.checker.check(record) {
            Ok(()) => Ok(Some(FileRecord { number: self.records, byte, json: record, key: self.checker.key() })),
            Err(fault) => Err(self.broken(byte, fault, line as u64)),
        }
    }

    /// Moves to the first byte of the next line that is not blank; false at the end of the file.
    fn pass_white_space(&mut self) -> Result<bool, Trouble> {
        loop {
            let held = self.window.held();
            let blank = held.iter().position(|byte| !byte.is_ascii_whitespace());
            self.window.consume(blank.unwrap_or(held.len()));
            if blank.is_some() {
                return Ok(true);
            }
            if !self.window.more()? {
                return Ok(false);
            }
        }
    }

    /// Length of the line without its end; none if it is too long.
    fn find_end(&mut self) -> Result<Option<usize>, Trouble> {
        let mut searched = 0;
        loop {
            let held = self.window.held();
            let end = memchr::memchr(b'\n', &held[searched..]).map(|found| searched + found);
            searched = held.len();
            if end.unwrap_or(searched) > self.longest {
                return Ok(None);
            }
            if end.is_some() {
                return Ok(end);
            }
            if !self.window.more()? {
                return Ok(Some(searched));
            }
        }
    }

    fn pass_long(&mut self) -> Result<Trouble, Trouble> {
        let byte = self.window.byte();
        loop {
            let held = self.window.held();
            let end = memchr::memchr(b'\n', held);
            self.window.consume(end.unwrap_or(held.len()));
            if end.is_some() || !self.window.more()? {
                break;
            }
        }
        let reason = format!("longer than {} bytes", self.longest);
        let fault = Fault { at: self.longest, reason, is_incomplete: false };
        Ok(self.broken(byte, fault, self.window.byte() - byte))
    }

    fn broken(&self, byte: u64, fault: Fault, skipped: u64) -> Trouble {
        let at = byte + fault.at as u64;
        Trouble::Broken(BrokenRecord { number: self.records, byte, at, reason: fault.reason, skipped })
    }
}
