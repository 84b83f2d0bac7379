//! No secret is in any output, log or file of the program's.

use crate::client::{Client, said};
use crate::servers::{PASSWORD, PASSWORD_ENCODED};
use std::path::Path;

const KEY_PASSWORD: &str = "hush-of-a-key";
const CLIENT_SECRET: &str = "hush-of-a-client";
/// In no error either, if the user mistypes something else.
const SECRETS: [&str; 5] = [PASSWORD, PASSWORD_ENCODED, "ss/w", KEY_PASSWORD, CLIENT_SECRET];

fn assert_no_secret(text: &str, place: &str) {
    for secret in SECRETS {
        let at = text.find(secret).map(|at| text[..at].lines().last().unwrap_or_default());
        assert_eq!(at, None, "{secret} is in {place}");
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![(path.display().to_string(), read(&path))] })
        .collect()
}

fn with_all_secrets(test: &str) -> Client {
    let mut client = Client::new(test);
    client.login.kafka.push(("ssl.key.password", KEY_PASSWORD.to_owned()));
    client
}

/// Runs the program with everything that it can log, and looks at what it prints; returns that.
fn look_at(client: &Client, arguments: &[&str]) -> String {
    let output = client.command(arguments).env("RUST_LOG", "trace").output().unwrap();
    let said = said(&output);
    assert_no_secret(&said, &format!("what `ingest {}` says", arguments.join(" ")));
    said
}

#[test]
fn nothing_that_works_shows_one() {
    let mut client = with_all_secrets("secured-secrets");
    client.login.kafka.push(("debug", "all".to_owned()));
    let reviews = client.reviews();
    let shown = look_at(&client, &["config"]);
    assert!(shown.contains("mongodb://***@127.0.0.1") && shown.contains("kafka.sasl.password"), "{shown}");
    let sent = look_at(&client, &["produce", reviews.to_str().unwrap()]);
    assert!(sent.contains("librdkafka") && sent.contains("sent to topic"), "the log of librdkafka is looked at");
    let commands: [&[&str]; 10] = [
        &["config", "--json"],
        &["check"],
        &["run", "--until-end"],
        &["start"],
        &["status"],
        &["status", "--json"],
        &["dead", "list"],
        &["audit"],
        &["logs", "--lines", "100000"],
        &["rebuild", "reviews_by_month"],
    ];
    for command in commands {
        look_at(&client, command);
    }
    assert!(client.succeed(&["status"]).contains("running"));
    let status: serde_json::Value = serde_json::from_str(&client.succeed(&["status", "--json"])).unwrap();
    // What is in the process list of other users.
    if let Ok(command) = std::fs::read_to_string(format!("/proc/{}/cmdline", status["pid"])) {
        assert!(command.contains("--worker-folder"), "{command}");
        assert_no_secret(&command, "the worker's command line");
    }
    look_at(&client, &["stop"]);
    let files = files(&client.state());
    assert!(files.iter().any(|(name, text)| name.ends_with("worker.log") && text.contains("assigned")));
    for (name, text) in files {
        assert_no_secret(&text, &name);
    }
}

#[test]
fn no_error_shows_one() {
    let mut client = with_all_secrets("secured-secrets-errors");
    let (uri, kafka, broker) = (client.login.mongodb.clone(), client.login.kafka.clone(), client.login.broker);
    let raw = uri.replace(PASSWORD_ENCODED, PASSWORD);
    let uris = [
        raw.clone(),
        uri.replace("writer:", "nobody:"),
        uri.replace("127.0.0.1", "127.0.0.1:1,127.0.0.2"),
        format!("mongodb://writer:{KEY_PASSWORD}"),
        raw.replace("mongodb://", ""),
        uri.replace("tls=true", "tls=perhaps"),
        uri.replace("tls=true", "tls=false"),
    ];
    for uri in uris {
        client.login.mongodb = uri;
        for command in [
            vec!["config"],
            vec!["check"],
            vec!["start"],
            vec!["logs"],
            vec!["status"],
            vec!["audit"],
            vec!["dead", "list"],
        ] {
            look_at(&client, &command);
        }
    }
    client.login.mongodb = uri;
    let file = client.folder.path().join("records.jsonl");
    std::fs::write(&file, "{}\n").unwrap();
    let mechanism = |name: &'static str| [client.over("SASL_SSL"), client.user(name, "nobody", PASSWORD)].concat();
    let plain = client.servers.kafka.plain;
    for (port, options) in [(broker, mechanism("PLAIN")), (broker, mechanism("SCRAM-SHA-256")), (plain, kafka.clone())]
    {
        (client.login.broker, client.login.kafka) = (port, options);
        for command in [vec!["check"], vec!["start"], vec!["logs"], vec!["produce", file.to_str().unwrap()]] {
            look_at(&client, &command);
        }
    }
    for (name, text) in files(&client.state()) {
        assert_no_secret(&text, &name);
    }
}

#[test]
fn no_mistake_in_the_configuration_shows_one() {
    let mut client = Client::new("secured-secrets-file");
    let write = |client: &Client, text: &str| std::fs::write(client.folder.path().join("rushes.toml"), text).unwrap();
    client.login.kafka.clear();
    for text in [
        format!("[kafka]\nsasl.password = \"{PASSWORD}\nclient.id = \"x\"\n"),
        format!("mongodb_uri = \"mongodb://u:{PASSWORD}@h/\" x\n"),
        format!("[kafka]\nssl_key = \"{KEY_PASSWORD}\"\n"),
        format!("[kafka]\nsasl.jaas.config = \"password={PASSWORD}\"\n"),
        format!("[kafka]\nsasl.oauthbearer.client.secret = \"{CLIENT_SECRET}\"\n"),
        format!("[kafka]\nsasl.password = [\"{PASSWORD}\"]\n"),
        format!("sasl.password = \"{PASSWORD}\"\n"),
        format!("[kafka]\nnonsense = 1\nsasl.password = \"{PASSWORD}\"\n"),
    ] {
        write(&client, &text);
        for command in [vec!["config"], vec!["check"], vec!["run"]] {
            let said = look_at(&client, &command);
            assert!(said.contains("error: "), "{text}: {said}");
        }
    }
}
