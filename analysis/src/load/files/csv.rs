//! CSV files, row by row.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use bson::raw::RawBsonRef;
use csv_core::{ReadFieldResult, Reader};
use polars::prelude::DataFrame;

use super::{
    FileError, TableFile,
    guess::{self, Guess},
    row::{Pushed, Rows},
};

const BUFFERED: usize = 1 << 16;

/// The rows of the file, once for the types that are not given, and once for the values.
pub(super) fn read(file: &TableFile) -> Result<DataFrame, FileError> {
    let mut source = CsvRows::open(&file.path)?;
    let places = file.places(source.names())?;
    let given = places.iter().map(|place| file.kind_of(&source.names()[*place]));
    let mut kinds: Vec<_> = given.collect();
    if kinds.contains(&None) {
        let guesses = guesses(&file.path, &places)?;
        kinds = kinds.into_iter().zip(guesses).map(|(given, guess)| given.or(guess.kind())).collect();
    }
    let names = places.iter().map(|place| source.names()[*place].clone());
    let mut rows = Rows::new(names.zip(kinds).collect::<Vec<_>>());
    while source.advance()? {
        rows.push(&file.path, |column, kind| match source.field(places[column]) {
            None => Ok(Pushed::Value(RawBsonRef::Null)),
            Some(text) => guess::value(text, kind).map(Pushed::Value).ok_or_else(|| text.to_owned()),
        })?;
    }
    Ok(rows.finish())
}

fn guesses(path: &Path, places: &[usize]) -> Result<Vec<Guess>, FileError> {
    let mut source = CsvRows::open(path)?;
    let mut guesses = vec![Guess::Nothing; places.len()];
    let mut empty_texts = vec![false; places.len()];
    while source.advance()? {
        for (column, place) in places.iter().enumerate() {
            match source.field(*place) {
                Some("") => empty_texts[column] = true,
                Some(text) if guesses[column] != Guess::Text => {
                    guesses[column] = guesses[column].and(Guess::of_field(text));
                }
                _ => {}
            }
        }
    }
    // Where every value is in quotes, `""` among numbers is a null; alone it is a text.
    let decided = guesses.into_iter().zip(empty_texts);
    Ok(decided.map(|(guess, empty)| if empty && guess == Guess::Nothing { Guess::Text } else { guess }).collect())
}

/// A CSV file under way.
///
/// On csv-core, because the `csv` crate does not tell an empty field from an empty text in quotes.
pub(super) struct CsvRows {
    path: PathBuf,
    input: BufReader<File>,
    parser: Reader,
    names: Vec<String>,
    /// Where the parser writes, as large as the longest row.
    unpacked: Vec<u8>,
    /// Texts of the row, one after the other.
    text: String,
    /// Where each field ends, and whether it was in quotes.
    fields: Vec<(usize, bool)>,
    row: u64,
    /// On which the row begins.
    line: u64,
}

impl CsvRows {
    /// Opens the file and reads its header.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let input = File::open(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
        let mut rows = Self {
            path: path.to_owned(),
            input: BufReader::with_capacity(BUFFERED, input),
            parser: Reader::new(),
            names: Vec::new(),
            unpacked: vec![0; BUFFERED],
            text: String::new(),
            fields: Vec::new(),
            row: 0,
            line: 1,
        };
        if !rows.record()? {
            return Err(FileError::Empty { path: path.to_owned() });
        }
        for place in 0..rows.fields.len() {
            let name = rows.field(place).map_or_else(|| format!("column_{}", place + 1), str::to_owned);
            if rows.names.contains(&name) {
                return Err(FileError::Repeated { path: path.to_owned(), column: name });
            }
            rows.names.push(name);
        }
        Ok(rows)
    }

    /// The columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Rows so far.
    pub fn row(&self) -> u64 {
        self.row
    }

    /// Reads the next row; false at the end.
    pub fn advance(&mut self) -> Result<bool, FileError> {
        self.row += 1;
        if !self.record()? {
            return Ok(false);
        }
        if self.fields.len() != self.names.len() {
            return Err(FileError::Fields {
                path: self.path.clone(),
                row: self.row,
                line: self.line,
                expected: self.names.len(),
                found: self.fields.len(),
            });
        }
        Ok(true)
    }

    /// A field of the row; `None` where nothing stands between the commas.
    pub fn field(&self, place: usize) -> Option<&str> {
        let (end, quoted) = self.fields[place];
        let start = place.checked_sub(1).map_or(0, |before| self.fields[before].0);
        (start < end || quoted).then(|| &self.text[start..end])
    }

    fn record(&mut self) -> Result<bool, FileError> {
        self.fields.clear();
        self.text.clear();
        let found = self.unpack()?;
        let length = self.fields.last().map_or(0, |(end, _)| *end);
        let encoding = || FileError::Encoding { path: self.path.clone(), row: self.row, line: self.line };
        let text = std::str::from_utf8(&self.unpacked[..length]).map_err(|_| encoding())?;
        // Halves of a character on both sides of a comma would together pass for one.
        if !self.fields.iter().all(|(end, _)| text.is_char_boundary(*end)) {
            return Err(encoding());
        }
        self.text.push_str(text);
        Ok(found)
    }

    /// The bytes of the next row without quotes and commas; false at the end.
    fn unpack(&mut self) -> Result<bool, FileError> {
        let (mut length, mut field_line) = (0, self.line);
        // Whether the next field is in quotes, once its first byte was seen.
        let mut quoted = None;
        loop {
            let chunk = self.input.fill_buf().map_err(|source| FileError::Read { path: self.path.clone(), source })?;
            if quoted.is_none() {
                let (skipped, first) = first_byte(chunk, self.fields.is_empty());
                quoted = first.map(|first| first == b'"');
                field_line = self.parser.line() + skipped;
                if self.fields.is_empty() && first.is_some() {
                    self.line = field_line;
                }
            }
            let is_end = chunk.is_empty();
            // The end of a file is taken as the end of a line: it would end a text in quotes without a word, as no line does.
            let bytes = if is_end { b"\n".as_slice() } else { chunk };
            let (result, read, written) = self.parser.read_field(bytes, &mut self.unpacked[length..]);
            self.input.consume(if is_end { 0 } else { read });
            length += written;
            match result {
                ReadFieldResult::InputEmpty if is_end && written > 0 => {
                    return Err(FileError::Unclosed { path: self.path.clone(), row: self.row, line: field_line });
                }
                ReadFieldResult::InputEmpty if is_end => return Ok(false),
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::OutputFull => self.unpacked.resize(2 * self.unpacked.len(), 0),
                ReadFieldResult::End => return Ok(false),
                ReadFieldResult::Field { record_end } => {
                    self.fields.push((length, quoted.take().unwrap_or(false)));
                    if record_end {
                        return Ok(true);
                    }
                }
            }
        }
    }
}

/// The byte with which a field begins, and the lines before it: the rest of the last line's end, and empty lines, may stand before
/// the first field of a row.
fn first_byte(chunk: &[u8], first_of_row: bool) -> (u64, Option<u8>) {
    let is_skipped = |byte: &&u8| first_of_row && matches!(byte, b'\r' | b'\n');
    let skipped = chunk.iter().take_while(is_skipped).count();
    let lines = chunk[..skipped].iter().filter(|byte| **byte == b'\n').count();
    (lines as u64, chunk.get(skipped).copied())
}
