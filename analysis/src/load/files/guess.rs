//! What a text is: its type where none is given, and its value where one is.

use bson::raw::RawBsonRef;
use jiff::{civil, tz::TimeZone};
use model::{
    calendar,
    layout::ColumnType,
    moment::{self, Reading},
    number::{self, Mark},
};

/// Words that stand for a missing value in a column of numbers, flags or times, in small letters.
const NULL_WORDS: [&str; 14] =
    ["na", "n/a", "#n/a", "n.a.", "nan", "null", "none", "nil", "-", "--", "–", "—", "?", "."];
/// Integers up to this are exact as floats.
const EXACT_AS_FLOAT: i64 = 1 << 53;
/// Significant digits that every float keeps.
const DIGITS_OF_FLOAT: usize = 15;
/// Significant digits with which every float reads back as itself.
const DIGITS_TO_READ_BACK: usize = 17;

/// The narrowest type of some values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Guess {
    /// No value yet.
    #[default]
    Nothing,
    /// Nothing but words for a missing value.
    NullWord,
    Int,
    /// Integers of which one would lose digits as a float.
    LongInt,
    /// Integers with a separator of thousands, of which one has at least two: `1,000,000`.
    GroupedInt,
    /// Integers of which some have one separator, `1,234`: it may be the decimal mark.
    MaybeGroupedInt,
    Float,
    Bool,
    Date,
    Timestamp,
    /// Instants, of which some have no offset.
    CivilTimestamp,
    Text,
    Texts,
}

impl Guess {
    /// Of a text in a CSV file.
    pub fn of_field(text: &str) -> Self {
        let first = match text.as_bytes() {
            [] => return Self::Nothing,
            [first, ..] => first,
        };
        if first.is_ascii_digit() || matches!(first, b'-' | b'.') {
            let numeral = of_numeral(text).or_else(|| of_groups(text));
            if let Some(numeral) = numeral {
                return numeral;
            }
        }
        if ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Self::Bool;
        }
        if is_null_word(text) { Self::NullWord } else { Self::of_text(text) }
    }

    /// Of a number as JSON writes it. One that no number here can hold is a text.
    pub fn of_number(text: &str) -> Self {
        of_numeral(text).unwrap_or(Self::Text)
    }

    /// Of a text that is no number, however it looks.
    pub fn of_text(text: &str) -> Self {
        // Cheap to refuse, because most texts are neither.
        if text.len() < 10 || text.as_bytes()[4] != b'-' {
            Self::Text
        } else if date(text).is_some() {
            Self::Date
        } else {
            match timestamp(text) {
                Some(Reading::Instant(_)) => Self::Timestamp,
                Some(Reading::Civil(_)) => Self::CivilTimestamp,
                None => Self::Text,
            }
        }
    }

    /// The type that holds the values of both without changing one.
    pub fn and(self, other: Self) -> Self {
        use Guess::{
            CivilTimestamp, Date, Float, GroupedInt, Int, LongInt, MaybeGroupedInt, Nothing, NullWord, Text, Texts,
            Timestamp,
        };
        match (self, other) {
            (a, b) if a == b => a,
            (Nothing, known) | (known, Nothing) => known,
            (NullWord, Texts) | (Texts, NullWord) => Text,
            (NullWord, known) | (known, NullWord) => known,
            (Int, wide @ (Float | LongInt | GroupedInt | MaybeGroupedInt))
            | (wide @ (Float | LongInt | GroupedInt | MaybeGroupedInt), Int) => wide,
            (GroupedInt, LongInt | MaybeGroupedInt) | (LongInt | MaybeGroupedInt, GroupedInt) => GroupedInt,
            (MaybeGroupedInt, LongInt) | (LongInt, MaybeGroupedInt) => MaybeGroupedInt,
            (Date, Timestamp) | (Timestamp, Date) => Timestamp,
            (Date | Timestamp, CivilTimestamp) | (CivilTimestamp, Date | Timestamp) => CivilTimestamp,
            _ => Text,
        }
    }

    /// `None` where there was no value.
    pub fn kind(self) -> Option<ColumnType> {
        Some(match self {
            Self::Nothing => return None,
            Self::Int | Self::LongInt | Self::GroupedInt => ColumnType::Int,
            Self::Float => ColumnType::Float,
            Self::Bool => ColumnType::Bool,
            Self::Date => ColumnType::Date,
            Self::Timestamp | Self::CivilTimestamp => ColumnType::Timestamp,
            Self::Text | Self::NullWord | Self::MaybeGroupedInt => ColumnType::String,
            Self::Texts => ColumnType::StringList,
        })
    }
}

/// The value of a text as this type; `None` where it has none. A time without an offset is one in UTC.
pub(crate) fn value(text: &str, kind: ColumnType) -> Option<RawBsonRef<'_>> {
    value_in(text, kind, &TimeZone::UTC)
}

/// As [`value`], with the zone of times without an offset.
pub(crate) fn value_in<'a>(text: &'a str, kind: ColumnType, zone: &TimeZone) -> Option<RawBsonRef<'a>> {
    let instant = |millis| RawBsonRef::DateTime(bson::DateTime::from_millis(millis));
    let value = match kind {
        ColumnType::String => return Some(RawBsonRef::String(text)),
        ColumnType::StringList => return None,
        _ if text.is_empty() => return Some(RawBsonRef::Null),
        ColumnType::Int => int(text.trim()).map(RawBsonRef::Int64),
        ColumnType::Float => float(text.trim()).map(RawBsonRef::Double),
        ColumnType::Bool => text.trim().to_ascii_lowercase().parse().ok().map(RawBsonRef::Boolean),
        ColumnType::Date => date(text).map(instant),
        ColumnType::Timestamp => {
            timestamp(text).map(|reading| millis_in(reading, zone)).or_else(|| date(text)).map(instant)
        }
    };
    value.or_else(|| is_null_word(text).then_some(RawBsonRef::Null))
}

/// Whether a text stands for a missing value among values of another type.
fn is_null_word(text: &str) -> bool {
    let text = text.trim();
    // No word is longer than four characters of three bytes.
    text.is_empty() || text.len() <= 12 && NULL_WORDS.contains(&text.to_lowercase().as_str())
}

fn int(text: &str) -> Option<i64> {
    number::int(text, Mark::Point).ok()
}

/// A number or an infinity; `NaN` is none, because in a table it stands for a missing value.
fn float(text: &str) -> Option<f64> {
    let infinity = |text: &str| text.parse().ok().filter(|number: &f64| number.is_infinite());
    let is_word = !text.bytes().any(|byte| byte.is_ascii_digit());
    number::float(text, Mark::Point).ok().or_else(|| infinity(text).filter(|_| is_word))
}

/// Numbers as programs write them. A needless zero at the beginning makes it a code, which must keep it; a number of which a float
/// would change a digit stays a text.
fn of_numeral(text: &str) -> Option<Guess> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let padded = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    if padded || text.contains(',') || text.trim() != text {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        let short = whole.unsigned_abs() <= EXACT_AS_FLOAT.unsigned_abs();
        return Some(if short { Guess::Int } else { Guess::LongInt });
    }
    let number = number::float(text, Mark::Point).ok()?;
    keeps_digits(digits, number.abs()).then_some(Guess::Float)
}

/// Whether a float, positive as the text, is the number of the text and not just one nearby.
fn keeps_digits(text: &str, number: f64) -> bool {
    if text.len() <= DIGITS_OF_FLOAT {
        return true;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, ""));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let printed =
        |digits: usize| format!("{number:.*e}", digits - 1).split('e').next().map(|text| text.replace('.', ""));
    if significant.len() <= DIGITS_OF_FLOAT {
        return true;
    }
    if exponent.is_empty() && fraction.is_empty() {
        return number.to_string() == whole;
    }
    // So many digits tell every float from its neighbours, and many programs write all of them.
    if significant.len() <= DIGITS_TO_READ_BACK && printed(significant.len()).as_deref() == Some(significant) {
        return true;
    }
    // More decimals are those of a computed number. A float keeps what it can; the integer must be kept.
    exponent.is_empty() && fraction.len() > DIGITS_OF_FLOAT && number < EXACT_AS_FLOAT as f64
}

/// An integer whose digits stand in groups of three, with commas between them.
fn of_groups(text: &str) -> Option<Guess> {
    let is_plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b','));
    let separators = text.matches(',').count();
    let guess = if separators == 1 { Guess::MaybeGroupedInt } else { Guess::GroupedInt };
    (is_plain && separators > 0 && int(text).is_some()).then_some(guess)
}

/// Milliseconds of a day's beginning in UTC.
fn date(text: &str) -> Option<i64> {
    let date = (text.len() == 10).then(|| text.parse::<civil::Date>().ok())??;
    Some(calendar::day_of_date(date) * calendar::DAY_MS)
}

/// An instant, or a civil time; what is finer than a millisecond is cut off.
fn timestamp(text: &str) -> Option<Reading> {
    if text.len() <= 10 { None } else { moment::read(text).ok() }
}

/// Milliseconds of a reading. Of a civil time that a zone has twice the first is meant; one that it does not have is as long after the
/// change of clocks as it is after the hour before it.
fn millis_in(reading: Reading, zone: &TimeZone) -> i64 {
    match reading {
        Reading::Instant(millis) => millis,
        Reading::Civil(label) if *zone == TimeZone::UTC => label,
        Reading::Civil(label) => {
            let instant = calendar::civil_of(label).and_then(|civil| zone.to_timestamp(civil).ok());
            instant.map_or(label, |instant| instant.as_millisecond())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_what_a_person_would_say() {
        let cases = [
            ("", Guess::Nothing),
            ("0", Guess::Int),
            ("-7", Guess::Int),
            ("9007199254740992", Guess::Int),
            ("9007199254740993", Guess::LongInt),
            ("-76561198003753555", Guess::LongInt),
            ("0.5", Guess::Float),
            ("-.5e-3", Guess::Float),
            ("0e0", Guess::Float),
            ("1000000000000000000000", Guess::Float),
            ("18446744073709551616", Guess::Text),
            ("18446744073709551615", Guess::Text),
            ("20000000000000000001", Guess::Text),
            ("123456789012345.67", Guess::Float),
            ("1234567890123456.78", Guess::Text),
            ("76561198003753555.0", Guess::Text),
            ("0.10000000000000001", Guess::Float),
            ("3.14159265358979323846", Guess::Float),
            ("9007199254740993.3333333333333333", Guess::Text),
            ("1.7976931348623157e308", Guess::Float),
            ("1.23456789012345678e3", Guess::Text),
            ("123.40000000000001", Guess::Float),
            ("90071992547409.921", Guess::Text),
            ("007", Guess::Text),
            ("00.5", Guess::Text),
            ("1,000", Guess::MaybeGroupedInt),
            ("0,123", Guess::Text),
            ("1,000,000", Guess::GroupedInt),
            ("-12,345,678", Guess::GroupedInt),
            ("1,00,000", Guess::Text),
            ("9,999,999,999,999,999,999", Guess::Text),
            ("1,5", Guess::Text),
            ("1.234.567", Guess::Text),
            ("10%", Guess::Text),
            ("1-2", Guess::Text),
            ("inf", Guess::Text),
            ("1e999", Guess::Text),
            ("NA", Guess::NullWord),
            ("n/a", Guess::NullWord),
            ("NaN", Guess::NullWord),
            ("NULL", Guess::NullWord),
            ("-", Guess::NullWord),
            ("—", Guess::NullWord),
            (" ", Guess::NullWord),
            ("unknown", Guess::Text),
            ("true", Guess::Bool),
            ("TRUE", Guess::Bool),
            ("2020-02-29", Guess::Date),
            ("9999-12-31", Guess::Date),
            ("2021-02-29", Guess::Text),
            ("2020-02-29T10:00:00Z", Guess::Timestamp),
            ("9999-12-31T23:59:59Z", Guess::Timestamp),
            ("2020-02-29 10:00:00.25", Guess::CivilTimestamp),
            ("2020-02-29T10:00:00+02:00", Guess::Timestamp),
            ("기생충 🎬 (2019)", Guess::Text),
        ];
        for (text, guess) in cases {
            assert_eq!(Guess::of_field(text), guess, "{text}");
        }
    }

    #[test]
    fn types_widen_and_never_lose_a_value() {
        use Guess::{
            Bool, CivilTimestamp, Date, Float, GroupedInt, Int, LongInt, MaybeGroupedInt, Nothing, NullWord, Text,
            Timestamp,
        };
        for (a, b, both) in [
            (Nothing, Int, Int),
            (Int, Float, Float),
            (Int, LongInt, LongInt),
            (LongInt, Float, Text),
            (Date, Timestamp, Timestamp),
            (Date, CivilTimestamp, CivilTimestamp),
            (Timestamp, CivilTimestamp, CivilTimestamp),
            (Int, Date, Text),
            (Bool, Int, Text),
            (NullWord, Int, Int),
            (NullWord, Date, Date),
            (NullWord, Text, Text),
            (GroupedInt, MaybeGroupedInt, GroupedInt),
            (GroupedInt, Float, Text),
            (MaybeGroupedInt, Int, MaybeGroupedInt),
        ] {
            assert_eq!((a.and(b), b.and(a)), (both, both), "{a:?} {b:?}");
        }
        // In whatever order the values come.
        let all = [
            Nothing,
            NullWord,
            Int,
            LongInt,
            GroupedInt,
            MaybeGroupedInt,
            Float,
            Bool,
            Date,
            Timestamp,
            CivilTimestamp,
            Text,
        ];
        for (a, b, c) in all.iter().flat_map(|a| all.iter().flat_map(move |b| all.map(|c| (*a, *b, c)))) {
            assert_eq!(a.and(b).and(c), a.and(b.and(c)), "{a:?} {b:?} {c:?}");
        }
    }

    proptest! {
        /// A column of two numbers holds each of them digit for digit, or is one of texts.
        #[test]
        fn two_numbers_in_a_column_keep_their_digits(a in "-?[1-9][0-9]{0,20}(\\.[0-9]{1,4})?", b in "(0|-?[1-9][0-9]{0,20})(\\.[0-9]{1,4})?") {
            let kind = Guess::of_number(&a).and(Guess::of_number(&b)).kind().expect("values");
            for text in [&a, &b] {
                let trimmed = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
                let back = match value(text, kind).expect("a value") {
                    RawBsonRef::Int64(value) => value.to_string(),
                    // All of its digits, or the 17 with which it reads back.
                    RawBsonRef::Double(value) if format!("{value:.16e}").replace('.', "").starts_with(&trimmed.replace('.', "")) => continue,
                    RawBsonRef::Double(value) => value.to_string(),
                    RawBsonRef::String(kept) => kept.to_owned(),
                    other => panic!("{other:?}"),
                };
                prop_assert!(back == trimmed || back == *text, "{} became {}", text, back);
            }
        }
    }

    #[test]
    fn words_and_groups_have_their_values() {
        for (text, kind, expected) in [
            ("NA", ColumnType::Int, Some(RawBsonRef::Null)),
            (" ", ColumnType::Float, Some(RawBsonRef::Null)),
            ("NaN", ColumnType::Float, Some(RawBsonRef::Null)),
            ("-", ColumnType::Date, Some(RawBsonRef::Null)),
            ("NA", ColumnType::String, Some(RawBsonRef::String("NA"))),
            ("1,000,000", ColumnType::Int, Some(RawBsonRef::Int64(1_000_000))),
            ("8.0", ColumnType::Int, Some(RawBsonRef::Int64(8))),
            ("8.5", ColumnType::Int, None),
            ("1,234.5", ColumnType::Float, Some(RawBsonRef::Double(1234.5))),
            ("-inf", ColumnType::Float, Some(RawBsonRef::Double(f64::NEG_INFINITY))),
            ("1e400", ColumnType::Float, None),
            ("1,5", ColumnType::Int, None),
            ("1,5", ColumnType::Float, None),
            ("10%", ColumnType::Float, None),
            ("eight", ColumnType::Int, None),
        ] {
            assert_eq!(value(text, kind), expected, "{text} {kind:?}");
        }
    }

    #[test]
    fn instants_before_1970_are_cut_downwards() {
        let millis = |text| match value(text, ColumnType::Timestamp) {
            Some(RawBsonRef::DateTime(instant)) => instant.timestamp_millis(),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(millis("1969-12-31T23:59:59.9999Z"), -1);
        assert_eq!(millis("1970-01-01T01:00:00+01:00"), 0);
        assert_eq!(millis("1970-01-02"), 86_400_000);
        assert_eq!(millis("9999-12-31 23:59:59"), 253_402_300_799_000);
    }
}
