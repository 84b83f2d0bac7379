//! The grammar of numbers in texts.
//!
//! ```text
//! number   = blanks [ "+" | "-" ] ( digits | groups ) [ mark digits ] [ "e" [ "+" | "-" ] digits ] blanks
//! groups   = 1 to 3 digits, not "0" first, then groups of 3 digits with the same separator before each; no exponent
//! ```
//!
//! Digits are `0` to `9`. The decimal separator ([`Mark`]) determines the group separator: a comma with a decimal point; a point, a
//! space or a no-break space with a decimal comma. The whole part or the fraction may be empty, as in `.5` and `5.`, but not both.
//! Everything else is rejected: `1.234,56` with a decimal point is not 1.23456, and `0,123` is not 123.
//!
//! Integers are exact: `8.0` and `1e3` are integers, `9007199254740993.0` is 9007199254740993, and `0.1e1` is 1.

use std::borrow::Cow;
use std::fmt;

/// The decimal separator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mark {
    /// `1,234.5`
    #[default]
    Point,
    /// `1.234,5` and `1 234,5`
    Comma,
}

/// Reason why a text cannot be read as a number of the requested type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text does not match the grammar.
    #[error("not a number")]
    Malformed,
    /// The number has a fraction.
    #[error("not a whole number")]
    NotWhole,
    /// The number is beyond the range of the type.
    #[error("a number beyond what can be held")]
    Beyond,
}

impl Mark {
    /// Reads a decimal separator: `.` or `,`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "." => Some(Self::Point),
            "," => Some(Self::Comma),
            _ => None,
        }
    }

    fn as_char(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }

    fn separates(self, character: char) -> bool {
        match self {
            Self::Point => character == ',',
            Self::Comma => matches!(character, '.' | ' ' | '\u{a0}' | '\u{202f}'),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

/// Reads an integer, exactly.
///
/// # Errors
/// [`NumberError`] if the text is not a number, is not whole, or is beyond 64 bits.
///
/// ```
/// use model::number::{Mark, NumberError, int};
/// assert_eq!(int("1,234,567", Mark::Point), Ok(1_234_567));
/// assert_eq!(int("9007199254740993.0", Mark::Point), Ok(9_007_199_254_740_993));
/// assert_eq!(int("1.234.567,00", Mark::Comma), Ok(1_234_567));
/// assert_eq!(int("1.5", Mark::Point), Err(NumberError::NotWhole));
/// assert_eq!(int("0,123", Mark::Point), Err(NumberError::Malformed));
/// ```
pub fn int(text: &str, mark: Mark) -> Result<i64, NumberError> {
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_) => Decimal::of(&Spelled::read(text, mark)?)?.scaled(0, Rounding::Exact),
    }
}

/// Reads a finite number as the nearest `f64`.
///
/// # Errors
/// [`NumberError`] if the text is not a number, or is beyond the largest `f64`.
///
/// ```
/// use model::number::{Mark, NumberError, float};
/// assert_eq!(float("1,234.5", Mark::Point), Ok(1234.5));
/// assert_eq!(float("1.234,5", Mark::Comma), Ok(1234.5));
/// assert_eq!(float("1.234,5", Mark::Point), Err(NumberError::Malformed));
/// assert_eq!(float("1e400", Mark::Point), Err(NumberError::Beyond));
/// ```
pub fn float(text: &str, mark: Mark) -> Result<f64, NumberError> {
    // Fast path: a number in the standard library's grammar that begins with a digit is also one in this grammar.
    if mark == Mark::Point
        && text.as_bytes().first().is_some_and(u8::is_ascii_digit)
        && let Ok(number) = text.parse::<f64>()
        && number.is_finite()
    {
        return Ok(number);
    }
    let spelled = Spelled::read(text, mark)?;
    let number: f64 = spelled.plain().parse().map_err(|_| NumberError::Malformed)?;
    if number.is_finite() { Ok(number) } else { Err(NumberError::Beyond) }
}

/// Reads a number times 10^`power` as an integer, rounded towards minus infinity.
///
/// # Errors
/// [`NumberError`] if the text is not a number, or the result is beyond 64 bits.
///
/// ```
/// use model::number::{Mark, floor_scaled};
/// assert_eq!(floor_scaled("1714557600.1239", 3, Mark::Point), Ok(1_714_557_600_123));
/// assert_eq!(floor_scaled("-0.0001", 3, Mark::Point), Ok(-1));
/// ```
pub fn floor_scaled(text: &str, power: u8, mark: Mark) -> Result<i64, NumberError> {
    Decimal::of(&Spelled::read(text, mark)?)?.scaled(power.into(), Rounding::Floor)
}

/// The parts of a text that matches the grammar.
struct Spelled<'a> {
    text: &'a str,
    mark: Mark,
    negative: bool,
    /// Digits with group separators.
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Spelled<'a> {
    fn read(text: &'a str, mark: Mark) -> Result<Self, NumberError> {
        let text = text.trim();
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once(mark.as_char()) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let grouped = !all_digits(whole);
        let is_whole = if grouped { is_grouped(whole, mark) } else { !whole.is_empty() || fraction.is_some() };
        let fraction_is_well = match fraction {
            None => true,
            Some("") => !grouped && !whole.is_empty(),
            Some(digits) => all_digits(digits),
        };
        let exponent = match exponent {
            None => 0,
            Some(_) if grouped => return Err(NumberError::Malformed),
            Some(exponent) => read_exponent(exponent)?,
        };
        if !is_whole || !fraction_is_well {
            return Err(NumberError::Malformed);
        }
        Ok(Self { text, mark, negative, whole, fraction: fraction.unwrap_or_default(), exponent })
    }

    /// Returns the number with a decimal point and without group separators.
    fn plain(&self) -> Cow<'a, str> {
        if self.mark == Mark::Point && all_digits(self.whole) {
            return Cow::Borrowed(self.text);
        }
        let mut plain = String::with_capacity(self.text.len());
        if self.negative {
            plain.push('-');
        }
        plain.extend(self.whole.bytes().filter(u8::is_ascii_digit).map(char::from));
        plain.push('.');
        plain.push_str(self.fraction);
        if self.exponent != 0 {
            plain.push_str(&format!("e{}", self.exponent));
        }
        Cow::Owned(plain)
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes()).filter(u8::is_ascii_digit).map(|digit| digit - b'0')
    }
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Matches `1,234,567`: one separator, and groups of three after the first.
fn is_grouped(whole: &str, mark: Mark) -> bool {
    let Some(separator) = whole.chars().find(|character| !character.is_ascii_digit()) else { return false };
    let mut groups = whole.split(separator);
    let first = groups.next().unwrap_or_default();
    mark.separates(separator)
        && (1..=3).contains(&first.len())
        && all_digits(first)
        && !first.starts_with('0')
        && groups.all(|group| group.len() == 3 && all_digits(group))
}

/// Saturates an exponent with many digits far beyond every number.
fn read_exponent(text: &str) -> Result<i64, NumberError> {
    const FAR: i64 = 1 << 40;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !all_digits(digits) {
        return Err(NumberError::Malformed);
    }
    let size = digits.parse::<i64>().map_or(FAR, |size| size.min(FAR));
    Ok(if text.starts_with('-') { -size } else { size })
}

/// `±digits × 10^power`, without trailing zeros in the digits.
struct Decimal {
    negative: bool,
    /// `None` if there are too many digits.
    digits: Option<u128>,
    power: i64,
}

#[derive(Clone, Copy, PartialEq)]
enum Rounding {
    /// A fraction is an error.
    Exact,
    /// Towards minus infinity.
    Floor,
}

impl Decimal {
    fn of(spelled: &Spelled<'_>) -> Result<Self, NumberError> {
        let (mut digits, mut zeros) = (Some(0_u128), 0_u32);
        for digit in spelled.digits() {
            match (digit, digits) {
                (0, Some(0)) => {}
                (0, _) => zeros += 1,
                (digit, so_far) => {
                    let shifted = 10_u128.checked_pow(zeros + 1).and_then(|shift| so_far?.checked_mul(shift));
                    digits = shifted.and_then(|shifted| shifted.checked_add(digit.into()));
                    zeros = 0;
                }
            }
        }
        let fraction = i64::try_from(spelled.fraction.len()).map_err(|_| NumberError::Beyond)?;
        Ok(Self { negative: spelled.negative, digits, power: spelled.exponent - fraction + i64::from(zeros) })
    }

    /// Returns the number times 10^`power` as an integer.
    fn scaled(&self, power: i64, rounding: Rounding) -> Result<i64, NumberError> {
        if self.digits == Some(0) {
            return Ok(0);
        }
        let power = self.power + power;
        if power < 0 && rounding == Rounding::Exact {
            return Err(NumberError::NotWhole);
        }
        let digits = self.digits.ok_or(NumberError::Beyond)?;
        let ten_to_the = |power: i64| u32::try_from(power).ok().and_then(|power| 10_u128.checked_pow(power));
        let size = if power >= 0 {
            ten_to_the(power).and_then(|factor| digits.checked_mul(factor)).ok_or(NumberError::Beyond)?
        } else {
            match ten_to_the(-power) {
                Some(divisor) if self.negative => digits.div_ceil(divisor),
                Some(divisor) => digits / divisor,
                None => u128::from(self.negative),
            }
        };
        let size = i128::try_from(size).map_err(|_| NumberError::Beyond)?;
        i64::try_from(if self.negative { -size } else { size }).map_err(|_| NumberError::Beyond)
    }
}

#[cfg(test)]
mod tests;
