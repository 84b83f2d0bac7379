//! The number grammar: what is accepted is exactly what the text says.
//!
//! Input: how the value stands in the record (0 in a text, 1 as a JSON number, 2 in a text with a decimal comma), then the number.

use std::sync::LazyLock;

use bson::raw::RawBsonRef;
use model::decode::DeadReason;
use model::number::{self, Mark};

use super::{Stream, quoted};
use crate::Input;
use crate::exact::{Decimal, meaning};

/// One field, of either type and with either mark.
#[derive(Debug)]
struct Fields {
    int: Stream,
    float: Stream,
}

static POINT: LazyLock<Fields> = LazyLock::new(|| Fields::new("."));
static COMMA: LazyLock<Fields> = LazyLock::new(|| Fields::new(","));

impl Fields {
    fn new(mark: &str) -> Self {
        let of_type = |kind: &str| {
            Stream::new(&format!(
                "stream = \"numbers\"\nid = [\"id\"]\nevent_time = \"at\"\ndecimal = \"{mark}\"\n[fields]\n\
                 id = {{ type = \"string\" }}\nat = {{ type = \"timestamp\", formats = [\"epoch_ms\"] }}\n\
                 value = {{ type = \"{kind}\" }}\n"
            ))
        };
        Self { int: of_type("int"), float: of_type("float") }
    }
}

/// Reads the number as an int and as a float.
pub fn run(input: &[u8]) {
    let mut input = Input::new(input);
    let way = input.choose(3);
    let Some(text) = input.text() else { return };
    match way {
        1 if is_json_number(text) => check(&POINT, Mark::Point, text, text, Decimal::parse(text).as_ref()),
        1 => {}
        2 => check(&COMMA, Mark::Comma, text, &quoted(text), meaning(text, ',').as_ref()),
        _ => {
            check(&POINT, Mark::Point, text, &quoted(text), meaning(text, '.').as_ref());
            check_scaled(text);
        }
    }
}

fn check(fields: &Fields, mark: Mark, text: &str, value: &str, meant: Option<&Decimal>) {
    let int = read(&fields.int, value).map(|value| value.map(Number::int));
    let float = read(&fields.float, value).map(|value| value.map(Number::float));
    check_int(text, int, meant);
    check_float(fields, mark, text, float, meant);
    // Every int is a number.
    if let Ok(Some(int)) = int {
        assert_eq!(float, Ok(Some(int as f64)), "{text:?} is the int {int}");
    }
    // The decoder reads texts by the grammar and by nothing else.
    if value != text && !text.trim().is_empty() {
        assert_eq!(int.ok(), number::int(text, mark).ok().map(Some), "{text:?} in a record and by itself");
        assert_eq!(float.ok(), number::float(text, mark).ok().map(Some), "{text:?} in a record and by itself");
    }
}

/// Seconds as milliseconds: never more than the number says, and less than one below it.
fn check_scaled(text: &str) {
    let Ok(scaled) = number::floor_scaled(text, 3, Mark::Point) else { return };
    let meant = meaning(text, '.').unwrap_or_else(|| panic!("{text:?} is no number, but became {scaled}"));
    assert_eq!(meant.floor_scaled(3), Some(i128::from(scaled)), "{text:?} times 1000");
}

fn check_int(text: &str, read: Result<Option<i64>, DeadReason>, meant: Option<&Decimal>) {
    match (read, meant) {
        (Ok(Some(int)), Some(meant)) => assert_eq!(&Decimal::from(i128::from(int)), meant, "{text:?} as an int"),
        (Ok(Some(int)), None) => panic!("{text:?} is no number, but was read as the int {int}"),
        (Ok(None), meant) => assert!(meant.is_none() && text.trim().is_empty(), "{text:?} became null"),
        (Err(reason), meant) => {
            assert!(matches!(reason, DeadReason::WrongType | DeadReason::OutOfRange), "{text:?}: {reason}");
            // The plainest way to write an int is never refused.
            let plain = text.parse::<i64>().is_ok_and(|int| int.to_string() == text);
            assert!(!plain, "{text:?} was refused as an int ({reason}), meant {meant:?}");
        }
    }
}

fn check_float(
    fields: &Fields,
    mark: Mark,
    text: &str,
    read: Result<Option<f64>, DeadReason>,
    meant: Option<&Decimal>,
) {
    match (read, meant) {
        (Ok(Some(float)), Some(meant)) => {
            assert!(float.is_finite(), "{text:?} became {float}");
            assert_eq!(float, meant.nearest_float(), "{text:?} as a float");
            let written = float.to_string().replace('.', &mark.to_string());
            let again = self::read(&fields.float, &quoted(&written)).map(|value| value.map(Number::float));
            assert_eq!(again, Ok(Some(float)), "{text:?} was read, but not what is written of it");
        }
        (Ok(Some(float)), None) => panic!("{text:?} is no number, but was read as the float {float}"),
        (Ok(None), meant) => assert!(meant.is_none() && text.trim().is_empty(), "{text:?} became null"),
        (Err(reason), _) => {
            assert!(matches!(reason, DeadReason::WrongType | DeadReason::OutOfRange), "{text:?}: {reason}");
            let plain = text.parse::<f64>().is_ok_and(|float| float.is_finite() && float.to_string() == text);
            let plain = plain && (mark == Mark::Point || !text.contains('.'));
            assert!(!plain, "{text:?} was refused as a float ({reason})");
        }
    }
}

fn read(stream: &Stream, value: &str) -> Result<Option<Number>, DeadReason> {
    let record = format!(r#"{{"id": "a", "at": 0, "value": {value}}}"#);
    let event = stream.decode(record.as_bytes()).map_err(|reject| reject.reason)?.expect("there is no filter");
    Ok(match event.document.get("value").expect("the decoder writes a document") {
        Some(RawBsonRef::Int64(int)) => Some(Number::Int(int)),
        Some(RawBsonRef::Double(float)) => Some(Number::Float(float)),
        Some(RawBsonRef::Null) | None => None,
        Some(other) => panic!("{value} became {other:?}"),
    })
}

/// What stands in the event.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    fn int(self) -> i64 {
        match self {
            Self::Int(int) => int,
            Self::Float(float) => panic!("an int field holds the float {float}"),
        }
    }

    fn float(self) -> f64 {
        match self {
            Self::Float(float) => float,
            Self::Int(int) => panic!("a float field holds the int {int}"),
        }
    }
}

fn is_json_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_digit())
        && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}
