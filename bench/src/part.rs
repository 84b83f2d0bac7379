//! The parts of the benchmark.

use crate::context::Context;
use crate::report::Report;
use crate::{analysis, consume, decode, drain, peers, produce, raw, visible};
use anyhow::Result;
use std::fmt;

/// One thing that is measured.
#[derive(Debug)]
pub struct Part {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it measures.
    pub what: &'static str,
    /// Measures it once.
    pub measure: fn(&Context, &mut Report) -> Result<Outcome>,
}

/// What became of a part.
#[derive(Debug)]
pub enum Outcome {
    /// It is in the report.
    Measured,
    /// It cannot be measured here; why, and what to do.
    Skipped(String),
    /// It should have been measured, but something went wrong.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured => f.write_str("measured"),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

/// All parts, in the order of a round.
pub const PARTS: [Part; 11] = [
    Part { name: "decode", what: "decoding from memory, one core", measure: decode::measure },
    Part { name: "consume", what: "consuming and nothing else", measure: consume::measure },
    Part { name: "raw", what: "consume, decode, insert without a transaction", measure: raw::measure },
    Part { name: "ingest", what: "ingest run without, with some, with all rollups", measure: drain::ingest },
    Part { name: "connect", what: "Kafka Connect with MongoDB's sink", measure: peers::connect },
    Part { name: "python", what: "a consumer in Python", measure: peers::python },
    Part { name: "workers", what: "1, 2, 4 workers on 8 partitions", measure: drain::workers },
    Part { name: "growth", what: "topics of growing size", measure: drain::growth },
    Part { name: "visible", what: "from producing a record to seeing it in a rollup", measure: visible::measure },
    Part { name: "produce", what: "ingest produce of one large JSON array", measure: produce::measure },
    Part { name: "analysis", what: "refresh, load and windows of the analysis library", measure: analysis::measure },
];

/// Their names.
pub fn names() -> Vec<&'static str> {
    PARTS.iter().map(|part| part.name).collect()
}
