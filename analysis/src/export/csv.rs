//! Frames as CSV: a header line and one line per row, each ended by CR LF as RFC 4180 says.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
};

use jiff::tz::TimeZone;
use model::calendar;
use polars::prelude::DataFrame;

use super::{
    excel,
    options::{Reader, Settings},
    selection::OutputColumn,
};
use crate::{
    cell::{Cell, Cells},
    export::ExportError,
    format,
};

/// Tells Excel that a file is UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";
/// Bytes that go into the file at once.
const BUFFERED: usize = 1 << 16;

/// How values become texts.
#[derive(Debug, Clone)]
pub(crate) struct TextForm {
    zone: TimeZone,
    reader: Reader,
}

impl TextForm {
    pub fn new(settings: &Settings) -> Result<Self, ExportError> {
        Ok(Self { zone: settings.time_zone()?, reader: settings.reader })
    }

    /// RFC 3339 in the zone; for Excel without the parts that keep it from being a date.
    fn instant(&self, millis: i64) -> String {
        let Some((local, offset)) = calendar::local_of(millis, &self.zone) else {
            return millis.to_string();
        };
        match self.reader {
            Reader::Tableau if self.zone == TimeZone::UTC => format!("{local}Z"),
            Reader::Tableau => format!("{local}{}", format::offset_text(offset)),
            Reader::Excel => local.to_string().replace('T', " "),
        }
    }

    /// A whole number, or a value of a type without a form of its own.
    fn other<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.reader {
            Reader::Tableau => Cow::Borrowed(text),
            Reader::Excel => excel::number(text).unwrap_or_else(|| excel::text(text)),
        }
    }

    fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.reader {
            Reader::Tableau => Cow::Borrowed(text),
            Reader::Excel => excel::text(text),
        }
    }
}

/// A CSV file under way.
///
/// Written by hand because a text without letters must not look like null: it is written `""`, and null as nothing, which
/// Tableau, Hyper and polars tell apart. The `csv` crate quotes all such fields or none.
pub(crate) struct CsvWriter<W: Write> {
    file: W,
    form: TextForm,
    /// Lines that are not in the file yet.
    lines: String,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the header.
    pub fn new(file: W, columns: &[OutputColumn], form: TextForm) -> io::Result<Self> {
        let mark = if form.reader == Reader::Excel { BYTE_ORDER_MARK } else { "" };
        let mut writer = Self { file, form, lines: mark.to_owned() };
        for (place, column) in columns.iter().enumerate() {
            writer.separate(place);
            let name = writer.form.text(&column.name).into_owned();
            push_quoted(&mut writer.lines, &name);
        }
        writer.end_line()?;
        Ok(writer)
    }

    /// Writes the rows of `frame`, whose columns are those of the header.
    pub fn write(&mut self, frame: &DataFrame) -> io::Result<()> {
        let columns: Vec<Cells> = frame.columns().iter().map(Cells::new).collect();
        // Neighbouring rows mostly have the same date, and often the same instant.
        let mut last: Vec<Repeated> = columns.iter().map(|_| Repeated::default()).collect();
        for row in 0..frame.height() {
            for (place, (column, last)) in columns.iter().zip(&mut last).enumerate() {
                self.separate(place);
                match column.get(row) {
                    Some(cell) => self.push(&cell, last),
                    // A line without anything on it would be no row to most readers.
                    None if columns.len() == 1 => self.lines.push_str("\"\""),
                    None => {}
                }
            }
            self.end_line()?;
        }
        Ok(())
    }

    /// Ends the rows and gives the file back.
    pub fn finish(mut self) -> io::Result<W> {
        self.file.write_all(self.lines.as_bytes())?;
        Ok(self.file)
    }

    fn separate(&mut self, place: usize) {
        if place > 0 {
            self.lines.push(',');
        }
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.lines.push_str("\r\n");
        if self.lines.len() >= BUFFERED {
            self.file.write_all(self.lines.as_bytes())?;
            self.lines.clear();
        }
        Ok(())
    }

    fn push(&mut self, cell: &Cell<'_>, last: &mut Repeated) {
        let written = match cell {
            Cell::Int(value) if self.form.reader == Reader::Excel => {
                self.lines.push_str(&self.form.other(&value.to_string()));
                Ok(())
            }
            Cell::Int(value) => write!(self.lines, "{value}"),
            // Infinity and NaN have no numeral; to a reader of CSV they are no number.
            Cell::Float(value) if !value.is_finite() => Ok(()),
            Cell::Float(value) => write!(self.lines, "{value}"),
            Cell::Bool(value) => write!(self.lines, "{value}"),
            Cell::Date(days) => {
                self.lines.push_str(last.text((*days).into(), |_| format::date(*days)));
                Ok(())
            }
            Cell::Timestamp(millis) => {
                self.lines.push_str(last.text(*millis, |millis| self.form.instant(millis)));
                Ok(())
            }
            Cell::Text(text) => {
                push_quoted(&mut self.lines, &self.form.text(text));
                Ok(())
            }
            Cell::Other(text) => {
                push_quoted(&mut self.lines, &self.form.other(text));
                Ok(())
            }
        };
        written.expect("writing to a String cannot fail");
    }
}

/// Appends a text, in quotes where RFC 4180 wants them, where another reader would split it, and where it would look like null.
fn push_quoted(line: &mut String, text: &str) {
    if !text.is_empty() && !text.contains([',', ';', '\t', '"', '\r', '\n']) {
        line.push_str(text);
        return;
    }
    line.push('"');
    for (place, part) in text.split('"').enumerate() {
        if place > 0 {
            line.push_str("\"\"");
        }
        line.push_str(part);
    }
    line.push('"');
}

/// The text of the value that came last.
#[derive(Default)]
struct Repeated {
    value: Option<i64>,
    text: String,
}

impl Repeated {
    fn text(&mut self, value: i64, form: impl FnOnce(i64) -> String) -> &str {
        if self.value != Some(value) {
            self.text = form(value);
            self.value = Some(value);
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Column, ColumnRole, ColumnType};
    use polars::prelude::{DataType, TimeUnit, df};

    fn columns(frame: &DataFrame) -> Vec<OutputColumn> {
        let column = |name: &str| {
            let source = Column {
                name: name.to_owned(),
                kind: ColumnType::Int,
                role: ColumnRole::Key,
                measure: None,
                relative_error: None,
            };
            OutputColumn { name: name.to_owned(), source, is_long: false }
        };
        frame.get_column_names().iter().map(|name| column(name)).collect()
    }

    fn csv_for(frame: &DataFrame, settings: &Settings) -> String {
        let mut bytes = Vec::new();
        let form = TextForm::new(settings).expect("a form");
        let mut writer = CsvWriter::new(&mut bytes, &columns(frame), form).expect("a header");
        writer.write(frame).expect("rows");
        writer.finish().map(drop).expect("written");
        String::from_utf8(bytes).expect("UTF-8")
    }

    fn csv(frame: &DataFrame) -> String {
        csv_for(frame, &Settings::default())
    }

    fn instants(millis: &[Option<i64>]) -> DataFrame {
        let mut frame = df!("t" => millis).expect("a frame");
        let kind = DataType::Datetime(TimeUnit::Milliseconds, None);
        frame.apply("t", |millis| millis.cast(&kind).expect("instants")).expect("a column");
        frame
    }

    #[test]
    fn every_type_has_its_form() {
        let frame = df!(
            "d" => [Some(-1_i32), None],
            "t" => [Some(-1_i64), Some(0)],
            "movie" => [Some("기생충, \"2019\"\n"), Some("")],
            "n" => [i64::MIN, 1_000_000],
            "x" => [Some(1e21), Some(0.1)],
            "b" => [true, false],
        );
        let mut frame = frame.expect("a frame");
        frame.apply("d", |days| days.cast(&DataType::Date).expect("dates")).expect("a column");
        let instants = DataType::Datetime(TimeUnit::Milliseconds, None);
        frame.apply("t", |millis| millis.cast(&instants).expect("instants")).expect("a column");
        assert_eq!(
            csv(&frame),
            "d,t,movie,n,x,b\r\n\
             1969-12-31,1969-12-31T23:59:59.999Z,\"기생충, \"\"2019\"\"\n\",-9223372036854775808,1000000000000000000000,true\r\n\
             ,1970-01-01T00:00:00Z,\"\",1000000,0.1,false\r\n"
        );
    }

    #[test]
    fn no_rows_still_have_a_header_and_a_lone_null_is_a_row() {
        let frame = df!("n" => Vec::<i64>::new()).expect("a frame");
        assert_eq!(csv(&frame), "n\r\n");
        let frame = df!("n" => [None::<i64>]).expect("a frame");
        assert_eq!(csv(&frame), "n\r\n\"\"\r\n");
    }

    #[test]
    fn instants_are_written_in_the_zone_with_its_offset() {
        let seoul = Settings { zone: "Asia/Seoul".to_owned(), ..Settings::default() };
        let frame = instants(&[Some(1_600_000_000_123), Some(-1_000_000_000_000)]);
        assert_eq!(csv_for(&frame, &seoul), "t\r\n2020-09-13T21:26:40.123+09:00\r\n1938-04-25T07:13:20+09:00\r\n");
        let nowhere = Settings { zone: "Mars/Olympus".to_owned(), ..Settings::default() };
        let error = TextForm::new(&nowhere).expect_err("no zone").to_string();
        assert!(error.starts_with("\"Mars/Olympus\" is not a time zone"), "{error}");
    }

    #[test]
    fn for_excel_formulas_are_texts_and_instants_are_dates() {
        let excel = Settings { reader: Reader::Excel, ..Settings::default() };
        let frame = df!(
            "s" => ["=1+1", "+1", "-1", "@x", "\tx", "Up = 1", ""],
            "n" => [-1_i64, 0, 1, 2, 3, 4, 5],
        );
        assert_eq!(
            csv_for(&frame.expect("a frame"), &excel),
            "\u{feff}s,n\r\n'=1+1,-1\r\n'+1,0\r\n'-1,1\r\n'@x,2\r\n\"'\tx\",3\r\nUp = 1,4\r\n\"\",5\r\n"
        );
        let long = df!("n" => [1, -999_999_999_999_999, 4_111_111_111_111_111, i64::MIN]).expect("a frame");
        let written = "\u{feff}n\r\n1\r\n-999999999999999\r\n'4111111111111111\r\n'-9223372036854775808\r\n";
        assert_eq!(csv_for(&long, &excel), written);
        let frame = instants(&[Some(1_600_000_000_123)]);
        assert_eq!(csv_for(&frame, &excel), "\u{feff}t\r\n2020-09-13 12:26:40.123\r\n");
    }
}
