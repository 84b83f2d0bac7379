//! Wrong input gets a clear error and loses nothing.

use crate::support::Pipeline;
use bson::doc;
use std::io::{Read, Write};

fn assert_says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "\"{word}\" is missing in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

/// A port on which nothing listens.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn no_broker() {
    let pipeline = Pipeline::new("no-broker");
    let brokers = format!("127.0.0.1:{}", closed_port());
    let said = pipeline.fail(1, &["run", "--until-end", "--brokers", &brokers]);
    assert_says(&said, &["no Kafka broker answers", &brokers, "stack up"]);
}

#[test]
fn no_mongodb() {
    let pipeline = Pipeline::new("no-mongodb");
    pipeline.produce(&pipeline.reviews(10, 1));
    let uri = format!("mongodb://someone:hush@127.0.0.1:{}/?serverSelectionTimeoutMS=500", closed_port());
    let said = pipeline.fail(1, &["run", "--until-end", "--mongodb-uri", &uri]);
    assert_says(&said, &["cannot reach MongoDB", "stack up", "***"]);
    assert!(!said.contains("hush"), "{said}");
}

/// An address at which every request is answered as a web server answers what it does not understand.
fn web_server() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok_and(|bytes| bytes > 0) {
                let answer = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>";
                // The client may hang up first.
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    address
}

#[test]
fn a_port_that_answers_in_another_protocol() {
    let pipeline = Pipeline::new("web-server");
    pipeline.produce(&pipeline.reviews(10, 1));
    let address = web_server();
    let file = pipeline.write("more.jsonl", "{}\n");
    for command in [&["run", "--until-end"][..], &["produce", file.to_str().unwrap()]] {
        let said = pipeline.fail(1, &[command, &["--brokers", &address]].concat());
        assert_says(&said, &[&address, "web server", "--brokers"]);
        assert!(!said.contains("receive.message.max.bytes"), "{said}");
    }
    let uri = format!("mongodb://{address}/?directConnection=true&serverSelectionTimeoutMS=500");
    let said = pipeline.fail(1, &["run", "--until-end", "--mongodb-uri", &uri]);
    assert_says(&said, &[&address, "no MongoDB server", "connection string"]);
}

#[test]
fn a_mongod_without_replica_set() {
    let pipeline = Pipeline::new("standalone");
    pipeline.produce(&pipeline.reviews(10, 1));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = stack::StackOptions {
        kafka: false,
        replica_set: false,
        reuse_environment: false,
        ..stack::StackOptions::default()
    };
    let alone = runtime.block_on(stack::Stack::start(options)).unwrap();
    let uri = alone.mongodb_uri().unwrap();
    for command in ["run", "check"] {
        let output = pipeline.output(&[command, "--mongodb-uri", uri]);
        assert_eq!(output.status.code(), Some(1));
        let said = format!("{}{}", crate::support::text(&output.stdout), crate::support::text(&output.stderr));
        assert_says(&said, &["without a replica set", "--replSet rs0", "rs.initiate()"]);
    }
    runtime.block_on(alone.stop()).unwrap();
}

#[test]
fn no_topic() {
    let pipeline = Pipeline::new("no-topic");
    assert_says(&pipeline.fail(1, &["run"]), &["is not there", &pipeline.name, "ingest produce"]);
    let findings = String::from_utf8(pipeline.output(&["check"]).stdout).unwrap();
    assert_says(&findings, &["FAIL topic", "ok   mongodb", "ok   transactions"]);
}

#[test]
fn a_schema_that_cannot_be() {
    let pipeline = Pipeline::new("bad-schema");
    for (toml, words) in [
        ("stream = \"x\"", &["id"][..]),
        (
            "stream = \"x\"\nid = [\"a\"]\nevent_time = \"t\"\n[fields]\na = { type = \"text\" }\nt = { type = \"date\" }",
            &["fields.a", "text", "string", "timestamp"],
        ),
        (
            "stream = \"x\"\nid = [\"b\"]\nevent_time = \"t\"\n[fields]\na = { type = \"int\" }\nt = { type = \"date\" }",
            &["id", "no field \"b\"", "a, t"],
        ),
        (
            "stream = \"x\"\nid = [\"a\"]\nevent_time = \"t\"\n[fields]\na = { type = \"int\", formatt = \"y\" }\nt = { type = \"date\" }",
            &["fields.a", "formatt"],
        ),
        (
            "stream = \"x\"\nid = [\"a\"]\nevent_time = \"t\"\n[fields]\na = { type = \"int\" }\nt = { type = \"date\" }\n[[rollups]]\nname = \"r\"\nwindow = \"decade\"",
            &["rollups.r", "decade", "ten_day"],
        ),
    ] {
        let path = pipeline.write("bad.toml", toml);
        let said = pipeline.fail(2, &["run", "--schema", path.to_str().unwrap()]);
        assert_says(&said, words);
        assert_says(&said, &["bad.toml"]);
    }
    assert_says(&pipeline.fail(2, &["run", "--schema", "nowhere.toml"]), &["nowhere.toml", "imdb-review"]);
    assert_says(&pipeline.fail(2, &["run", "--set", "lanes=none"]), &["lanes"]);
}

#[test]
fn what_cannot_be_used_is_kept_whole() {
    let pipeline = Pipeline::new("dead");
    let lines = "{\"review_id\": \"a\", \"movie\": \"Up (2009)\", \"rating\": 11, \"review_date\": \"1 May 2009\"}\n[1]\n\"x\"\n";
    pipeline.produce(&pipeline.write("bad.jsonl", lines));
    let counts = pipeline.drain(&["--allow-dead"]);
    assert_eq!((counts.read, counts.dead), (3, 3));
    let letters = pipeline.documents("dead_letters", doc! { "reason": "out_of_range" });
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(letter.get_str("message").unwrap(), "rating is 11, outside the range 1 to 10");
    assert_eq!(letter.get_binary_generic("payload").unwrap(), lines.lines().next().unwrap().as_bytes());
    assert_eq!(letter.get_binary_generic("key").unwrap(), b"Up (2009)");
    assert_eq!(letter.get_str("topic").unwrap(), pipeline.name);
    assert_eq!(pipeline.count("dead_letters", doc! { "reason": "not_object" }), 2);
}

#[test]
fn a_topic_that_does_not_fit_the_schema_stops_the_run() {
    let pipeline = Pipeline::new("breaker");
    let line = "{\"id\": 1, \"text\": \"not a review\"}\n";
    let lines = pipeline.write("other.jsonl", &line.repeat(5_000));
    pipeline.succeed(&["produce", "--partitions", "1", lines.to_str().unwrap()]);
    let said = pipeline.fail(1, &["run", "--until-end"]);
    let words =
        ["1000 records in a row cannot be used", "review_id has no value", "ingest dead list", "ingest dead replay"];
    assert_says(&said, &words);
    let before = pipeline.stored_counts();
    assert!(before.dead < 1_000, "not the whole topic went to the dead letters: {before:?}");
    let counts = pipeline.drain(&["--allow-dead", "--set", "dead_in_a_row=0", "--set", "dead_ratio=1"]);
    assert_eq!(before.dead + counts.dead, 5_000, "nothing was lost");
}

#[test]
fn a_topic_of_which_most_does_not_fit_stops_the_run() {
    let pipeline = Pipeline::new("breaker-ratio");
    let records = (0..3_000).map(|record| match record % 3 {
        0 => format!("{{\"review_id\": \"r{record}\", \"movie\": \"Up (2009)\", \"review_date\": \"1 May 2009\"}}\n"),
        _ => "{\"movie\": \"Up (2009)\"}\n".to_owned(),
    });
    let lines = pipeline.write("mixed.jsonl", &records.collect::<String>());
    pipeline.succeed(&["produce", "--partitions", "1", lines.to_str().unwrap()]);
    let said = pipeline.fail(1, &["run", "--until-end", "--set", "batch_records=100"]);
    assert_says(&said, &["of 1000 records cannot be used", "ingest dead list", "dead_ratio"]);
    let before = pipeline.stored_counts();
    assert!(before.add_up() && before.dead > 0, "what was stored before it tripped stays: {before:?}");
    let counts = pipeline.drain(&["--set", "dead_ratio=0.7"]);
    assert_eq!(before.read + counts.read, 3_000, "nothing was lost");
    pipeline.assert_audit();
}

#[test]
fn a_position_that_the_topic_does_not_have() {
    let pipeline = Pipeline::new("lost");
    pipeline.produce(&pipeline.reviews(50, 1));
    pipeline.drain(&[]);
    pipeline.update("offsets", doc! {}, doc! { "$inc": { "next": 1_000_i64 } });
    assert_says(&pipeline.fail(1, &["run", "--until-end"]), &["stored position", "made again"]);
}

#[test]
fn configuration_shows_where_values_come_from() {
    let pipeline = Pipeline::new("config");
    pipeline.write("rushes.toml", "lanes = 2\n[kafka]\n\"sasl.password\" = \"hush\"\n");
    let shown = pipeline.succeed(&["config", "--mongodb-uri", "mongodb://me:p@ss@host/"]);
    assert_says(&shown, &["rushes.toml", "RUSHES_TOPIC", "KAFKA_BROKERS", "flag", "default", "mongodb://***@host/"]);
    assert!(!shown.contains("hush") && !shown.contains("p@ss"), "{shown}");
}
