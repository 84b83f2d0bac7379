//! The date grammar and the calendar: an accepted text is the moment that it says, and that moment lies in its windows.
//!
//! Input: format, zone, then the text. The last format is a pattern of the input's own, in its first line.

use std::sync::LazyLock;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use model::calendar::{CalendarUnit, DAY_MS, date_of_day, day_of_date};
use model::schema::Schema;
use model::window::{Timeline, Window, WindowKind, WindowSpec};

use super::{Stream, quoted};
use crate::Input;

/// Type and formats of the field; the patterns name a moment completely, so that it can be written and read again.
const FORMATS: [(&str, &str); 10] = [
    ("timestamp", "rfc3339"),
    ("date", "%Y-%m-%d"),
    ("date", "%d %B %Y"),
    ("date", "%d.%m.%Y"),
    ("date", "%m/%d/%y"),
    ("timestamp", "%Y-%m-%d %H:%M:%S%.f"),
    ("timestamp", "%d.%m.%Y %H:%M"),
    ("timestamp", "%Y-%m-%dT%H:%M:%S%.f%z"),
    ("timestamp", "epoch_ms"),
    ("timestamp", "epoch_s"),
];

/// Zones with a change at midnight, of half an hour, over the date line, before 1900, and none at all.
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "America/Goose_Bay",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Monrovia",
    "Australia/Lord_Howe",
];

static STREAMS: LazyLock<Vec<Vec<Stream>>> = LazyLock::new(|| {
    let of_format =
        |(kind, format): &(&str, &str)| ZONES.iter().map(|zone| Stream::new(&schema(kind, format, zone))).collect();
    FORMATS.iter().map(of_format).collect()
});

fn schema(kind: &str, format: &str, zone: &str) -> String {
    let format = toml_quoted(format);
    format!(
        "stream = \"dates\"\nid = [\"id\"]\nevent_time = \"at\"\ntime_zone = \"{zone}\"\n[fields]\n\
         id = {{ type = \"string\" }}\nat = {{ type = \"{kind}\", formats = [{format}] }}\n"
    )
}

/// A text as a basic string of TOML, which differs from JSON's in one character.
fn toml_quoted(text: &str) -> String {
    quoted(text).replace('\x7f', "\\u007f")
}

/// Reads the text as an event time.
pub fn run(input: &[u8]) {
    let mut input = Input::new(input);
    let format = input.choose(FORMATS.len() + 1);
    let zone = input.choose(ZONES.len());
    let Some(text) = input.text() else { return };
    let Some((kind, name)) = FORMATS.get(format) else { return any_pattern(text, ZONES[zone]) };
    let stream = &STREAMS[format][zone];
    let Some(millis) = read(stream, text) else { return };
    check_in_calendar(text, millis);
    match *name {
        "rfc3339" => check_rfc3339(text, millis),
        "epoch_ms" => assert_eq!(read_number(stream, millis), Some(millis), "{text:?}"),
        "epoch_s" => check_seconds(text, millis),
        pattern => check_pattern(stream, kind, pattern, text, millis),
    }
    check_windows(stream.schema.time_zone(), *kind == "date", millis);
}

/// No pattern and no text may end the program; what is read lies in the calendar.
fn any_pattern(text: &str, zone: &str) {
    let (pattern, text) = text.split_once('\n').unwrap_or((text, ""));
    for kind in ["date", "timestamp"] {
        let Ok(schema) = Schema::parse("fuzz", &schema(kind, pattern, zone)) else { continue };
        let decoder = model::decode::Decoder::new(&schema).expect("the names can be stored");
        if let Some(millis) = read(&Stream { schema, decoder }, text) {
            check_in_calendar(text, millis);
        }
    }
}

fn read(stream: &Stream, text: &str) -> Option<i64> {
    read_value(stream, &quoted(text))
}

fn read_number(stream: &Stream, number: i64) -> Option<i64> {
    read_value(stream, &number.to_string())
}

fn read_value(stream: &Stream, value: &str) -> Option<i64> {
    let record = format!(r#"{{"id": "a", "at": {value}}}"#);
    let event = stream.decode(record.as_bytes()).ok()?.expect("there is no filter");
    let stored = event.document.get_datetime("at").expect("the event time is a date").timestamp_millis();
    assert_eq!(stored, event.event_time, "{value}");
    Some(event.event_time)
}

fn check_in_calendar(text: &str, millis: i64) {
    let days = day_of_date(Date::MIN)..=day_of_date(Date::MAX);
    assert!(days.contains(&millis.div_euclid(DAY_MS)), "{text:?} became {millis} ms, which no calendar has");
}

/// What is written of the moment reads as the moment.
fn check_pattern(stream: &Stream, kind: &str, pattern: &str, text: &str, millis: i64) {
    let zone = stream.schema.time_zone();
    // The ends of the calendar are no instants in every zone, and local times may come twice.
    let Ok(instant) = Timestamp::from_millisecond(millis) else { return };
    if !has_written_year(pattern, millis) {
        return;
    }
    let written = if kind == "date" {
        assert_eq!(millis.rem_euclid(DAY_MS), 0, "{text:?} is a date with a time of day");
        date_of_day(millis.div_euclid(DAY_MS)).strftime(pattern).to_string()
    } else if is_ambiguous(zone, pattern, instant) {
        return;
    } else {
        instant.to_zoned(zone.clone()).strftime(pattern).to_string()
    };
    assert_eq!(read(stream, &written), Some(millis), "{text:?} was read as {written:?} by {pattern:?}");
}

/// A local time that comes twice stands for either instant; local mean times have seconds, which no offset or minute of a pattern holds.
fn is_ambiguous(zone: &TimeZone, pattern: &str, instant: Timestamp) -> bool {
    let has_offset = pattern.contains("%z");
    zone.to_offset(instant).seconds() % 60 != 0
        || !has_offset && zone.to_ambiguous_timestamp(zone.to_datetime(instant)).is_ambiguous()
}

/// Whether the pattern's year is the year: two digits are those of 1969 to 2068, and a sign is not read everywhere.
fn has_written_year(pattern: &str, millis: i64) -> bool {
    let year = date_of_day(millis.div_euclid(DAY_MS)).year();
    if pattern.contains("%y") { (1970..2068).contains(&year) } else { (2..9999).contains(&year) }
}

fn check_seconds(text: &str, millis: i64) {
    let Some(meant) = crate::exact::meaning(text, '.') else { panic!("{text:?} is no number, but {millis} ms") };
    assert_eq!(meant.floor_scaled(3), Some(i128::from(millis)), "{text:?}");
}

/// Compares with arithmetic of our own where the text is plainly RFC 3339.
fn check_rfc3339(text: &str, millis: i64) {
    let Some(expected) = rfc3339(text.trim()) else { return };
    assert_eq!(millis, expected, "{text:?}");
}

/// Milliseconds of `2020-02-29T23:59:59.123456+05:30`, by days from civil (<https://howardhinnant.github.io/date_algorithms.html>).
/// None for other forms, and for a second 60, which may be read as the one before or the next.
pub(super) fn rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |place: std::ops::Range<usize>| {
        let digits = bytes.get(place)?;
        digits
            .iter()
            .try_fold(0_i64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
    };
    let stands = |place: usize, one_of: &[u8]| bytes.get(place).is_some_and(|byte| one_of.contains(byte));
    let punctuated = stands(4, b"-") && stands(7, b"-") && stands(10, b"Tt ") && stands(13, b":") && stands(16, b":");
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !punctuated || second > 59 {
        return None;
    }
    let fraction = bytes.get(19..)?;
    let (thousandths, length) = match fraction.first() {
        Some(b'.') => {
            let length = fraction[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let first = (0..3).map(|place| if place < length { i64::from(fraction[1 + place] - b'0') } else { 0 });
            (first.fold(0, |number, digit| number * 10 + digit), 1 + length)
        }
        _ => (0, 0),
    };
    let offset = match &bytes[19 + length..] {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] if rest.len() == 5 && rest[2] == b':' => {
            let start = 20 + length;
            let minutes = number(start..start + 2)? * 60 + number(start + 3..start + 5)?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + (minute - offset) * 60 + second;
    Some(seconds * 1_000 + thousandths)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Every moment lies inside each of its windows: by label, before the instant at which the window ends, and before the end by label that is
/// over by then.
fn check_windows(zone: &TimeZone, is_civil: bool, millis: i64) {
    for unit in CalendarUnit::ALL {
        let timeline = if is_civil { Timeline::Civil } else { Timeline::Zoned(zone.clone()) };
        let spec = WindowSpec::new(WindowKind::Calendar(unit), timeline);
        let what = |window: Window| format!("{millis} ms in {zone:?} and its {unit:?} {window:?}");
        spec.for_each(millis, |window| {
            if let Some(label) = if is_civil { Some(millis) } else { label_in(zone, millis) } {
                assert!((window.start..window.end).contains(&label), "{}", what(window));
            }
            assert!(millis < spec.ends_at(window), "{} that has ended", what(window));
            assert!(spec.ended_by(millis) < window.end, "{} that has ended by its label", what(window));
        });
    }
}

/// The civil time of an instant, as if it were UTC.
fn label_in(zone: &TimeZone, millis: i64) -> Option<i64> {
    let instant = Timestamp::from_millisecond(millis).ok()?;
    Some(millis + i64::from(zone.to_offset(instant).seconds()) * 1_000)
}
