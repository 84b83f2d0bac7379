//! The configuration: flags over environment over file over default, each value with where it came from.
//!
//! [`Settings`] is what is typed; [`Config`] is what the worker uses: durations, checked against each other at start.

use crate::kafka_options::{self, KafkaOptions, OptionError};
use crate::stream::Consent;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, providers::Serialized};
use model::mongodb_uri::mask;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that is read where it is there and `--config` names none.
pub const DEFAULT_FILE: &str = "rushes.toml";

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

/// Names of the environment that are not `RUSHES_NAME`.
const ENVIRONMENT: [(&str, &str); 2] = [("KAFKA_BROKERS", "brokers"), ("MONGODB_URI", "mongodb_uri")];
/// Begins variables that set an option of librdkafka, with `_` for each dot of its name.
const KAFKA_VARIABLE: &str = "RUSHES_KAFKA_";

/// One setting with its effective value and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Origin {
    /// Name of the setting.
    pub name: String,
    /// Effective value, secrets masked.
    pub value: String,
    /// `default`, a file's name, a variable of the environment, or `flag`.
    pub from: String,
}

/// Settings with their origins, before they are checked.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The effective settings.
    pub settings: Settings,
    /// Each with where it came from, in the order of [`Settings`]; options of librdkafka one by one, as `kafka.NAME`.
    pub origins: Vec<Origin>,
}

/// Reads the settings: `flags` over the environment over `file` (or `rushes.toml` where it is there) over the defaults.
///
/// # Errors
/// [`ConfigError`] names the file, variable or flag, and what is expected.
pub fn load(file: Option<&Path>, flags: Dict) -> Result<Loaded, ConfigError> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    load_from(file, &std::env::vars_os().filter_map(text).collect(), flags)
}

/// Sets `name` (`lanes`, or `kafka.NAME`) among the flags, with a text as it stands on a command line.
pub fn assign(flags: &mut Dict, name: &str, text: &str) {
    let defaults = Named::new("", &Settings::default()).map(|named| named.values).unwrap_or_default();
    match name.strip_prefix("kafka.") {
        Some(option) => {
            let mut options = flags.remove("kafka").and_then(Value::into_dict).unwrap_or_default();
            options.insert(option.to_owned(), Value::from(text));
            flags.insert("kafka".to_owned(), Value::from(options));
        }
        None => {
            flags.insert(name.to_owned(), like(defaults.get(name), text));
        }
    }
}

fn load_from(file: Option<&Path>, variables: &BTreeMap<String, String>, flags: Dict) -> Result<Loaded, ConfigError> {
    let mut figment = Figment::from(Named::new("default", &Settings::default())?);
    let default_file = Path::new(DEFAULT_FILE);
    if let Some(path) = file.or_else(|| default_file.exists().then_some(default_file)) {
        figment = figment.merge(Named { name: path.display().to_string(), values: read(path)? });
    }
    let defaults = Named::new("", &Settings::default())?.values;
    for (variable, name) in environment(variables, &defaults) {
        let value = like(defaults.get(&name), &variables[&variable]);
        figment = figment.merge(Named { name: variable, values: Dict::from([(name, value)]) });
    }
    for (variable, text) in variables.iter().filter(|(variable, _)| variable.starts_with(KAFKA_VARIABLE)) {
        let mut values = Dict::new();
        let option = variable[KAFKA_VARIABLE.len()..].to_lowercase().replace('_', ".");
        assign(&mut values, &format!("kafka.{option}"), text);
        figment = figment.merge(Named { name: variable.clone(), values });
    }
    figment = figment.merge(Named { name: "flag".into(), values: flags });
    let settings: Settings = figment.extract().map_err(|error| ConfigError::Value(Box::new(error)))?;
    settings
        .kafka
        .check()
        .map_err(|problem| ConfigError::Kafka { from: kafka_source(&figment, &problem.name), problem })?;
    let origins = known_in_order().into_iter().flat_map(|name| origins(&figment, &settings, name)).collect();
    Ok(Loaded { settings, origins })
}

/// The variables that set something, with the setting's name.
fn environment(variables: &BTreeMap<String, String>, known: &Dict) -> Vec<(String, String)> {
    let general = ENVIRONMENT.iter().map(|&(variable, name)| (variable.to_owned(), name.to_owned()));
    let own = known.keys().map(|name| (format!("RUSHES_{}", name.to_uppercase()), name.clone()));
    general.chain(own).filter(|(variable, _)| variables.contains_key(variable)).collect()
}

/// A variable's text as a value of the default's type; one that is not is left as it is, for the typed settings to refuse.
fn like(default: Option<&Value>, text: &str) -> Value {
    let number = || text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from)).ok();
    match default {
        Some(Value::Num(..)) => number().unwrap_or_else(|| Value::from(text)),
        _ => Value::from(text),
    }
}

fn read(path: &Path) -> Result<Dict, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        // The error itself shows the line, which may hold a secret.
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count()) + 1;
        ConfigError::Toml { path: path.to_owned(), problem: format!("line {line}: {}", error.message()) }
    })?;
    let mut values = Named::new("", &table)?.values;
    if let Some(Value::Dict(tag, options)) = values.remove("kafka") {
        values.insert("kafka".to_owned(), Value::Dict(tag, kafka_options::flatten(options)));
    }
    Ok(values)
}

/// A source of settings with the name that `ingest config` shows.
struct Named {
    name: String,
    values: Dict,
}

impl Named {
    fn new(name: &str, values: &impl Serialize) -> Result<Self, ConfigError> {
        let data = Serialized::globals(values).data().map_err(|error| ConfigError::Value(Box::new(error)))?;
        Ok(Self { name: name.to_owned(), values: data.into_values().next().unwrap_or_default() })
    }
}

impl Provider for Named {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

fn known_in_order() -> Vec<&'static str> {
    vec![
        "brokers",
        "mongodb_uri",
        "database",
        "topic",
        "group",
        "schema",
        "lanes",
        "batch_records",
        "batch_bytes",
        "batch_age_ms",
        "publish_interval_ms",
        "rebuild_events",
        "commit_timeout_s",
        "drain_timeout_s",
        "max_poll_interval_s",
        "dead_in_a_row",
        "dead_ratio",
        "lost_offsets",
        "kafka",
        "log_bytes",
        "state_dir",
    ]
}

fn origins(figment: &Figment, settings: &Settings, name: &str) -> Vec<Origin> {
    let masked = settings.masked();
    if name == "kafka" {
        let options = masked.kafka.names().map(|option| Origin {
            name: format!("kafka.{option}"),
            value: masked.kafka.get(option).unwrap_or_default().to_owned(),
            from: kafka_source(figment, option),
        });
        return options.collect();
    }
    let value = match serde_json::to_value(&masked).ok().as_ref().and_then(|masked| masked.get(name)) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let from = figment.find_metadata(name).map_or_else(|| "default".to_owned(), |metadata| metadata.name.to_string());
    vec![Origin { name: name.to_owned(), value, from }]
}

/// Where an option of librdkafka came from. Its name has dots, so it cannot be looked up by a path.
fn kafka_source(figment: &Figment, option: &str) -> String {
    let options = figment.find_value("kafka").ok().and_then(Value::into_dict);
    let tag = options.as_ref().and_then(|options| options.get(option)).map(Value::tag);
    let metadata = tag.and_then(|tag| figment.get_metadata(tag));
    metadata.map_or_else(|| "configuration".to_owned(), |metadata| metadata.name.to_string())
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

    fn load_with(file: &str, variables: &[(&str, &str)], flags: Dict) -> Result<Loaded, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my.toml");
        std::fs::write(&path, file).unwrap();
        let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        load_from(Some(&path), &variables, flags)
    }

    fn origin_of<'a>(loaded: &'a Loaded, name: &str) -> &'a Origin {
        loaded.origins.iter().find(|origin| origin.name == name).unwrap()
    }

    #[test]
    fn flags_win_over_environment_over_file_over_default() {
        let flags = Dict::from([("topic".to_owned(), Value::from("from-flag"))]);
        let variables =
            [("KAFKA_BROKERS", "env:1"), ("RUSHES_TOPIC", "from-env"), ("RUSHES_LANES", "7"), ("RUSHES_OTHER", "x")];
        let loaded = load_with("topic = \"from-file\"\ngroup = \"g\"\nlanes = 2\n", &variables, flags).unwrap();
        assert_eq!((loaded.settings.topic.as_str(), loaded.settings.group.as_str()), ("from-flag", "g"));
        assert_eq!((loaded.settings.brokers.as_str(), loaded.settings.lanes), ("env:1", 7));
        assert_eq!(origin_of(&loaded, "topic").from, "flag");
        assert_eq!(origin_of(&loaded, "brokers").from, "KAFKA_BROKERS");
        assert!(origin_of(&loaded, "group").from.ends_with("my.toml"));
        assert_eq!(origin_of(&loaded, "database").from, "default");
        let names = serde_json::to_value(Settings::default()).unwrap().as_object().unwrap().len();
        assert_eq!(loaded.origins.len(), names - 1, "`kafka` has no row of its own");
    }

    #[test]
    fn an_unknown_name_or_a_wrong_type_is_an_error() {
        for (file, problem) in [
            ("topics = \"x\"", "topics"),
            ("lanes = \"many\"", "lanes"),
            ("lanes = ", "my.toml"),
            ("lost_offsets = \"skip\"", "accept"),
        ] {
            let error = load_with(file, &[], Dict::new()).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
        let missing = load_from(Some(Path::new("not-there.toml")), &BTreeMap::new(), Dict::new()).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read not-there.toml"), "{missing}");
    }

    #[test]
    fn options_of_kafka_come_from_anywhere_in_any_form() {
        let file = "[kafka]\nsasl.mechanism = \"PLAIN\"\n\"client.id\" = \"me\"\nsession.timeout.ms = 9000\nsocket.keepalive.enable = true\n";
        let variables = [("RUSHES_KAFKA_SASL_PASSWORD", "hush"), ("RUSHES_KAFKA_CLIENT_ID", "env")];
        let mut flags = Dict::new();
        assign(&mut flags, "kafka.client.id", "flag");
        let loaded = load_with(file, &variables, flags).unwrap();
        let origin = |name: &str| {
            let origin = origin_of(&loaded, name);
            (origin.value.clone(), origin.from.rsplit('/').next().unwrap_or_default().to_owned())
        };
        let owned = |value: &str, from: &str| (value.to_owned(), from.to_owned());
        assert_eq!(origin("kafka.sasl.mechanism"), owned("PLAIN", "my.toml"));
        assert_eq!(origin("kafka.session.timeout.ms"), owned("9000", "my.toml"));
        assert_eq!(origin("kafka.socket.keepalive.enable"), owned("true", "my.toml"));
        assert_eq!(origin("kafka.sasl.password"), owned("***", "RUSHES_KAFKA_SASL_PASSWORD"));
        assert_eq!(origin("kafka.client.id"), owned("flag", "flag"));
        assert_eq!(loaded.settings.kafka.get("sasl.password"), Some("hush"));
    }

    #[test]
    fn an_option_of_kafka_that_cannot_be_set_is_named_with_its_place() {
        for (file, variables, place, problem) in [
            ("[kafka]\nnonsense = 1", vec![], "my.toml", "kafka.nonsense"),
            ("", vec![("RUSHES_KAFKA_GROUP_ID", "x")], "RUSHES_KAFKA_GROUP_ID", "set `group` instead"),
            ("[kafka]\n\"isolation.level\" = \"read_uncommitted\"", vec![], "my.toml", "kafka.isolation.level"),
        ] {
            let error = load_with(file, &variables, Dict::new()).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(problem), "{error}");
        }
        let mut flags = Dict::new();
        assign(&mut flags, "kafka.enable.auto.commit", "true");
        let error = load_with("", &[], flags).unwrap_err().to_string();
        assert!(error.contains("from flag: kafka.enable.auto.commit cannot be set"), "{error}");
    }

    #[test]
    fn secrets_are_masked() {
        let file = "mongodb_uri = \"mongodb+srv://u:p@:/?#w@h.example/db\"\n[kafka]\n\"sasl.password\" = \"hush\"\n\"client.id\" = \"me\"\n";
        let loaded = load_with(file, &[], Dict::new()).unwrap();
        for shown in
            [format!("{:?}", loaded.origins), format!("{loaded:?}"), format!("{:?}", Config::new(loaded.settings))]
        {
            assert!(
                !shown.contains("hush")
                    && !shown.contains("p@:")
                    && shown.contains("***@h.example")
                    && shown.contains("me"),
                "{shown}"
            );
        }
    }

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
