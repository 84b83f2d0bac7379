//! Numbers as texts: the oracle for everything that reads numbers. No value is ever a float here.

use std::fmt;

/// A finite decimal number, exactly: `digits` × 10^`exponent`.
///
/// ```
/// use fuzz::exact::Decimal;
/// assert_eq!(Decimal::parse("9007199254740993.0"), Decimal::parse("9007199254740993"));
/// assert_ne!(Decimal::parse("9007199254740993"), Decimal::parse("9007199254740992"));
/// assert_eq!(Decimal::parse("1.50e2").unwrap().to_string(), "15e1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    is_negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads `-12.5e3`: a sign, digits with at most one point, an exponent. No blanks, no separators, at least one digit.
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, signed(exponent)?),
            None => (text, 0),
        };
        let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let kept = digits.trim_end_matches('0');
        let trailing = i64::try_from(digits.len() - kept.len()).ok()?;
        let places = i64::try_from(fraction.len()).ok()?;
        let digits = kept.trim_start_matches('0');
        Some(match digits {
            "" => Self { is_negative: false, digits: String::new(), exponent: 0 },
            _ => Self {
                is_negative: mantissa.starts_with('-'),
                digits: digits.to_owned(),
                exponent: exponent.checked_sub(places)?.checked_add(trailing)?,
            },
        })
    }

    /// The largest integer that is not above the number times 10^`power`, if it is no larger than an i128.
    ///
    /// ```
    /// assert_eq!(fuzz::exact::Decimal::parse("-0.0011").unwrap().floor_scaled(3), Some(-2));
    /// ```
    pub fn floor_scaled(&self, power: i64) -> Option<i128> {
        let whole = i64::try_from(self.digits.len()).ok()?.checked_add(self.exponent)?.checked_add(power)?;
        let kept = usize::try_from(whole.clamp(0, 60)).ok()?;
        let digits = &self.digits[..kept.min(self.digits.len())];
        let is_cut = digits.len() < self.digits.len();
        let size: i128 = format!("0{digits}{}", "0".repeat(kept - digits.len())).parse().ok()?;
        Some(if self.is_negative { -size - i128::from(is_cut) } else { size })
    }

    /// The nearest float, as the standard library rounds it.
    pub fn nearest_float(&self) -> f64 {
        self.to_string().parse().expect("digits with an exponent are a float")
    }
}

impl From<i128> for Decimal {
    fn from(number: i128) -> Self {
        Self::parse(&number.to_string()).expect("an integer is a decimal")
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        let digits = if self.digits.is_empty() { "0" } else { &self.digits };
        write!(f, "{sign}{digits}e{}", self.exponent)
    }
}

/// Digits with a sign, as an exponent has them; an exponent beyond every number is held at one.
fn signed(text: &str) -> Option<i64> {
    const FAR: i64 = 1 << 40;
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().map_or(FAR, |size: i64| size.min(FAR));
    Some(if text.starts_with('-') { -size } else { size })
}

/// What a person means by a number text, or `None` if that is not certain.
///
/// Blanks around the number do not count. The whole part may be grouped by threes, with a comma if the decimal `mark` is a point, and with
/// a point or a blank if it is a comma; and only as a whole: a first group of one to three digits, then groups of three.
///
/// ```
/// use fuzz::exact::{Decimal, meaning};
/// assert_eq!(meaning("1,234.5", '.'), Decimal::parse("1234.5"));
/// assert_eq!(meaning("1.234,56", '.'), None);
/// assert_eq!(meaning("1.234,56", ','), Decimal::parse("1234.56"));
/// assert_eq!(meaning("3.5,7", '.'), None);
/// assert_eq!(meaning("0,123", '.'), None);
/// ```
pub fn meaning(text: &str, mark: char) -> Option<Decimal> {
    let separators: &[char] = if mark == '.' { &[','] } else { &['.', ' ', '\u{a0}', '\u{202f}'] };
    let text = text.trim();
    let (mantissa, exponent) = text.split_at(text.find(['e', 'E']).unwrap_or(text.len()));
    let (whole, fraction) = mantissa.split_once(mark).unwrap_or((mantissa, ""));
    let unsigned = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    if let Some(separator) = unsigned.chars().find(|character| separators.contains(character)) {
        let mut groups = unsigned.split(separator);
        let first = groups.next().unwrap_or_default();
        let is_grouped = (1..=3).contains(&first.len()) && !first.starts_with('0') && exponent.is_empty();
        if !is_grouped || !groups.all(|group| group.len() == 3) {
            return None;
        }
        return Decimal::parse(&format!("{}.{fraction}", whole.replace(separator, "")));
    }
    // In the notation of `parse` a second mark is no digit, and the other character no mark.
    if mark != '.' && whole.contains('.') || fraction.contains('.') {
        return None;
    }
    Decimal::parse(&format!("{whole}.{fraction}{exponent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_equal_however_they_are_written() {
        for (one, other) in [("100", "1e2"), ("-0.0", "0"), ("0012.50", "12.5"), (".5", "5e-1"), ("5.", "5")] {
            assert_eq!(Decimal::parse(one), Decimal::parse(other), "{one}");
        }
    }

    #[test]
    fn what_is_no_number_has_no_value() {
        for text in ["", "-", ".", "e1", "1e", "1e+", "--1", "1.2.3", "0x1", "1_000", "inf", "nan", "١"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn floats_round_as_the_standard_library_does() {
        for text in ["0.1", "1e308", "-9007199254740993", "4.9e-324"] {
            assert_eq!(Decimal::parse(text).unwrap().nearest_float(), text.parse::<f64>().unwrap());
        }
    }
}
