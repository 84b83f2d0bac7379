//! Decoding by itself: JSON in memory to BSON, on one core.

use crate::context::{Context, Reviews, Wanted};
use crate::part::Outcome;
use crate::report::{Column, Report, Row, Section};
use anyhow::{Result, ensure};
use ingest::files::{Options, RecordFile, find};
use model::decode::{Coordinates, Decoded, Decoder};
use model::schema::{IMDB_REVIEW, Schema};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// The records are decoded so often, and the quickest pass counts: the others were disturbed.
const PASSES: u32 = 3;

/// Measures decoding reviews by the preset's schema.
pub fn measure(context: &Context, report: &mut Report) -> Result<Outcome> {
    let dir = tempfile::tempdir_in(context.folder())?;
    context.generate(dir.path(), Wanted { rows: context.sizes.decoded, partitions: 0, reviews: Reviews::Clean }, 1)?;
    let records = read(dir.path())?;
    let decoder = Decoder::new(&Schema::parse("imdb-review", IMDB_REVIEW)?)?;
    let seconds = (0..PASSES).map(|_| pass(&decoder, &records)).collect::<Result<Vec<f64>>>()?;
    let seconds = seconds.into_iter().fold(f64::INFINITY, f64::min);
    let bytes: usize = records.iter().map(Vec::len).sum();
    let figures = vec![
        (Column::PerS, Some(records.len() as f64 / seconds)),
        (Column::MbPerS, Some(bytes as f64 / 1e6 / seconds)),
    ];
    report.add(&Row::new(Section::Throughput, 0, "decode", "decode only, from memory"), figures);
    Ok(Outcome::Measured)
}

fn read(dir: &Path) -> Result<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    for path in find(&[dir.to_owned()])?.files {
        let mut file = RecordFile::open(&path, &Options::default())?;
        while let Some(record) = file.next_record() {
            records.push(record?.json.to_vec());
        }
    }
    Ok(records)
}

fn pass(decoder: &Decoder, records: &[Vec<u8>]) -> Result<f64> {
    let began = Instant::now();
    for (offset, record) in (0..).zip(records) {
        let at = Coordinates { partition: 0, offset, timestamp: Some(0) };
        let decoded = decoder.decode(Some(record), at);
        ensure!(matches!(black_box(&decoded), Ok(Decoded::Event(_))), "a generated review became {decoded:?}");
    }
    Ok(began.elapsed().as_secs_f64())
}
