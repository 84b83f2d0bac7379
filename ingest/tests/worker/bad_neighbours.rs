//! Records that nobody should send: none of them stops a partition, and none is lost without a word.

use crate::kafka::{create_topic, create_topic_for_large_records, send_dated, send_in_transaction};
use crate::support::{Pipeline, text, wait_until};
use bson::{Bson, Document, doc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

const SCHEMA: &str = r#"
stream = "readings"
id = ["n"]
event_time = "at"
allowed_lateness = "1h"
idle_timeout = "1s"
[fields]
n = { type = "int" }
at = { type = "timestamp", formats = ["rfc3339", "epoch_ms"] }
celsius = { type = "float" }
count = { type = "int" }
sensor = { type = "string" }
note = { type = "string" }
tags = { type = "string list" }
[[rollups]]
name = "by_hour"
window = "1h"
keys = ["sensor"]
measures = ["celsius", "count"]
[[rollups]]
name = "by_year"
window = "year"
distinct = ["sensor"]
"#;
const NOW: i64 = 1_790_000_000_000;
/// However many letters there are, the run goes on.
const TOLERANT: [&str; 2] = ["--set", "dead_ratio=1"];

/// A reading with the members `more`, and the usual ones that are not among them.
fn reading(n: usize, more: &[u8]) -> Vec<u8> {
    let is_there = |name: &str| more.windows(name.len()).any(|part| part == name.as_bytes());
    let usual = [("n", n.to_string()), ("at", NOW.to_string()), ("celsius", "1.5".to_owned())];
    let members = usual.map(|(name, value)| (format!("\"{name}\": "), value));
    let members: Vec<_> =
        members.iter().filter(|(name, _)| !is_there(name)).map(|(name, value)| format!("{name}{value}")).collect();
    [b"{", members.join(", ").as_bytes(), more, b"}"].concat()
}

fn send(pipeline: &Pipeline, payloads: &[Vec<u8>]) {
    // Kafka's timestamps go backwards, and the keys are no text.
    let dated = payloads.iter().zip(0..).map(|(payload, n)| (NOW - n * 1_000, &b"\xff\0"[..], payload.as_slice()));
    send_dated(pipeline, dated);
}

fn reasons(pipeline: &Pipeline) -> BTreeMap<String, usize> {
    pipeline.documents("dead_letters", doc! {}).iter().fold(BTreeMap::new(), |mut counts, letter| {
        *counts.entry(letter.get_str("reason").unwrap().to_owned()).or_default() += 1;
        counts
    })
}

fn reason_counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.map(|(reason, count)| (reason.to_owned(), count)).into()
}

#[test]
fn what_can_never_be_stored_is_a_dead_letter_and_the_rest_goes_on() {
    let pipeline = Pipeline::with_schema("hostile", SCHEMA);
    create_topic(&pipeline, 1);
    let deep = format!(", \"note\": {}{}", "[".repeat(300_000), "]".repeat(300_000));
    let unread = deep.replace("note", "other");
    let usable: [&[u8]; 5] = [
        b", \"other\": \"caf\xe9\"",
        b", \"other\": \"\\ud800\", \"big\": 1e400",
        b", \"note\": \"a\\u0000b\", \"sensor\": \"\\u0000\"",
        unread.as_bytes(),
        b"",
    ];
    let unusable: [(&str, &[u8]); 9] = [
        ("not_json", b", \"note\": \"caf\xe9\""),
        ("not_json", b", \"sensor\": \"\\udfff\""),
        ("out_of_range", b", \"celsius\": 1e400"),
        ("out_of_range", b", \"n\": 9223372036854775808"),
        ("out_of_range", b", \"at\": 9223372036854775807"),
        ("out_of_range", b", \"at\": \"+275760-09-13T00:00:00Z\""),
        ("wrong_type", b", \"celsius\": \"12abc\""),
        ("wrong_type", deep.as_bytes()),
        ("wrong_type", b", \"tags\": [[[[]]]]"),
    ];
    let mut payloads = Vec::new();
    for (_, more) in unusable {
        payloads.push(reading(payloads.len(), more));
        payloads.push(reading(payloads.len(), b""));
    }
    payloads.extend(usable.map(|more| reading(1_000 + more.len(), more)));
    send(&pipeline, &payloads);
    let counts = pipeline.drain(&TOLERANT);
    assert_eq!((counts.read, counts.stored, counts.dead), (23, 14, 9));
    let expected = [("not_json", 2), ("out_of_range", 4), ("wrong_type", 3)];
    assert_eq!(reasons(&pipeline), reason_counts(expected));
    for letter in pipeline.documents("dead_letters", doc! {}) {
        assert_eq!(letter.get_binary_generic("key").unwrap(), b"\xff\0");
    }
    let shown = pipeline.succeed(&["dead", "show", "0/4"]);
    let words = ["celsius is 1e400, beyond any number that can be stored", "remedy", "widen `range`"];
    assert!(words.iter().all(|word| shown.contains(word)), "{shown}");
    pipeline.assert_audit();
}

#[test]
fn times_at_the_ends_of_the_calendar_are_counted_and_audited() {
    let pipeline = Pipeline::with_schema("calendar", SCHEMA);
    create_topic(&pipeline, 1);
    let times =
        ["-009998-03-01T00:30:00Z", "-000005-06-01T00:00:00Z", "0000-02-29T12:00:00Z", "9999-12-31T23:59:59.999Z"];
    let payloads = times.iter().zip(0..).map(|(at, n)| reading(n, format!(", \"at\": \"{at}\"").as_bytes()));
    send(&pipeline, &payloads.collect::<Vec<_>>());
    assert_eq!(pipeline.drain(&[]).stored, 4);
    assert_eq!((pipeline.count("by_hour", doc! {}), pipeline.count("by_year", doc! {})), (4, 4));
    pipeline.assert_audit();
}

#[test]
fn numbers_at_the_ends_of_their_types_are_summed_and_audited() {
    let pipeline = Pipeline::with_schema("extremes", SCHEMA);
    create_topic(&pipeline, 1);
    let members = [(i64::MAX, "1e308"), (i64::MAX, "1e308"), (i64::MIN, "-1e-308"), (i64::MAX, "0")];
    let payloads = members
        .iter()
        .zip(0..)
        .map(|((count, celsius), n)| reading(n, format!(", \"count\": {count}, \"celsius\": {celsius}").as_bytes()));
    send(&pipeline, &payloads.collect::<Vec<_>>());
    assert_eq!(pipeline.drain(&[]).stored, 4);
    let row = pipeline.documents("by_hour", doc! {}).remove(0);
    let extremes = (row.get_i64("count_min").unwrap(), row.get_i64("count_max").unwrap());
    assert_eq!(extremes, (i64::MIN, i64::MAX));
    assert_eq!(row.get("count_sum"), Some(&Bson::Decimal128("18446744073709551613".parse().unwrap())));
    pipeline.assert_audit();
}

/// Sums that leave 64 bits and the floats, and come back: `SEED=N` sends those of one seed.
#[test]
fn the_audit_agrees_at_the_ends_of_the_numbers() {
    const COUNTS: [i64; 7] = [i64::MAX, i64::MIN, i64::MAX - 1, 9_007_199_254_740_993, 1, -1, 0];
    const CELSIUS: [&str; 9] = ["1.7e308", "-1.7e308", "1e300", "-1e300", "1.34e154", "1e16", "1", "-0.1", "5e-324"];
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    eprintln!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let pipeline = Pipeline::with_schema("ends", SCHEMA);
    create_topic(&pipeline, 1);
    let mut sums: BTreeMap<i64, i128> = BTreeMap::new();
    let payloads: Vec<_> = (0..400)
        .map(|n| {
            let hour = random.random_range(0..80_i64);
            let (count, celsius) = (COUNTS[random.random_range(0..7)], CELSIUS[random.random_range(0..9)]);
            *sums.entry(hour).or_default() += i128::from(count);
            let at = NOW - NOW % 3_600_000 + hour * 3_600_000;
            reading(n, format!(", \"at\": {at}, \"count\": {count}, \"celsius\": {celsius}").as_bytes())
        })
        .collect();
    send(&pipeline, &payloads);
    assert_eq!(pipeline.drain(&["--set", "batch_records=50"]).stored, 400);
    let rows = pipeline.documents("by_hour", doc! {});
    let found: Vec<_> = rows.iter().map(|row| row.get("count_sum").unwrap().to_string()).collect();
    assert_eq!(found, sums.values().map(ToString::to_string).collect::<Vec<_>>());
    for name in ["celsius_sum", "celsius_mean", "celsius_stddev"] {
        assert!(rows.iter().all(|row| row.get_f64(name).map_or(true, f64::is_finite)), "{name}");
    }
    pipeline.assert_audit();
}

fn letter(pipeline: &Pipeline, offset: i64) -> Document {
    pipeline.documents("dead_letters", doc! { "offset": offset }).remove(0)
}

#[test]
fn records_larger_than_a_fetch_a_batch_and_a_document() {
    const MB: usize = 1 << 20;
    let pipeline = Pipeline::with_schema("large", SCHEMA);
    create_topic_for_large_records(&pipeline);
    let with = |n: usize, name: &str, bytes: usize| {
        reading(n, format!(", \"{name}\": \"{}\"", "é".repeat(bytes / 2)).as_bytes())
    };
    let cut_short = |n: usize, bytes: usize| {
        let mut payload = with(n, "note", bytes);
        payload.truncate(payload.len() - 2);
        payload
    };
    let payloads = [
        reading(0, b""),
        with(1, "note", 12 * MB),
        with(2, "note", 17 * MB),
        with(3, "note", 9 * MB),
        with(4, "note", 9 * MB),
        with(5, "other", 20 * MB),
        cut_short(6, 14 * MB),
        cut_short(7, 30 * MB),
        reading(8, b""),
    ];
    send(&pipeline, &payloads);
    let counts = pipeline.drain(&TOLERANT);
    assert_eq!((counts.read, counts.stored, counts.dead), (9, 6, 3));
    assert_eq!(reasons(&pipeline), reason_counts([("too_large", 1), ("not_json", 2)]));
    let whole = letter(&pipeline, 6);
    assert!(whole.get_binary_generic("payload").unwrap() == &payloads[6] && !whole.contains_key("cut"));
    for (offset, place) in [(2, 2), (7, 7)] {
        let letter = letter(&pipeline, offset);
        let kept = letter.get_binary_generic("payload").unwrap();
        assert!(payloads[place].starts_with(kept) && kept.len() > MB - 2, "the beginning is kept");
        assert!(std::str::from_utf8(kept).is_ok(), "in whole characters");
        let bytes = letter.get_document("cut").unwrap().get_i64("payload_bytes").unwrap();
        assert_eq!(usize::try_from(bytes).unwrap(), payloads[place].len());
    }
    let shown = pipeline.succeed(&["dead", "show", "0/2"]);
    for words in ["MongoDB stores at most", "note alone has", "partition 0, offset 2 of the topic", "17825", "remedy"] {
        assert!(shown.contains(words), "{words} is missing in {}", &shown[..2_000]);
    }
    let replayed = pipeline.json_of(1, &["dead", "replay", "--json"]);
    assert_eq!((&replayed["stored"], &replayed["still_dead"]), (&0.into(), &3.into()));
    let message = letter(&pipeline, 2).get_str("message").unwrap().to_owned();
    assert_eq!(message.matches("cannot be replayed").count(), 1, "{message}");
    assert_eq!(letter(&pipeline, 2).get_str("reason").unwrap(), "too_large");
    pipeline.assert_audit();
}

#[test]
fn ten_thousand_keys_in_one_batch() {
    let pipeline = Pipeline::with_schema("keys", SCHEMA);
    create_topic(&pipeline, 1);
    let payloads: Vec<_> = (0..20_000)
        .map(|n| reading(n, format!(", \"sensor\": \"sensor {:0>100}\"", n * 7_919 % 12_000).as_bytes()))
        .collect();
    send(&pipeline, &payloads);
    let one_batch = ["--set", "batch_records=20000", "--set", "batch_age_ms=10000", "--set", "batch_bytes=16000000"];
    assert_eq!(pipeline.drain(&one_batch).stored, 20_000);
    let rows = pipeline.documents("by_hour", doc! {});
    let readings: i64 = rows.iter().map(|row| row.get_i64("readings").unwrap()).sum();
    assert_eq!((rows.len(), readings), (12_000, 20_000));
    pipeline.assert_audit();
}

#[test]
fn rows_with_long_keys_are_published_in_commands_that_the_server_takes() {
    let keys = SCHEMA.replace("keys = [\"sensor\"]", "keys = [\"sensor\", \"note\", \"site\"]");
    let keys = keys.replace("tags =", "site = { type = \"string\" }\ntags =");
    let pipeline = Pipeline::with_schema("long-keys", &keys);
    create_topic(&pipeline, 1);
    let long = "k".repeat(4_000);
    let payloads: Vec<_> = (0..1_200)
        .map(|n| {
            let more = format!(", \"sensor\": \"{n} {long}\", \"note\": \"{long}\", \"site\": \"{long}\"");
            reading(n, more.as_bytes())
        })
        .collect();
    send(&pipeline, &payloads);
    assert_eq!(pipeline.drain(&[]).stored, 1_200);
    assert_eq!(pipeline.count("by_hour", doc! {}), 1_200);
    // The rows are there now: they are read, and replaced.
    let again: Vec<_> = (0..1_200)
        .map(|n| {
            let more = format!(", \"sensor\": \"{n} {long}\", \"note\": \"{long}\", \"site\": \"{long}\"");
            reading(10_000 + n, more.as_bytes())
        })
        .collect();
    send(&pipeline, &again);
    assert_eq!(pipeline.drain(&[]).stored, 1_200);
    assert_eq!(pipeline.count("by_hour", doc! { "readings": 2 }), 1_200);
    pipeline.assert_audit();
}

#[test]
fn an_event_from_the_future_is_told_or_refused() {
    let future = ", \"at\": \"2199-01-01T00:00:00Z\"";
    let wall = bson::DateTime::now().timestamp_millis();
    let payload = |n: usize, more: &str| reading(n, more.as_bytes());
    let now = format!(", \"at\": {wall}");
    let payloads = [payload(0, &now), payload(1, future), payload(2, &now), payload(3, &now)];
    for (max_ahead, late, dead) in [("", 2, 0), ("max_ahead = \"1d\"", 0, 1)] {
        let pipeline = Pipeline::with_schema("future", &format!("{max_ahead}\n{SCHEMA}"));
        create_topic(&pipeline, 1);
        send_dated(&pipeline, payloads.iter().map(|payload| (wall, &b"k"[..], payload.as_slice())));
        let output = pipeline.output(&["run", "--until-end"]);
        let (said, counts) = (text(&output.stderr), crate::support::counts(&text(&output.stdout)));
        assert_eq!((counts.late, counts.dead), (late, dead), "{said}");
        assert_eq!(said.matches("more than a day ahead").count(), usize::from(dead == 0), "{said}");
        let another = payload(4, future);
        send_dated(&pipeline, std::iter::once((wall, &b"k"[..], another.as_slice())));
        let said = text(&pipeline.output(&["run", "--until-end"]).stderr);
        assert!(!said.contains("more than a day ahead"), "that was told already: {said}");
        pipeline.assert_audit();
    }
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_the_last_window_open() {
    let patient = SCHEMA.replace("idle_timeout = \"1s\"", "idle_timeout = \"1h\"");
    let pipeline = Pipeline::with_schema("set-back", &patient);
    create_topic(&pipeline, 1);
    send(&pipeline, &[reading(0, b"")]);
    pipeline.drain(&[]);
    assert_eq!(pipeline.count("by_hour", doc! { "is_final": false }), 1);
    pipeline.write("schema.toml", SCHEMA);
    let in_a_century = bson::DateTime::from_millis(NOW + 3_153_600_000_000);
    pipeline.update("offsets", doc! {}, doc! { "$set": { "stored_at": in_a_century } });
    let _worker = pipeline.worker(&[]);
    wait_until("the window is final", || pipeline.count("by_hour", doc! { "is_final": true }) == 1);
}

#[test]
fn a_transaction_that_was_aborted_is_not_read_and_its_end_is_passed() {
    let pipeline = Pipeline::with_schema("aborted", SCHEMA);
    create_topic(&pipeline, 1);
    for (numbers, commits) in [(0..10, true), (10..25, false), (25..30, true), (30..31, false)] {
        let payloads: Vec<_> = numbers.map(|n| reading(n, b"")).collect();
        send_in_transaction(&pipeline, payloads.iter().map(Vec::as_slice), commits);
    }
    assert_eq!(pipeline.drain(&[]).stored, 15);
    // The end of each transaction is a record of the broker's own.
    assert_eq!(pipeline.documents("offsets", doc! {})[0].get_i64("next").unwrap(), 31 + 4);
    assert_eq!(pipeline.drain(&[]).read, 0);
    pipeline.assert_audit();
}
