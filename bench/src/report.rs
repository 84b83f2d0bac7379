//! What was found: medians, ratios, and how they are printed.
//!
//! A figure belongs to a [`Row`] and a [`Column`]; in JSON it is called `ROW_COLUMN`, such as `raw_2_per_s`.

use serde_json::{Map, Value};
use stack::output;
use std::collections::BTreeMap;

/// Which table a row is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Records a second.
    Throughput,
    /// Several workers, growing topics.
    Scale,
    /// Produced → visible.
    Latency,
    /// Sending files.
    Sending,
}

impl Section {
    fn title(self) -> &'static str {
        match self {
            Self::Throughput => "Kafka to MongoDB",
            Self::Scale => "More workers, more records",
            Self::Latency => "From producing to seeing it",
            Self::Sending => "Files to Kafka",
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    section: Section,
    /// Rows stand in the order in which they are declared, which is that of the parts.
    order: u32,
    key: String,
    label: String,
}

impl Row {
    /// A row; `key` is the first half of its names in JSON, `order` its place within the section.
    pub fn new(section: Section, order: u32, key: impl Into<String>, label: impl Into<String>) -> Self {
        Self { section, order, key: key.into(), label: label.into() }
    }

    /// Whether the raw limit is what it could reach at best: it stores events.
    fn is_a_share(&self) -> bool {
        self.section == Section::Throughput && !matches!(self.key.as_str(), "decode" | "consume")
    }
}

/// A kind of figure, in the order of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Records a second.
    PerS,
    /// Share of the raw limit.
    Ratio,
    /// Megabytes (10⁶ bytes) a second.
    MbPerS,
    /// From the start of the process to the first stored event, in seconds.
    FirstDocumentS,
    /// Half of the records are visible after so many seconds.
    P50,
    /// 95 % are.
    P95,
    /// 99 % are.
    P99,
    /// Largest resident size in megabytes (10⁶ bytes).
    RssMb,
    /// Median resident size in megabytes.
    SteadyMb,
    /// Processor seconds of the program.
    CpuS,
    /// Processor seconds of the broker.
    BrokerCpuS,
    /// Processor seconds of mongod.
    MongodCpuS,
}

impl Column {
    const ALL: [Self; 12] = [
        Self::PerS,
        Self::Ratio,
        Self::MbPerS,
        Self::FirstDocumentS,
        Self::P50,
        Self::P95,
        Self::P99,
        Self::RssMb,
        Self::SteadyMb,
        Self::CpuS,
        Self::BrokerCpuS,
        Self::MongodCpuS,
    ];

    /// The second half of names in JSON, the head of the column, and the decimals.
    fn describe(self) -> (&'static str, &'static str, usize) {
        match self {
            Self::PerS => ("per_s", "records/s", 0),
            Self::Ratio => ("ratio", "of the raw limit", 2),
            Self::MbPerS => ("mb_s", "MB/s", 0),
            Self::FirstDocumentS => ("first_document_s", "first document, s", 2),
            Self::P50 => ("p50_s", "p50, s", 3),
            Self::P95 => ("p95_s", "p95, s", 3),
            Self::P99 => ("p99_s", "p99, s", 3),
            Self::RssMb => ("rss_mb", "peak memory, MB", 0),
            Self::SteadyMb => ("steady_mb", "steady memory, MB", 0),
            Self::CpuS => ("cpu_s", "CPU, s", 1),
            Self::BrokerCpuS => ("broker_cpu_s", "broker CPU, s", 1),
            Self::MongodCpuS => ("mongod_cpu_s", "mongod CPU, s", 1),
        }
    }

    fn key(self) -> &'static str {
        self.describe().0
    }

    fn title(self) -> &'static str {
        self.describe().1
    }

    fn format(self, value: f64) -> String {
        format!("{value:.*}", self.describe().2)
    }
}

/// Figures of one measurement. One that cannot be had on this machine is left out.
pub type Figures = Vec<(Column, Option<f64>)>;

/// What a figure is to be.
#[derive(Debug, Clone, Copy)]
enum Wish {
    AtLeast(f64),
    AtMost(f64),
}

/// What is to be reached.
struct Goal {
    /// Its name in JSON.
    name: &'static str,
    /// The name of the figure that it is about.
    figure: &'static str,
    wish: Wish,
    /// In words, with the unit.
    label: &'static str,
}

const fn goal(name: &'static str, figure: &'static str, wish: Wish, label: &'static str) -> Goal {
    Goal { name, figure, wish, label }
}

const GOALS: [Goal; 14] = [
    goal("decode_per_s", "decode_per_s", Wish::AtLeast(60_000.0), "decode, records/s a core"),
    goal("ingest_ratio_calendar", "ingest_calendar_ratio", Wish::AtLeast(0.75), "calendar rollups ÷ raw limit"),
    goal("ingest_ratio", "ingest_preset_ratio", Wish::AtLeast(0.62), "all rollups ÷ raw limit"),
    goal("vs_connect", "vs_connect", Wish::AtLeast(2.0), "all rollups ÷ Kafka Connect without any"),
    goal("ingest_rss_mb", "ingest_preset_rss_mb", Wish::AtMost(120.0), "peak memory at full speed, MB"),
    goal("first_document_s", "ingest_preset_first_document_s", Wish::AtMost(1.0), "start to first document, s"),
    goal("visible_p50_s", "visible_2000_p50_s", Wish::AtMost(0.5), "produced to visible at 2,000/s, p50, s"),
    goal("visible_p99_s", "visible_2000_p99_s", Wish::AtMost(1.5), "produced to visible at 2,000/s, p99, s"),
    goal("produce_mb_s", "produce_mb_s", Wish::AtLeast(200.0), "produce, MB/s"),
    goal("produce_rss_mb", "produce_rss_mb", Wish::AtMost(60.0), "produce, peak memory, MB"),
    goal("refresh_ms", "refresh_ms", Wish::AtMost(50.0), "1,000 new events to frame, windows and chart, ms"),
    goal("refresh_growth", "refresh_growth", Wish::AtMost(1.2), "the same with ten times the events, ratio"),
    goal("load_vs_pymongo", "load_vs_pymongo", Wish::AtLeast(3.0), "load of events ÷ pymongo into polars"),
    goal("window_vs_dynamic", "window_vs_dynamic", Wish::AtLeast(1.0), "windows ÷ polars' group_by_dynamic"),
];

impl Wish {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(least) => format!("at least {least}"),
            Self::AtMost(most) => format!("at most {most}"),
        }
    }
}

/// All figures of a run.
#[derive(Debug, Default)]
pub struct Report {
    samples: BTreeMap<Row, BTreeMap<Column, Vec<f64>>>,
    /// Figures that belong to no row.
    named: BTreeMap<String, f64>,
    /// The pipeline read a user's reviews and the peers generated ones, so their rates cannot be held against each other.
    peers_read_others: bool,
}

impl Report {
    /// An empty one; whether the peers read other records than the pipeline.
    pub fn new(peers_read_others: bool) -> Self {
        Self { peers_read_others, ..Self::default() }
    }

    /// Adds what one measurement found.
    pub fn add(&mut self, row: &Row, figures: Figures) {
        let columns = self.samples.entry(row.clone()).or_default();
        let mut line = String::new();
        for (column, value) in figures {
            let Some(value) = value.filter(|value| value.is_finite()) else { continue };
            line += &format!("  {} {}", column.format(value), column.title());
            columns.entry(column).or_default().push(value);
        }
        output::note(format!("    {:<44}{line}", row.label));
    }

    /// Adds a figure that belongs to no row, under its name in JSON.
    pub fn name(&mut self, name: impl Into<String>, value: f64) {
        self.named.insert(name.into(), value);
    }

    /// Whether there is such a figure.
    pub fn has(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// The median of each figure, with the shares of the raw limit.
    fn medians(&self) -> BTreeMap<&Row, BTreeMap<Column, f64>> {
        let mut medians: BTreeMap<&Row, BTreeMap<Column, f64>> = BTreeMap::new();
        for (row, columns) in &self.samples {
            medians.insert(row, columns.iter().map(|(&column, values)| (column, median(values))).collect());
        }
        if let Some(limit) = self.raw_limit() {
            for (_, columns) in medians.iter_mut().filter(|(row, _)| row.is_a_share()) {
                if let Some(&rate) = columns.get(&Column::PerS) {
                    columns.insert(Column::Ratio, rate / limit);
                }
            }
        }
        medians
    }

    /// The raw limit is that of the number of writers that did best.
    fn raw_limit(&self) -> Option<f64> {
        let rows = self.samples.iter().filter(|(row, _)| row.key.starts_with("raw_"));
        rows.filter_map(|(_, columns)| columns.get(&Column::PerS)).map(|rates| median(rates)).reduce(f64::max)
    }

    fn rate(&self, key: &str) -> Option<f64> {
        let (_, columns) = self.samples.iter().find(|(row, _)| row.key == key)?;
        columns.get(&Column::PerS).map(|rates| median(rates))
    }

    /// All figures by their names in JSON.
    fn figures(&self) -> BTreeMap<String, f64> {
        let mut all = BTreeMap::new();
        for (row, columns) in self.medians() {
            all.extend(columns.iter().map(|(column, &value)| (format!("{}_{}", row.key, column.key()), value)));
        }
        all.extend(self.raw_limit().map(|limit| ("raw_limit_per_s".to_owned(), limit)));
        all.extend(self.named.iter().map(|(name, &value)| (name.clone(), value)));
        for peer in ["connect", "python"] {
            let ratio = || Some(self.rate("ingest_preset")? / self.rate(peer)?);
            all.extend(ratio().filter(|_| !self.peers_read_others).map(|ratio| (format!("vs_{peer}"), ratio)));
        }
        all
    }

    /// The results as a flat JSON object. A goal that was not measured is null.
    pub fn summary(&self) -> Map<String, Value> {
        let figures = self.figures();
        let goals = GOALS.map(|goal| (goal.name.to_owned(), figures.get(goal.figure).copied()));
        let known = figures.iter().map(|(name, &value)| (name.clone(), Some(value)));
        let json = |value: Option<f64>| value.map_or(Value::Null, |value| Value::from(round(value)));
        known.chain(goals).map(|(name, value)| (name, json(value))).collect()
    }

    /// The goals as Markdown: what was measured, and what was hoped for.
    fn goals(&self) -> String {
        let figures = self.figures();
        let lines = GOALS.iter().map(|goal| {
            let (value, met) = match figures.get(goal.figure) {
                Some(&value) => (round(value).to_string(), if goal.wish.is_met(value) { "yes" } else { "no" }),
                None => (String::new(), "not measured"),
            };
            format!("| {} | {value} | {} | {met} |\n", goal.label, goal.wish.words())
        });
        format!("\n| goal | measured | wanted | met |\n| --- | ---: | ---: | --- |\n{}", lines.collect::<String>())
    }

    /// The results as Markdown: a table for each section, with the columns that it has.
    pub fn markdown(&self) -> String {
        let medians = self.medians();
        let rounds = self.samples.values().flat_map(BTreeMap::values).map(Vec::len).max().unwrap_or(0);
        let mut text = format!("Medians; rounds: {rounds}.\n");
        let mut sections: Vec<Section> = medians.keys().map(|row| row.section).collect();
        sections.dedup();
        for section in sections {
            let rows: Vec<_> = medians.iter().filter(|(row, _)| row.section == section).collect();
            let present = |column: &Column| rows.iter().any(|(_, columns)| columns.contains_key(column));
            let columns: Vec<Column> = Column::ALL.into_iter().filter(present).collect();
            let heads: String = columns.iter().map(|column| format!(" {} |", column.title())).collect();
            text += &format!("\n| {} |{heads}\n| --- |{}\n", section.title(), " ---: |".repeat(columns.len()));
            for (row, figures) in rows {
                let cell = |column: &Column| figures.get(column).map_or(String::new(), |&value| column.format(value));
                let cells: String = columns.iter().map(|column| format!(" {} |", cell(column))).collect();
                text += &format!("| {} |{cells}\n", row.label);
            }
        }
        if !self.named.is_empty() {
            text += "\n| Reading | |\n| --- | ---: |\n";
        }
        for (name, value) in &self.named {
            text += &format!("| {name} | {value:.2} |\n");
        }
        text + &self.goals()
    }
}

/// The median of some values; NaN of none.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count => (values[(count - 1) / 2] + values[count / 2]) / 2.0,
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(value: f64) -> Figures {
        vec![(Column::PerS, Some(value)), (Column::RssMb, None)]
    }

    fn report() -> Report {
        let row = |order, key: &str| Row::new(Section::Throughput, order, key, key);
        let mut report = Report::default();
        for value in [100.0, 300.0, 200.0] {
            report.add(&row(1, "raw_1"), rate(value));
            report.add(&row(2, "raw_2"), rate(value * 2.0));
            report.add(&row(3, "ingest_preset"), rate(value));
            report.add(&row(4, "connect"), rate(value / 4.0));
        }
        report
    }

    #[test]
    fn ratios_are_those_of_medians_and_of_the_best_number_of_writers() {
        let summary = report().summary();
        assert_eq!(summary["raw_limit_per_s"], 400.0);
        assert_eq!(summary["ingest_ratio"], 0.5);
        assert_eq!(summary["vs_connect"], 4.0);
        assert!(summary["visible_p50_s"].is_null(), "a goal that was not measured is there, and null");
    }

    #[test]
    fn goals_are_met_missed_or_not_measured() {
        let mut report = report();
        report.name("refresh_ms", 50.0);
        let text = report.markdown();
        for line in [
            "| all rollups ÷ raw limit | 0.5 | at least 0.62 | no |",
            "| 1,000 new events to frame, windows and chart, ms | 50 | at most 50 | yes |",
            "| produce, MB/s |  | at least 200 | not measured |",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn other_records_are_no_comparison() {
        let report = Report { peers_read_others: true, ..report() };
        assert!(report.summary()["vs_connect"].is_null());
    }

    #[test]
    fn a_table_has_the_columns_that_were_measured() {
        let text = report().markdown();
        assert!(
            text.contains("| Kafka to MongoDB | records/s | of the raw limit |\n| --- | ---: | ---: |\n"),
            "{text}"
        );
        assert!(text.contains("| raw_1 | 200 | 0.50 |\n| raw_2 | 400 | 1.00 |\n"), "{text}");
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(&[]).is_nan());
    }
}
