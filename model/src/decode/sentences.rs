//! What a dead letter says: the thing, the place and the remedy.

use super::*;

const AT: Coordinates = Coordinates { partition: 0, offset: 0, timestamp: None };
const SALES: &str = r#"
stream = "sales"
id = ["id"]
event_time = "day"
[[filter]]
field = "kind"
one_of = ["sale"]
[[filter]]
field = "amount"
at_least = 0
below = 1000
[fields]
id = { type = "string" }
day = { type = "date" }
kind = { type = "string", required = true }
amount = { type = "float", range = [0, 100] }
units = { type = "int" }
"#;

fn decode(schema: &str, payload: &[u8]) -> Result<Decoded, Reject> {
    Decoder::new(&Schema::parse("sales", schema).unwrap()).unwrap().decode(Some(payload), AT)
}

fn without_filter() -> String {
    SALES.replace("[[filter]]\nfield = \"kind\"\none_of = [\"sale\"]\n[[filter]]\nfield = \"amount\"\nat_least = 0\nbelow = 1000\n", "")
}

fn refused(payload: &[u8]) -> (DeadReason, String) {
    let reject = decode(&without_filter(), payload).unwrap_err();
    (reject.reason, reject.message)
}

#[test]
fn what_is_not_json_is_named() {
    for (payload, parts) in [
        (&b""[..], &["empty"][..]),
        (b" \n", &["blank"]),
        (b"\0\0\0\0\x07\x02A1\x14", &["Confluent", "schema id 7"]),
        (b"\0\0\x01\x86\xa0{\"id\": \"a\"}", &["Confluent", "schema id 100000"]),
        (b"Obj\x01\x04", &["Avro"]),
        (b"\x1f\x8b\x08\0", &["gzip"]),
        (b"\xef\xbb\xbf{}", &["byte order mark"]),
        (b"\xff\xfe{\0}\0", &["UTF-16"]),
        (b"\0{\0\"\0i\0d", &["UTF-16"]),
        (b"{'id': 'a'}", &["Python"]),
        (b"{\"id\": \"a\", \"amount\": NaN}", &["amount is NaN", "null"]),
        (b"{\"id\": \"a\", \"other\": -Infinity}", &["\"other\" is -Infinity"]),
        (b"{\"id\": \"a\", \"amount\": nan, \"x\": 1}", &["amount is nan"]),
        (b"{\"id\": None}", &["id is None"]),
        (b"hello, world", &["line 1 column 1", "hello, world"]),
    ] {
        let (reason, message) = refused(payload);
        assert_eq!(reason, DeadReason::NotJson, "{message}");
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    let (reason, message) = refused(br#""{\"id\": \"a\"}""#);
    assert!(reason == DeadReason::NotObject && message.contains("twice"), "{message}");
}

#[test]
fn a_missing_value_is_explained_by_the_keys_that_the_record_has() {
    for (json, parts) in [
        (r#"{"Id": "a", "day": "2024-05-01"}"#, &["no key \"id\"", "it has Id, day"][..]),
        (r#"{"id": null}"#, &["\"id\" is null"]),
        ("{}", &["it has no keys"]),
        (r#"{"before": null, "after": {"id": "a"}, "op": "u"}"#, &["Debezium", "ExtractNewRecordState"]),
        (
            r#"{"schema": {}, "payload": {"before": null, "after": {"id": "a"}, "op": "c"}}"#,
            &["Debezium", "ExtractNewRecordState", "schemas.enable=false"],
        ),
        (r#"{"schema": {}, "payload": {"id": "a"}}"#, &["Kafka Connect", "schemas.enable=false"]),
        (r#"{"type": "x", "data": {"order": {"id": "a"}}}"#, &["\"data.order.id\"", "flatten"]),
    ] {
        let (reason, message) = refused(json.as_bytes());
        assert_eq!(reason, DeadReason::MissingId, "{message}");
        assert!(message.starts_with("id has no value") && parts.iter().all(|part| message.contains(part)), "{message}");
    }
    let (_, message) = refused("{\"\u{9b}2J\u{7f}\": 1}".as_bytes());
    assert!(!message.contains(char::is_control), "a terminal does not obey a record: {message:?}");
    let wrong = "{\"id\": \"a\", \"units\": {\"$numberLong\": \"\u{9b}2J\"}}";
    let (_, message) = refused(wrong.as_bytes());
    assert!(message.contains("9b") && !message.contains(char::is_control), "{message:?}");
    let path =
        without_filter().replace("id = { type = \"string\" }", "id = { type = \"string\", from = \"payload.id\" }");
    let reject = decode(&path, br#"{"payload": {"id": "a"}}"#).unwrap_err();
    assert!(reject.message.contains("not a path") && reject.message.contains("\"payload.id\""), "{reject}");
}

#[test]
fn a_blank_id_is_no_id_unless_the_schema_says_so() {
    let record = |id: &str| format!(r#"{{"id": "{id}", "day": "2024-05-01", "kind": "sale"}}"#);
    let allowed =
        without_filter().replace("id = { type = \"string\" }", "id = { type = \"string\", allow_blank = true }");
    for id in ["", " ", "\\t\\n", "\u{a0}", "\u{200b}", "\\u0000", "\u{feff} "] {
        let reject = decode(&without_filter(), record(id).as_bytes()).unwrap_err();
        assert_eq!(reject.reason, DeadReason::MissingId, "{id:?}: {reject}");
        assert!(decode(&allowed, record(id).as_bytes()).is_ok(), "{id:?}");
    }
    for id in ["0", "-", "null", " a"] {
        assert!(decode(&without_filter(), record(id).as_bytes()).is_ok(), "{id:?}");
    }
    let two = without_filter().replace("id = [\"id\"]", "id = [\"id\", \"kind\"]");
    let reject = decode(&two, br#"{"id": "a", "day": "2024-05-01", "kind": " "}"#).unwrap_err();
    assert_eq!(reject.reason, DeadReason::MissingId, "every part of an id identifies");
}

#[test]
fn the_filter_runs_before_everything_else() {
    for (json, expected) in [
        // Other messages of the topic, whatever they are like.
        (r#"{"kind": "ping"}"#, Ok(Decoded::Filtered)),
        (r#"{"kind": "ping", "id": 5, "day": "never", "units": "many"}"#, Ok(Decoded::Filtered)),
        (r#"{"kind": 7, "id": 5}"#, Ok(Decoded::Filtered)),
        (r#"{"kind": {"name": "sale"}}"#, Ok(Decoded::Filtered)),
        (r#"{"kind": null}"#, Ok(Decoded::Filtered)),
        (r#"{"type": "ping"}"#, Ok(Decoded::Filtered)),
        // The filter leaves it out, though it is also beyond the field's range.
        (r#"{"kind": "sale", "amount": 5000}"#, Ok(Decoded::Filtered)),
        (r#"{"kind": "sale", "amount": {"value": 5}}"#, Ok(Decoded::Filtered)),
        (r#"{"kind": "sale", "amount": false}"#, Ok(Decoded::Filtered)),
        (r#"{"kind": "ping", "amount": "much"}"#, Ok(Decoded::Filtered)),
        (r#"{"kind": "sale", "kind": "ping"}"#, Ok(Decoded::Filtered)),
        (r#"{"kind": "ping", "kind": "sale", "amount": 5}"#, Err(DeadReason::MissingId)),
        // The filter lets it pass, or cannot be decided.
        (r#"{"kind": "sale", "amount": 5}"#, Err(DeadReason::MissingId)),
        (r#"{"kind": "sale", "amount": 500, "id": "a", "day": "2024-05-01"}"#, Err(DeadReason::OutOfRange)),
        (r#"{"kind": "sale", "amount": "much"}"#, Err(DeadReason::WrongType)),
        (r#"{"kind": "sale", "amount": 5, "id": "a", "day": "never"}"#, Err(DeadReason::NoEventTime)),
    ] {
        let found = decode(SALES, json.as_bytes()).map_err(|reject| reject.reason);
        assert_eq!(found, expected, "{json}");
    }
    let filter = "[[filter]]\nfield = \"year\"\nat_least = 2024\n[fields]\nyear = { derive = { year = \"day\" } }\n";
    let derived = without_filter().replace("[fields]\n", filter);
    assert_eq!(decode(&derived, br#"{"day": "2023-05-01"}"#), Ok(Decoded::Filtered));
    assert!(decode(&derived, br#"{"day": "2024-05-01"}"#).is_err(), "what passes needs an id");
}
