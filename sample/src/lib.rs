//! Synthetic reviews in the form of the Kaggle IMDb files, for demos, tests and benchmarks.
//!
//! The files have the difficulties of the real ones: one JSON array on one line, ratings and votes as strings, missing ratings, dates in
//! words that are only roughly in order, titles of films, series and episodes, emoji, Korean, accents, HTML fragments, control characters and
//! cp1252 characters, mostly escaped to ASCII. They contain duplicates (exact copies, in the same or another file) and unusable records. All
//! text is composed of this project's own phrases.
//!
//! Equal options give equal bytes on every machine and with every version of the dependencies (for gzip files: equal content). The random
//! numbers are xoshiro256++, implemented in `random.rs`, and everything derived from them is integer arithmetic.
//!
//! [`TRUTH_FILE`] beside the files has the counts of a correct pipeline. They come from the values of the records and share no code with the
//! pipeline.
//!
//! Review `i` is a pure function of the seed and `i`, so duplicates are generated again, and memory does not depend on the number of rows.

mod calendar;
mod catalog;
mod error;
mod output;
mod phrases;
mod random;
mod record;
mod review;
mod text;
mod truth;
// Lists of words, many to a line.
#[rustfmt::skip]
mod words;

pub use error::GenerateError;
pub use files::TRUTH_FILE;

use catalog::Catalog;
use output::Output;
use random::Random;
use review::{Flaw, Reviews};
use serde::Serialize;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;
use truth::Truth;

/// Command line of `ingest generate`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: ingest generate reviews/ --rows 100000 --seed 7")]
pub struct GenerateArgs {
    /// Folder the files are written to; it is created if missing
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Distinct usable reviews; repeats and unusable records come on top
    #[arg(long, value_name = "N")]
    pub rows: u64,
    /// Equal seeds give equal files
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of files
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=999))]
    pub files: u64,
    /// Repeated reviews, as a share of the rows
    #[arg(long, value_name = "RATIO", default_value_t = 0.002)]
    pub duplicates: f64,
    /// Unusable records, as a share of the rows
    #[arg(long, value_name = "RATIO", default_value_t = 0.001)]
    pub bad: f64,
    /// Compress the files
    #[arg(long)]
    pub gzip: bool,
    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Options of the generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateOptions {
    /// Folder the files are written to.
    pub dir: PathBuf,
    /// Distinct usable reviews.
    pub rows: u64,
    /// Equal seeds give equal files.
    pub seed: u64,
    /// Number of files, from 1.
    pub files: u64,
    /// Repeated reviews.
    pub duplicates: u64,
    /// Unusable records.
    pub bad: u64,
    /// Compress the files.
    pub gzip: bool,
}

impl GenerateOptions {
    /// `rows` reviews in six plain files, with a repeat in 500 and an unusable record in 1000.
    #[must_use]
    pub fn new(dir: PathBuf, rows: u64, seed: u64) -> Self {
        Self { dir, rows, seed, files: 6, duplicates: rows / 500, bad: rows / 1000, gzip: false }
    }
}

impl GenerateArgs {
    /// Returns the options of this command line.
    ///
    /// # Errors
    /// If a ratio is not between 0 and 1.
    pub fn options(&self) -> Result<GenerateOptions, GenerateError> {
        Ok(GenerateOptions {
            dir: self.dir.clone(),
            rows: self.rows,
            seed: self.seed,
            files: self.files,
            duplicates: share_of(self.rows, "--duplicates", self.duplicates)?,
            bad: share_of(self.rows, "--bad", self.bad)?,
            gzip: self.gzip,
        })
    }
}

fn share_of(rows: u64, option: &'static str, ratio: f64) -> Result<u64, GenerateError> {
    if !(0.0..=1.0).contains(&ratio) {
        return Err(GenerateError::Ratio { option, ratio });
    }
    Ok((rows as f64 * ratio).round() as u64)
}

/// Report of the generator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GenerateReport {
    /// The files, in order, without the counts.
    pub files: Vec<PathBuf>,
    /// The file with the counts.
    pub truth: PathBuf,
    /// Distinct usable reviews.
    pub rows: u64,
    /// Repeated reviews.
    pub duplicates: u64,
    /// Unusable records.
    pub bad: u64,
    /// Bytes of all records, before compression.
    pub bytes: u64,
    /// Time it took.
    pub seconds: f64,
}

impl fmt::Display for GenerateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.truth.parent().unwrap_or(Path::new("."));
        write!(
            f,
            "{} reviews, {} repeats and {} unusable records ({:.1} MB) in {} files in {} in {:.1} s",
            self.rows,
            self.duplicates,
            self.bad,
            self.bytes as f64 / 1e6,
            self.files.len(),
            folder.display(),
            self.seconds
        )
    }
}

/// Writes the files and their counts. A file gets its name when it is complete.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use sample::{GenerateOptions, generate};
/// let report = generate(&GenerateOptions::new(folder.path().join("reviews"), 1000, 7))?;
/// assert_eq!((report.rows, report.duplicates, report.bad, report.files.len()), (1000, 2, 1, 6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The folder cannot be written to or holds files of another run that this one would leave in place, or the disk is full.
pub fn generate(options: &GenerateOptions) -> Result<GenerateReport, GenerateError> {
    let started = Instant::now();
    output::prepare_folder(options)?;
    let reviews = Reviews::new(options.seed, Catalog::new(options.seed));
    let mut truth = Truth::new(options);
    let mut files = Vec::new();
    let mut bytes = 0;
    for file in 0..options.files {
        let path = output::path_of(options, file + 1);
        bytes += Part::new(options, file, &reviews, &mut truth).write(Output::create(&path, options.gzip)?)?;
        files.push(path);
    }
    let truth_path = options.dir.join(TRUTH_FILE);
    let mut output = Output::create(&truth_path, false)?;
    output.write(&truth.to_json())?;
    output.finish()?;
    Ok(GenerateReport {
        files,
        truth: truth_path,
        rows: options.rows,
        duplicates: options.duplicates,
        bad: options.bad,
        bytes,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// One file: its share of the reviews, the repeats and the unusable records, in random order.
struct Part<'a> {
    file: u64,
    rows: u64,
    reviews: &'a Reviews,
    truth: &'a mut Truth,
    random: Random,
    /// Reviews of this file.
    own: Range<u64>,
    /// The next of them.
    next: u64,
    duplicates_left: u64,
    bad_left: u64,
    bad_done: u64,
}

impl<'a> Part<'a> {
    fn new(options: &GenerateOptions, file: u64, reviews: &'a Reviews, truth: &'a mut Truth) -> Self {
        let share = |total: u64| share_before(total, file, options.files)..share_before(total, file + 1, options.files);
        let length = |share: Range<u64>| share.end - share.start;
        let own = share(options.rows);
        Self {
            file,
            rows: options.rows,
            reviews,
            truth,
            random: Random::new(options.seed, "file", file),
            next: own.start,
            own,
            duplicates_left: length(share(options.duplicates)),
            bad_left: length(share(options.bad)),
            bad_done: 0,
        }
    }

    /// Writes the array; its length in bytes.
    fn write(mut self, mut output: Output) -> Result<u64, GenerateError> {
        let mut record = b"[".to_vec();
        let mut bytes = 0;
        while self.write_next(&mut record) {
            output.write(&record)?;
            bytes += record.len() as u64;
            record.clear();
            record.extend_from_slice(b", ");
        }
        // An array without records has its bracket still to be written.
        let end: &[u8] = if bytes == 0 { b"[]" } else { b"]" };
        output.write(end)?;
        output.finish()?;
        Ok(bytes + end.len() as u64)
    }

    /// Appends the next record, chosen evenly among all that are left; false if none is.
    fn write_next(&mut self, record: &mut Vec<u8>) -> bool {
        let own_left = self.own.end - self.next;
        let left = own_left + self.duplicates_left + self.bad_left;
        if left == 0 {
            return false;
        }
        let chosen = self.random.below(left);
        if chosen < own_left {
            let review = self.reviews.review(self.next);
            self.truth.count(&review);
            review.write(record);
            self.next += 1;
        } else if chosen < own_left + self.duplicates_left {
            self.duplicates_left -= 1;
            let repeated = self.repeated();
            self.reviews.review(repeated).write(record);
        } else {
            self.bad_left -= 1;
            self.bad_done += 1;
            self.write_unusable(record);
        }
        true
    }

    /// Half of the repeats are of a review that stands before them in the same file, if there is one.
    fn repeated(&mut self) -> u64 {
        let written = self.next - self.own.start;
        if written > 0 && self.random.chance(500) {
            self.own.start + self.random.below(written)
        } else {
            self.random.below(self.rows)
        }
    }

    fn write_unusable(&mut self, record: &mut Vec<u8>) {
        let flaw = Flaw::ALL[((self.file + self.bad_done) % Flaw::ALL.len() as u64) as usize];
        let mut review = self.reviews.review(self.random.below(self.rows));
        review.id = format!("rwbad{}_{}", self.file, self.bad_done);
        review.write_flawed(flaw, record);
    }
}

/// How much of `total` falls to the files before `file`.
fn share_before(total: u64, file: u64, files: u64) -> u64 {
    (u128::from(total) * u128::from(file) / u128::from(files)) as u64
}
