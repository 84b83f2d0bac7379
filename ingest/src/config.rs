//! The configuration: flags over environment over file over default, each value with where it came from.
//!
//! [`Settings`] is what is typed; [`Config`] is what the worker uses: durations, checked against each other at start.

mod layers;

pub use layers::{DEFAULT_FILE, Loaded, Origin, assign, load};

use crate::kafka_options::{KafkaOptions, OptionError};
use crate::stream::Consent;
use model::mongodb_uri::mask;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not TOML.
    #[error("{path}: {problem}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        problem: String,
    },
    /// A value has the wrong type or an unknown name.
    #[error("configuration: {0}")]
    Value(Box<figment::Error>),
    /// An option of librdkafka cannot be set.
    #[error("configuration, from {from}: {problem}")]
    Kafka {
        /// `flag`, a file's name, or a variable of the environment.
        from: String,
        /// Which option, why, and what to do instead.
        problem: OptionError,
    },
    /// Two values do not go together, or one is out of bounds.
    #[error("configuration: {0}")]
    Rule(String),
}

/// The settings as they are written, in `rushes.toml` or as `RUSHES_NAME` in the environment. A debug output shows no secret.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Kafka brokers, `host:port` separated by commas. Environment: `KAFKA_BROKERS`.
    pub brokers: String,
    /// MongoDB connection string; a replica set. Environment: `MONGODB_URI`.
    pub mongodb_uri: String,
    /// MongoDB database.
    pub database: String,
    /// Kafka topic.
    pub topic: String,
    /// Consumer group; positions are kept per group.
    pub group: String,
    /// A schema file, or the name of a preset.
    pub schema: String,
    /// Batches that commit side by side.
    pub lanes: usize,
    /// A batch commits at the latest with so many records.
    pub batch_records: usize,
    /// A batch commits at the latest with so many bytes of payload.
    pub batch_bytes: usize,
    /// A batch commits at the latest after so many milliseconds.
    pub batch_age_ms: u64,
    /// Changed rows are published at the shortest in this interval, in milliseconds.
    pub publish_interval_ms: u64,
    /// A rebuild counts so many stored events in one transaction.
    pub rebuild_events: u32,
    /// One try to commit a batch takes so many seconds at the longest; below MongoDB's 60 s for a transaction.
    pub commit_timeout_s: u64,
    /// A revoked partition is given up after so many seconds at the latest, its open batch dropped.
    pub drain_timeout_s: u64,
    /// Kafka takes a worker for dead that did not poll for so many seconds.
    pub max_poll_interval_s: u64,
    /// So many dead letters in a row from one partition stop the worker; 0 never does.
    pub dead_in_a_row: u64,
    /// More than this share of dead letters among a thousand records of a partition (the first thousand, the second, …) stops the worker;
    /// 1 never does.
    pub dead_ratio: f64,
    /// What to do where the topic no longer has a stored position: `stop`, or `accept` the loss and write it down.
    pub lost_offsets: LostOffsets,
    /// Further librdkafka options, such as `security.protocol`. Environment: `RUSHES_KAFKA_SECURITY_PROTOCOL`.
    pub kafka: KafkaOptions,
    /// The log of a worker in the background is rotated at so many bytes.
    pub log_bytes: u64,
    /// Where `ingest start` keeps the pid, the status and the logs.
    pub state_dir: Option<PathBuf>,
}

/// What a run does where retention or a topic that was made again took away what a stored position stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LostOffsets {
    /// It stops with an error that says what is lost.
    #[default]
    Stop,
    /// It goes on with the first record that is there, and keeps the gap in the position.
    Accept,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".into(),
            mongodb_uri: "mongodb://127.0.0.1:27017/?replicaSet=rs0".into(),
            database: "rushes".into(),
            topic: "reviews".into(),
            group: "rushes".into(),
            schema: "imdb-review".into(),
            lanes: 3,
            batch_records: 2_000,
            batch_bytes: 4 << 20,
            batch_age_ms: 150,
            publish_interval_ms: 200,
            rebuild_events: 20_000,
            commit_timeout_s: 20,
            drain_timeout_s: 30,
            max_poll_interval_s: 300,
            dead_in_a_row: 1_000,
            dead_ratio: 0.5,
            lost_offsets: LostOffsets::Stop,
            kafka: KafkaOptions::default(),
            log_bytes: 10 << 20,
            state_dir: None,
        }
    }
}

impl Settings {
    /// The settings with secrets replaced, for outputs and logs.
    pub fn masked(&self) -> Self {
        Self { mongodb_uri: mask(&self.mongodb_uri), kafka: self.kafka.masked(), ..self.clone() }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.masked()).map_err(|_| fmt::Error)?)
    }
}

/// The configuration that the worker uses, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// As typed.
    pub settings: Settings,
    /// Age at which a batch commits.
    pub batch_age: Duration,
    /// Shortest interval between publications.
    pub publish_interval: Duration,
    /// Longest try to commit.
    pub commit_timeout: Duration,
    /// Longest wait for lanes at a revoke or at the end.
    pub drain_timeout: Duration,
    /// Kafka's patience.
    pub max_poll_interval: Duration,
    /// What the user has agreed to on the command line.
    pub consent: Consent,
}

impl Config {
    /// Checks the settings against each other.
    ///
    /// # Errors
    /// [`ConfigError::Rule`] names the settings and what must hold between them.
    pub fn new(settings: Settings) -> Result<Self, ConfigError> {
        let rule = |holds: bool, text: &str| if holds { Ok(()) } else { Err(ConfigError::Rule(text.to_owned())) };
        rule((1..=64).contains(&settings.lanes), "lanes must be between 1 and 64")?;
        rule((1..=50_000).contains(&settings.batch_records), "batch_records must be between 1 and 50,000")?;
        rule((1..=200_000).contains(&settings.rebuild_events), "rebuild_events must be between 1 and 200,000")?;
        rule(
            (1..=16 << 20).contains(&settings.batch_bytes),
            "batch_bytes must be between 1 and 16,777,216 (16 MiB): a larger transaction may not fit into the cache of mongod",
        )?;
        rule(
            settings.batch_age_ms <= 10_000,
            "batch_age_ms must be at most 10,000: a transaction must stay far below 60 s",
        )?;
        rule(
            (1..=600_000).contains(&settings.publish_interval_ms),
            "publish_interval_ms must be between 1 and 600,000 (10 minutes)",
        )?;
        rule(
            (1..=50).contains(&settings.commit_timeout_s),
            "commit_timeout_s must be between 1 and 50: MongoDB ends a transaction after 60 s",
        )?;
        rule(settings.drain_timeout_s <= 3_600, "drain_timeout_s must be at most 3,600 (an hour)")?;
        rule(
            settings.max_poll_interval_s <= 86_400,
            "max_poll_interval_s must be at most 86,400 (a day): librdkafka takes no more",
        )?;
        rule(
            settings.commit_timeout_s < settings.drain_timeout_s,
            "commit_timeout_s must be less than drain_timeout_s: a try to commit must end before its partition is given away",
        )?;
        rule(
            settings.drain_timeout_s + settings.commit_timeout_s < settings.max_poll_interval_s,
            "drain_timeout_s + commit_timeout_s must be less than max_poll_interval_s: Kafka would take a draining worker for dead",
        )?;
        rule(settings.log_bytes >= 4_096, "log_bytes must be at least 4,096")?;
        rule((0.0..=1.0).contains(&settings.dead_ratio), "dead_ratio must be between 0 and 1")?;
        names(&settings)?;
        Ok(Self {
            batch_age: Duration::from_millis(settings.batch_age_ms),
            publish_interval: Duration::from_millis(settings.publish_interval_ms),
            commit_timeout: Duration::from_secs(settings.commit_timeout_s),
            drain_timeout: Duration::from_secs(settings.drain_timeout_s),
            max_poll_interval: Duration::from_secs(settings.max_poll_interval_s),
            consent: Consent::default(),
            settings,
        })
    }
}

/// Checks the names that Kafka and MongoDB are given against what they take.
fn names(settings: &Settings) -> Result<(), ConfigError> {
    let rule = |holds: bool, text: String| if holds { Ok(()) } else { Err(ConfigError::Rule(text)) };
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let Settings { topic, group, database, .. } = settings;
    rule(
        (1..=249).contains(&topic.len()) && topic.chars().all(is_plain) && topic != "." && topic != "..",
        format!("topic must be 1 to 249 letters, digits, dots, underscores or hyphens, got {topic:?}"),
    )?;
    rule(
        (1..=255).contains(&group.len()) && !group.contains(char::is_control),
        format!("group must be 1 to 255 bytes without control characters, got {group:?}"),
    )?;
    let forbidden = ['/', '\\', '.', ' ', '"', '$', '*', '<', '>', ':', '|', '?', '\0'];
    rule(
        (1..=63).contains(&database.len()) && !database.contains(forbidden),
        format!("database must be 1 to 63 bytes without a space, a dot or any of /\\\"$*<>:|?, got {database:?}"),
    )?;
    rule(
        !["admin", "config", "local"].contains(&database.as_str()),
        format!("database {database} is MongoDB's own; use another name"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_checked_against_each_other() {
        assert!(Config::new(Settings::default()).is_ok());
        for (settings, word) in [
            (Settings { lanes: 0, ..Settings::default() }, "lanes"),
            (Settings { commit_timeout_s: 30, ..Settings::default() }, "drain_timeout_s"),
            (Settings { max_poll_interval_s: 50, ..Settings::default() }, "max_poll_interval_s"),
            (Settings { commit_timeout_s: 60, drain_timeout_s: 90, ..Settings::default() }, "60 s"),
            (Settings { dead_ratio: 1.5, ..Settings::default() }, "dead_ratio"),
            (Settings { publish_interval_ms: 0, ..Settings::default() }, "publish_interval_ms"),
            (Settings { publish_interval_ms: u64::MAX, ..Settings::default() }, "publish_interval_ms"),
            (Settings { drain_timeout_s: u64::MAX, ..Settings::default() }, "drain_timeout_s"),
            (Settings { max_poll_interval_s: u64::MAX, ..Settings::default() }, "max_poll_interval_s"),
            (Settings { batch_age_ms: u64::MAX, ..Settings::default() }, "batch_age_ms"),
            (Settings { rebuild_events: 0, ..Settings::default() }, "rebuild_events"),
            (Settings { topic: "a/b".into(), ..Settings::default() }, "topic"),
            (Settings { topic: "..".into(), ..Settings::default() }, "topic"),
            (Settings { group: String::new(), ..Settings::default() }, "group"),
            (Settings { database: "a.b".into(), ..Settings::default() }, "database"),
            (Settings { database: "x".repeat(64), ..Settings::default() }, "database"),
            (Settings { database: "admin".into(), ..Settings::default() }, "database"),
        ] {
            let error = Config::new(settings).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
