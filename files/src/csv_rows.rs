//! CSV with a header row: each row becomes a JSON object whose values are strings.
//!
//! Types are the schema's business, as they are for the strings of any other form. A row with another number of fields
//! than the header is broken. A quote that is never closed swallows the rest of the file, so a row that grows beyond
//! the limit ends the file with an error.

use super::FileRecord;
use super::error::{BrokenRecord, Trouble};
use super::window::Window;
use csv::ByteRecord;
use std::io::{self, Read};

/// Reader of the rows.
#[derive(Debug)]
pub(super) struct CsvRows {
    reader: csv::Reader<Bounded>,
    /// `"name": ` of each column, escaped.
    names: Vec<Vec<u8>>,
    key_column: Option<usize>,
    longest: usize,
    /// Offset of the header, which is not 0 behind a byte order mark.
    base: u64,
    rows: u64,
    row: ByteRecord,
    json: Vec<u8>,
}

impl CsvRows {
    pub(super) fn new(window: Window, key_field: Option<&str>, longest: usize) -> Result<Self, Trouble> {
        let base = window.byte();
        let bounded = Bounded { inner: window, left: longest };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bounded);
        let header = reader.headers().map_err(|error| Trouble::Header(error.to_string()))?;
        let key_column = key_field.and_then(|field| header.iter().position(|name| name == field));
        let names = header.iter().map(quoted_name).collect();
        let (row, json) = (ByteRecord::new(), Vec::new());
        Ok(Self { reader, names, key_column, longest, base, rows: 0, row, json })
    }

    pub(super) fn next_record(&mut self) -> Result<Option<FileRecord<'_>>, Trouble> {
        self.reader.get_mut().left = self.longest;
        let byte = self.base + self.reader.position().byte();
        let is_row = self.reader.read_byte_record(&mut self.row).map_err(|error| self.failed(byte, error))?;
        if !is_row {
            return Ok(None);
        }
        self.rows += 1;
        let byte = self.row.position().map_or(byte, |position| self.base + position.byte());
        self.write_json().map_err(|reason| self.broken(byte, reason))?;
        let key = self.key_column.and_then(|column| self.row.get(column));
        let key = key.and_then(|key| std::str::from_utf8(key).ok()).filter(|key| !key.is_empty());
        Ok(Some(FileRecord { number: self.rows, byte, json: &self.json, key }))
    }

    fn write_json(&mut self) -> Result<(), String> {
        if self.row.len() != self.names.len() {
            return Err(format!("{} fields where the header has {}", self.row.len(), self.names.len()));
        }
        self.json.clear();
        self.json.push(b'{');
        for (column, (name, value)) in self.names.iter().zip(&self.row).enumerate() {
            let value = std::str::from_utf8(value).map_err(|_| format!("column {} is not UTF-8", column + 1))?;
            if column > 0 {
                self.json.extend_from_slice(b", ");
            }
            self.json.extend_from_slice(name);
            write_quoted(&mut self.json, value);
        }
        self.json.push(b'}');
        Ok(())
    }

    fn broken(&self, byte: u64, reason: String) -> Trouble {
        let skipped = self.base + self.reader.position().byte() - byte;
        Trouble::Broken(BrokenRecord { number: self.rows, byte, at: byte, reason, skipped })
    }

    fn failed(&self, byte: u64, error: csv::Error) -> Trouble {
        if self.reader.get_ref().left == 0 {
            return Trouble::EndlessRow { number: self.rows + 1, byte, limit: self.longest };
        }
        let error = match error.into_kind() {
            csv::ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        };
        Trouble::Read { byte, error }
    }
}

fn quoted_name(name: &str) -> Vec<u8> {
    let mut quoted = Vec::new();
    write_quoted(&mut quoted, name);
    quoted.extend_from_slice(b": ");
    quoted
}

fn write_quoted(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("a string is written to memory");
}

/// Hands out no more than `left` bytes.
#[derive(Debug)]
struct Bounded {
    inner: Window,
    left: usize,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("the row is too long"));
        }
        let most = buffer.len().min(self.left);
        let taken = self.inner.read(&mut buffer[..most])?;
        self.left -= taken;
        Ok(taken)
    }
}
