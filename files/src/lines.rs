//! JSON Lines: one JSON value a line.
//!
//! A line is a record whatever is in it, so a broken one never costs another. Several values on a line, as when files are
//! joined of which one lacks its last line end, are as many records. Blank lines, commas between or behind values and the
//! record separators of RFC 7464 are passed over; `\r\n` is a line end like `\n`. The last line needs none.

use super::FileRecord;
use super::check::{Checker, Fault};
use super::error::{BrokenRecord, Trouble, too_long};
use super::structure::{Scan, is_separator};
use super::window::Window;

/// Reader of the lines.
#[derive(Debug)]
pub(super) struct Lines {
    window: Window,
    checker: Checker,
    longest: usize,
    records: u64,
    /// Length of what is lent out or broken, at the beginning of the window.
    lent: usize,
    /// What ended the file behind a last line that is whole.
    failed: Option<Trouble>,
}

impl Lines {
    pub(super) fn new(window: Window, checker: Checker, longest: usize) -> Self {
        Self { window, checker, longest, records: 0, lent: 0, failed: None }
    }

    pub(super) fn next_record(&mut self) -> Result<Option<FileRecord<'_>>, Trouble> {
        self.window.consume(std::mem::take(&mut self.lent));
        if !self.pass_separators()? {
            return Ok(None);
        }
        self.records += 1;
        let Some(line) = self.find_end()? else { return Err(self.pass_long()?) };
        self.lent = line;
        let byte = self.window.byte();
        let length = match self.checker.check(trimmed(&self.window.held()[..line])) {
            Ok(()) => trimmed(&self.window.held()[..line]).len(),
            Err(fault) => match self.first_of_several(line) {
                Some(first) => {
                    self.lent = first;
                    first
                }
                None => return Err(self.broken(byte, fault, line as u64)),
            },
        };
        Ok(Some(FileRecord {
            number: self.records,
            byte,
            json: &self.window.held()[..length],
            key: self.checker.key(),
        }))
    }

    /// Length of the valid object or array with which the line begins, if another one follows.
    fn first_of_several(&mut self, line: usize) -> Option<usize> {
        let line = &self.window.held()[..line];
        let opener = line.first().filter(|first| is_opener(**first))?;
        let length = Scan::of(*opener).advance(line)?;
        let next = line[length..].iter().find(|byte| !is_separator(**byte))?;
        (is_opener(*next) && self.checker.check(&line[..length]).is_ok()).then_some(length)
    }

    /// Moves to the first byte of the next value; false at the end of the file.
    fn pass_separators(&mut self) -> Result<bool, Trouble> {
        loop {
            let held = self.window.held();
            let value = held.iter().position(|byte| !is_separator(*byte));
            self.window.consume(value.unwrap_or(held.len()));
            if value.is_some() {
                return Ok(true);
            }
            if let Some(trouble) = self.failed.take() {
                return Err(trouble);
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
            match self.window.more() {
                Ok(true) => {}
                Ok(false) => return Ok(Some(searched)),
                Err(trouble) if self.failed.is_none() && self.is_whole() => {
                    self.failed = Some(trouble);
                    return Ok(Some(searched));
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// The line that is held so far is an object or an array, so that nothing of it is missing.
    fn is_whole(&mut self) -> bool {
        let line = self.window.held();
        line.first().is_some_and(|first| is_opener(*first)) && self.checker.check(trimmed(line)).is_ok()
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
        let fault = Fault { at: self.longest, reason: too_long(self.longest), is_incomplete: false };
        Ok(self.broken(byte, fault, self.window.byte() - byte))
    }

    fn broken(&self, byte: u64, fault: Fault, skipped: u64) -> Trouble {
        let at = byte + fault.at as u64;
        Trouble::Broken(BrokenRecord { number: self.records, line: None, byte, at, reason: fault.reason, skipped })
    }
}

/// The line without separators behind its value.
fn trimmed(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !is_separator(*byte)).map_or(0, |last| last + 1);
    &line[..end]
}

fn is_opener(byte: u8) -> bool {
    matches!(byte, b'{' | b'[')
}
