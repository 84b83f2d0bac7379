//! A frame as CSV.

use std::io::{self, Write};

use ::csv::{QuoteStyle, Terminator, WriterBuilder};
use polars::prelude::DataFrame;

use crate::{
    cell::{Cell, Cells},
    format,
};

/// Writes a header line and one line per row, each ended by CR LF as RFC 4180 says.
pub(crate) fn write(frame: &DataFrame, file: &mut dyn Write) -> io::Result<()> {
    let mut writer =
        WriterBuilder::new().quote_style(QuoteStyle::Necessary).terminator(Terminator::CRLF).from_writer(file);
    writer.write_record(frame.get_column_names()).map_err(unwrapped)?;
    let columns: Vec<Cells> = frame.columns().iter().map(Cells::new).collect();
    let mut field = String::new();
    for row in 0..frame.height() {
        for column in &columns {
            field.clear();
            if let Some(cell) = column.get(row) {
                push(&mut field, &cell);
            }
            writer.write_field(&field).map_err(unwrapped)?;
        }
        writer.write_record(None::<&[u8]>).map_err(unwrapped)?;
    }
    writer.flush()
}

/// The error of the file itself: the one of the csv crate hides whether the disk is full.
fn unwrapped(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn push(field: &mut String, cell: &Cell<'_>) {
    use std::fmt::Write;
    let written = match cell {
        Cell::Int(value) => write!(field, "{value}"),
        // Infinity and NaN have no numeral; to a reader of CSV they are no number.
        Cell::Float(value) if !value.is_finite() => Ok(()),
        Cell::Float(value) => write!(field, "{value}"),
        Cell::Text(value) => field.write_str(value),
        Cell::Bool(value) => write!(field, "{value}"),
        Cell::Date(days) => field.write_str(&format::date(*days)),
        Cell::Timestamp(millis) => field.write_str(&format::timestamp(*millis)),
        Cell::Other(value) => field.write_str(value),
    };
    written.expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{DataType, TimeUnit, df};

    fn csv(frame: &DataFrame) -> String {
        let mut bytes = Vec::new();
        write(frame, &mut bytes).expect("written");
        String::from_utf8(bytes).expect("UTF-8")
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
             ,1970-01-01T00:00:00Z,,1000000,0.1,false\r\n"
        );
    }

    #[test]
    fn no_rows_still_have_a_header_and_a_lone_null_is_a_row() {
        let frame = df!("n" => Vec::<i64>::new()).expect("a frame");
        assert_eq!(csv(&frame), "n\r\n");
        let frame = df!("n" => [None::<i64>]).expect("a frame");
        assert_eq!(csv(&frame), "n\r\n\"\"\r\n");
    }
}
