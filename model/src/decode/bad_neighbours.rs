//! What no producer should send, and some do.

use super::*;
use crate::layout::{MOST_EVENT_BYTES, MOST_KEY_BYTES};
use bson::Document;

const AT: Coordinates = Coordinates { partition: 0, offset: 9, timestamp: None };
const READINGS: &str = r#"
stream = "readings"
id = ["sensor"]
event_time = "at"
[fields]
sensor = { type = "string" }
at = { type = "timestamp", formats = ["rfc3339", "epoch_ms"] }
count = { type = "int" }
celsius = { type = "float" }
until = { type = "date" }
until_year = { derive = { year = "until" } }
site = { type = "string" }
note = { type = "string" }
tags = { type = "string list" }
[[rollups]]
name = "sites"
window = "day"
keys = ["site"]
"#;

fn decode(payload: &[u8]) -> Result<Document, Reject> {
    let decoder = Decoder::new(&Schema::parse("readings", READINGS).unwrap()).unwrap();
    match decoder.decode(Some(payload), AT)? {
        Decoded::Event(event) => Ok(Document::try_from(event.document).unwrap()),
        Decoded::Filtered => panic!("no filter is set"),
    }
}

/// A usable record with one more member.
fn with(member: &str) -> Vec<u8> {
    format!("{{\"sensor\": \"a\", \"at\": 0, {member}}}").into_bytes()
}

fn refused(payload: &[u8]) -> (DeadReason, String) {
    let reject = decode(payload).expect_err("it cannot be used");
    (reject.reason, reject.message)
}

#[test]
fn numbers_beyond_their_type_are_named() {
    use DeadReason::{OutOfRange, WrongType};
    const INT: &str = "beyond what an int can hold: -9223372036854775808 to 9223372036854775807";
    for (member, reason, message) in [
        ("\"count\": 9223372036854775808", OutOfRange, format!("count is 9223372036854775808, {INT}")),
        ("\"count\": -9223372036854775809", OutOfRange, format!("count is -9223372036854775809, {INT}")),
        ("\"count\": \"9223372036854775808\"", OutOfRange, format!("count is \"9223372036854775808\", {INT}")),
        ("\"count\": 1e400", OutOfRange, "count is 1e400, beyond any number that can be stored".to_owned()),
        ("\"celsius\": -1e400", OutOfRange, "celsius is -1e400, beyond any number that can be stored".to_owned()),
        ("\"tags\": [1e400]", OutOfRange, "tags is 1e400, beyond any number that can be stored".to_owned()),
        ("\"celsius\": \"1e400\"", OutOfRange, "celsius is \"1e400\", beyond any number that can be stored".to_owned()),
        ("\"celsius\": \"NaN\"", WrongType, "celsius is \"NaN\", not a finite number".to_owned()),
        ("\"count\": \"12abc\"", WrongType, "count is \"12abc\", not an int".to_owned()),
        ("\"count\": 1.5e0", WrongType, "count is 1.5e0, not an int".to_owned()),
    ] {
        assert_eq!(refused(&with(member)), (reason, message), "{member}");
    }
    assert_eq!(decode(&with("\"count\": 1.0")).unwrap().get_i64("count").unwrap(), 1);
    assert_eq!(decode(&with("\"count\": -9223372036854775808")).unwrap().get_i64("count").unwrap(), i64::MIN);
    assert!(decode(&with("\"other\": 1e400")).is_ok(), "a field that nobody reads is nobody's business");
}

#[test]
fn dates_beyond_the_calendar_are_refused_and_those_at_its_ends_are_not() {
    use DeadReason::OutOfRange;
    let at = |value: &str| format!("{{\"sensor\": \"a\", \"at\": {value}}}").into_bytes();
    for value in [
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "8640000000000001000",
        "-1e30",
        "253402300800000",
        "-377705116800001",
        "\"+275760-09-13T00:00:00Z\"",
        "\"300000-01-01T00:00:00Z\"",
        "\"9999-12-31T23:59:59-01:00\"",
    ] {
        let (reason, message) = refused(&at(value));
        assert_eq!(reason, OutOfRange, "{value}: {message}");
        assert!(message.starts_with("at is ") && message.ends_with("outside the years -9999 to 9999"), "{message}");
    }
    assert_eq!(refused(&with("\"until\": \"300000-01-01\"")).0, OutOfRange);
    for (value, millis) in [
        ("\"9999-12-31T23:59:59Z\"", 253_402_300_799_000),
        ("\"9999-12-31T23:59:59.999Z\"", 253_402_300_799_999),
        ("253402300799999", 253_402_300_799_999),
        ("-377705116800000", -377_705_116_800_000),
        ("\"0001-01-01T00:00:00Z\"", -62_135_596_800_000),
    ] {
        let event = decode(&at(value)).unwrap();
        assert_eq!(event.get_datetime("at").unwrap().timestamp_millis(), millis, "{value}");
    }
    for (date, year) in [("9999-12-31", 9999), ("-9999-01-01", -9999), ("0001-01-01", 1)] {
        let event = decode(&with(&format!("\"until\": \"{date}\"")));
        assert_eq!(event.map(|event| event.get_i64("until_year").unwrap()), Ok(year), "{date}");
    }
}

#[test]
fn nesting_does_not_overflow_the_stack() {
    for depth in [150, 1_000_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        for value in [&deep, &objects] {
            assert!(decode(&with(&format!("\"other\": {value}"))).is_ok(), "in a field that nobody reads");
            let (reason, message) = refused(&with(&format!("\"note\": {value}")));
            assert_eq!(reason, DeadReason::WrongType, "{message}");
            assert!(message.starts_with("note is a"), "{message}");
        }
        let (reason, message) = refused(&with(&format!("\"tags\": {deep}")));
        assert_eq!((reason, message.as_str()), (DeadReason::WrongType, "tags is a list, not a list of strings"));
        let (reason, message) = refused(&with(&format!("\"tags\": {}", "[".repeat(depth))));
        assert_eq!(reason, DeadReason::NotJson, "{message}");
        assert_eq!(refused("[".repeat(depth).as_bytes()).0, DeadReason::NotJson);
        assert_eq!(refused(deep.as_bytes()).0, DeadReason::NotObject);
    }
}

#[test]
fn texts_that_are_not_unicode_are_refused_where_they_are_read() {
    let broken = |member: &[u8]| [b"{\"sensor\": \"a\", \"at\": 0, ", member, b"}"].concat();
    for (used, place) in [
        (&b"\"note\": \"caf\xe9\""[..], "in note, near"),
        (b"\"note\": \"\\ud800\"", "in note, near"),
        (b"\"tags\": [\"\\udc00\"]", "in tags, near"),
        (b"\"caf\xe9\": 1", "the record is not JSON: "),
    ] {
        let (reason, message) = refused(&broken(used));
        assert_eq!(reason, DeadReason::NotJson, "{message}");
        assert!(message.contains(place) && message.contains("line 1 column"), "{message}");
    }
    for unread in [&b"\"other\": \"caf\xe9\""[..], b"\"other\": \"\\ud800\""] {
        assert!(decode(&broken(unread)).is_ok());
    }
    let event = decode(&with("\"note\": \"a\\u0000b\", \"site\": \"\\u0000\", \"o\\u0000ther\": 1")).unwrap();
    assert_eq!((event.get_str("note").unwrap(), event.get_str("site").unwrap()), ("a\0b", "\0"));
}

#[test]
fn what_mongodb_cannot_hold_is_refused_with_its_size() {
    let note = |bytes: usize| with(&format!("\"note\": \"{}\"", "x".repeat(bytes)));
    let rest = decode(&note(0)).map(|event| bson::serialize_to_vec(&event).unwrap().len()).unwrap();
    let fits = MOST_EVENT_BYTES - rest;
    assert!(decode(&note(fits)).is_ok());
    let (reason, message) = refused(&note(fits + 1));
    assert_eq!(reason, DeadReason::TooLarge);
    let sizes = ["the event has 16760833 bytes", "at most 16760832", "note alone has 167607"];
    assert!(sizes.iter().all(|part| message.contains(part)), "{message}");
    // Small in JSON and large in BSON: each item of a list has a name there.
    let (reason, message) = refused(&with(&format!("\"tags\": [{}\"\"]", "\"\",".repeat(1_500_000))));
    assert_eq!(reason, DeadReason::TooLarge, "{message}");
}

#[test]
fn ids_and_keys_are_short() {
    let longest = "k".repeat(MOST_KEY_BYTES);
    assert!(decode(&with(&format!("\"site\": \"{longest}\""))).is_ok());
    let (reason, message) = refused(&with(&format!("\"site\": \"{longest}k\"")));
    assert_eq!(reason, DeadReason::TooLarge);
    assert!(message.starts_with("site has 4097 bytes"), "{message}");
    let (reason, message) = refused(format!("{{\"sensor\": \"{longest}k\", \"at\": 0}}").as_bytes());
    assert_eq!(reason, DeadReason::TooLarge);
    assert!(message.starts_with("sensor has 4097 bytes"), "{message}");
}

#[test]
fn every_reason_has_a_remedy() {
    assert!(DeadReason::ALL.iter().all(|reason| reason.remedy().len() > 20));
}

#[test]
fn an_event_from_the_future_is_refused_where_the_schema_says_so() {
    let sent = 1_790_000_000_000;
    let decoder =
        |more: &str| Decoder::new(&Schema::parse("readings", &format!("{more}\n{READINGS}")).unwrap()).unwrap();
    let reading = |at: i64| format!("{{\"sensor\": \"a\", \"at\": {at}}}").into_bytes();
    let limited = decoder("max_ahead = \"1d\"");
    let decode = |decoder: &Decoder, at: i64, timestamp| {
        decoder
            .decode(Some(&reading(at)), Coordinates { timestamp, ..AT })
            .map_err(|reject| (reject.reason, reject.message))
    };
    assert!(decode(&limited, sent + 86_400_000, Some(sent)).is_ok());
    assert!(decode(&limited, i64::MAX / 100_000, None).is_ok(), "without a timestamp nobody knows");
    let message = "at is 2026-09-22T14:13:20.001Z, which is ahead of the record's Kafka timestamp 2026-09-21T14:13:20Z by more than \
                   `max_ahead` of the schema";
    assert_eq!(decode(&limited, sent + 86_400_001, Some(sent)), Err((DeadReason::OutOfRange, message.to_owned())));
    assert!(decode(&limited, 4_102_444_800_000, Some(i64::MIN)).is_err(), "no overflow");
    assert!(decode(&decoder(""), 4_102_444_800_000, Some(sent)).is_ok(), "there is no limit by default");
}
