//! Why records did not get to the topic.

use super::ProduceReport;
use crate::files::FileError;
use crate::kafka_options::OptionError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::path::PathBuf;

/// Failure of a run.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// A file cannot be read; nothing was sent.
    #[error(transparent)]
    File(#[from] FileError),
    /// The standard input is named more than once.
    #[error("the standard input (-) can be read once only")]
    StdinTwice,
    /// An option of librdkafka cannot be set.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// librdkafka refuses the properties.
    #[error("Kafka options: {0}")]
    Config(KafkaError),
    /// No broker answered in time.
    #[error("no broker answers at {brokers}: {reason}")]
    NoBroker {
        /// The addresses that were tried.
        brokers: String,
        /// What the client says, and what to do.
        reason: String,
    },
    /// The leader of a partition does not answer.
    #[error("{topic}/{partition}: {reason}")]
    NoLeader {
        /// Name of the topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What the client says, and what to do.
        reason: String,
    },
    /// The topic is missing and cannot be created.
    #[error("topic {topic} cannot be created: {reason}")]
    Topic {
        /// Name of the topic.
        topic: String,
        /// What the broker says.
        reason: String,
    },
    /// The run ended early; what was sent before is in the topic.
    #[error("{}; records sent before that: {}", .0.cause, .0.report.records)]
    Stopped(Box<Stopped>),
}

/// A run that ended early.
#[derive(Debug)]
pub struct Stopped {
    /// Why.
    pub cause: StopCause,
    /// What was delivered.
    pub report: ProduceReport,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum StopCause {
    /// A file is damaged, or a record is broken under `--strict`.
    #[error(transparent)]
    File(#[from] FileError),
    /// Kafka did not take a record.
    #[error("{}: record {number} was not delivered: {error}{}{}", path.display(), hint(error), others(*failed))]
    Delivery {
        /// File of the first record that failed.
        path: PathBuf,
        /// Its place in the file, from 1.
        number: u64,
        /// What Kafka says.
        error: KafkaError,
        /// Records that failed in all.
        failed: u64,
    },
    /// Records were still on their way when the time to stop was over.
    #[error("{left} records could not be delivered within {seconds} s: {reason}")]
    Unfinished {
        /// Records on their way.
        left: u64,
        /// Time they were given.
        seconds: u64,
        /// What the client says.
        reason: String,
    },
}

/// What to do about an error whose name does not say it.
fn hint(error: &KafkaError) -> &'static str {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
            "; a batch of records is larger than the topic's max.message.bytes: raise that, or send smaller ones with --set \
             kafka.batch.size=BYTES"
        }
        _ => "",
    }
}

fn others(failed: u64) -> String {
    match failed {
        0 | 1 => String::new(),
        _ => format!(" (and {} more records)", failed - 1),
    }
}
