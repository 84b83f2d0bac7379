//! Rows whose quotes do not fit.

use super::CsvRows;
use crate::error::Trouble;
use crate::split::{Field, are_rows, line_ends};
use crate::swallowed::{self, Likeness};

/// Bytes behind a row in which the next key is looked for.
const NEXT_KEY: usize = 4096;

impl CsvRows {
    /// The field in quotes whose lines are most like rows: at least `lines` of them in a file of at least so many columns, or
    /// rows that follow this one.
    pub(super) fn holds_rows(
        &mut self,
        (lines, columns): (usize, usize),
    ) -> Result<Option<(Field, Likeness)>, Trouble> {
        let mut found = None;
        for place in 0..self.splitter.fields().len() {
            let field = self.splitter.fields()[place];
            let text = &self.window.held()[field.start..field.end];
            if !field.quoted || self.columns.len() < 2 || next_line(text).is_none() {
                continue;
            }
            let likeness = match self.columns.len() >= columns && self.are_rows(field.start, field.end, lines) {
                true => Likeness::Rows,
                false => self.likeness(place, field)?,
            };
            if likeness > found.map_or(Likeness::Text, |(_, so_far)| so_far) {
                found = Some((field, likeness));
            }
        }
        Ok(found)
    }

    /// How far the lines behind that in which a field in quotes begins are rows that follow this one.
    fn likeness(&mut self, place: usize, field: Field) -> Result<Likeness, Trouble> {
        while self.next_key().is_none() && self.window.held().len() - self.row < NEXT_KEY && self.window.more()? {}
        let held = self.window.held();
        let start = field.start + next_line(&held[field.start..field.end]).unwrap_or_default();
        let key = self.splitter.fields().first().filter(|_| place > 0).map(|key| &held[key.start..key.end]);
        Ok(swallowed::likeness(
            &held[start..self.row],
            self.dialect.delimiter.byte(),
            self.columns.len(),
            key.map(|key| (key, self.next_key())),
        ))
    }

    /// The first field behind the row, if all of it is there.
    fn next_key(&self) -> Option<&[u8]> {
        let behind = &self.window.held()[self.row..];
        let end = memchr::memchr3(self.dialect.delimiter.byte(), b'\n', b'\r', behind)?;
        Some(&behind[..end])
    }

    /// How many rows may hold others, which a wrong quote has taken in, and the line on which the first of them begins.
    pub(crate) fn doubts(&self) -> Option<(u64, u64)> {
        self.first_doubt.map(|line| (self.doubts, line))
    }

    /// Whether the lines behind that of `start`, up to that of `end`, are at least `least` rows.
    fn are_rows(&self, start: usize, end: usize, least: usize) -> bool {
        let text = &self.window.held()[start..end];
        let Some(first) = next_line(text) else { return false };
        are_rows(&text[first..], self.dialect.delimiter.byte(), self.columns.len(), least)
    }

    /// Passes over a row whose text in quotes from `quote` on has its closing quote before `at`, and is doubted.
    pub(super) fn doubted(&mut self, quote: usize, at: usize) -> Result<Trouble, Trouble> {
        let is_swallowing = self.columns.len() > 1 && self.are_rows(quote + 1, at, 1);
        self.refused(quote, at, is_swallowing)
    }

    /// Passes over such a row: the line with the quote if the text swallows rows, else all up to the line of `at`.
    pub(super) fn refused(&mut self, quote: usize, at: usize, is_swallowing: bool) -> Result<Trouble, Trouble> {
        let held = self.window.held();
        let (place, line) = (self.window.byte() + at as u64, self.line + line_ends(&held[..quote]));
        let reason = match is_swallowing {
            true => format!(
                "the text in quotes that begins on line {line} holds whole rows; close it, and double the quotes inside a text"
            ),
            false => format!(
                "the text in quotes that begins on line {line} goes on behind its closing quote; double the quotes inside a text"
            ),
        };
        let from = if is_swallowing { quote } else { at };
        self.pass_line(from)?;
        Ok(self.broken(place, reason))
    }

    /// Passes over a row whose text in quotes from `quote` on does not end, if the lines behind it are rows.
    pub(super) fn unclosed(&mut self, quote: usize) -> Result<Trouble, Trouble> {
        let held = self.window.held();
        let (place, line) = (self.window.byte() + quote as u64, self.line + line_ends(&held[..quote]));
        if self.columns.len() < 2 || !self.are_rows(quote + 1, held.len(), 1) {
            return Err(Trouble::OpenQuote { number: self.rows, line, length: held.len() - quote });
        }
        let reason = format!(
            "the text in quotes that begins on line {line} does not end; close it, and double the quotes inside a text"
        );
        self.pass_line(quote)?;
        Ok(self.broken(place, reason))
    }
}

/// Index behind the first line end in `text`.
fn next_line(text: &[u8]) -> Option<usize> {
    let end = memchr::memchr2(b'\n', b'\r', text)?;
    Some(if text[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 })
}
