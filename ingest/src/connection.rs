//! Why a Kafka client has no connection, as a person reads it.
//!
//! librdkafka tells that to its client's context alone, some of it only in its log; whoever asked the client for something sees a
//! time-out. What it says is sorted by its words, because its codes do not tell a wrong protocol from a broker that is down.

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a broker is waited for at first, and again. Between two looks it is seen whether it has refused this client.
pub(crate) const LOOKS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];
/// How long a client is listened to after a question of it has failed.
const LISTEN: Duration = Duration::from_millis(200);
const POLL: Duration = Duration::from_millis(20);
/// How long a broker's certificate is looked at once more.
const SECOND_LOOK: Duration = Duration::from_secs(3);
/// Facility of librdkafka's log lines about connections that failed.
const FAILURES: &str = "FAIL";

/// What kind of trouble it is, by who must change what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The broker does not take user and password.
    Credentials,
    /// The broker does not know the mechanism.
    Mechanism,
    /// The broker hangs up when it is asked something, as one does that wants a user.
    SaslWanted,
    /// A user is configured where the broker wants none.
    NoSasl,
    /// The broker hangs up at the first word, as one does that speaks TLS on this port.
    TlsWanted,
    /// The client speaks TLS, the broker does not on this port.
    NoTls,
    /// The broker's certificate is not accepted.
    Certificate,
    /// The broker's certificate is of a known authority, but for another name.
    HostName,
    /// The broker wants a certificate of the client.
    ClientCertificate,
    /// Another trouble of TLS.
    Tls,
    /// It answers, but as a web server does.
    Http,
    /// It answers in another protocol, or takes the connection and says nothing.
    NotKafka,
    /// Nobody listens, or the network is cut: it may come back by itself.
    Away,
}

impl Kind {
    fn of(said: &str, code: Option<RDKafkaErrorCode>) -> Self {
        let has = |word: &str| said.contains(word);
        // What is said begins with the protocol, except the plain one: `sasl_ssl://host:port/bootstrap: …`.
        let (is_tls, is_sasl) = (said.starts_with("ssl:") || said.starts_with("sasl_ssl:"), said.starts_with("sasl_"));
        if let Some(kind) = Self::of_first_answer(said) {
            return kind;
        }
        let hung_up = ["Disconnected", "Broken pipe", "reset by peer"].into_iter().any(has);
        match code {
            _ if has("Unsupported SASL mechanism") => Self::Mechanism,
            _ if has("not valid in current SASL state") || has("handshake not supported") => Self::NoSasl,
            Some(RDKafkaErrorCode::Authentication) => Self::Credentials,
            _ if has("connecting to a PLAINTEXT broker") || has("wrong version number") => Self::NoTls,
            _ if has("certificate could not be verified") || has("Failed to verify broker certificate") => {
                Self::Certificate
            }
            _ if has("alert bad certificate") || has("certificate required") => Self::ClientCertificate,
            _ if hung_up && !is_tls && has("in state APIVERSION_QUERY") => Self::TlsWanted,
            _ if hung_up && !is_sasl && is_young(said) => Self::SaslWanted,
            _ if has("ApiVersionRequest failed") && has("Timed out") => Self::NotKafka,
            Some(RDKafkaErrorCode::SSL) => Self::Tls,
            _ => Self::Away,
        }
    }

    /// Of the answer to the first request: librdkafka takes its first four bytes for a length.
    fn of_first_answer(said: &str) -> Option<Self> {
        let (_, length) =
            said.split_once("Invalid response size ").filter(|_| said.contains("in state APIVERSION_QUERY"))?;
        let length: i32 = length.split(' ').next()?.parse().ok()?;
        Some(match length.to_be_bytes() {
            [b'H', b'T', b'T', b'P'] => Self::Http,
            // A TLS record with an alert or a handshake.
            [0x15 | 0x16, 3, ..] => Self::TlsWanted,
            _ => Self::NotKafka,
        })
    }

    /// How sure it is that waiting does not help: a broker that is being stopped hangs up, too.
    fn weight(self) -> u8 {
        match self {
            Self::Away => 0,
            Self::SaslWanted | Self::TlsWanted | Self::NotKafka => 1,
            _ => 2,
        }
    }

    /// What to do, beginning with the word that follows a semicolon.
    fn remedy(self) -> &'static str {
        match self {
            Self::Credentials => {
                "the broker refuses the user: check kafka.sasl.username, kafka.sasl.password and kafka.sasl.mechanism"
            }
            Self::Mechanism => "set kafka.sasl.mechanism to one that the broker supports",
            Self::SaslWanted => {
                "the broker hung up: where it wants a user, set kafka.security.protocol to SASL_SSL (or SASL_PLAINTEXT), and kafka.sasl.mechanism, \
                 kafka.sasl.username and kafka.sasl.password"
            }
            Self::NoSasl => {
                "the broker wants no user on this port: set kafka.security.protocol to SSL or PLAINTEXT, or use another port"
            }
            Self::TlsWanted => {
                "the broker hung up: where it speaks TLS on this port, set kafka.security.protocol to SSL, or to SASL_SSL with a user"
            }
            Self::NoTls => {
                "the broker does not speak TLS on this port: use the port of its TLS listener, or set kafka.security.protocol to \
                 PLAINTEXT or SASL_PLAINTEXT"
            }
            Self::Certificate => {
                "the broker's certificate is not signed by an authority that is known here: set kafka.ssl.ca.location to the file with \
                 the authority's certificate"
            }
            Self::HostName => {
                "the broker's certificate is for another host name: write the name that is in it into `brokers`, and into the broker's \
                 advertised.listeners, or have a certificate made for this one"
            }
            Self::ClientCertificate => {
                "the broker wants a certificate of its clients: set kafka.ssl.certificate.location and kafka.ssl.key.location"
            }
            Self::Tls => "check kafka.security.protocol and the options kafka.ssl.*",
            Self::Http => {
                "a web server answers at this address (HTTP), no Kafka broker: write the address of a broker's listener into `brokers` \
                 (--brokers)"
            }
            Self::NotKafka => {
                "what listens at this address does not answer as a Kafka broker does: write the address of a broker's listener into \
                 `brokers` (--brokers)"
            }
            Self::Away => "is it running? `stack up` starts one",
        }
    }
}

/// Whether a connection failed within two seconds of being made: later it is the broker's or the network's affair.
fn is_young(said: &str) -> bool {
    let age = said.split_once("(after ").and_then(|(_, rest)| rest.split_once("ms in state UP"));
    age.is_some_and(|(age, _)| age.parse::<u32>().is_ok_and(|age| age < 2_000))
}

/// What to do where an address does not answer that a broker has told its clients.
const NOT_AS_ADVERTISED: &str = "is that broker running? Its address is the one that the brokers tell their clients: where it cannot be reached \
                                 from here, correct `advertised.listeners` of the broker";

/// Whether it is said of an address that a broker has told, which has the broker's number: `host:port/1: …`, not `host:port/bootstrap: …`.
fn is_advertised(said: &str) -> bool {
    let name = said.split_once(": ").map_or(said, |(name, _)| name);
    name.rsplit_once('/').is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

#[derive(Debug, Clone)]
struct Trouble {
    kind: Kind,
    said: String,
}

/// What a client last said about its connections; the context of a client, or a part of it.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    last: Mutex<Option<Trouble>>,
}

impl Connection {
    /// Takes note of an error of the client.
    pub(crate) fn note(&self, error: &KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        // "All brokers are down" follows the error that says why, and would hide it.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.keep(Trouble { kind: Kind::of(reason, error.rdkafka_error_code()), said: reason.to_owned() });
        }
    }

    /// Takes note of a line of the client's log: a broker that hangs up is no error for librdkafka.
    pub(crate) fn note_log(&self, facility: &str, line: &str) {
        if facility == FAILURES {
            // Without the name of the thread.
            let said = line.split_once("]: ").map_or(line, |(_, said)| said);
            self.keep(Trouble { kind: Kind::of(said, None), said: said.to_owned() });
        }
    }

    /// What is surer is not replaced by what is less so: while a client tries again, its log is full of the latter.
    fn keep(&self, trouble: Trouble) {
        let mut last = self.last();
        if last.as_ref().is_none_or(|last| trouble.kind.weight() >= last.kind.weight()) {
            *last = Some(trouble);
        }
    }

    /// Forgets what was said before.
    pub(crate) fn clear(&self) {
        *self.last() = None;
    }

    /// Whether waiting does not help.
    pub(crate) fn is_refused(&self) -> bool {
        self.last().as_ref().is_some_and(|trouble| trouble.kind.weight() == 2)
    }

    /// What was said last.
    pub(crate) fn said(&self) -> Option<String> {
        self.last().as_ref().map(|trouble| trouble.said.clone())
    }

    /// What was said last, with what to do; `otherwise` where nothing was.
    pub(crate) fn explain(&self, otherwise: &dyn std::fmt::Display) -> String {
        let last = self.last().clone();
        let last = last.unwrap_or_else(|| Trouble { kind: Kind::Away, said: otherwise.to_string() });
        let remedy = match last.kind {
            Kind::Away if is_advertised(&last.said) => NOT_AS_ADVERTISED,
            kind => kind.remedy(),
        };
        let said = match last.kind {
            // The rest advises what does not help.
            Kind::Http | Kind::NotKafka => last.said.split(": ").next().unwrap_or_default(),
            _ => &last.said,
        };
        format!("{said}; {remedy}")
    }

    /// Tells a certificate of an unknown authority from one for another host name, which librdkafka does not: connects once more
    /// without comparing the name. No user is named to that broker, whoever it is.
    pub(crate) fn look_closer(&self, client: &ClientConfig) {
        if self.last().as_ref().is_none_or(|trouble| trouble.kind != Kind::Certificate) {
            return;
        }
        let mut nameless = client.clone();
        nameless.set("security.protocol", "SSL").set("ssl.endpoint.identification.algorithm", "none");
        let Ok(consumer) = nameless.create_with_context::<_, BaseConsumer<Self>>(Self::default()) else { return };
        let _ = consumer.fetch_metadata(None, SECOND_LOOK);
        listen(&consumer);
        let is_certificate = |connection: &Self| {
            let last = connection.last();
            last.as_ref().is_some_and(|trouble| trouble.kind == Kind::Certificate)
        };
        if !is_certificate(consumer.context())
            && let Some(trouble) = self.last().as_mut()
        {
            trouble.kind = Kind::HostName;
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<Trouble>> {
        // The value is replaced as a whole, so a panic elsewhere leaves it consistent.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets a client that is not polled otherwise tell its errors.
pub(crate) fn listen<C: ConsumerContext>(consumer: &BaseConsumer<C>) {
    let deadline = Instant::now() + LISTEN;
    while Instant::now() < deadline {
        // Errors arrive at the context, too.
        let _ = consumer.poll(POLL);
    }
}

impl ClientContext for Connection {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", facility, "{message}");
        self.note_log(facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(&error, reason);
    }
}

impl ConsumerContext for Connection {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_hangs_up_is_asked_for_in_vain() {
        let kind = |said: &str| Kind::of(said, None);
        let disconnected = "Disconnected: connection closed by peer: receive 0 after POLLIN";
        assert_eq!(
            kind(&format!("h:1/bootstrap: {disconnected} (after 0ms in state APIVERSION_QUERY)")),
            Kind::TlsWanted
        );
        assert_eq!(kind(&format!("h:1/bootstrap: {disconnected} (after 7ms in state UP)")), Kind::SaslWanted);
        assert_eq!(kind("ssl://h:1/bootstrap: Send failed: Broken pipe (after 2ms in state UP)"), Kind::SaslWanted);
        // A broker that was there for a while has gone; one that knows the user wants no other.
        assert_eq!(kind(&format!("h:1/1: {disconnected} (after 60012ms in state UP)")), Kind::Away);
        assert_eq!(kind(&format!("sasl_ssl://h:1/1: {disconnected} (after 7ms in state UP)")), Kind::Away);
        assert_eq!(kind("ssl://h:1/1: Disconnected (after 7ms in state APIVERSION_QUERY)"), Kind::Away);
    }

    #[test]
    fn what_answers_in_another_protocol_is_no_broker() {
        for (length, kind) in [
            (u32::from_be_bytes(*b"HTTP"), Kind::Http),
            (u32::from_be_bytes(*b"SSH-"), Kind::NotKafka),
            (u32::from_be_bytes(*b"220 "), Kind::NotKafka),
            (0x1503_0300, Kind::TlsWanted),
            (0x1603_0100, Kind::TlsWanted),
        ] {
            let said = format!(
                "h:1/bootstrap: Receive failed: Invalid response size {length} (0..100000000): increase receive.message.max.bytes"
            );
            let first = format!("{said} (after 8ms in state APIVERSION_QUERY)");
            assert_eq!(Kind::of(&first, Some(RDKafkaErrorCode::BadMessage)), kind, "{length:x}");
            assert_eq!(
                Kind::of(&format!("{said} (after 8ms in state UP)"), None),
                Kind::Away,
                "a broker's large answer"
            );
        }
        let silent = "h:1/bootstrap: ApiVersionRequest failed: Local: Timed out: probably due to broker version < 0.10 (see \
                      api.version.request configuration) (after 10037ms in state APIVERSION_QUERY)";
        assert_eq!(Kind::of(silent, None), Kind::NotKafka);
    }

    #[test]
    fn an_address_that_a_broker_has_told_is_named_as_such() {
        for (said, is_told) in [
            ("h:1/1: Connect to ipv4#10.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)", true),
            ("sasl_ssl://h:1/27: Connection setup timed out in state CONNECT (after 30028ms in state CONNECT)", true),
            ("other:1/1: Failed to resolve 'other:1': Name or service not known", true),
            ("h:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused", false),
        ] {
            let connection = Connection::default();
            connection.note_log("FAIL", &format!("[thrd:{said}]: {said}"));
            assert_eq!(connection.explain(&"").contains("advertised.listeners"), is_told, "{said}");
        }
    }

    #[test]
    fn what_waiting_does_not_cure_stays_in_view() {
        let connection = Connection::default();
        assert!(connection.explain(&"timed out").starts_with("timed out; is it running?"));
        connection
            .note_log("FAIL", "[thrd:a]: a:1/bootstrap: Connect to ipv4#a:1 failed: Connection refused (after 0ms)");
        assert!(!connection.is_refused());
        assert!(connection.explain(&"timed out").starts_with("a:1/bootstrap: Connect to"));
        let refused = KafkaError::Global(RDKafkaErrorCode::Authentication);
        connection.note(&refused, "a:1/bootstrap: SASL authentication error: Authentication failed");
        connection.note(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        connection.note_log("FAIL", "[thrd:a]: a:1/bootstrap: Disconnected (after 3ms)");
        assert!(connection.is_refused() && connection.explain(&"").contains("kafka.sasl.password"));
        connection.clear();
        assert!(!connection.is_refused());
    }
}
