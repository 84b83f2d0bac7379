//! Dead letters: looking at them, and settling them once the schema can use them (invariants I2, I4, I5 and I6 hold throughout).

use crate::kafka;
use crate::support::{Pipeline, text, wait_until};
use bson::doc;
use ingest::store::Counts;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

/// Dates as `2020-01-31` alone: the producer of the other half of the records writes them as `31.01.2020`.
const SCHEMA: &str = r#"
stream = "orders"
id = ["id"]
event_time = "at"
allowed_lateness = "0s"
filter = [{ field = "at", at_least = "2020-01-01" }, { field = "amount", below = 100 }]

[fields]
id     = { type = "string" }
at     = { type = "date", formats = ["%Y-%m-%d"] }
amount = { type = "int" }

[[rollups]]
name = "orders_by_day"
window = "day"
measures = ["amount"]
"#;
/// However many letters there are, the run goes on.
const TOLERANT: [&str; 4] = ["--set", "dead_in_a_row=0", "--set", "dead_ratio=1"];

/// The schema that can read both kinds of dates.
fn corrected(pipeline: &Pipeline) -> PathBuf {
    pipeline.write("corrected.toml", &SCHEMA.replace(r#"["%Y-%m-%d"]"#, r#"["%Y-%m-%d", "%d.%m.%Y"]"#))
}

fn replay(pipeline: &Pipeline, options: &[&str]) -> Value {
    replay_that_ends(pipeline, 0, options)
}

fn replay_that_ends(pipeline: &Pipeline, code: i32, options: &[&str]) -> Value {
    let schema = corrected(pipeline);
    let command = ["dead", "replay", "--json", "--schema", schema.to_str().unwrap()];
    pipeline.json_of(code, &[&command, options].concat())
}

/// Orders of which every second one has a date that only the corrected schema can read; ids repeat after `ids`.
fn orders(count: usize, ids: usize) -> String {
    (0..count).fold(String::new(), |mut lines, order| {
        let day = order % 28 + 1;
        let at = if order % 2 == 0 { format!("2020-01-{day:02}") } else { format!("{day:02}.01.2020") };
        writeln!(lines, r#"{{"id": "{}", "at": "{at}", "amount": {}}}"#, order % ids, order % 50).unwrap();
        lines
    })
}

fn stored(pipeline: &Pipeline) -> Counts {
    let counts = pipeline.stored_counts();
    assert!(counts.add_up(), "{counts:?}");
    assert_eq!(pipeline.count("events", doc! {}), u64::try_from(counts.stored).unwrap());
    assert_eq!(
        pipeline.count("dead_letters", doc! { "settled": null }),
        u64::try_from(counts.dead).unwrap(),
        "the letters that are open are those that are counted as dead"
    );
    counts
}

#[test]
fn a_corrected_schema_settles_what_it_can_use() {
    let pipeline = Pipeline::with_schema("replay", SCHEMA);
    let lines = r#"{"id": "a", "at": "2020-01-10", "amount": 1}
{"id": "b", "at": "02.01.2020", "amount": 2}
{"id": "a", "at": "03.01.2020", "amount": 3}
{"id": "c", "at": "04.01.1999", "amount": 4}
{"id": "d", "at": "05.01.2020", "amount": "many"}
[1]
"#;
    let file = pipeline.write("orders.jsonl", lines);
    pipeline.succeed(&["produce", "--partitions", "1", file.to_str().unwrap()]);
    assert_eq!(pipeline.drain(&["--allow-dead"]).dead, 5);
    let next = pipeline.documents("offsets", doc! {})[0].get_i64("next").unwrap();

    let unchanged = pipeline.json_of(1, &["dead", "replay", "--json"]);
    assert_eq!(unchanged["still_dead"], 5, "the schema that refused them refuses them again: {unchanged}");
    let report = replay(&pipeline, &[]);
    assert_eq!(
        report,
        json!({ "replayed": 5, "stored": 1, "duplicate": 1, "duplicate_changed": 1, "filtered": 1, "late": 1, "set_aside": 0, "still_dead": 2 })
    );
    assert_eq!(
        stored(&pipeline),
        Counts { read: 6, stored: 2, duplicate: 1, duplicate_changed: 1, filtered: 1, dead: 2, late: 1, set_aside: 0 },
        "the counts moved from dead to what the records became"
    );
    let position = &pipeline.documents("offsets", doc! {})[0];
    assert_eq!(position.get_i64("next").unwrap(), next, "a replay moves no position");
    assert_eq!(position.get_datetime("clock").unwrap().try_to_rfc3339_string().unwrap(), "2020-01-10T00:00:00Z");
    let event = &pipeline.documents("events", doc! { "_id": "b" })[0];
    assert_eq!(event.get_document("src").unwrap().get_i64("offset").unwrap(), 1, "it keeps its place in Kafka");
    // No worker ran: the replay has published what it changed.
    assert_eq!(pipeline.documents("orders_by_day", doc! { "late": 1_i64, "amount_sum": 2_i64 }).len(), 1);
    pipeline.assert_audit();

    let listed = pipeline.json(&["dead", "list", "--json"]);
    let outcomes: Vec<&Value> =
        listed["letters"].as_array().unwrap().iter().map(|letter| &letter["settled"]["outcome"]).collect();
    assert_eq!(json!(outcomes), json!(["stored", "duplicate", "filtered", null, null]));
    assert_eq!(listed["letters"][3]["reason"], "wrong_type");
    assert_eq!(
        listed["letters"][3]["message"], "amount is \"many\", not an int",
        "what is wrong is renewed: the first schema did not come beyond the date"
    );
    let again = replay_that_ends(&pipeline, 1, &[]);
    assert_eq!((&again["replayed"], &again["still_dead"]), (&json!(2), &json!(2)), "what is settled stays as it is");
    assert_eq!(stored(&pipeline).stored, 2);
}

#[test]
fn letters_are_listed_shown_and_exported() {
    let pipeline = Pipeline::with_schema("letters", SCHEMA);
    let file = pipeline.write("orders.jsonl", "{\"id\": \"a\", \"at\": \"1 May\", \"amount\": 1}\n");
    pipeline.succeed(&["produce", "--partitions", "2", file.to_str().unwrap()]);
    kafka::send(&pipeline, 0, Some(b"\xff\xfe\x00{"), &[("trace", Some(b"t-1")), ("empty", None)]);
    kafka::send(&pipeline, 1, None, &[]);
    kafka::send(&pipeline, 1, Some("{\"id\": \"\u{1b}[2Jb\", \"at\": \"never\", \"amount\": 1}".as_bytes()), &[]);
    assert_eq!(pipeline.drain(&["--allow-dead"]).dead, 4);

    let listed = pipeline.succeed(&["dead", "list"]);
    for words in
        ["4 open dead letters, 0 settled", "not_json", "null_payload", "no_event_time", "the record has no payload"]
    {
        assert!(listed.contains(words), "{words}: {listed}");
    }
    let some = pipeline.json(&["dead", "list", "--json", "--partition", "1", "--reason", "null_payload"]);
    assert_eq!(some["counts"], json!([{ "reason": "null_payload", "open": 1, "settled": 0 }]));
    assert_eq!((&some["letters"][0]["payload"], &some["letters"][0]["partition"]), (&Value::Null, &json!(1)));
    let limited = pipeline.json(&["dead", "list", "--json", "--limit", "1"]);
    assert_eq!(limited["letters"].as_array().unwrap().len(), 1);
    for (option, letters) in [("--from", 0), ("--to", 4)] {
        let listed = pipeline.json(&["dead", "list", "--json", option, "2999-01-01"]);
        assert_eq!(listed["letters"].as_array().unwrap().len(), letters, "{option}");
    }

    let other = pipeline.json(&["dead", "list", "--json", "--group", "another"]);
    assert_eq!(other["elsewhere"], json!([{ "topic": pipeline.name, "group": pipeline.name, "letters": 4 }]));
    assert_eq!(pipeline.json(&["dead", "list", "--json"])["elsewhere"], json!([]));
    assert!(pipeline.succeed(&["dead", "list", "--group", "another"]).contains(&format!("--group {}", pipeline.name)));

    let exported = pipeline.folder.path().join("letters.jsonl");
    pipeline.succeed(&["dead", "export", exported.to_str().unwrap()]);
    let lines = std::fs::read_to_string(&exported).unwrap();
    assert_eq!(lines, pipeline.succeed(&["dead", "export", "-"]));
    let letters: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(letters.len(), 4);
    let binary = letters.iter().find(|letter| letter.get("payload_base64").is_some()).unwrap();
    assert_eq!((&binary["payload_base64"], &binary["payload"]), (&json!("//4Aew=="), &Value::Null));
    assert_eq!(binary["headers"], json!([{ "name": "trace", "value": "t-1" }, { "name": "empty", "value": null }]));
    assert_eq!(
        (&binary["key"], &binary["stage"], &binary["group"]),
        (&json!("k"), &json!("decode"), &json!(pipeline.name))
    );
    assert_eq!(binary["schema_version"].as_str().unwrap().len(), 16);

    let id = binary["id"].as_str().unwrap();
    let shown = pipeline.succeed(&["dead", "show", id]);
    for words in ["not_json: the record is not JSON", "header trace: 3 bytes", "4 bytes, not UTF-8", "ff fe 00 7b"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let short = id.strip_prefix(&format!("{}/", pipeline.name)).unwrap();
    assert_eq!(pipeline.output(&["dead", "show", short, "--payload"]).stdout, b"\xff\xfe\x00{");
    let controls = letters.iter().find(|letter| letter["payload"].as_str().is_some_and(|text| text.contains('\u{1b}')));
    let escaped = pipeline.succeed(&["dead", "show", controls.unwrap()["id"].as_str().unwrap()]);
    assert!(
        !escaped.contains('\u{1b}') && escaped.contains("\\u{1b}[2Jb"),
        "a terminal does not obey a record: {escaped}"
    );
    assert!(pipeline.fail(1, &["dead", "show", "9/9"]).contains("ingest dead list"));
    assert!(pipeline.fail(2, &["dead", "list", "--reason", "bad"]).contains("not_json"));
}

#[test]
fn a_list_does_not_read_what_it_does_not_show() {
    const BYTES: usize = 500_000;
    let pipeline = Pipeline::with_schema("list", SCHEMA);
    let line = format!("{{\"at\": \"2020-01-10\", \"amount\": 1, \"large\": \"{}\"}}\n", "x".repeat(BYTES));
    pipeline.succeed(&["produce", "--partitions", "1", pipeline.write("large.jsonl", &line).to_str().unwrap()]);
    assert_eq!(pipeline.drain(&["--allow-dead"]).dead, 1);
    pipeline.command_of_server(doc! { "profile": 2 });
    let sent = || {
        let finds = doc! { "op": "query", "ns": format!("{}.dead_letters", pipeline.name) };
        let finds = pipeline.documents("system.profile", finds);
        finds.iter().map(|find| find.get_i32("responseLength").unwrap()).sum::<i32>()
    };
    assert!(pipeline.succeed(&["dead", "list"]).contains("missing_id"));
    let listed = sent();
    assert!(listed > 0 && listed < 10_000, "the server has sent {listed} bytes");
    pipeline.json(&["dead", "list", "--json"]);
    assert!(usize::try_from(sent()).unwrap() > BYTES, "what is shown is read");
    pipeline.command_of_server(doc! { "profile": 0 });
}

#[test]
fn only_the_chosen_letters_are_replayed() {
    let pipeline = Pipeline::with_schema("replay-some", SCHEMA);
    pipeline.produce(&pipeline.write("orders.jsonl", &orders(200, 200)));
    assert_eq!(pipeline.drain(&[]).dead, 100);
    let in_first = pipeline.count("dead_letters", doc! { "partition": 0 });
    assert_eq!(replay(&pipeline, &["--reason", "not_json"])["replayed"], 0);
    assert_eq!(replay(&pipeline, &["--partition", "0"])["stored"], in_first);
    assert_eq!(u64::try_from(stored(&pipeline).dead).unwrap(), 100 - in_first);
    pipeline.assert_audit();
}

#[test]
fn a_replay_beside_a_worker_and_another_replay_settles_each_letter_once() {
    const ORDERS: usize = 12_000;
    let pipeline = Pipeline::with_schema("replay-beside", SCHEMA);
    let schema = corrected(&pipeline);
    pipeline.produce(&pipeline.write("orders.jsonl", &orders(ORDERS, ORDERS / 3)));
    let small_batches = ["--until-end", "--set", "batch_records=50"];
    let worker = pipeline.worker(&[&small_batches[..], &TOLERANT].concat());
    pipeline.wait_until_read(500);
    // While the worker stores letters and events, two replays at a time settle what is there.
    let mut beside = 0;
    while stored_by_worker(&pipeline) < i64::try_from(ORDERS).unwrap() {
        let command = ["dead", "replay", "--json", "--schema", schema.to_str().unwrap()];
        let replays = [0, 1].map(|_| pipeline.command(&command).stdout(Stdio::piped()).spawn().unwrap());
        for replay in replays {
            let output = replay.wait_with_output().unwrap();
            assert!(output.status.success());
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            beside += report["stored"].as_i64().unwrap() + report["duplicate"].as_i64().unwrap();
            assert_eq!(report["still_dead"], 0);
        }
    }
    assert_eq!(worker.finish().read, i64::try_from(ORDERS).unwrap());
    let rest = replay(&pipeline, &[]);
    assert!(beside > 0, "letters were settled while the worker was reading");
    assert_eq!(beside + rest["replayed"].as_i64().unwrap(), i64::try_from(ORDERS / 2).unwrap());
    let all = stored(&pipeline);
    assert_eq!((all.read, all.stored, all.dead), (12_000, 4_000, 0));
    pipeline.assert_audit();
}

fn stored_by_worker(pipeline: &Pipeline) -> i64 {
    pipeline.stored_counts().read
}

#[test]
fn a_killed_replay_is_begun_again() {
    const ORDERS: usize = 10_000;
    let pipeline = Pipeline::with_schema("replay-killed", SCHEMA);
    let schema = corrected(&pipeline);
    pipeline.produce(&pipeline.write("orders.jsonl", &orders(ORDERS, ORDERS)));
    assert_eq!(pipeline.drain(&TOLERANT).dead, 5_000);
    for _ in 0..3 {
        let before = pipeline.count("dead_letters", doc! { "settled": null });
        let command = ["dead", "replay", "--schema", schema.to_str().unwrap()];
        let mut replay = pipeline.command(&command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("a batch of letters is settled", || {
            pipeline.count("dead_letters", doc! { "settled": null }) < before
        });
        replay.kill().unwrap();
        replay.wait().unwrap();
        let now = stored(&pipeline);
        assert_eq!(now.read, 10_000);
        assert_eq!(now.dead % 500, 0, "a batch of letters is settled as a whole or not at all");
    }
    assert!(stored(&pipeline).dead > 0, "the kills came while there was work");
    assert_eq!(replay(&pipeline, &[])["still_dead"], 0);
    assert_eq!(stored(&pipeline), Counts { read: 10_000, stored: 10_000, ..stored(&pipeline) });
    pipeline.assert_audit();
}

#[test]
fn a_replay_with_other_rollups_or_during_a_rebuild_says_so() {
    let pipeline = Pipeline::with_schema("replay-refused", SCHEMA);
    pipeline.produce(&pipeline.write("orders.jsonl", &orders(10, 10)));
    pipeline.drain(&[]);
    let more = format!("{SCHEMA}\n[[rollups]]\nname = \"by_week\"\nwindow = \"week\"\n");
    let more = pipeline.write("more.toml", &more);
    let said = pipeline.fail(2, &["dead", "replay", "--schema", more.to_str().unwrap()]);
    assert!(said.contains("run `ingest run` with this schema first"), "{said}");
    pipeline.update("offsets", doc! {}, doc! { "$set": { "rebuilding": ["orders/week//"] } });
    let said = pipeline.fail(1, &["dead", "replay", "--schema", corrected(&pipeline).to_str().unwrap()]);
    assert!(said.contains("is being rebuilt"), "{said}");
    assert_eq!(stored(&pipeline).dead, 5);
    pipeline.update("offsets", doc! {}, doc! { "$set": { "rebuilding": [] } });
    assert_eq!(replay(&pipeline, &[])["stored"], 5);
    assert!(text(&pipeline.output(&["dead", "replay"]).stdout).contains("no open dead letter"));
    pipeline.assert_audit();
}

#[test]
fn a_change_of_the_plan_that_comes_while_letters_are_settled_is_met_in_their_transaction() {
    for (change, code, words) in [
        (doc! { "rebuilding": ["orders/week//"] }, 1, "is being rebuilt"),
        (doc! { "tables": ["orders/week//"] }, 2, "asks for other rollup states"),
    ] {
        let pipeline = Pipeline::with_schema("replay-overtaken", SCHEMA);
        pipeline.produce(&pipeline.write("orders.jsonl", &orders(10, 10)));
        pipeline.drain(&[]);
        let mut session = pipeline.change_and_hold("offsets", doc! { "$set": change });
        let schema = corrected(&pipeline);
        let mut command = pipeline.command(&["dead", "replay", "--schema", schema.to_str().unwrap()]);
        command.env("RUST_LOG", "ingest=debug").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut replay = command.spawn().unwrap();
        let mut said = BufReader::new(replay.stderr.take().unwrap()).lines().map(Result::unwrap);
        // It has looked at the positions, and cannot change them yet.
        assert!(said.any(|line| line.contains("trying again")), "the replay ended before");
        pipeline.runtime.block_on(session.commit_transaction().into_future()).unwrap();
        let said: String = said.collect();
        assert_eq!(replay.wait().unwrap().code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
        assert_eq!(stored(&pipeline).dead, 5);
    }
}

#[test]
fn a_replay_sets_the_clock_further_and_the_worker_beside_it_never_back() {
    let pipeline = Pipeline::with_schema("replay-clock", SCHEMA);
    let send = |line: &str| {
        let file = pipeline.write("orders.jsonl", &format!("{line}\n"));
        pipeline.succeed(&["produce", "--partitions", "1", file.to_str().unwrap()]);
    };
    send(r#"{"id": "a", "at": "2020-01-10", "amount": 1}"#);
    send(r#"{"id": "b", "at": "20.01.2020", "amount": 2}"#);
    let worker = pipeline.worker(&[]);
    pipeline.wait_until_read(2);
    assert_eq!(replay(&pipeline, &[])["stored"], 1);
    send(r#"{"id": "c", "at": "2020-01-15", "amount": 3}"#);
    pipeline.wait_until_read(3);
    worker.signal(Signal::SIGTERM);
    worker.finish();
    let clock = *pipeline.documents("offsets", doc! {})[0].get_datetime("clock").unwrap();
    assert_eq!(clock.try_to_rfc3339_string().unwrap(), "2020-01-20T00:00:00Z");
    pipeline.assert_audit();
}
