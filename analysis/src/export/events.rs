//! The stored events themselves, row by row, for those who insist.
//!
//! Tableau fetches every row it shows a sum of, so a million events are slow in it where some hundred rows of a rollup are not.
//! Events are read and written in pieces, so memory does not grow with their number.

use std::{io, sync::mpsc, thread};

use bson::{Document, RawDocument, RawDocumentBuf, doc};
use futures_util::StreamExt;
use model::{
    layout::{Column, ColumnRole, ColumnType, EVENTS, OFFSETS},
    schema::Schema,
};
use polars::prelude::DataFrame;
use tracing::warn;

use super::{
    ExportError,
    csv::{CsvWriter, TextForm},
    folder::{StagedFile, Staging},
    manifest::{Origin, TableEntry},
    options::{Format, Settings},
    parquet::ParquetWriter,
    selection::{self, OutputColumn},
    source::{self, SourceTable},
};
use crate::load::{DecodeError, FrameBuilder, Store, StoreError, TableInfo};

/// Bytes of BSON in a piece; a row group of the Parquet file.
const PIECE: usize = 4 << 20;
/// Pieces on their way from the reader to the writer.
const PIECES_AHEAD: usize = 1;

/// The events as a table; its revision is how many records of the topic are settled.
pub(crate) fn table(store: &Store, schema: &Schema, collection: String) -> Result<SourceTable, StoreError> {
    let info = TableInfo {
        name: EVENTS.to_owned(),
        stream: schema.stream().to_owned(),
        window: String::new(),
        time_zone: "UTC".to_owned(),
        columns: columns(schema),
        rows: 0,
        published_revision: settled(store)?,
    };
    let origin = Origin { collection, definition: schema.name().to_owned() };
    Ok(SourceTable { info, origin, stem: EVENTS.to_owned() })
}

fn columns(schema: &Schema) -> Vec<Column> {
    let fields = schema.fields().iter().map(|field| Column {
        name: field.name.clone(),
        kind: field.kind.column_type(),
        role: ColumnRole::Key,
        measure: None,
        relative_error: None,
    });
    let (lists, columns): (Vec<_>, Vec<_>) = fields.partition(|column| column.kind == ColumnType::StringList);
    if !lists.is_empty() {
        let names: Vec<_> = lists.iter().map(|column| column.name.as_str()).collect();
        warn!("lists have no place in a table; left out: {}", names.join(", "));
    }
    columns
}

/// The sum of all positions: as long as it is the same, no event has come.
fn settled(store: &Store) -> Result<i64, StoreError> {
    let database = store.handle();
    let sum = store.wait(async move {
        let pipeline = [doc! { "$group": { "_id": null, "next": { "$sum": "$next" } } }];
        let mut groups = database.collection::<Document>(OFFSETS).aggregate(pipeline).await?;
        Ok(groups.next().await.transpose()?.and_then(|group| group.get_i64("next").ok()).unwrap_or_default())
    });
    sum.map_err(|error: mongodb::error::Error| store.explain(error, OFFSETS))
}

/// Writes `events.csv` and `events.parquet`, in the order in which MongoDB has the events. Of the settings only formats,
/// columns, names, zone, reader and range matter.
pub(crate) fn write(
    store: &Store,
    staging: &Staging<'_>,
    table: &SourceTable,
    schema: &Schema,
    settings: &Settings,
) -> Result<TableEntry, ExportError> {
    let columns = selection::select(EVENTS, &table.info.columns, settings)?;
    let mut files = Files::begin(staging, &columns, settings)?;
    let mut entry = super::table::entry(table, settings);
    let query = Query::new(schema, &columns, settings)?;
    thread::scope(|scope| {
        let (sender, frames) = mpsc::sync_channel(PIECES_AHEAD);
        let reader = scope.spawn(move || query.send(store, sender));
        for frame in frames {
            // An error drops the receiver, and with it ends the reader.
            files.write(&frame)?;
            entry.rows += frame.height() as u64;
        }
        Ok(reader.join().expect("a reader returns its errors")?)
    })
    .and_then(|()| files.finish(&mut entry))?;
    Ok(entry)
}

/// The files that grow with each piece.
struct Files {
    csv: Option<CsvWriter<StagedFile>>,
    parquet: Option<ParquetWriter<StagedFile>>,
}

impl Files {
    fn begin(staging: &Staging<'_>, columns: &[OutputColumn], settings: &Settings) -> Result<Self, ExportError> {
        let file = |format: Format| staging.create(&file_name(format));
        let csv = if settings.has(Format::Csv) {
            let csv = CsvWriter::new(file(Format::Csv)?, columns, TextForm::new(settings)?);
            Some(csv.map_err(|source| failed(Format::Csv, source))?)
        } else {
            None
        };
        let parquet = if settings.has(Format::Parquet) {
            let parquet = ParquetWriter::new(file(Format::Parquet)?, columns);
            Some(parquet.map_err(|source| failed(Format::Parquet, source))?)
        } else {
            None
        };
        Ok(Self { csv, parquet })
    }

    fn write(&mut self, frame: &DataFrame) -> Result<(), ExportError> {
        if let Some(csv) = &mut self.csv {
            csv.write(frame).map_err(|source| failed(Format::Csv, source))?;
        }
        if let Some(parquet) = &mut self.parquet {
            parquet.write(frame).map_err(|source| failed(Format::Parquet, source))?;
        }
        Ok(())
    }

    fn finish(self, entry: &mut TableEntry) -> Result<(), ExportError> {
        let csv = self.csv.map(|csv| csv.finish().map_err(|source| failed(Format::Csv, source)));
        let parquet = self.parquet.map(|parquet| parquet.finish().map_err(|source| failed(Format::Parquet, source)));
        for (format, file) in [(Format::Csv, csv), (Format::Parquet, parquet)] {
            if let Some(file) = file {
                entry.files.insert(file_name(format), file?.finish()?);
            }
        }
        Ok(())
    }
}

fn file_name(format: Format) -> String {
    format!("{EVENTS}.{format}")
}

fn failed(format: Format, source: io::Error) -> ExportError {
    ExportError::Write { path: file_name(format).into(), source }
}

/// What is read of the events.
struct Query {
    filter: Document,
    projection: Document,
    columns: Vec<Column>,
}

impl Query {
    fn new(schema: &Schema, columns: &[OutputColumn], settings: &Settings) -> Result<Self, ExportError> {
        let mut projection = doc! { "_id": 0 };
        for column in columns {
            let path =
                schema.field(&column.source.name).map_or_else(|| column.source.name.clone(), |field| field.path());
            projection.insert(&column.source.name, format!("${path}"));
        }
        let columns = columns.iter().map(|column| column.source.clone()).collect();
        Ok(Self { filter: source::range(&schema.event_time().path(), settings)?, projection, columns })
    }

    /// Reads piece by piece, until the receiver has gone or the events end.
    fn send(self, store: &Store, pieces: mpsc::SyncSender<DataFrame>) -> Result<(), StoreError> {
        let database = store.handle();
        let Self { filter, projection, columns } = self;
        let read = store.wait(async move {
            let events = database.collection::<RawDocumentBuf>(EVENTS);
            let mut events = events.find(filter).projection(projection).await?;
            let mut piece = Piece::new(&columns);
            while events.advance().await? {
                if let Err(error) = piece.push(events.current()) {
                    return Ok(Err(StoreError::Decode { table: EVENTS.to_owned(), source: error }));
                }
                if piece.bytes >= PIECE {
                    let full = std::mem::replace(&mut piece, Piece::new(&columns));
                    if pieces.send(full.frame.finish().frame).is_err() {
                        return Ok(Ok(()));
                    }
                }
            }
            // What the receiver does not want any more is nobody's error.
            let _ = pieces.send(piece.frame.finish().frame);
            Ok(Ok(()))
        });
        read.unwrap_or_else(|error: mongodb::error::Error| Err(store.explain(error, EVENTS)))
    }
}

/// Events that become a frame.
struct Piece {
    frame: FrameBuilder,
    bytes: usize,
}

impl Piece {
    fn new(columns: &[Column]) -> Self {
        Self { frame: FrameBuilder::of_columns(columns), bytes: 0 }
    }

    fn push(&mut self, event: &RawDocument) -> Result<(), DecodeError> {
        self.bytes += event.as_bytes().len();
        self.frame.push(event)
    }
}
