//! The readers of files of records: the same bytes are the same records however they come, and no byte is lost without a word.
//!
//! Input: form of the file, how the bytes are cut, longest record, then the bytes.

use std::{
    fs,
    io::{self, Read, Write},
    mem::Discriminant,
    path::Path,
};

use files::{Decimal, Delimiter, FileError, Form, Format, Options, RecordFile, Trouble};
use flate2::{Compression, write::GzEncoder};
use serde_json::value::RawValue;

use super::{quoted, rfc4180};
use crate::Input;

const NAMES: [&str; 7] = [
    // Recognised by name and content.
    "records.json",
    "records.jsonl",
    "records.csv",
    // Named.
    "array",
    "lines",
    "commas",
    "semicolons",
];
const LONGEST: [usize; 3] = [16 << 20, 300, 40];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a reader lends out or reports.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Record {
        byte: u64,
        json: String,
        key: Option<String>,
    },
    Broken {
        byte: u64,
        skipped: u64,
    },
    /// The file cannot be read any further.
    Failed(Discriminant<Trouble>),
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    format: Option<Format>,
    pieces: Vec<Piece>,
}

/// Reads the bytes in several ways.
pub fn run(input: &[u8]) {
    let mut input = Input::new(input);
    let name = NAMES[input.choose(NAMES.len())];
    let cut = input.choose(256);
    let longest = LONGEST[input.choose(LONGEST.len())];
    let bytes = input.rest();
    let options = Options { form: form(name), key_field: Some("id".to_owned()), max_record_bytes: longest };
    let way = Way { name, options };
    let seen = way.read(bytes, cut);
    check_pieces(bytes, &seen, longest);
    // Compressed bytes begin with something else than a file of records; what is inside is what counts.
    if is_packed(bytes) {
        return;
    }
    assert_eq!(way.read(&gzip(bytes, cut), cut), seen, "as gzip of two members");
    assert_eq!(way.read(&zstd(bytes, cut), cut), seen, "as zstd of two frames");
    if has_other_encoding(bytes) {
        return;
    }
    check_byte_order_mark(&way, bytes, cut, &seen);
    match seen.format {
        Some(Format::Csv) => check_csv(&way, bytes, &seen),
        Some(Format::Json | Format::Lines) => check_json(bytes, longest, &seen),
        None => {}
    }
}

fn form(name: &str) -> Form {
    let named = |format, delimiter| Form {
        format: Some(format),
        delimiter,
        decimal: delimiter.map(|_| Decimal::Point),
        encoding: Some("utf-8".parse().expect("the name of an encoding")),
    };
    match name {
        "array" => named(Format::Json, None),
        "lines" => named(Format::Lines, None),
        "commas" => named(Format::Csv, Some(Delimiter::COMMA)),
        "semicolons" => named(Format::Csv, Some(Delimiter::SEMICOLON)),
        _ => Form::default(),
    }
}

/// How a file is read.
struct Way<'a> {
    name: &'a str,
    options: Options,
}

impl Way<'_> {
    /// A form is recognised by the beginning of a file. One that is named is read from pieces of any size.
    fn read(&self, bytes: &[u8], cut: usize) -> Seen {
        if self.options.form.format.is_some() {
            let pieces = Pieces { bytes: bytes.to_vec(), at: 0, most: 1 + cut };
            return pieces_of(RecordFile::from_reader(Path::new(self.name), pieces, &self.options), bytes);
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(self.name);
        fs::write(&path, bytes).expect("a file in a temporary folder");
        pieces_of(RecordFile::open(&path, &self.options), bytes)
    }
}

/// Bytes that come in pieces.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    most: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.most).min(self.bytes.len() - self.at);
        buffer[..length].copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

fn pieces_of(file: Result<RecordFile, FileError>, bytes: &[u8]) -> Seen {
    let mut file = match file {
        Ok(file) => file,
        Err(error) => return Seen { format: None, pieces: vec![failed(&error)] },
    };
    let format = Some(file.format());
    let mut pieces = Vec::new();
    let mut number = 0;
    while let Some(next) = file.next_record() {
        number += 1;
        pieces.push(match next {
            Ok(record) => {
                assert_eq!(record.number, number, "records are numbered from 1");
                let json = String::from_utf8(record.json.to_vec()).expect("a record is UTF-8");
                Piece::Record { byte: record.byte, json, key: record.key.map(str::to_owned) }
            }
            Err(FileError { trouble: Trouble::Broken(broken), .. }) => {
                assert_eq!(broken.number, number, "broken records are numbered with the others");
                Piece::Broken { byte: broken.byte, skipped: broken.skipped }
            }
            Err(error) => failed(&error),
        });
        assert!(is_packed(bytes) || number <= 1 + bytes.len() as u64, "more records than bytes");
    }
    assert!(file.next_record().is_none(), "a file that has ended stays ended");
    Seen { format, pieces }
}

fn failed(error: &FileError) -> Piece {
    assert!(!error.to_string().is_empty());
    Piece::Failed(std::mem::discriminant(&error.trouble))
}

fn is_packed(bytes: &[u8]) -> bool {
    let is_skippable =
        bytes.first().is_some_and(|first| first & 0xf0 == 0x50) && bytes[1..].starts_with(b"\x2a\x4d\x18");
    let magics: [&[u8]; 6] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf"];
    is_skippable || magics.iter().any(|magic| bytes.starts_with(magic))
}

/// Two members, so that the reader gets the bytes in two pieces.
fn gzip(bytes: &[u8], cut: usize) -> Vec<u8> {
    let member = |part: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(part).and_then(|()| encoder.finish()).expect("memory takes every write")
    };
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    [member(first), member(second)].concat()
}

fn zstd(bytes: &[u8], cut: usize) -> Vec<u8> {
    let frame = |part: &[u8]| zstd::encode_all(part, 1).expect("memory takes every write");
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    [frame(first), frame(second)].concat()
}

/// Whether the bytes may be UTF-16, of which the records are not the file's bytes: by its mark, or by zeros among ASCII.
fn has_other_encoding(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0)
}

/// A mark before the bytes moves them by its length and changes nothing else.
fn check_byte_order_mark(way: &Way<'_>, bytes: &[u8], cut: usize, seen: &Seen) {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return;
    }
    let marked = way.read(&[BYTE_ORDER_MARK, bytes].concat(), cut);
    let mut moved = seen.clone();
    for piece in &mut moved.pieces {
        if let Piece::Record { byte, .. } | Piece::Broken { byte, .. } = piece {
            *byte += BYTE_ORDER_MARK.len() as u64;
        }
    }
    assert_eq!(marked, moved, "with a byte order mark");
}

/// Records are JSON with the key that they say, in the order of the file; nothing follows a failure.
fn check_pieces(bytes: &[u8], seen: &Seen, longest: usize) {
    let mut last = None;
    for (place, piece) in seen.pieces.iter().enumerate() {
        match piece {
            Piece::Record { byte, json, key } => {
                assert!(last < Some(*byte), "record at byte {byte} after {last:?}");
                last = Some(*byte);
                let value: serde_json::Value =
                    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
                if seen.format != Some(Format::Csv) {
                    assert!(json.len() <= longest, "a record of {} bytes", json.len());
                    check_key(&value, key.as_deref());
                }
            }
            Piece::Broken { byte, skipped } => {
                assert!(
                    last < Some(*byte) && byte + skipped <= bytes_of(bytes, *byte + *skipped),
                    "{byte} + {skipped}"
                );
                last = Some(*byte);
            }
            Piece::Failed(_) => assert_eq!(place + 1, seen.pieces.len(), "something follows a failure"),
        }
    }
}

/// The end of the stream, which is not known of bytes that are unpacked or converted.
fn bytes_of(bytes: &[u8], end: u64) -> u64 {
    if is_packed(bytes) || has_other_encoding(bytes) { end } else { bytes.len() as u64 }
}

fn check_key(value: &serde_json::Value, key: Option<&str>) {
    match value.get("id") {
        Some(serde_json::Value::String(text)) => assert_eq!(key, Some(text.as_str())),
        Some(serde_json::Value::Bool(truth)) => assert_eq!(key, Some(truth.to_string().as_str())),
        // The key has a number's digits as they stand.
        Some(serde_json::Value::Number(_)) => assert!(key.is_some()),
        _ => assert_eq!(key, None),
    }
}

/// Every byte is in a record, in a broken one, or between them as nothing but punctuation; what is plainly JSON is read whole.
fn check_json(bytes: &[u8], longest: usize, seen: &Seen) {
    let separators: &[u8] = if seen.format == Some(Format::Json) { b" \t\r\n\x0c,\x1e[]" } else { b" \t\r\n\x0c,\x1e" };
    let mut end = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let gap = |from: usize, to: usize| {
        let between = bytes.get(from..to).unwrap_or_else(|| panic!("bytes {from} to {to} are read twice"));
        let text = without_marks(between);
        let lost = text.iter().position(|byte| !separators.contains(byte));
        assert_eq!(lost, None, "{} is in no record: {seen:?}", between.escape_ascii());
    };
    let mut has_failed = false;
    for piece in &seen.pieces {
        let (start, length) = match piece {
            Piece::Record { byte, json, .. } => {
                assert!(bytes[*byte as usize..].starts_with(json.as_bytes()), "a record is not the file's bytes");
                (*byte as usize, json.len())
            }
            Piece::Broken { byte, skipped } => (*byte as usize, *skipped as usize),
            Piece::Failed(_) => {
                has_failed = true;
                continue;
            }
        };
        gap(end, start);
        end = start + length;
    }
    if !has_failed {
        gap(end, bytes.len());
    }
    if let Some(elements) = plain_json(bytes, seen.format == Some(Format::Json)) {
        check_records(seen, elements.into_iter().filter(|element| element.len() <= longest).collect());
    }
}

/// The bytes without the marks of files that were joined.
fn without_marks(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut text = Vec::new();
    while let [first, behind @ ..] = rest {
        rest = rest.strip_prefix(BYTE_ORDER_MARK).unwrap_or_else(|| {
            text.push(*first);
            behind
        });
    }
    text
}

/// The elements of what is an array, or the lines of which each is a value, by serde_json.
fn plain_json(bytes: &[u8], is_array: bool) -> Option<Vec<&str>> {
    if is_array {
        let elements: Vec<&RawValue> = serde_json::from_slice(bytes).ok()?;
        return Some(elements.into_iter().map(RawValue::get).collect());
    }
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice::<&RawValue>(line).ok().map(RawValue::get)).collect()
}

fn check_records(seen: &Seen, expected: Vec<&str>) {
    let records = seen.pieces.iter().filter_map(|piece| match piece {
        Piece::Record { json, .. } => Some(json.as_str()),
        _ => None,
    });
    assert_eq!(records.collect::<Vec<_>>(), expected);
}

/// What is plainly CSV is read as it says, and each row reads by itself as it does among the others.
fn check_csv(way: &Way<'_>, bytes: &[u8], seen: &Seen) {
    let start = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    // A mark is where another file begins, whose header is passed over.
    if without_marks(&bytes[start..]).len() < bytes.len() - start {
        return;
    }
    if way.name != "semicolons"
        && way.options.max_record_bytes > bytes.len()
        && let Some(rows) = rfc4180::rows(&bytes[start..])
    {
        let object = |row: &Vec<String>| {
            let member = |(name, value): (&String, &String)| format!("{}: {}", quoted(name.trim()), quoted(value));
            format!("{{{}}}", rows[0].iter().zip(row).map(member).collect::<Vec<_>>().join(", "))
        };
        let expected: Vec<String> = rows[1..].iter().map(object).collect();
        check_records(seen, expected.iter().map(String::as_str).collect());
    }
    let starts: Vec<usize> = seen.pieces.iter().filter_map(place).collect();
    let Some(header) = starts.first().map(|first| &bytes[..*first]) else { return };
    // A delimiter that was recognised from many rows is not that of any one.
    if way.options.form.delimiter.is_none() {
        return;
    }
    for (place, row) in seen.pieces.iter().enumerate().take(20) {
        let end = match seen.pieces.get(place + 1) {
            Some(Piece::Failed(_)) => continue,
            Some(_) => starts[place + 1],
            None => bytes.len(),
        };
        match row {
            Piece::Record { json, .. } => {
                let alone = way.read(&[header, &bytes[starts[place]..end]].concat(), 255);
                check_records(&alone, vec![json]);
            }
            Piece::Broken { byte, skipped } => {
                let behind = bytes.get((byte + skipped) as usize..end).expect("a row ends before the next begins");
                assert!(behind.iter().all(u8::is_ascii_whitespace), "{} is in no row", behind.escape_ascii());
            }
            Piece::Failed(_) => {}
        }
    }
}

fn place(piece: &Piece) -> Option<usize> {
    match piece {
        Piece::Record { byte, .. } | Piece::Broken { byte, .. } => Some(*byte as usize),
        Piece::Failed(_) => None,
    }
}
