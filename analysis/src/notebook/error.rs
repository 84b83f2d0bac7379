//! What can go wrong in a notebook besides reading and drawing.

use std::io;

use crate::{chart::ChartError, load::StoreError};

/// Why something asked for in a notebook was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotebookError {
    /// The program `ingest` is not there.
    #[error("cannot run `ingest` ({0}); `make build` builds it, `make notebook` puts it on the notebook's PATH")]
    NoProgram(io::Error),
    /// The program refused.
    #[error("`ingest {arguments}` failed: {said}")]
    Failed {
        /// What it was asked.
        arguments: String,
        /// What it said.
        said: String,
    },
    /// The program answered in a form that this version does not know.
    #[error("`ingest status` answers in another form ({0}); were `ingest` and this library built together?")]
    Status(serde_json::Error),
    /// The worker ended before it was done.
    #[error("the worker has ended{}; `ingest(\"logs\")` shows what it said last", reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    WorkerEnded {
        /// Why, where it said so.
        reason: Option<String>,
    },
    /// The worker runs, but nobody answers it.
    #[error(
        "the worker of topic {topic} gets no answer from Kafka; was it started for another one? `ingest(\"stop\")` ends it"
    )]
    NoKafka {
        /// The topic.
        topic: String,
    },
    /// No port for the live chart.
    #[error("no live chart: {0}")]
    NoPort(String),
    /// A table cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chart cannot be drawn.
    #[error(transparent)]
    Chart(#[from] ChartError),
}
