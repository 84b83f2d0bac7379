//! Integers beyond 64 bits as floats.

use model::layout::{Column, ColumnRole, ColumnType};
use polars::prelude::{Column as Values, DataFrame, DataType};

use super::ReshapeError;

/// The frame with floats for integers that 64 bits do not hold, which a frame has as texts of digits, and for integers of which sums
/// over all rows would not fit. `columns` tell what the frame's columns mean.
///
/// # Errors
/// When polars cannot cast a column.
///
/// ```
/// use analysis::{polars::prelude::df, reshape::rounded};
/// # let column: model::layout::Column =
/// #     serde_json::from_str(r#"{"name": "bytes_sum", "type": "int", "role": "sum"}"#)?;
///
/// let frame = df!("bytes_sum" => ["18446744073709551616", "5"])?;
/// assert_eq!(rounded(&frame, &[column])?, df!("bytes_sum" => [18_446_744_073_709_551_616.0, 5.0])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn rounded(frame: &DataFrame, columns: &[Column]) -> Result<DataFrame, ReshapeError> {
    let mut frame = frame.clone();
    for column in columns.iter().filter(|column| column.kind == ColumnType::Int && column.role != ColumnRole::Key) {
        let Ok(values) = frame.column(&column.name) else { continue };
        let is_long = match values.dtype() {
            DataType::String => true,
            kind if kind.is_integer() => column.role == ColumnRole::Sum && has_long_sum(values)?,
            _ => false,
        };
        if is_long {
            let floats = values.strict_cast(&DataType::Float64)?;
            frame.with_column(floats)?;
        }
    }
    Ok(frame)
}

/// Whether a sum of some of the values may not fit into 64 bits.
fn has_long_sum(values: &Values) -> Result<bool, ReshapeError> {
    let floats = values.cast(&DataType::Float64)?;
    Ok(floats.f64()?.iter().flatten().map(f64::abs).sum::<f64>() >= i64::MAX as f64)
}

/// Whether the texts of a column are integers, of which one does not fit into 64 bits.
pub(crate) fn has_long_digits(column: &Values) -> bool {
    let Ok(texts) = column.str() else { return false };
    let mut is_long = false;
    let is_integer = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_padded = digits.len() > 1 && digits.starts_with('0');
        !digits.is_empty() && !is_padded && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let all = texts.iter().flatten().all(|text| {
        is_long |= text.parse::<i64>().is_err();
        is_integer(text)
    });
    all && is_long
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;

    fn column(name: &str, role: ColumnRole, kind: ColumnType) -> Column {
        Column { name: name.into(), kind, role, measure: None, relative_error: None }
    }

    #[test]
    fn only_integers_that_are_too_long_become_floats() {
        let columns = [
            column("sum", ColumnRole::Sum, ColumnType::Int),
            column("most", ColumnRole::Max, ColumnType::Int),
            column("many", ColumnRole::Sum, ColumnType::Int),
            column("few", ColumnRole::Sum, ColumnType::Int),
            column("key", ColumnRole::Key, ColumnType::Int),
            column("name", ColumnRole::Max, ColumnType::String),
        ];
        let frame = df!(
            "sum" => [Some("-18446744073709551616"), None], "most" => ["9223372036854775808", "1"],
            "many" => [i64::MAX, 1], "few" => [1_i64 << 60, 1], "key" => ["18446744073709551616", "1"],
            "name" => ["18446744073709551616", "1"],
        );
        let frame = frame.expect("a frame");
        let kinds = rounded(&frame, &columns).expect("floats").dtypes();
        use DataType::{Float64, Int64, String};
        assert_eq!(kinds, [Float64, Float64, Float64, Int64, String, String]);
    }

    #[test]
    fn digits_are_told_from_codes_and_words() {
        for (texts, is_long) in [
            (vec![Some("18446744073709551616"), None, Some("-3")], true),
            (vec![Some("9223372036854775807"), Some("1")], false),
            (vec![Some("18446744073709551616"), Some("007")], false),
            (vec![Some("18446744073709551616"), Some("many")], false),
            (vec![Some("18446744073709551616"), Some("")], false),
        ] {
            assert_eq!(has_long_digits(&Values::new("x".into(), &texts)), is_long, "{texts:?}");
        }
    }
}
