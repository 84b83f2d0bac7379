//! Files of records, read as `ingest` reads them.

use std::path::Path;

use model::{
    decode::{Coordinates, Decoded, Decoder},
    schema::Schema,
};
use polars::prelude::DataFrame;
use serde_json::{Map, Value};

use super::{FileError, Format, TableFile, csv::CsvRows, json};
use crate::load::{
    StoreError,
    decode::{FrameBuilder, Shape},
    fields::EventFields,
};

/// The events of the file, with the columns of the schema.
pub(super) fn read(file: &TableFile, schema: &Schema, format: Format) -> Result<DataFrame, FileError> {
    let fields = EventFields::of_schema(schema);
    let columns = fields.wanted(file.columns.as_deref()).map_err(|error| match error {
        StoreError::NoColumn { column, known, .. } => FileError::NoColumn { path: file.path.clone(), column, known },
        StoreError::AskedTwice { column } => FileError::AskedTwice { path: file.path.clone(), column },
        other => unreachable!("a column is there once, twice, or not: {other}"),
    })?;
    let mut events = Events {
        path: &file.path,
        decoder: Decoder::new(schema)?,
        frame: FrameBuilder::new(&Shape { columns, ..Shape::default() }, 0),
    };
    match format {
        Format::Csv => events.of_csv()?,
        _ => json::each_record(&file.path, |row, record| events.push(row, record.get().as_bytes()))?,
    }
    Ok(events.frame.finish().frame)
}

struct Events<'a> {
    path: &'a Path,
    decoder: Decoder,
    frame: FrameBuilder,
}

impl Events<'_> {
    /// Fields are texts, as they are to `ingest produce`.
    fn of_csv(&mut self) -> Result<(), FileError> {
        let mut source = CsvRows::open(self.path)?;
        while source.advance()? {
            let field = |place: usize| Value::from(source.field(place).unwrap_or_default());
            let names = source.names().iter().enumerate();
            let record: Map<String, Value> = names.map(|(place, name)| (name.clone(), field(place))).collect();
            self.push(source.row(), Value::Object(record).to_string().as_bytes())?;
        }
        Ok(())
    }

    fn push(&mut self, row: u64, record: &[u8]) -> Result<(), FileError> {
        let unusable =
            |reason: &dyn ToString| FileError::Record { path: self.path.to_owned(), row, reason: reason.to_string() };
        let at = Coordinates { partition: 0, offset: row as i64, timestamp: None };
        match self.decoder.decode(Some(record), at).map_err(|reject| unusable(&reject))? {
            Decoded::Event(event) => self.frame.push(&event.document).map_err(|error| unusable(&error)),
            Decoded::Filtered => Ok(()),
        }
    }
}
