//! A JSON array, or JSON values one after another, split into its elements.
//!
//! An element is found by its brackets and quotes alone, then checked to be valid JSON. Both work on a window over the
//! stream that holds little more than the element, so a file of any size takes the same memory.
//!
//! # Broken records
//!
//! 1. An element whose quotes and brackets can be trusted (`tolerant.rs`) is broken by itself, whatever is nested in it:
//!    `{"a": }`, `{"a": NaN}`, a bare word. Reading goes on behind it.
//! 2. A quote or bracket too many or too few moves the apparent end of the element into a later one. Everything before the
//!    first byte that does not fit is trusted, nothing behind it; so from the last string before that byte on, the reader
//!    searches for a closing brace, a comma and an opening brace with the field name that the records before opened with
//!    (`}, {"review_id"`), whatever brackets and quotes stand between. If it finds one before the apparent end, the next
//!    record begins there, unless it is in a list of a record. One bad quote so costs one record, wherever records share
//!    their first field.
//!    An end behind which no element can follow is not trusted, and a string before a colon is no element.
//! 3. An element without an end within [`Options::max_record_bytes`](super::Options) is broken. If nothing but rule 1 applies
//!    so far it is passed over to its structural end, else by rule 2; neither keeps more in memory.
//! 4. Commas too many or too few between elements lose nothing and are not reported, nor do the record separators of RFC 7464
//!    and the byte order marks of files that were joined. Arrays may follow each other, as when files are joined.
//! 5. The end of the file inside an array or a value is an error, after everything before it has been lent out.
//!
//! What is read depends on the bytes alone, not on the pieces in which they come: each decision is made from a part of the
//! stream whose length does not depend on what has arrived.

use super::FileRecord;
use super::check::{Checker, Fault};
use super::error::{BrokenRecord, Trouble, excerpt, too_long};
use super::resync::{self, LONGEST_GAP, Mark};
use super::structure::{Scan, is_closed, is_cut_mark, is_separator, last_string_before, separators};
use super::tolerant::{Tolerant, Verdict};
use super::window::Window;

/// An element whose end is not found within this many bytes is checked as far as it is there, and again whenever it has
/// doubled, so that a bad quote does not cost [`Options::max_record_bytes`](super::Options) of scanning.
const DOUBTFUL_BYTES: usize = 64 << 10;

/// Reader of the elements.
#[derive(Debug)]
pub(super) struct JsonValues {
    window: Window,
    checker: Checker,
    longest: usize,
    place: Place,
    /// Records begun so far.
    records: u64,
    /// Length of the record that is lent out, at the beginning of the window.
    lent: usize,
    /// What a record's first field name looks like: quoted, or a quote as long as no record has been seen.
    opening: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    InArray,
    AfterArray,
    /// Values without an array around them.
    Values,
}

impl JsonValues {
    pub(super) fn new(window: Window, checker: Checker, longest: usize) -> Self {
        Self { window, checker, longest, place: Place::Start, records: 0, lent: 0, opening: vec![b'"'] }
    }

    pub(super) fn next_record(&mut self) -> Result<Option<FileRecord<'_>>, Trouble> {
        self.window.consume(std::mem::take(&mut self.lent));
        let Some(first) = self.find_value()? else { return Ok(None) };
        self.records += 1;
        self.lent = self.measure(first)?;
        Ok(Some(FileRecord {
            number: self.records,
            byte: self.window.byte(),
            json: &self.window.held()[..self.lent],
            key: self.checker.key(),
        }))
    }

    /// Moves to the next value; its first byte, or none at the end of the file.
    fn find_value(&mut self) -> Result<Option<u8>, Trouble> {
        loop {
            let Some(first) = self.pass_separators()? else { return self.end_of_file().map(|()| None) };
            match (self.place, first) {
                (Place::Start | Place::AfterArray, b'[') => {
                    self.place = Place::InArray;
                    self.window.consume(1);
                }
                (Place::InArray, b']') => {
                    self.place = Place::AfterArray;
                    self.window.consume(1);
                }
                (Place::Start, b'{') => self.place = Place::Values,
                (Place::Start, _) => return Err(self.not_records()),
                (Place::AfterArray, _) => return Err(self.trailing()),
                (Place::InArray | Place::Values, _) => return Ok(Some(first)),
            }
        }
    }

    fn pass_separators(&mut self) -> Result<Option<u8>, Trouble> {
        loop {
            let passed = separators(self.window.held());
            self.window.consume(passed);
            let first = self.window.held().first().copied();
            if !is_cut_mark(self.window.held()) || !self.window.more()? {
                return Ok(first);
            }
        }
    }

    /// Length of the valid value that begins with `first`, at the beginning of the window.
    fn measure(&mut self, first: u8) -> Result<usize, Trouble> {
        let mut scan = Scan::of(first);
        let mut doubtful = DOUBTFUL_BYTES;
        loop {
            let held = self.window.held();
            let end = scan.advance(held);
            let is_too_long = end.unwrap_or(held.len()) > self.longest;
            if is_too_long || (end.is_none() && held.len() >= doubtful) {
                doubtful = held.len() * 2;
                // The first fault is the same, however much behind it is looked at.
                if let Err(fault) = self.checker.check(&held[..held.len().min(self.longest)])
                    && !fault.is_incomplete
                {
                    return Err(self.recover(first, &fault)?);
                }
            }
            match end {
                _ if is_too_long => return Err(self.pass_long(first)?),
                Some(length) => return self.judge(first, length),
                None if !self.window.more()? => return self.judge_last(first),
                None => {}
            }
        }
    }

    /// Judges a value that is structurally complete.
    fn judge(&mut self, first: u8, length: usize) -> Result<usize, Trouble> {
        if first == b'"' && !self.may_end(length)? {
            let reason = "a text where a record should begin; a quote or bracket before it is wrong".to_owned();
            return Err(self.recover(first, &Fault { at: length, reason, is_incomplete: false })?);
        }
        let value = self.window.held()[..length].trim_ascii_end();
        match self.checker.check(value) {
            Ok(()) => {
                learn_opening(&mut self.opening, value);
                Ok(value.len())
            }
            Err(fault) => Err(self.recover(first, &fault)?),
        }
    }

    /// Judges a value that the end of the file cuts off.
    fn judge_last(&mut self, first: u8) -> Result<usize, Trouble> {
        let held = self.window.held();
        let value = held.trim_ascii_end();
        // White space behind a number says that none of its digits is missing.
        let is_complete = self.place == Place::Values || value.len() < held.len();
        match self.checker.check(value) {
            Ok(()) if is_complete => Ok(value.len()),
            Err(fault) if !fault.is_incomplete => Err(self.recover(first, &fault)?),
            _ => {
                let inside = format!("record {}, which begins at byte {}", self.records, self.window.byte());
                let byte = self.window.byte() + self.window.held().len() as u64;
                Err(Trouble::Truncated { byte, inside, records: self.records - 1 })
            }
        }
    }

    /// Moves behind a broken record that begins with `first`.
    fn recover(&mut self, first: u8, fault: &Fault) -> Result<Trouble, Trouble> {
        let byte = self.window.byte();
        self.pass_broken(first)?;
        Ok(Trouble::Broken(BrokenRecord {
            number: self.records,
            line: None,
            byte,
            at: byte + fault.at as u64,
            reason: fault.reason.clone(),
            skipped: self.window.byte() - byte,
        }))
    }

    fn pass_broken(&mut self, first: u8) -> Result<(), Trouble> {
        let verdict = if is_closed(first) { self.parse_tolerantly()? } else { None };
        match verdict {
            None => self.pass_to_end(Scan::of(first)),
            Some(Verdict::End(end)) if first == b'{' && !self.may_end(end)? => self.search(end, None),
            Some(Verdict::End(end)) if first == b'"' && !self.may_end(end)? => self.search(1, None),
            Some(Verdict::End(end)) => {
                self.window.consume(end);
                Ok(())
            }
            Some(Verdict::Fault(at)) => self.search(last_string_before(self.window.held(), at), Some(Scan::of(first))),
        }
    }

    /// How the value at the beginning of the window ends; none if it does not within the length of a record or of the file.
    fn parse_tolerantly(&mut self) -> Result<Option<Verdict>, Trouble> {
        let mut parse = Tolerant::new();
        loop {
            let held = self.window.held();
            let verdict = parse.advance(&held[..held.len().min(self.longest)]);
            if verdict.is_some() || held.len() >= self.longest || !self.window.more()? {
                return Ok(verdict);
            }
        }
    }

    /// Whether a value may end at `end`: what stands behind it begins no field and continues no text.
    fn may_end(&mut self, end: usize) -> Result<bool, Trouble> {
        let is_next = |byte| is_separator(byte) || matches!(byte, b'{' | b'[' | b']' | 0xef);
        Ok(self.next_byte(end)?.is_none_or(is_next))
    }

    /// Whether an object may end at `end`, with its own bracket.
    fn may_end_object(&mut self, end: usize) -> Result<bool, Trouble> {
        Ok(self.window.held()[end - 1] == b'}' && self.may_end(end)?)
    }

    /// The first byte behind `from` that is no white space; none at the end of the file or if it is far away.
    fn next_byte(&mut self, from: usize) -> Result<Option<u8>, Trouble> {
        loop {
            let after = &self.window.held()[from..];
            let next = after.iter().take(LONGEST_GAP).find(|byte| !byte.is_ascii_whitespace()).copied();
            if next.is_some() || after.len() >= LONGEST_GAP || !self.window.more()? {
                return Ok(next);
            }
        }
    }

    /// Moves to the next record, searched behind `from`; to the end that `scan` finds if none begins before it and an element
    /// may follow there.
    fn search(&mut self, mut from: usize, mut scan: Option<Scan>) -> Result<(), Trouble> {
        let mut end = None;
        let is_object = self.window.held().first() == Some(&b'{');
        loop {
            let held = self.window.held();
            let length = held.len();
            end = end.or_else(|| scan.as_mut()?.advance(held));
            // The brace that ends the record is no sign of another end.
            let until = end.map_or(length, |end| end - 1).max(from);
            let passed = match resync::find(held, from..until, &self.opening, self.window.at_end()) {
                Mark::At(next) => {
                    self.window.consume(next);
                    return Ok(());
                }
                Mark::Undecided(brace) => brace,
                Mark::Nowhere => match end.take() {
                    Some(end) if !is_object || self.may_end_object(end)? => {
                        self.window.consume(end);
                        return Ok(());
                    }
                    Some(end) => {
                        scan = None;
                        end
                    }
                    None => length,
                },
            };
            self.window.consume(passed);
            if !self.window.more()? && self.window.held().is_empty() {
                return Ok(());
            }
            from = 0;
            match &mut end {
                Some(end) => *end -= passed,
                None => scan.iter_mut().for_each(|scan| scan.forget(passed)),
            }
        }
    }

    /// Moves behind a value that is valid so far but too long.
    fn pass_long(&mut self, first: u8) -> Result<Trouble, Trouble> {
        let byte = self.window.byte();
        self.pass_to_end(Scan::of(first))?;
        Ok(self.too_long(self.window.byte() - byte))
    }

    /// Consumes the value up to the end that `scan` finds, or all of the file.
    fn pass_to_end(&mut self, mut scan: Scan) -> Result<(), Trouble> {
        loop {
            let held = self.window.held().len();
            if let Some(end) = scan.advance(self.window.held()) {
                self.window.consume(end);
                return Ok(());
            }
            self.window.consume(held);
            scan.forget(held);
            if !self.window.more()? {
                return Ok(());
            }
        }
    }

    /// The error of a value of `length` bytes that has just been consumed.
    fn too_long(&self, length: u64) -> Trouble {
        let byte = self.window.byte() - length;
        Trouble::Broken(BrokenRecord {
            number: self.records,
            line: None,
            byte,
            at: byte + self.longest as u64,
            reason: too_long(self.longest),
            skipped: length,
        })
    }

    fn end_of_file(&self) -> Result<(), Trouble> {
        if self.place != Place::InArray {
            return Ok(());
        }
        let inside = "the array, which is not closed".to_owned();
        Err(Trouble::Truncated { byte: self.window.byte(), inside, records: self.records })
    }

    fn trailing(&self) -> Trouble {
        let found = excerpt(self.window.held());
        Trouble::Trailing { byte: self.window.byte(), found, records: self.records }
    }

    fn not_records(&self) -> Trouble {
        Trouble::NotRecords { byte: self.window.byte(), found: excerpt(self.window.held()) }
    }
}

/// Remembers how `record` opens, if it is an object with a field.
fn learn_opening(opening: &mut Vec<u8>, record: &[u8]) {
    let Some(name) = record.strip_prefix(b"{").map(<[u8]>::trim_ascii_start) else { return };
    if opening.len() > 1 && name.starts_with(opening) {
        return;
    }
    if let Some(length) = Scan::of(b'"').advance(name).filter(|_| name.starts_with(b"\"")) {
        opening.clear();
        opening.extend_from_slice(&name[..length]);
    }
}
