//! A JSON array, or JSON values one after another, split into its elements.
//!
//! An element is found by its brackets and quotes alone, then checked to be valid JSON. Both work on a window over the
//! stream that holds little more than the element, so a file of any size takes the same memory.
//!
//! # Broken records
//!
//! 1. An element that is delimited but not valid, such as `{"a": }` or a bare word, is broken by itself: reading goes on
//!    behind it.
//! 2. A quote or bracket too many or too few moves the apparent end of the element into a later one. Everything before the
//!    first fault is trusted, nothing behind it; so from the last string before the fault on, the reader searches for a
//!    closing brace, a comma and an opening brace with the field name that the records before opened with
//!    (`}, {"review_id"`), whatever brackets and quotes stand between. If it finds one before the apparent end, the next
//!    record begins there. One bad quote so costs one record, wherever records share their first field.
//! 3. An element without an end within [`Options::max_record_bytes`](super::Options) is broken. If it was valid so far it
//!    is passed over to its structural end, else by rule 2; neither keeps more in memory.
//! 4. Commas too many or too few between elements lose nothing and are not reported, nor do the record separators of RFC 7464.
//!    Arrays may follow each other, as when files are joined.
//! 5. The end of the file inside an array or a value is an error, after everything before it has been lent out.

use super::FileRecord;
use super::check::{Checker, Fault};
use super::error::{BrokenRecord, Trouble, excerpt, too_long};
use super::resync::{self, Mark};
use super::structure::{Scan, is_separator, last_string_before};
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
            let held = self.window.held();
            let found = held.iter().position(|byte| !is_separator(*byte));
            let first = found.map(|at| held[at]);
            self.window.consume(found.unwrap_or(held.len()));
            if first.is_some() || !self.window.more()? {
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
            if let Some(length) = scan.advance(held) {
                return self.judge(length);
            }
            if held.len() >= doubtful {
                doubtful = held.len() * 2;
                if let Err(fault) = self.checker.check(held)
                    && !fault.is_incomplete
                {
                    return Err(self.recover(&fault, None)?);
                }
            }
            if held.len() > self.longest {
                return Err(self.pass_long(scan)?);
            }
            if !self.window.more()? {
                return self.judge_last();
            }
        }
    }

    /// Judges a value that is structurally complete.
    fn judge(&mut self, length: usize) -> Result<usize, Trouble> {
        let value = &self.window.held()[..length];
        match self.checker.check(value) {
            Ok(()) if length > self.longest => {
                self.window.consume(length);
                Err(self.too_long(length as u64))
            }
            Ok(()) => {
                learn_opening(&mut self.opening, value);
                Ok(length)
            }
            Err(fault) => Err(self.recover(&fault, Some(length))?),
        }
    }

    /// Judges a value that the end of the file cuts off.
    fn judge_last(&mut self) -> Result<usize, Trouble> {
        let held = self.window.held();
        let value = held.trim_ascii_end();
        // White space behind a number says that none of its digits is missing.
        let is_complete = self.place == Place::Values || value.len() < held.len();
        match self.checker.check(value) {
            Ok(()) if is_complete => Ok(value.len()),
            Err(fault) if !fault.is_incomplete => Err(self.recover(&fault, None)?),
            _ => {
                let inside = format!("record {}, which begins at byte {}", self.records, self.window.byte());
                let byte = self.window.byte() + self.window.held().len() as u64;
                Err(Trouble::Truncated { byte, inside, records: self.records - 1 })
            }
        }
    }

    /// Moves behind a broken record; `end` is where it seems to end.
    fn recover(&mut self, fault: &Fault, end: Option<usize>) -> Result<Trouble, Trouble> {
        let byte = self.window.byte();
        let from = last_string_before(self.window.held(), fault.at);
        self.pass_over(from, end)?;
        Ok(Trouble::Broken(BrokenRecord {
            number: self.records,
            line: None,
            byte,
            at: byte + fault.at as u64,
            reason: fault.reason.clone(),
            skipped: self.window.byte() - byte,
        }))
    }

    /// Moves to the next record, searched behind `from`; to `end` if none begins before it.
    fn pass_over(&mut self, mut from: usize, end: Option<usize>) -> Result<(), Trouble> {
        loop {
            let held = self.window.held();
            // The brace that ends the record is no sign of another end.
            let until = end.map_or(held.len(), |end| end.saturating_sub(1)).max(from);
            let (passed, is_decided) = match resync::find(held, from..until, &self.opening, self.window.at_end()) {
                Mark::At(next) => (next, true),
                Mark::Nowhere => (end.unwrap_or(held.len()), end.is_some()),
                Mark::Undecided(brace) if end.is_none() => (brace, false),
                Mark::Undecided(_) => (0, false),
            };
            self.window.consume(passed);
            if is_decided {
                return Ok(());
            }
            if passed > 0 {
                from = 0;
            }
            if !self.window.more()? && self.window.held().is_empty() {
                return Ok(());
            }
        }
    }

    /// Moves behind a value that is valid so far but too long.
    fn pass_long(&mut self, mut scan: Scan) -> Result<Trouble, Trouble> {
        let byte = self.window.byte();
        loop {
            let held = self.window.held().len();
            if let Some(end) = scan.advance(self.window.held()) {
                self.window.consume(end);
                break;
            }
            self.window.consume(held);
            scan.rebase();
            if !self.window.more()? {
                break;
            }
        }
        Ok(self.too_long(self.window.byte() - byte))
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
