//! Which encoding and form a file has, from its first bytes and its name.

use super::csv_rows::Dialect;
use super::decimal::Decimal;
use super::dialect::{self, Fit};
use super::encoding::{self, Encoding, Transcoder};
use super::error::{Trouble, excerpt};
use super::find::plain_name;
use super::form::{Delimiter, Form, Format};
use super::reading::readings;
use super::structure::{BYTE_ORDER_MARK, Scan, is_separator};
use super::window::Window;
use std::path::Path;

/// How much of a file is looked at. Of a pipe it is what is there with its first line of JSON, or its
/// second of anything else, so that nobody waits for more.
const LOOKED_AT: usize = 128 << 10;

/// A file whose form is known.
pub(super) struct Recognised {
    /// Behind a byte order mark and a line that names the delimiter.
    pub(super) window: Window,
    pub(super) format: Format,
    /// Name of the encoding, for messages.
    pub(super) encoding: &'static str,
    /// How the rows are split if the file is CSV.
    pub(super) csv: Dialect,
    /// What was recognised and is not the usual.
    pub(super) noticed: Vec<String>,
}

/// Recognises what `form` leaves open; `is_live` says that the file is a pipe.
pub(super) fn recognise(path: &Path, window: Window, form: &Form, is_live: bool) -> Result<Recognised, Trouble> {
    let mut noticed = Vec::new();
    let (mut window, encoding) = as_utf8(window, form, is_live, &mut noticed)?;
    if window.held().starts_with(BYTE_ORDER_MARK) {
        window.consume(BYTE_ORDER_MARK.len());
    }
    let format = match form.format {
        Some(format) => format,
        None => format_of(path, &window, form, &mut noticed)?,
    };
    let usual = Dialect { delimiter: Delimiter::COMMA, readings: Vec::new(), encoding };
    let csv = match format {
        Format::Csv => dialect_of(path, &mut window, form, &mut noticed, usual)?,
        Format::Json | Format::Lines if form.decimal == Some(Decimal::Comma) => return Err(Trouble::DecimalOfJson),
        Format::Json | Format::Lines => usual,
    };
    Ok(Recognised { window, format, encoding, csv, noticed })
}

fn look_ahead(window: &mut Window, is_live: bool) {
    window.look_ahead(|held| held.len() >= LOOKED_AT || (is_live && says_enough(held)));
}

/// A line of JSON is there, or two lines of anything else.
fn says_enough(held: &[u8]) -> bool {
    let text = held.trim_ascii_start();
    let wanted = if matches!(text.first(), Some(b'{' | b'[')) { 1 } else { 2 };
    memchr::memchr_iter(b'\n', text).take(wanted).count() == wanted
}

/// The file as UTF-8, and the name of its encoding.
fn as_utf8(
    mut window: Window,
    form: &Form,
    is_live: bool,
    noticed: &mut Vec<String>,
) -> Result<(Window, &'static str), Trouble> {
    look_ahead(&mut window, is_live);
    if window.held().is_empty() {
        // A file that cannot be read at all is refused at once.
        window.more()?;
    }
    let found = encoding::detect(window.held())?;
    let encoding = form.encoding.or(found).unwrap_or(Encoding::UTF_8);
    if encoding == Encoding::UTF_8 && found.is_none() {
        return Ok((window, encoding.name()));
    }
    if form.encoding.is_none() {
        noticed.push(format!("the encoding {encoding} (--encoding names another)"));
    }
    let mut window = Window::new(Box::new(Transcoder::new(window, encoding)));
    look_ahead(&mut window, is_live);
    Ok((window, encoding.name()))
}

/// The format by content and name: what begins as JSON is no CSV, whatever its name.
fn format_of(path: &Path, window: &Window, form: &Form, noticed: &mut Vec<String>) -> Result<Format, Trouble> {
    let bytes = window.held();
    let first = bytes.iter().position(|byte| !is_separator(*byte)).unwrap_or(bytes.len());
    let rest = &bytes[first..];
    let name = plain_name(path);
    let is_named_csv = name.ends_with(".csv") || name.ends_with(".tsv") || form.delimiter.is_some();
    match rest.first() {
        Some(b'[' | b'{') if !is_named_csv || begins_as_json(rest) => {
            if is_named_csv {
                noticed.push("JSON, which it holds (--format names another form)".to_owned());
            }
            Ok(if rest[0] == b'[' { Format::Json } else { of_values(rest) })
        }
        _ if is_named_csv => Ok(Format::Csv),
        // A file without anything in it has no records in any form.
        None => Ok(Format::Lines),
        Some(_) if is_table(window) => {
            noticed.push("rows of CSV (--format names another form)".to_owned());
            Ok(Format::Csv)
        }
        Some(_) => Err(Trouble::NotRecords { byte: window.byte() + first as u64, found: excerpt(rest) }),
    }
}

/// An object with a quoted name, or an array of such objects or nothing, begins here.
fn begins_as_json(bytes: &[u8]) -> bool {
    let inner = bytes.strip_prefix(b"[").unwrap_or(bytes).trim_ascii_start();
    let name = inner.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    name.is_some_and(|name| name.starts_with(b"\"") || name.starts_with(b"}"))
}

/// Lines of values, unless the first object is over several lines, or others follow it without a line end in sight.
fn of_values(bytes: &[u8]) -> Format {
    let end = memchr::memchr(b'\n', bytes);
    let line = &bytes[..end.unwrap_or(bytes.len())];
    let is_open = serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err_and(|error| error.is_eof());
    let is_joined = || {
        let length = Scan::of(b'{').advance(line).unwrap_or(line.len());
        line[length..].iter().any(|byte| !is_separator(*byte))
    };
    match end {
        Some(_) if is_open => Format::Json,
        None if is_joined() => Format::Json,
        _ => Format::Lines,
    }
}

/// A header and rows that a delimiter splits alike.
fn is_table(window: &Window) -> bool {
    let text = window.held();
    if text.trim_ascii_start().starts_with(b"<")
        || std::str::from_utf8(&text[..text.len().min(64)]).is_err_and(|e| e.error_len().is_some())
    {
        return false;
    }
    dialect::delimiter(text, window.at_end(), None).is_ok_and(|fit| fit.is_some_and(Fit::is_table))
}

/// How the rows of a CSV file are split, from `form`, a line `sep=;`, or the first rows.
fn dialect_of(
    path: &Path,
    window: &mut Window,
    form: &Form,
    noticed: &mut Vec<String>,
    usual: Dialect,
) -> Result<Dialect, Trouble> {
    let in_file = dialect::named_in_file(window.held());
    if let Some((_, length)) = in_file {
        window.consume(length);
    }
    let (text, at_end) = (window.held(), window.at_end());
    let delimiter = match (form.delimiter, in_file) {
        (Some(delimiter), _) | (None, Some((delimiter, _))) => delimiter,
        (None, None) => delimiter_of(path, text, at_end, noticed)?,
    };
    let columns = dialect::columns(text, at_end, delimiter);
    let readings = readings(&columns, delimiter, form.decimal);
    if form.decimal.is_none()
        && delimiter != Delimiter::COMMA
        && let Some(cell) = columns.iter().find_map(|column| column.proof.as_ref())
    {
        noticed.push(format!("a decimal comma, as in {cell:?} (--decimal names another)"));
    }
    Ok(Dialect { delimiter, readings, ..usual })
}

fn delimiter_of(path: &Path, text: &[u8], at_end: bool, noticed: &mut Vec<String>) -> Result<Delimiter, Trouble> {
    let by_name = plain_name(path).ends_with(".tsv").then_some(Delimiter::TAB);
    let usual = by_name.unwrap_or(Delimiter::COMMA);
    let found = match dialect::delimiter(text, at_end, by_name)? {
        Some(fit) => fit.delimiter,
        None => dialect::rare(text, at_end).unwrap_or_else(|| {
            if let Some(possible) = dialect::possible(text, at_end) {
                noticed
                    .push(format!("one column, though {possible} would split every row alike (--delimiter names it)"));
            }
            usual
        }),
    };
    if found != usual {
        noticed.push(format!("{found} between the fields (--delimiter names another)"));
    }
    Ok(found)
}
