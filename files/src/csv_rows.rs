//! CSV with a header row: each row becomes a JSON object whose values are strings.
//!
//! Types are the schema's business, as they are for the strings of any other form; only numbers with a decimal comma are
//! written with a point. A row with another number of fields than the header, with a NUL or with bytes that are no text is
//! broken.
//!
//! # Quotes
//!
//! A quote that is not closed swallows the rows behind it: to the end of the file, or to the next quote. A row is broken by
//! its quotes if a text goes on behind its closing quote, if the text does not end, or if the text has line breaks and the
//! lines in it are rows, by their number or by their first fields (`swallowed.rs`). If all lines behind the one with the opening quote are rows, reading goes on with them, so that the
//! bad quote costs one row. Otherwise it goes on behind the line where the text seems to end; a text that does not end then
//! ends the file. If it is not certain that the lines in a text are rows, the row is read and [counted](CsvRows::doubts).

mod quotes;

use super::FileRecord;
use super::dialect::blank;
use super::error::{BrokenRecord, Trouble, not_text, too_long};
use super::form::Delimiter;
use super::reading::{Cell, Reading};
use super::split::{Split, Splitter, line_ends};
use super::structure::{BYTE_ORDER_MARK, is_cut_mark};
use super::swallowed::Likeness;
use super::window::Window;

/// Lines in quotes that have to look like rows before a well-formed text is doubted, and the columns they must have.
const DOUBTFUL_LINES: usize = 3;
const DOUBTFUL_COLUMNS: usize = 3;
/// Bytes of blank lines that are held at once.
const BLANK: usize = 4096;

/// How the file is read.
#[derive(Debug)]
pub(super) struct Dialect {
    pub(super) delimiter: Delimiter,
    /// How the numbers in each column are read.
    pub(super) readings: Vec<Reading>,
    /// Name of the encoding, for messages.
    pub(super) encoding: &'static str,
}

/// Reader of the rows.
#[derive(Debug)]
pub(super) struct CsvRows {
    window: Window,
    splitter: Splitter,
    dialect: Dialect,
    columns: Vec<String>,
    /// `"name": ` of each column, escaped.
    names: Vec<Vec<u8>>,
    key_column: Option<usize>,
    longest: usize,
    rows: u64,
    /// Line of the window's first byte, from 1.
    line: u64,
    /// Where the row began, which is where the window is unless the row is broken.
    row_byte: u64,
    row_line: u64,
    /// Length of the row at the beginning of the window that has been read.
    row: usize,
    /// A byte order mark stands before the row: another file begins with it.
    is_marked: bool,
    /// Rows that may hold others, and the line of the first of them.
    doubts: u64,
    first_doubt: Option<u64>,
    /// Fields that do not stand in the file as they are read.
    unpacked: String,
    places: Vec<Place>,
    json: Vec<u8>,
}

/// Where the text of a field is.
#[derive(Debug, Clone, Copy)]
enum Place {
    Row,
    /// Start and end in the unpacked text.
    Unpacked(usize, usize),
}

impl CsvRows {
    /// Reads the header.
    pub(super) fn new(
        window: Window,
        dialect: Dialect,
        key_field: Option<&str>,
        longest: usize,
    ) -> Result<Self, Trouble> {
        let splitter = Splitter::new(dialect.delimiter.byte());
        let (columns, names, places) = (Vec::new(), Vec::new(), Vec::new());
        let (unpacked, json) = (String::new(), Vec::new());
        let mut rows = Self {
            window,
            splitter,
            dialect,
            columns,
            names,
            key_column: None,
            longest,
            rows: 0,
            line: 1,
            row_byte: 0,
            row_line: 1,
            row: 0,
            is_marked: false,
            doubts: 0,
            first_doubt: None,
            unpacked,
            places,
            json,
        };
        rows.read_header()?;
        rows.key_column = key_field.and_then(|field| rows.columns.iter().position(|name| name == field));
        Ok(rows)
    }

    fn read_header(&mut self) -> Result<(), Trouble> {
        if !self.find_row()? {
            return Ok(());
        }
        match self.split() {
            Ok(Split::Row(length)) => self.row = length,
            Ok(_) => {
                return Err(Trouble::Header(format!(
                    "a text in quotes on line {} does not end with its field",
                    self.line
                )));
            }
            Err(Trouble::Broken(broken)) => return Err(Trouble::Header(broken.reason)),
            Err(other) => return Err(other),
        }
        self.unpack().map_err(Trouble::Header)?;
        for place in 0..self.splitter.fields().len() {
            let name = self.name(place);
            if self.columns.contains(&name) {
                return Err(Trouble::RepeatedColumn(name));
            }
            self.names.push(quoted_name(&name));
            self.columns.push(name);
        }
        self.is_marked = false;
        Ok(())
    }

    /// Names of the columns.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn next_record(&mut self) -> Result<Option<FileRecord<'_>>, Trouble> {
        if !self.advance()? {
            return Ok(None);
        }
        self.write_json();
        let key = self.key_column.and_then(|column| self.field(column)).filter(|key| !key.is_empty());
        Ok(Some(FileRecord { number: self.rows, byte: self.row_byte, json: &self.json, key }))
    }

    /// Reads the next row; false at the end of the file.
    pub(super) fn advance(&mut self) -> Result<bool, Trouble> {
        while self.find_row()? {
            self.rows += 1;
            let read = self.read_row();
            if !std::mem::take(&mut self.is_marked) {
                return read.map(|()| true);
            }
            if read.is_err() || !self.repeats_header() {
                return Err(Trouble::OtherHeader { line: self.row_line });
            }
            self.rows -= 1;
        }
        Ok(false)
    }

    fn read_row(&mut self) -> Result<(), Trouble> {
        match self.split()? {
            Split::Row(length) => {
                self.row = length;
                self.judge()
            }
            Split::Continued { quote, at } => Err(self.doubted(quote, at)?),
            Split::Open { quote } => Err(self.unclosed(quote)?),
        }
    }

    /// The row names the columns once more.
    fn repeats_header(&self) -> bool {
        (0..self.columns.len()).all(|place| self.name(place) == self.columns[place])
    }

    /// The name of a column, of which this row is the header.
    fn name(&self, place: usize) -> String {
        let name = self.field(place).map(str::trim).filter(|name| !name.is_empty());
        name.map_or_else(|| format!("column_{}", place + 1), str::to_owned)
    }

    /// Number and first line of the row.
    pub(super) fn place(&self) -> (u64, u64) {
        (self.rows, self.row_line)
    }

    /// A field of the row; none if nothing stands between the delimiters, not even quotes.
    pub(super) fn field(&self, column: usize) -> Option<&str> {
        if let Place::Unpacked(start, end) = self.places[column] {
            return Some(&self.unpacked[start..end]);
        }
        let field = self.splitter.fields()[column];
        let text = std::str::from_utf8(&self.window.held()[field.start..field.end]).unwrap_or_default();
        (field.quoted || !text.is_empty()).then_some(text)
    }

    /// Moves to the first byte of the next row; false at the end of the file.
    fn find_row(&mut self) -> Result<bool, Trouble> {
        let row = std::mem::take(&mut self.row);
        self.pass(row);
        loop {
            let (passed, held) = (blank(self.window.held()), self.window.held().len());
            // A carriage return at the end of what is held is passed with its line feed.
            if passed == held && passed < BLANK && self.window.more()? {
                continue;
            }
            self.pass(passed);
            let held = self.window.held();
            if held.starts_with(BYTE_ORDER_MARK) {
                self.is_marked = true;
                self.window.consume(BYTE_ORDER_MARK.len());
                continue;
            }
            let is_row = !held.is_empty();
            if is_row && is_cut_mark(held) && self.window.more()? {
                continue;
            }
            (self.row_byte, self.row_line) = (self.window.byte(), self.line);
            if is_row || self.window.at_end() {
                return Ok(is_row);
            }
        }
    }

    /// Consumes whole lines.
    fn pass(&mut self, length: usize) {
        self.line += line_ends(&self.window.held()[..length]);
        self.window.consume(length);
    }

    /// Splits the row at the beginning of the window.
    fn split(&mut self) -> Result<Split, Trouble> {
        self.splitter.reset();
        loop {
            if let Some(split) = self.splitter.advance(self.window.held(), self.window.at_end()) {
                return Ok(split);
            }
            if self.window.held().len() > self.longest {
                return Ok(match self.splitter.open_quote() {
                    Some(quote) => Split::Open { quote },
                    None => {
                        self.pass_line(0)?;
                        return Err(self.broken(self.row_byte, too_long(self.longest)));
                    }
                });
            }
            self.window.more()?;
        }
    }

    /// Judges a row whose quotes are closed.
    fn judge(&mut self) -> Result<(), Trouble> {
        if self.row > self.longest {
            self.row = without_line_end(&self.window.held()[..self.row]);
            return Err(self.broken(self.row_byte, too_long(self.longest)));
        }
        let (columns, found) = (self.columns.len(), self.splitter.fields().len());
        let doubtful = if found == columns { (DOUBTFUL_LINES, DOUBTFUL_COLUMNS) } else { (1, 2) };
        if let Some((field, likeness)) = self.holds_rows(doubtful)? {
            if likeness == Likeness::Rows {
                return Err(self.refused(field.start - 1, field.end, true)?);
            }
            self.doubts += 1;
            self.first_doubt = self.first_doubt.or(Some(self.row_line));
        }
        if found != columns {
            let reason = format!("{found} field{} where the header has {columns}", if found == 1 { "" } else { "s" });
            return Err(self.broken(self.row_byte, reason));
        }
        self.unpack().map_err(|reason| self.broken(self.row_byte, reason))
    }

    /// Consumes the row up to the end of the line in which `from` stands.
    fn pass_line(&mut self, mut from: usize) -> Result<(), Trouble> {
        self.row = 0;
        loop {
            let held = self.window.held();
            if let Some(end) = memchr::memchr2(b'\n', b'\r', &held[from..]) {
                self.pass(from + end);
                return Ok(());
            }
            self.pass(held.len());
            from = 0;
            if !self.window.more()? {
                return Ok(());
            }
        }
    }

    /// Checks the texts of the row, and unpacks those that do not stand in the file as they are read.
    fn unpack(&mut self) -> Result<(), String> {
        let Self { window, splitter, columns, places, unpacked, dialect, rows, row, .. } = self;
        let row = &window.held()[..*row];
        // The names in the header are no numbers.
        let readings = if *rows > 0 { dialect.readings.as_slice() } else { &[] };
        places.clear();
        unpacked.clear();
        let has_nul = memchr::memchr(0, row).is_some();
        for (column, field) in splitter.fields().iter().enumerate() {
            let bytes = &row[field.start..field.end];
            let fault = |what: &str| -> Result<(), String> {
                Err(match columns.get(column) {
                    Some(name) => format!("column {} ({name:?}) {what}", column + 1),
                    None => format!("column {} {what}", column + 1),
                })
            };
            if has_nul && memchr::memchr(0, bytes).is_some() {
                return fault("holds a NUL byte");
            }
            let Ok(text) = std::str::from_utf8(bytes) else {
                return fault(&not_text(dialect.encoding));
            };
            let start = unpacked.len();
            if field.doubled {
                text.split("\"\"").enumerate().for_each(|(part, text)| {
                    unpacked.push_str(if part > 0 { "\"" } else { "" });
                    unpacked.push_str(text);
                });
            } else {
                match readings.get(column).map_or(Cell::AsItStands, |reading| reading.read(text)) {
                    Cell::Number(number) => unpacked.push_str(&number),
                    Cell::Refused(why) => return fault(&format!("is {text:?}, {why}")),
                    Cell::AsItStands => {
                        places.push(Place::Row);
                        continue;
                    }
                }
            }
            places.push(Place::Unpacked(start, unpacked.len()));
        }
        Ok(())
    }

    fn write_json(&mut self) {
        let mut json = std::mem::take(&mut self.json);
        json.clear();
        json.push(b'{');
        for (column, name) in self.names.iter().enumerate() {
            if column > 0 {
                json.extend_from_slice(b", ");
            }
            json.extend_from_slice(name);
            write_quoted(&mut json, self.field(column).unwrap_or_default());
        }
        json.push(b'}');
        self.json = json;
    }

    /// The error of the row, behind which reading goes on.
    fn broken(&self, at: u64, reason: String) -> Trouble {
        let skipped = self.window.byte() + self.row as u64 - self.row_byte;
        let (number, line, byte) = (self.rows, Some(self.row_line), self.row_byte);
        Trouble::Broken(BrokenRecord { number, line, byte, at, reason, skipped })
    }
}

/// Length of `row` without its line end.
fn without_line_end(row: &[u8]) -> usize {
    let row = row.strip_suffix(b"\n").map_or(row, |row| row.strip_suffix(b"\r").unwrap_or(row));
    row.strip_suffix(b"\r").unwrap_or(row).len()
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
