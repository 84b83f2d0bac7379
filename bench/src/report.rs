//! Medians, ratios, and how they are printed.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What one measurement found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Wall clock of the whole run.
    pub seconds: f64,
    /// From the start of the process to the first stored event.
    pub first_document_s: Option<f64>,
    /// Largest resident size in MB.
    pub rss_mb: Option<f64>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measurement {
    /// The raw limit, with so many writers.
    Raw(usize),
    /// `ingest run` with the calendar rollups.
    Calendar,
    /// `ingest run` with the preset's rollups.
    Preset,
}

impl Measurement {
    /// The raw limit with so many writers.
    pub fn raw(writers: usize) -> Self {
        Self::Raw(writers)
    }

    fn name(self) -> String {
        match self {
            Self::Raw(1) => "raw limit, 1 writer".into(),
            Self::Raw(writers) => format!("raw limit, {writers} writers"),
            Self::Calendar => "ingest run, calendar rollups".into(),
            Self::Preset => "ingest run, all rollups of the preset".into(),
        }
    }
}

/// All figures of a run.
#[derive(Debug)]
pub struct Report {
    records: u64,
    figures: BTreeMap<Measurement, Vec<Figures>>,
}

impl Report {
    /// A report of measurements over so many records.
    pub fn new(records: u64) -> Self {
        Self { records, figures: BTreeMap::new() }
    }

    /// Adds one measurement of one round.
    pub fn add(&mut self, what: Measurement, found: Figures) {
        eprintln!("  {:<40} {:>8.0} records/s", what.name(), self.records as f64 / found.seconds);
        self.figures.entry(what).or_default().push(found);
    }

    fn rate(&self, what: Measurement) -> f64 {
        let seconds = self.figures.get(&what).map_or(f64::NAN, |all| median(all.iter().map(|figures| figures.seconds)));
        self.records as f64 / seconds
    }

    /// The raw limit is that of the number of writers that did best.
    fn raw_limit(&self) -> f64 {
        self.figures
            .keys()
            .filter(|what| matches!(what, Measurement::Raw(_)))
            .map(|&what| self.rate(what))
            .fold(0.0, f64::max)
    }

    fn median_of(&self, what: Measurement, figure: fn(&Figures) -> Option<f64>) -> Option<f64> {
        let found: Vec<f64> = self.figures.get(&what)?.iter().filter_map(figure).collect();
        (!found.is_empty()).then(|| median(found.into_iter()))
    }

    /// The results as a flat JSON object.
    pub fn summary(&self) -> Value {
        let (calendar, preset) = (Measurement::Calendar, Measurement::Preset);
        json!({
            "records": self.records,
            "raw_limit_per_s": self.raw_limit().round(),
            "ingest_calendar_per_s": self.rate(calendar).round(),
            "ingest_per_s": self.rate(preset).round(),
            "ingest_ratio_calendar": round(self.rate(calendar) / self.raw_limit()),
            "ingest_ratio": round(self.rate(preset) / self.raw_limit()),
            "ingest_rss_mb": self.median_of(preset, |figures| figures.rss_mb).map(f64::round),
            "first_document_s": self.median_of(preset, |figures| figures.first_document_s).map(round),
        })
    }

    /// The results as a table in Markdown.
    pub fn markdown(&self) -> String {
        let mut table = format!(
            "{} records, medians of {} rounds\n\n",
            self.records,
            self.figures.values().map(Vec::len).max().unwrap_or(0)
        );
        table.push_str(
            "| | records/s | of the raw limit | first document | peak memory |\n| --- | ---: | ---: | ---: | ---: |\n",
        );
        for &what in self.figures.keys() {
            let first = self
                .median_of(what, |figures| figures.first_document_s)
                .map_or(String::new(), |seconds| format!("{seconds:.2} s"));
            let memory = self
                .median_of(what, |figures| figures.rss_mb)
                .map_or(String::new(), |megabytes| format!("{megabytes:.0} MB"));
            let ratio = self.rate(what) / self.raw_limit();
            table.push_str(&format!(
                "| {} | {:.0} | {ratio:.2} | {first} | {memory} |\n",
                what.name(),
                self.rate(what)
            ));
        }
        table
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    (values[last / 2] + values[values.len() / 2]) / 2.0
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
