//! The forms in which values come: of numbers, booleans, times, pairs, and of MongoDB's extended JSON.

use super::*;
use bson::{Bson, Document};

const AT: Coordinates = Coordinates { partition: 0, offset: 0, timestamp: None };
const SCHEMA: &str = r#"
stream = "values"
id = ["id"]
event_time = "day"
[fields]
id = { type = "string", from = "_id" }
day = { type = "date" }
at = { type = "timestamp" }
local = { type = "timestamp", formats = ["%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M [%Q]"] }
s = { type = "timestamp", formats = ["epoch_s"] }
ms = { type = "timestamp", formats = ["epoch_ms"] }
n = { type = "int" }
x = { type = "float" }
euro = { type = "float", decimal = "," }
whole_euro = { type = "int", decimal = "," }
ok = { type = "bool" }
name = { type = "string" }
tags = { type = "string list" }
pair = { type = "int", pair = ["first", "second"] }
small = { type = "int", range = [1, 10] }
"#;

fn decode(members: &str) -> Result<Document, Reject> {
    let decoder = Decoder::new(&Schema::parse("values", SCHEMA).unwrap()).unwrap();
    let json = format!(r#"{{"_id": "a", "day": "2024-05-01", {members}}}"#);
    match decoder.decode(Some(json.as_bytes()), AT)? {
        Decoded::Event(event) => Ok(Document::try_from(event.document).unwrap()),
        Decoded::Filtered => panic!("no filter is set"),
    }
}

fn value(field: &str, json: &str) -> Result<Bson, DeadReason> {
    let event = decode(&format!("\"{field}\": {json}")).map_err(|reject| reject.reason)?;
    Ok(event.get(field).cloned().unwrap())
}

fn millis(number: i64) -> Result<Bson, DeadReason> {
    Ok(Bson::DateTime(bson::DateTime::from_millis(number)))
}

const WRONG: Result<Bson, DeadReason> = Err(DeadReason::WrongType);
const BEYOND: Result<Bson, DeadReason> = Err(DeadReason::OutOfRange);
const TEN: i64 = 1_714_557_600_000;

#[test]
fn an_int_is_judged_by_its_digits() {
    for (json, number) in [
        ("9007199254740993.0", 9_007_199_254_740_993),
        ("-9007199254740993.0", -9_007_199_254_740_993),
        ("9007199254740992.0", 9_007_199_254_740_992),
        ("\"9007199254740993.0\"", 9_007_199_254_740_993),
        ("\"9,007,199,254,740,993\"", 9_007_199_254_740_993),
        ("1e2", 100),
        ("1.2E1", 12),
        ("-0", 0),
        ("-0.0", 0),
        ("9223372036854775807", i64::MAX),
        ("9223372036854775807.0", i64::MAX),
        ("-9.223372036854775808e18", i64::MIN),
        ("\"8.0\"", 8),
        ("\" 8 \"", 8),
        ("\"+1\"", 1),
        ("{\"$numberLong\": \"9007199254740993\"}", 9_007_199_254_740_993),
        ("{\"$numberInt\": \"4\"}", 4),
        ("{\"$numberDecimal\": \"4.0\"}", 4),
        ("{\"$numberDouble\": \"1E+3\"}", 1_000),
    ] {
        assert_eq!(value("n", json), Ok(Bson::Int64(number)), "{json}");
    }
    for json in [
        "1.5",
        "1.00000000000000000001",
        "4503599627370497.3",
        "1e-1",
        "\"1.5\"",
        "\"0,123\"",
        "\"1_000\"",
        "\"0x10\"",
        "true",
    ] {
        assert_eq!(value("n", json), WRONG, "{json}");
    }
    for json in ["18446744073709551615", "1e19", "9223372036854775808", "\"1e19\"", "9223372036854775808.0"] {
        assert_eq!(value("n", json), BEYOND, "{json}");
    }
    for json in ["\"\"", "\"  \"", "null", "{\"$undefined\": true}"] {
        assert_eq!(value("n", json), Ok(Bson::Null), "{json}");
    }
    // A key that is written with escapes, and blanks around the colon.
    for member in [r#""\u006e" : 9007199254740993.0"#, "\"n\"  :\n\t9007199254740993.0"] {
        assert_eq!(decode(member).unwrap().get_i64("n").unwrap(), 9_007_199_254_740_993, "{member}");
    }
    assert_eq!(
        decode(r#""pair": [9007199254740993.0, {"$numberLong": "2"}]"#).unwrap().get_i64("first").unwrap(),
        9_007_199_254_740_993
    );
    assert_eq!(value("small", "11.0"), BEYOND);
    assert_eq!(value("small", "10.00"), Ok(Bson::Int64(10)));
}

#[test]
fn a_float_text_has_one_grammar_and_the_mark_of_its_field() {
    for (field, json, number) in [
        ("x", "\"1,234.5\"", Some(1234.5)),
        ("x", "\"1,234\"", Some(1234.0)),
        ("x", "\"1.234,56\"", None),
        ("x", "\"3.5,7\"", None),
        ("x", "\"0,123\"", None),
        ("x", "\"1.2e3,400\"", None),
        ("x", "\"NaN\"", None),
        ("x", "\"inf\"", None),
        ("x", "{\"$numberDouble\": \"NaN\"}", None),
        ("x", "{\"$numberDecimal\": \"12.50\"}", Some(12.5)),
        ("x", "18446744073709551615", Some(18_446_744_073_709_551_615.0)),
        ("euro", "\"1.234,56\"", Some(1234.56)),
        ("euro", "\"1\u{a0}234,56\"", Some(1234.56)),
        ("euro", "\"0,123\"", Some(0.123)),
        ("euro", "\"1,234.5\"", None),
        ("euro", "\"1.5\"", None),
        ("euro", "1.5", Some(1.5)),
    ] {
        let expected = number.map_or(WRONG, |number| Ok(Bson::Double(number)));
        assert_eq!(value(field, json), expected, "{field} of {json}");
    }
    assert_eq!(value("whole_euro", "\"1.234,00\""), Ok(Bson::Int64(1234)));
    assert_eq!(value("whole_euro", "\"1,234\""), WRONG);
    let stream = format!("decimal = \",\"\n{SCHEMA}");
    let schema = Schema::parse("values", &stream).unwrap();
    assert!(schema.states_decimal());
    assert_eq!(schema.field("x").map(|field| field.decimal), Some(crate::number::Mark::Comma));
}

#[test]
fn a_bool_comes_in_any_case_and_as_zero_or_one() {
    for (json, truth) in [
        ("true", Some(true)),
        ("\"TRUE\"", Some(true)),
        ("\"tRue\"", Some(true)),
        ("\"False\"", Some(false)),
        ("0", Some(false)),
        ("1.0", Some(true)),
        ("\"0.0\"", Some(false)),
        ("\"1\"", Some(true)),
        ("\"yes\"", None),
        ("\"Y\"", None),
        ("\"t\"", None),
        ("2", None),
        ("1e-400", None),
        ("0.5", None),
    ] {
        assert_eq!(value("ok", json), truth.map_or(WRONG, |truth| Ok(Bson::Boolean(truth))), "{json}");
    }
    for field in ["ok", "n", "x", "at", "local", "s", "ms", "tags"] {
        assert_eq!(value(field, "\" \""), Ok(Bson::Null), "{field}");
    }
    assert_eq!(value("name", "\"\""), Ok(Bson::String(String::new())), "a blank string is a string");
}

#[test]
fn times_are_read_in_the_forms_that_are_certain() {
    for (field, json, expected) in [
        ("at", "\"2024-05-01T12:00:00[Europe/Berlin]\"", millis(TEN)),
        ("at", "\"2024-05-01T12:00:00+05:00[Europe/Berlin]\"", WRONG),
        ("at", "\"2024-05-01T10:00:00\"", WRONG),
        ("at", "\"2024-05-01T24:00:00Z\"", WRONG),
        ("at", "\"9999-12-31T23:59:59Z\"", millis(253_402_300_799_000)),
        ("at", "\"10000-01-01T00:00:00Z\"", BEYOND),
        ("at", "{\"$date\": \"2024-05-01T10:00:00Z\"}", millis(TEN)),
        ("at", "{\"$date\": {\"$numberLong\": \"1714557600000\"}}", millis(TEN)),
        ("at", "{\"$date\": 1714557600000}", millis(TEN)),
        ("at", "{\"$date\": {\"$numberLong\": \"9223372036854775807\"}}", WRONG),
        ("at", "{\"$timestamp\": {\"t\": 1, \"i\": 1}}", WRONG),
        ("local", "\"01.05.2024 10:00\"", millis(TEN)),
        ("local", "\"2024-05-01 12:00 [Europe/Berlin]\"", millis(TEN)),
        ("s", "1714557600", millis(TEN)),
        ("s", "1714557600.1239", millis(TEN + 123)),
        ("s", "-0.0001", millis(-1)),
        ("s", "\"1714557600.5\"", millis(TEN + 500)),
        ("s", "1e30", BEYOND),
        ("s", "9223372036854775807", BEYOND),
        ("s", "253402300799", millis(253_402_300_799_000)),
        ("s", "253402300800", BEYOND),
        ("ms", "1714557600000.9", millis(TEN)),
        ("ms", "\"1714557600000\"", millis(TEN)),
        ("ms", "-377705116800001", BEYOND),
        ("ms", "true", WRONG),
    ] {
        assert_eq!(value(field, json), expected, "{field} of {json}");
    }
    let day = |json: &str| {
        let json = format!(r#"{{"_id": "a", "day": {json}}}"#);
        let decoder = Decoder::new(&Schema::parse("values", SCHEMA).unwrap()).unwrap();
        decoder.decode(Some(json.as_bytes()), AT).map(|_| ()).map_err(|reject| reject.reason)
    };
    for written in [
        "\"2024-05-01\"",
        "\"2024-05-01 00:00:00\"",
        "\"2024-05-01T00:00:00.000\"",
        "{\"$date\": \"2024-05-01T00:00:00Z\"}",
    ] {
        assert_eq!(day(written), Ok(()), "{written}");
    }
    for written in [
        "\"2024-05-01 00:00:01\"",
        "\"2024-05-01T00:00:00Z\"",
        "{\"$date\": \"2024-05-01T10:00:00Z\"}",
        "\"2024-02-30\"",
    ] {
        assert_eq!(day(written), Err(DeadReason::NoEventTime), "{written}");
    }
}

#[test]
fn a_pair_may_be_a_list_in_a_text() {
    for (json, first, second) in [
        (r#""['1', '2']""#, Bson::Int64(1), Bson::Int64(2)),
        (r#""['1,234', '2,345']""#, Bson::Int64(1234), Bson::Int64(2345)),
        (r#""[1.0, 2.0]""#, Bson::Int64(1), Bson::Int64(2)),
        ("[1.0, 2]", Bson::Int64(1), Bson::Int64(2)),
        ("\"[]\"", Bson::Null, Bson::Null),
        ("[]", Bson::Null, Bson::Null),
        ("\"\"", Bson::Null, Bson::Null),
        ("\"[None, 2]\"", Bson::Null, Bson::Int64(2)),
    ] {
        let event = decode(&format!("\"pair\": {json}")).unwrap();
        assert_eq!((event.get("first"), event.get("second")), (Some(&first), Some(&second)), "{json}");
    }
}

#[test]
fn extended_json_is_only_what_mongodb_writes() {
    for (json, expected) in [
        (r#"{"$oid": "65f1c0d2a1b2c3d4e5f60718"}"#, Ok(Bson::String("65f1c0d2a1b2c3d4e5f60718".to_owned()))),
        (r#"{"$uuid": "73f3"}"#, Ok(Bson::String("73f3".to_owned()))),
        (r#"{"$oid": "65", "more": 1}"#, WRONG),
        (r#"{"$oid": {"$oid": "65"}}"#, WRONG),
        (r#"{"$oid": ["65"]}"#, WRONG),
        (r#"{"$numberLong": "3"}"#, WRONG),
        (r#"{"$binary": {"base64": "", "subType": "00"}}"#, WRONG),
        (r#"{"oid": "65"}"#, WRONG),
        ("{}", WRONG),
    ] {
        assert_eq!(value("name", json), expected, "{json}");
    }
    let reject = decode(r#""name": {"$binary": {"base64": "", "subType": "00"}}"#).unwrap_err();
    assert!(reject.message.contains("extended JSON"), "{reject}");
}

#[test]
fn a_name_that_is_there_twice_has_its_last_value() {
    for (members, number) in [
        ("\"n\": 1, \"n\": 2", Bson::Int64(2)),
        ("\"n\": 9007199254740995.0, \"n\": 9007199254740993.0", Bson::Int64(9_007_199_254_740_993)),
        ("\"n\": 9007199254740993.0, \"n\": 7", Bson::Int64(7)),
        ("\"n\": 7, \"n\": 9007199254740993.0", Bson::Int64(9_007_199_254_740_993)),
        ("\"n\": [1.0, 2.0], \"n\": 3.0", Bson::Int64(3)),
        (r#""n": 9007199254740995.0, "\u006e": 9007199254740993.0"#, Bson::Int64(9_007_199_254_740_993)),
        (r#""\u006e": 9007199254740995.0, "n": 9007199254740993.0"#, Bson::Int64(9_007_199_254_740_993)),
        ("\"n\": \"many\", \"n\": {\"$numberLong\": \"4\"}", Bson::Int64(4)),
        ("\"n\": 1, \"n\": null", Bson::Null),
        ("\"n\": 1, \"unread\": 1, \"unread\": 2", Bson::Int64(1)),
    ] {
        assert_eq!(decode(members).map(|event| event.get("n").cloned()), Ok(Some(number)), "{members}");
    }
    let pair = decode("\"pair\": [9007199254740995.0, 1], \"pair\": [9007199254740993.0, 2.0]").unwrap();
    assert_eq!([pair.get_i64("first").unwrap(), pair.get_i64("second").unwrap()], [9_007_199_254_740_993, 2]);
    assert_eq!(value("n", "{\"$numberLong\": \"4\", \"$numberLong\": \"5\"}"), Ok(Bson::Int64(5)));
}

#[test]
fn a_year_has_four_digits() {
    for (json, is_read) in [
        ("\"01.05.24 10:00\"", false),
        ("\"01.05.224 10:00\"", false),
        ("\"24-05-01 10:00 [Europe/Berlin]\"", false),
        ("\"01.05.0024 10:00\"", true),
        ("\"01.05.1024 10:00\"", true),
        ("\"0999-05-01 10:00 [Europe/Berlin]\"", true),
    ] {
        assert_eq!(value("local", json).map_err(|reason| reason == DeadReason::WrongType).is_ok(), is_read, "{json}");
    }
    let decoder = Decoder::new(&Schema::parse("values", SCHEMA).unwrap()).unwrap();
    for (day, is_read) in [
        ("24-05-01", false),
        ("224-05-01", false),
        ("24-05-01 00:00:00", false),
        ("0024-05-01", true),
        ("1024-05-01T00:00:00", true),
    ] {
        let found = decoder.decode(Some(format!(r#"{{"_id": "a", "day": "{day}"}}"#).as_bytes()), AT);
        assert_eq!(found.map_err(|reject| reject.reason).err(), (!is_read).then_some(DeadReason::NoEventTime), "{day}");
    }
}

#[test]
fn an_event_is_in_the_calendar_of_its_zone() {
    for (zone, at, is_held) in [
        ("UTC", "9999-12-31T23:59:59.999Z", true),
        ("Asia/Seoul", "9999-12-31T14:59:59.999Z", true),
        ("Asia/Seoul", "9999-12-31T15:00:00Z", false),
        ("Asia/Seoul", "9999-12-31T23:59:59Z", false),
        ("America/New_York", "9999-12-31T23:59:59Z", true),
        ("America/New_York", "-009999-01-01T00:00:00Z", false),
        ("UTC", "-009999-01-01T00:00:00Z", true),
    ] {
        let schema = format!(
            "stream = \"s\"\nid = [\"id\"]\nevent_time = \"at\"\ntime_zone = \"{zone}\"\n[fields]\nid = {{ type = \"string\" }}\nat = {{ type = \"timestamp\" }}\n"
        );
        let decoder = Decoder::new(&Schema::parse("s", &schema).unwrap()).unwrap();
        let found = decoder.decode(Some(format!(r#"{{"id": "a", "at": "{at}"}}"#).as_bytes()), AT);
        assert_eq!(
            found.map_err(|reject| reject.reason).err(),
            (!is_held).then_some(DeadReason::OutOfRange),
            "{zone} {at}"
        );
    }
}
