//! Brokers that ask who is there: what works, and what is said where it does not.

use crate::client::{Client, Login};
use crate::servers::PASSWORD;

/// A record goes the whole way, and every command that connects works.
fn goes_the_whole_way(client: &Client) {
    let sent = client.succeed(&["produce", "--json", client.reviews().to_str().unwrap()]);
    let sent: serde_json::Value = serde_json::from_str(&sent).unwrap();
    let counts: serde_json::Value = serde_json::from_str(&client.succeed(&["run", "--until-end"])).unwrap();
    assert!(counts["read"] == sent["records"] && counts["read"] != 0, "{counts} of {sent}");
    let found = client.succeed(&["check"]);
    assert!(!found.contains("FAIL") && found.contains(&client.name), "{found}");
}

#[test]
fn sasl_over_tls_and_a_mongod_with_users() {
    let client = Client::new("secured-scram");
    goes_the_whole_way(&client);
    client.succeed(&["start"]);
    assert!(client.succeed(&["status"]).contains("running"));
    client.succeed(&["stop"]);
    client.succeed(&["audit"]);
    client.succeed(&["rebuild", "reviews_by_month"]);
}

#[test]
fn every_way_in() {
    let mut client = Client::new("secured-ways");
    client.login.kafka = [client.over("SASL_SSL"), client.user("SCRAM-SHA-256", "alice", PASSWORD)].concat();
    goes_the_whole_way(&client);
    let servers = client.servers.kafka;
    let certificate = [
        client.over("SSL"),
        vec![("ssl.certificate.location", client.file("alice.crt")), ("ssl.key.location", client.file("alice.key"))],
    ];
    let ways = [
        (
            "SCRAM",
            servers.sasl,
            [client.over("SASL_PLAINTEXT"), client.user("SCRAM-SHA-256", "alice", PASSWORD)].concat(),
        ),
        ("PLAIN", servers.sasl, [client.over("SASL_PLAINTEXT"), client.user("PLAIN", "alice", PASSWORD)].concat()),
        ("TLS", servers.tls, client.over("SSL")),
        ("a client's certificate", servers.mutual, certificate.concat()),
        ("nothing", servers.plain, Vec::new()),
    ];
    for (way, port, options) in ways {
        (client.login.broker, client.login.kafka) = (port, options);
        let found = client.succeed(&["check"]);
        assert!(!found.contains("FAIL"), "{way}: {found}");
    }
}

/// The sentence with the remedy, from each command that connects.
#[test]
fn what_is_wrong_is_said_with_the_remedy() {
    let client = Client::new("secured-refused");
    let servers = client.servers.kafka;
    let with = |protocol: &str, mechanism: &str, password: &str| {
        [client.over(protocol), client.user(mechanism, "alice", password)].concat()
    };
    let stranger = vec![("security.protocol", "SSL".to_owned()), ("ssl.ca.location", client.file("stranger.pem"))];
    let cases = [
        ("a wrong password", servers.sasl_tls, with("SASL_SSL", "PLAIN", "wrong"), "kafka.sasl.password"),
        ("a wrong password", servers.sasl, with("SASL_PLAINTEXT", "SCRAM-SHA-256", "wrong"), "kafka.sasl.password"),
        (
            "another mechanism",
            servers.sasl_tls,
            with("SASL_SSL", "SCRAM-SHA-512", PASSWORD),
            "one that the broker supports",
        ),
        ("no user", servers.sasl, Vec::new(), "where it wants a user"),
        ("no user, TLS", servers.sasl_tls, client.over("SSL"), "where it wants a user"),
        ("a user for nobody", servers.plain, with("SASL_PLAINTEXT", "PLAIN", PASSWORD), "wants no user"),
        ("no TLS", servers.tls, Vec::new(), "where it speaks TLS on this port"),
        (
            "no TLS, a user",
            servers.sasl_tls,
            with("SASL_PLAINTEXT", "PLAIN", PASSWORD),
            "where it speaks TLS on this port",
        ),
        ("TLS for nobody", servers.plain, client.over("SSL"), "does not speak TLS on this port"),
        (
            "TLS for nobody, a user",
            servers.sasl,
            with("SASL_SSL", "PLAIN", PASSWORD),
            "does not speak TLS on this port",
        ),
        ("an unknown authority", servers.tls, stranger, "kafka.ssl.ca.location"),
        ("another host", servers.elsewhere, client.over("SSL"), "another host name"),
        ("no certificate", servers.mutual, client.over("SSL"), "kafka.ssl.certificate.location"),
    ];
    let login = |(case, broker, kafka, words)| (case, Login { broker, kafka, ..client.login.clone() }, words);
    let file = client.folder.path().join("records.jsonl");
    std::fs::write(&file, "{}\n").unwrap();
    let commands: [&[&str]; 3] = [&["check"], &["run", "--until-end"], &["produce", file.to_str().unwrap()]];
    client.all_say(&cases.map(login), &commands, "is it running");
}

#[test]
fn a_user_without_rights_is_told_which() {
    let mut client = Client::new("secured-rights");
    client.succeed(&["produce", client.reviews().to_str().unwrap()]);
    client.login.kafka = [client.over("SASL_SSL"), client.user("PLAIN", "bob", PASSWORD)].concat();
    for command in [vec!["check"], vec!["run", "--until-end"]] {
        let said = client.fail(&command);
        assert!(said.contains("may not read the topic") && said.contains("Describe"), "{said}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let mut client = Client::new("secured-file");
    client.login.kafka.retain(|(name, _)| *name != "ssl.ca.location");
    client.login.kafka.push(("ssl.ca.location", "/not/there.pem".to_owned()));
    for command in [vec!["check"], vec!["run", "--until-end"]] {
        let said = client.fail(&command);
        assert!(said.contains("ssl.ca.location") && said.contains("[kafka]"), "{said}");
    }
}
