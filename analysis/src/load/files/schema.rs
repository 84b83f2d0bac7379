//! Files of records, read as `ingest` reads them.

use std::path::Path;

use ::files::Decimal;
use model::{
    decode::{Coordinates, Decoded, Decoder},
    schema::Schema,
};
use polars::prelude::DataFrame;

use super::{FileError, Pass, TableFile};
use crate::load::{
    StoreError,
    decode::{FrameBuilder, Shape},
    fields::EventFields,
};

/// The events of the file, with the columns of the schema.
pub(super) fn read(file: &TableFile, schema: &Schema) -> Result<DataFrame, FileError> {
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
    let mut file = file.clone();
    if schema.states_decimal() {
        // The schema reads the numbers, so cells have to reach it as they stand.
        file.source.form.decimal = Some(Decimal::Point);
    }
    file.each_record(Pass::First, usize::MAX, |row, record| events.push(row, record))?;
    Ok(events.frame.finish().frame)
}

struct Events<'a> {
    path: &'a Path,
    decoder: Decoder,
    frame: FrameBuilder,
}

impl Events<'_> {
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
