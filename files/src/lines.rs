//! JSON Lines: one JSON value a line.
//!
//! A line is a record whatever is in it, so a broken one never costs another. Objects or arrays that stand one after the
//! other on a line, as when files are joined of which one lacks its last line end, are as many records; they are read one by
//! one, so that the line may be longer than a record. One of them that is broken costs the rest of its line, unless its
//! quotes and brackets can be trusted (`tolerant.rs`). Blank lines, commas between or behind values, byte order marks of
//! joined files and the record separators of RFC 7464 are passed over; `\r\n` is a line end like `\n`. The last line needs none.

use super::FileRecord;
use super::check::{Checker, Fault};
use super::error::{BrokenRecord, Trouble, too_long};
use super::structure::{BYTE_ORDER_MARK, Scan, is_cut_mark, is_separator, separators};
use super::tolerant::{Tolerant, Verdict};
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
    /// Another record of the line has been read.
    is_joined: bool,
    /// What ended the file behind the bytes that are held.
    failed: Option<Trouble>,
}

impl Lines {
    pub(super) fn new(window: Window, checker: Checker, longest: usize) -> Self {
        Self { window, checker, longest, records: 0, lent: 0, is_joined: false, failed: None }
    }

    pub(super) fn next_record(&mut self) -> Result<Option<FileRecord<'_>>, Trouble> {
        self.window.consume(std::mem::take(&mut self.lent));
        if !self.pass_separators()? {
            return Ok(None);
        }
        self.records += 1;
        let joined = if self.is_joined { self.next_joined()? } else { None };
        let length = match joined {
            Some(length) => length,
            None => self.whole_line()?,
        };
        Ok(Some(FileRecord {
            number: self.records,
            byte: self.window.byte(),
            json: &self.window.held()[..length],
            key: self.checker.key(),
        }))
    }

    /// Moves to the first byte of the next value; false at the end of the file.
    fn pass_separators(&mut self) -> Result<bool, Trouble> {
        loop {
            let passed = separators(self.window.held());
            self.is_joined &= memchr::memchr(b'\n', &self.window.held()[..passed]).is_none();
            self.window.consume(passed);
            if !is_cut_mark(self.window.held()) {
                return Ok(true);
            }
            if !self.more() {
                let is_over = self.window.held().is_empty();
                return if is_over { self.failed.take().map_or(Ok(false), Err) } else { Ok(true) };
            }
        }
    }

    /// Reads on; false at the end of the file and where it cannot be read, which is reported behind what is held.
    fn more(&mut self) -> bool {
        self.failed.is_none()
            && self.window.more().unwrap_or_else(|trouble| {
                self.failed = Some(trouble);
                false
            })
    }

    /// Length of the value that the rest of the line is, or of the first of several.
    fn whole_line(&mut self) -> Result<usize, Trouble> {
        let end = self.find_end();
        let is_cut = self.failed.is_some() && end == Some(self.window.held().len());
        let checked = end.map(|end| {
            let value = trimmed(&self.window.held()[..end]);
            self.checker.check(value).map(|()| value.len())
        });
        let fault = match checked {
            // Of a number that the end of a damaged file cuts off, digits may be missing.
            Some(Ok(length)) if !is_cut || self.is_closed() => {
                self.lent = length;
                return Ok(length);
            }
            Some(Err(fault)) => fault,
            _ => Fault { at: self.longest, reason: too_long(self.longest), is_incomplete: false },
        };
        if !self.is_joined
            && let Some(length) = self.next_joined()?
        {
            return Ok(length);
        }
        if let Some(trouble) = self.failed.take_if(|_| is_cut) {
            return Err(trouble);
        }
        let byte = self.window.byte();
        match end {
            Some(end) => self.lent = end,
            None => self.pass_line(),
        }
        Err(self.broken(byte, fault, self.window.byte() + self.lent as u64 - byte))
    }

    /// Length of the object or array at the beginning of the window, if another one follows it on the line, or it is the last
    /// of several.
    fn next_joined(&mut self) -> Result<Option<usize>, Trouble> {
        let Some(length) = self.find_closing() else { return Ok(None) };
        match self.follows(length) {
            Some(next) if is_opener(next) => {}
            None if self.is_joined => {}
            _ => return Ok(None),
        }
        let byte = self.window.byte();
        let value = &self.window.held()[..length];
        let checked = self.checker.check(value);
        if checked.is_err() && Tolerant::new().advance(value) != Some(Verdict::End(length)) {
            return Ok(None);
        }
        (self.lent, self.is_joined) = (length, true);
        checked.map(|()| Some(length)).map_err(|fault| self.broken(byte, fault, length as u64))
    }

    /// Length of the object or array at the beginning of the window, if it ends on its line and is not too long.
    fn find_closing(&mut self) -> Option<usize> {
        let mut scan = self.window.held().first().filter(|first| is_opener(**first)).map(|first| Scan::of(*first))?;
        let mut searched = 0;
        loop {
            let held = self.window.held();
            let length = scan.advance(held);
            let until = length.unwrap_or(held.len());
            if until > self.longest || memchr::memchr(b'\n', &held[searched..until]).is_some() {
                return None;
            }
            searched = until;
            if length.is_some() || !self.more() {
                return length;
            }
        }
    }

    /// The first byte of the line that is no separator, behind `length` bytes.
    fn follows(&mut self, length: usize) -> Option<u8> {
        let mut at = length;
        loop {
            let held = self.window.held();
            let until = held.len().min(length + self.longest);
            at += separators(&held[at..until]);
            if memchr::memchr(b'\n', &held[length..at]).is_some() {
                return None;
            }
            if !is_cut_mark(&held[at..until]) {
                return held.get(at).copied();
            }
            if until == length + self.longest || !self.more() {
                return None;
            }
        }
    }

    /// Length of the line without its end; none if it is too long.
    fn find_end(&mut self) -> Option<usize> {
        let mut searched = 0;
        loop {
            let held = self.window.held();
            let end = memchr::memchr(b'\n', &held[searched..]).map(|found| searched + found);
            searched = held.len();
            if end.unwrap_or(searched) > self.longest {
                return None;
            }
            if end.is_some() || !self.more() {
                return end.or(Some(searched));
            }
        }
    }

    fn pass_line(&mut self) {
        loop {
            let held = self.window.held();
            let end = memchr::memchr(b'\n', held);
            self.window.consume(end.unwrap_or(held.len()));
            if end.is_some() || !self.more() {
                return;
            }
        }
    }

    /// The line begins with an object or array, so that its end is known by itself.
    fn is_closed(&self) -> bool {
        self.window.held().first().is_some_and(|first| is_opener(*first))
    }

    fn broken(&self, byte: u64, fault: Fault, skipped: u64) -> Trouble {
        let at = byte + fault.at as u64;
        Trouble::Broken(BrokenRecord { number: self.records, line: None, byte, at, reason: fault.reason, skipped })
    }
}

/// The line without separators behind its value.
fn trimmed(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !is_separator(*byte)).map_or(0, |last| last + 1);
    line[..end].strip_suffix(BYTE_ORDER_MARK).map_or(&line[..end], trimmed)
}

fn is_opener(byte: u8) -> bool {
    matches!(byte, b'{' | b'[')
}
