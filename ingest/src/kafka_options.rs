//! Options of librdkafka as the user sets them: checked when they are read, and without their secrets where they are shown.

use figment::value::{Dict, Value};
use model::mongodb_uri::MASK;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Where the options of the version that is built in are described.
const REFERENCE: &str = "https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md";

const BROKERS: &str = "set `brokers` instead (--brokers, KAFKA_BROKERS)";
const POSITIONS: &str = "positions are kept in MongoDB, in the transaction of what they stand for";
const ASSIGNMENT: &str = "the worker relies on assignments that replace each other";

/// Options that exactly-once rests on, or that have a setting of their own, with what to do instead or why.
const OWN: [(&str, &str); 17] = [
    ("bootstrap.servers", BROKERS),
    ("group.id", "set `group` instead (--group, RUSHES_GROUP)"),
    ("max.poll.interval.ms", "set `max_poll_interval_s` instead, which is checked against the other timeouts"),
    ("enable.auto.commit", POSITIONS),
    ("auto.commit.enable", POSITIONS),
    ("auto.commit.interval.ms", POSITIONS),
    ("enable.auto.offset.store", POSITIONS),
    ("offset.store.method", POSITIONS),
    (
        "auto.offset.reset",
        "a new group begins with the first record; `lost_offsets` says what to do where records are gone",
    ),
    ("isolation.level", "records of transactions that were aborted are never to be counted"),
    ("enable.partition.eof", "the worker has to know where a partition ends"),
    ("partition.assignment.strategy", ASSIGNMENT),
    ("group.protocol", ASSIGNMENT),
    ("group.protocol.type", ASSIGNMENT),
    ("group.remote.assignor", ASSIGNMENT),
    ("transactional.id", "`ingest produce` sends without transactions; what is sent twice is found by its id"),
    ("delivery.report.only.error", "the counts of `ingest produce` come from the delivery reports"),
];

/// Two names of one option; the first is the one that is used here.
const ALIASES: [(&str, &str); 14] = [
    ("bootstrap.servers", "metadata.broker.list"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("sasl.oauthbearer.client.id", "sasl.oauthbearer.client.credentials.client.id"),
    ("sasl.oauthbearer.client.secret", "sasl.oauthbearer.client.credentials.client.secret"),
    ("max.in.flight.requests.per.connection", "max.in.flight"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("linger.ms", "queue.buffering.max.ms"),
    ("retries", "message.send.max.retries"),
    ("compression.type", "compression.codec"),
    ("acks", "request.required.acks"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("ssl.key.pem", "ssl_key"),
    ("ssl.certificate.pem", "ssl_certificate"),
    ("ssl.ca.pem", "ssl_ca"),
];

/// Options for every Kafka client, by librdkafka's names; a debug output of them shows no secret.
///
/// ```
/// use ingest::kafka_options::KafkaOptions;
/// let options: KafkaOptions = [("sasl.password", "hush"), ("client.id", "me")].into_iter().collect();
/// assert_eq!(format!("{options:?}"), r#"{"client.id": "me", "sasl.password": "***"}"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KafkaOptions(BTreeMap<String, String>);

/// An option that cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("kafka.{name} cannot be set: {reason}")]
pub struct OptionError {
    /// Name of the option.
    pub name: String,
    /// Why, and what to do instead; without the value where that is secret.
    pub reason: String,
}

impl KafkaOptions {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The value of an option, whichever of its names it was set by.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let name = usual_name(name);
        self.0.iter().find(|(set, _)| usual_name(set) == name).map(|(_, value)| value.as_str())
    }

    /// The same with the secrets replaced.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mask = |name: &String, value: &String| if is_secret(name) { MASK.to_owned() } else { value.clone() };
        Self(self.0.iter().map(|(name, value)| (name.clone(), mask(name, value))).collect())
    }

    /// Looks whether librdkafka knows each option and takes its value, and that none is among those that correctness rests on.
    ///
    /// # Errors
    /// The first that cannot be set.
    pub fn check(&self) -> Result<(), OptionError> {
        let mut seen = BTreeMap::new();
        for (name, value) in &self.0 {
            let refused = |reason: String| Err(OptionError { name: name.clone(), reason });
            if let Some((_, reason)) = OWN.iter().find(|(own, _)| *own == usual_name(name)) {
                return refused((*reason).to_owned());
            }
            if let Some(other) = seen.insert(usual_name(name), name) {
                return refused(format!("it is the same option as kafka.{other}; set one of them"));
            }
            if let Some(reason) = refusal(name, value) {
                return refused(reason);
            }
        }
        Ok(())
    }

    /// Sets the options, over what is set already.
    pub fn apply(&self, client: &mut ClientConfig) {
        // By one name each: the order in which librdkafka is given two names of an option is arbitrary.
        for (name, value) in &self.0 {
            client.set(usual_name(name), value);
        }
    }
}

impl fmt::Debug for KafkaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.masked().0.fmt(f)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for KafkaOptions {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(options: I) -> Self {
        Self(options.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Options as they may stand in a file, by one name each: `security.protocol = "SSL"` without quotes around the name is a table
/// in a table for TOML, and a number or a truth value needs no quotes either.
pub(crate) fn flatten(options: Dict) -> Dict {
    let mut flat = Dict::new();
    for (name, value) in options {
        let tag = value.tag();
        match value {
            Value::Dict(_, inner) => {
                flat.extend(flatten(inner).into_iter().map(|(rest, value)| (format!("{name}.{rest}"), value)));
            }
            Value::Bool(_, value) => drop(flat.insert(name, Value::String(tag, value.to_string()))),
            Value::Num(_, number) => {
                let text = number.to_i128().map(|number| number.to_string());
                let text = text.or_else(|| number.to_f64().map(|number| number.to_string()));
                flat.insert(name, Value::String(tag, text.unwrap_or_default()));
            }
            other => drop(flat.insert(name, other)),
        }
    }
    flat
}

/// Whether an option of librdkafka holds a secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    ["pass", "secret", "token", "jaas", "key.pem", "ssl_key", "oauthbearer.config"]
        .iter()
        .any(|word| name.contains(word))
}

fn usual_name(name: &str) -> &str {
    ALIASES.iter().find(|(_, alias)| *alias == name).map_or(name, |(usual, _)| usual)
}

/// Why librdkafka does not take an option; it says so without a broker.
fn refusal(name: &str, value: &str) -> Option<String> {
    use rdkafka::types::RDKafkaConfRes::{RD_KAFKA_CONF_INVALID, RD_KAFKA_CONF_UNKNOWN};
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => None,
        Err(KafkaError::ClientConfig(RD_KAFKA_CONF_UNKNOWN, said, ..)) => {
            Some(format!("librdkafka does not know it ({said}); {REFERENCE} lists what there is"))
        }
        Err(KafkaError::ClientConfig(RD_KAFKA_CONF_INVALID, said, ..)) if is_secret(name) && said.contains(value) => {
            Some(format!("librdkafka does not take its value; see {REFERENCE}"))
        }
        Err(KafkaError::ClientConfig(_, said, ..)) => Some(format!("{said}; see {REFERENCE}")),
        Err(_) => Some(format!("librdkafka does not take it; see {REFERENCE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(options: &[(&str, &str)]) -> String {
        let options: KafkaOptions = options.iter().copied().collect();
        options.check().unwrap_err().to_string()
    }

    #[test]
    fn what_correctness_rests_on_cannot_be_set() {
        for (name, _) in OWN {
            assert!(problem(&[(name, "true")]).starts_with(&format!("kafka.{name} cannot be set: ")));
        }
        assert!(problem(&[("metadata.broker.list", "host:1")]).contains("`brokers`"));
        assert!(problem(&[("auto.offset.reset", "latest")]).contains("lost_offsets"));
    }

    #[test]
    fn an_option_that_librdkafka_refuses_is_named() {
        let unknown = problem(&[("nonsense", "1")]);
        assert!(unknown.contains("kafka.nonsense") && unknown.contains("does not know it"), "{unknown}");
        let value = problem(&[("security.protocol", "tls")]);
        assert!(value.contains("kafka.security.protocol") && value.contains("tls"), "{value}");
        let build = problem(&[("sasl.oauthbearer.client.secret", "hush")]);
        assert!(build.contains("not supported in this build") && !build.contains("hush"), "{build}");
        // Names of Java clients have an explanation of librdkafka's own.
        let java = problem(&[("ssl.truststore.location", "x")]);
        assert!(java.contains("ssl.ca.location"), "{java}");
        let twice = problem(&[("acks", "all"), ("request.required.acks", "1")]);
        assert!(twice.contains("the same option as kafka.acks"), "{twice}");
    }

    #[test]
    fn options_of_secured_servers_are_built_in() {
        let options: KafkaOptions = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.password", "p@ss"),
            ("ssl.ca.pem", "x"),
            ("ssl.endpoint.identification.algorithm", "https"),
        ]
        .into_iter()
        .collect();
        assert_eq!(options.check(), Ok(()));
        assert_eq!(options.get("sasl.mechanisms"), Some("SCRAM-SHA-512"));
    }

    #[test]
    fn a_secret_that_is_refused_is_not_shown() {
        for name in ["sasl.jaas.config", "ssl_key", "ssl.keystore.password"] {
            let options: KafkaOptions = [(name, "hush")].into_iter().collect();
            assert!(!format!("{options:?}{:?}", options.check()).contains("hush"), "{name}");
        }
        for name in [
            "sasl.password",
            "ssl.key.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.config",
            "sasl.oauthbearer.token.endpoint.url",
        ] {
            assert!(is_secret(name), "{name}");
        }
        assert!(is_secret("sasl.oauthbearer.assertion.private.key.passphrase") && !is_secret("sasl.username"));
    }

    #[test]
    fn one_name_of_an_option_is_set() {
        let options: KafkaOptions =
            [("max.partition.fetch.bytes", "7"), ("sasl.password", "hush")].into_iter().collect();
        let mut client = ClientConfig::new();
        client.set("fetch.message.max.bytes", "1");
        options.apply(&mut client);
        assert_eq!(client.get("fetch.message.max.bytes"), Some("7"));
        assert_eq!(client.get("max.partition.fetch.bytes"), None);
        assert_eq!(client.get("sasl.password"), Some("hush"));
    }
}
