//! Reading the settings: which layer says what, and whose word it is.

use super::{ConfigError, Settings};
use crate::kafka_options;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, providers::Serialized};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

/// The file that is read where it is there and `--config` names none.
pub const DEFAULT_FILE: &str = "rushes.toml";

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

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
}
