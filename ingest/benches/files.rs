//! How fast records are made, and read from files and checked, by one thread: the best of several rounds.
//!
//! With `KAFKA_BROKERS` set (as under `stack run -- cargo bench -p ingest --bench files`) the same files are produced as well,
//! once for each compression. `ROWS` sets the number of reviews.

use ingest::files::{Options, RecordFile, find};
use ingest::produce::{ProduceSettings, Silent, Target, produce};
use sample::{GenerateOptions, generate};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let rows = std::env::var("ROWS").ok().map_or(Ok(100_000), |rows| rows.parse())?;
    let folder = tempfile::tempdir()?;
    for (form, gzip) in [("plain", false), ("gzip", true)] {
        let dir = folder.path().join(form);
        let (bytes, taken) = best(|| write(&dir, rows, gzip))?;
        report(&format!("generate {form}"), rows, bytes, taken);
        let paths = find(&[dir])?.files;
        let (bytes, taken) = best(|| read(&paths))?;
        report(&format!("read {form}"), rows, bytes, taken);
    }
    let Ok(brokers) = std::env::var("KAFKA_BROKERS") else { return Ok(()) };
    for compression in ["none", "lz4", "zstd", "snappy"] {
        let (bytes, taken) = best(|| send(&folder.path().join("plain"), &brokers, compression))?;
        report(&format!("produce {compression}"), rows, bytes, taken);
    }
    Ok(())
}

/// What `work` returns, and the shortest time it took.
fn best(mut work: impl FnMut() -> Result<u64, Box<dyn Error>>) -> Result<(u64, Duration), Box<dyn Error>> {
    let mut best: Option<(u64, Duration)> = None;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let result = work()?;
        let taken = started.elapsed();
        if best.is_none_or(|(_, shortest)| taken < shortest) {
            best = Some((result, taken));
        }
    }
    best.ok_or_else(|| "there is at least one round".into())
}

fn report(name: &str, rows: u64, bytes: u64, taken: Duration) {
    let seconds = taken.as_secs_f64();
    println!("{name:16} {:9.0} records/s {:6.0} MB/s", rows as f64 / seconds, bytes as f64 / 1e6 / seconds);
}

fn write(dir: &Path, rows: u64, gzip: bool) -> Result<u64, Box<dyn Error>> {
    Ok(generate(&GenerateOptions { gzip, ..GenerateOptions::new(dir.to_owned(), rows, 1) })?.bytes)
}

fn read(paths: &[PathBuf]) -> Result<u64, Box<dyn Error>> {
    let options = Options { key_field: Some("movie".to_owned()), ..Options::default() };
    let mut bytes = 0;
    for path in paths {
        let mut file = RecordFile::open(path, &options)?;
        while let Some(record) = file.next_record() {
            bytes += record?.json.len() as u64;
        }
    }
    Ok(bytes)
}

fn send(dir: &Path, brokers: &str, compression: &str) -> Result<u64, Box<dyn Error>> {
    let target = Target {
        brokers: brokers.to_owned(),
        topic: format!("bench-{compression}"),
        partitions: 4,
        key_field: Some("movie".to_owned()),
        kafka: [("compression.type", compression)].into_iter().collect(),
    };
    let settings = ProduceSettings::new(target, vec![dir.to_owned()]);
    Ok(produce(&settings, &mut Silent, &Arc::default())?.bytes)
}
