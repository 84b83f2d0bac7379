use super::*;
use crate::schema::IMDB_REVIEW;
use bson::{Bson, Document, doc};
use proptest::prelude::*;

const AT: Coordinates = Coordinates { partition: 3, offset: 41, timestamp: Some(1_600_000_000_000) };

fn decoder(toml: &str) -> Decoder {
    Decoder::new(&Schema::parse("test", toml).unwrap()).unwrap()
}

fn reviews() -> Decoder {
    decoder(IMDB_REVIEW)
}

fn event(decoder: &Decoder, json: &str) -> Document {
    match decoder.decode(Some(json.as_bytes()), AT) {
        Ok(Decoded::Event(event)) => Document::try_from(event.document).unwrap(),
        other => panic!("{json}: {other:?}"),
    }
}

fn reject(decoder: &Decoder, json: &str) -> (DeadReason, String) {
    let reject = decoder.decode(Some(json.as_bytes()), AT).unwrap_err();
    (reject.reason, reject.message)
}

fn review(rating: &str, date: &str, helpful: &str) -> String {
    format!(
        r#"{{"review_id": "rw1", "movie": "Up (2009)", "rating": {rating}, "review_date": {date}, "helpful": {helpful}}}"#
    )
}

#[test]
fn a_full_record_is_typed() {
    let json = r#"{"review_id": "rw7", "reviewer": "a \"b\", c", "movie": "Show: Ep (2012) Season 5", "rating": "8", "review_summary": "좋아요 😀",
        "review_date": "24 July 2005", "spoiler_tag": 0, "review_detail": "line\nline\u0000", "helpful": ["1,234", "2,000"], "unknown": {"a": [1]}}"#;
    let date = Bson::DateTime(bson::DateTime::parse_rfc3339_str("2005-07-24T00:00:00Z").unwrap());
    let expected = doc! {
        "_id": "rw7", "reviewer": "a \"b\", c", "movie": "Show: Ep (2012) Season 5", "movie_year": 2012_i64, "rating": 8_i64,
        "review_summary": "좋아요 😀", "review_date": date, "year": 2005_i64, "month": 7_i64, "ten_day": "21_31", "spoiler_tag": false,
        "review_detail": "line\nline\0", "helpful_yes": 1234_i64, "helpful_total": 2000_i64,
        "src": { "partition": 3, "offset": 41_i64, "timestamp": bson::DateTime::from_millis(1_600_000_000_000) },
    };
    assert_eq!(event(&reviews(), json), expected);
}

#[test]
fn values_come_in_many_forms() {
    let decoder = reviews();
    for (rating, expected) in [
        ("\"8\"", Bson::Int64(8)),
        ("8", Bson::Int64(8)),
        ("8.0", Bson::Int64(8)),
        ("null", Bson::Null),
        ("\"Null\"", Bson::Null),
        ("\"\"", Bson::Null),
    ] {
        assert_eq!(
            event(&decoder, &review(rating, "\"1 May 2009\"", "null")).get("rating"),
            Some(&expected),
            "{rating}"
        );
    }
    for (helpful, yes, total) in [(r#"["3", "5"]"#, 3, 5), ("[3, 5]", 3, 5), (r#""3,5""#, 3, 5), (r#""3, 5""#, 3, 5)] {
        let event = event(&decoder, &review("null", "\"2009-05-01\"", helpful));
        assert_eq!(
            (event.get_i64("helpful_yes").unwrap(), event.get_i64("helpful_total").unwrap()),
            (yes, total),
            "{helpful}"
        );
    }
    for helpful in ["null", r#""Null""#, r#""""#, "[null, null]"] {
        assert_eq!(
            event(&decoder, &review("null", "\"2009-05-01\"", helpful)).get("helpful_yes"),
            Some(&Bson::Null),
            "{helpful}"
        );
    }
}

#[test]
fn an_unusable_record_has_a_reason_and_a_sentence() {
    use DeadReason::*;
    let decoder = reviews();
    let date = "\"1 May 2009\"";
    for (json, reason, sentence) in [
        ("nonsense", NotJson, "the record is not JSON: expected ident at line 1 column 2, near \"nonsense\""),
        (
            "{\"a\": 1} x",
            NotJson,
            "the record is not JSON: trailing characters at line 1 column 10, near \"{\\\"a\\\": 1} x\"",
        ),
        ("", NotJson, "the record is not JSON: its value is empty (0 bytes)"),
        ("[{}]", NotObject, "the record is a list, not an object"),
        ("\"text\"", NotObject, "the record is a text, not an object"),
        ("null", NotObject, "the record is null, not an object"),
        ("12", NotObject, "the record is a number, not an object"),
        (
            r#"{"review_date": "1 May 2009"}"#,
            MissingId,
            "review_id has no value: the record has no key \"review_id\", it has review_date",
        ),
        (
            r#"{"review_id": "", "review_date": "1 May 2009"}"#,
            MissingId,
            "review_id has no value: \"review_id\" is \"\"",
        ),
        (
            r#"{"review_id": "rw1"}"#,
            NoEventTime,
            "review_date has no value: the record has no key \"review_date\", it has review_id",
        ),
        (r#"{"review_id": 5, "review_date": "1 May 2009"}"#, WrongType, "review_id is 5, not a string"),
        (
            &review("8", "\"31 Febtober 2019\"", "null"),
            NoEventTime,
            "review_date is \"31 Febtober 2019\", not a date written as \"%d %B %Y\" or \"%Y-%m-%d\"",
        ),
        (
            &review("8", "\"30 February 2019\"", "null"),
            NoEventTime,
            "review_date is \"30 February 2019\", not a date written as \"%d %B %Y\" or \"%Y-%m-%d\"",
        ),
        (&review("\"11\"", date, "null"), OutOfRange, "rating is \"11\", outside the range 1 to 10"),
        (&review("true", date, "null"), WrongType, "rating is true, not an int"),
        (&review("8.5", date, "null"), WrongType, "rating is 8.5, not an int"),
        (&review("8", date, "[1, 2, 3]"), WrongType, "helpful_yes is a list of 3, not two values"),
        (&review("8", date, "\"1,234,567\""), WrongType, "helpful_yes is \"1,234,567\", not two values"),
        (
            &review("99999999999999999999", date, "null"),
            OutOfRange,
            "rating is 99999999999999999999, beyond what an int can hold: -9223372036854775808 to 9223372036854775807",
        ),
    ] {
        assert_eq!(reject(&decoder, json), (reason, sentence.to_owned()), "{json}");
    }
    assert_eq!(decoder.decode(None, AT).unwrap_err().reason, NullPayload);
    assert_eq!(decoder.decode(Some(b"{\"review_id\": \"\xff\"}"), AT).unwrap_err().reason, NotJson);
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(reject(&decoder, &deep).0, NotObject, "deep nesting is no stack overflow");
    assert_eq!(reject(&decoder, &format!("{{\"review_id\": {deep}}}")).0, WrongType, "nor is it inside a field");
}

const SENSORS: &str = r#"
stream = "readings"
id = ["sensor", "at"]
event_time = "at"
time_zone = "Asia/Seoul"
tombstones = "filtered"
[[filter]]
field = "celsius"
at_least = -50
below = 60.5
[[filter]]
field = "site"
one_of = ["roof", "cellar"]
[fields]
sensor = { type = "int" }
at = { type = "timestamp", formats = ["rfc3339", "%Y-%m-%d %H:%M", "epoch_ms"] }
celsius = { type = "float", from = "value" }
site = { type = "string", required = true }
tags = { type = "string list" }
day = { derive = { ten_day = "at" } }
"#;

#[test]
fn another_stream_needs_only_another_schema() {
    let decoder = decoder(SENSORS);
    let json = r#"{"sensor": 12, "at": "2020-02-29T15:30:00Z", "value": "21.5", "site": "roof", "tags": ["a", "b"]}"#;
    let at = bson::DateTime::parse_rfc3339_str("2020-02-29T15:30:00Z").unwrap();
    let mut expected = doc! { "_id": { "sensor": 12_i64, "at": at }, "celsius": 21.5, "site": "roof", "tags": ["a", "b"], "day": "1_10" };
    let mut found = event(&decoder, json);
    found.remove("src");
    assert_eq!(found, expected, "the date is that of the zone");
    // The same instant, written otherwise; and a civil time in the schema's zone.
    for written in ["1582990200000", "\"2020-03-01 00:30\"", "\"1582990200000\""] {
        let mut found = event(&decoder, &json.replace("\"2020-02-29T15:30:00Z\"", written));
        found.remove("src");
        expected.insert("_id", doc! { "sensor": 12_i64, "at": at });
        assert_eq!(found, expected, "{written}");
    }
    assert_eq!(decoder.decode(None, AT), Ok(Decoded::Filtered), "the schema expects tombstones");
}

#[test]
fn a_filter_leaves_out_what_does_not_meet_it() {
    let decoder = decoder(SENSORS);
    for (value, site, passes) in [
        ("-50", "roof", true),
        ("-50.1", "roof", false),
        ("60.4", "cellar", true),
        ("60.5", "roof", false),
        ("20", "attic", false),
        ("null", "roof", false),
    ] {
        let json = format!(r#"{{"sensor": 1, "at": 0, "value": {value}, "site": "{site}"}}"#);
        let decoded = decoder.decode(Some(json.as_bytes()), AT).unwrap();
        assert_eq!(matches!(decoded, Decoded::Event(_)), passes, "{json}");
    }
    let wild = r#"{"sensor": 1, "at": 9223372036854775807, "value": 1, "site": "roof"}"#;
    assert_eq!(reject(&decoder, wild).0, DeadReason::OutOfRange);
    assert_eq!(reject(&decoder, r#"{"at": 0, "value": 1, "site": "roof"}"#).0, DeadReason::MissingId);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = reviews().decode(Some(&payload), AT);
    }

    #[test]
    fn every_text_comes_back_as_it_was(detail in any::<String>(), reviewer in any::<String>()) {
        let json = serde_json::json!({"review_id": "rw1", "review_date": "1 May 2009", "review_detail": detail, "reviewer": reviewer});
        let event = event(&reviews(), &json.to_string());
        prop_assert_eq!(event.get_str("review_detail").unwrap(), detail);
        prop_assert_eq!(event.get_str("reviewer").unwrap(), reviewer);
    }
}
