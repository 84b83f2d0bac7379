//! Conditions on one column, pushed down to MongoDB.
//!
//! Written `column OP value` with one of `= != < <= > >=`. The value is read by the column's type; `null` stands for a
//! missing value, and quotes around a value make it a text: `movie = "null"`.

use std::{fmt, str::FromStr};

use bson::{Bson, Document, doc};
use model::layout::{Column, ColumnType};

use super::Moment;

/// How a column is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`; a null is not different from anything, as in SQL.
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// One condition, such as `rating_mean >= 7.5`.
///
/// ```
/// use analysis::load::{Comparison, Condition};
///
/// let parsed: Condition = "movie = Up (2009)".parse()?;
/// assert_eq!(parsed, Condition::new("movie", Comparison::Equal, "Up (2009)"));
/// # Ok::<(), analysis::load::ConditionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    column: String,
    comparison: Comparison,
    value: Option<String>,
}

/// A condition that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a condition; write COLUMN OP VALUE with = != < <= > or >=, such as \"rating_mean >= 7\"")]
pub struct ConditionError(String);

impl Condition {
    /// Compares `column` with `value`, which is read by the column's type when the query runs.
    pub fn new(column: impl Into<String>, comparison: Comparison, value: impl fmt::Display) -> Self {
        Self { column: column.into(), comparison, value: Some(value.to_string()) }
    }

    /// Holds where `column` is null.
    pub fn is_null(column: impl Into<String>) -> Self {
        Self { column: column.into(), comparison: Comparison::Equal, value: None }
    }

    /// Holds where `column` is not null.
    pub fn is_not_null(column: impl Into<String>) -> Self {
        Self { column: column.into(), comparison: Comparison::NotEqual, value: None }
    }

    /// Name of the compared column.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// The MongoDB filter of the field that `column` names, or the value that does not fit `column`'s type.
    pub(crate) fn to_filter(&self, column: &Column) -> Result<Document, String> {
        let value = match &self.value {
            Some(text) => typed(text, column.kind).ok_or_else(|| text.clone())?,
            None => Bson::Null,
        };
        Ok(self.test(&column.name, vec![value]))
    }

    /// The MongoDB filter of a field of which no value was seen yet: the value is read in every way in which it can be, and as
    /// MongoDB compares values of one type only, the field's own type decides.
    pub(crate) fn to_open_filter(&self, path: &str) -> Document {
        const KINDS: [ColumnType; 4] = [ColumnType::String, ColumnType::Int, ColumnType::Bool, ColumnType::Timestamp];
        let values = match &self.value {
            Some(text) => KINDS.into_iter().filter_map(|kind| typed(text, kind)).collect(),
            None => vec![Bson::Null],
        };
        self.test(path, values)
    }

    /// Holds where the field compares so with one of the values; with `!=`, where it is none of them.
    fn test(&self, path: &str, mut values: Vec<Bson>) -> Document {
        let operator = match self.comparison {
            Comparison::NotEqual => {
                values.push(Bson::Null);
                return doc! { path: { "$nin": values } };
            }
            Comparison::Equal => "$eq",
            Comparison::Less => "$lt",
            Comparison::AtMost => "$lte",
            Comparison::Greater => "$gt",
            Comparison::AtLeast => "$gte",
        };
        let mut tests: Vec<Document> = values.into_iter().map(|value| doc! { path: { operator: value } }).collect();
        match tests.len() {
            1 => tests.swap_remove(0),
            _ => doc! { "$or": tests },
        }
    }
}

fn typed(text: &str, kind: ColumnType) -> Option<Bson> {
    match kind {
        ColumnType::String | ColumnType::StringList => Some(Bson::String(text.to_owned())),
        ColumnType::Int => text.parse().map(Bson::Int64).ok().or_else(|| text.parse().ok().map(Bson::Double)),
        ColumnType::Float => text.parse().ok().map(Bson::Double),
        ColumnType::Bool => text.parse().ok().map(Bson::Boolean),
        ColumnType::Date | ColumnType::Timestamp => {
            let moment: Moment = text.parse().ok()?;
            Some(Bson::DateTime(bson::DateTime::from_millis(moment.millis())))
        }
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let refuse = || ConditionError(text.to_owned());
        let at = text.find(['=', '!', '<', '>']).ok_or_else(refuse)?;
        let (column, rest) = text.split_at(at);
        let (comparison, value) = split_comparison(rest).ok_or_else(refuse)?;
        let (column, value) = (column.trim(), value.trim());
        if column.is_empty() || value.is_empty() {
            return Err(refuse());
        }
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        match (quoted, comparison) {
            (None, Comparison::Equal) if value == "null" => Ok(Self::is_null(column)),
            (None, Comparison::NotEqual) if value == "null" => Ok(Self::is_not_null(column)),
            (None, _) if value == "null" => Err(refuse()),
            _ => Ok(Self::new(column, comparison, quoted.unwrap_or(value))),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbol =
            SYMBOLS.iter().find(|(_, comparison)| *comparison == self.comparison).map_or("", |(symbol, _)| symbol);
        write!(f, "{} {symbol} {}", self.column, self.value.as_deref().unwrap_or("null"))
    }
}

/// Longer ones first, so that `<=` is not read as `<` and the value `=…`.
const SYMBOLS: [(&str, Comparison); 6] = [
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

fn split_comparison(text: &str) -> Option<(Comparison, &str)> {
    SYMBOLS.iter().find_map(|(symbol, comparison)| Some((*comparison, text.strip_prefix(symbol)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::layout::ColumnRole;

    fn column(name: &str, kind: ColumnType) -> Column {
        Column { name: name.into(), kind, role: ColumnRole::Key, measure: None, relative_error: None }
    }

    fn filter(text: &str, kind: ColumnType) -> Document {
        let condition: Condition = text.parse().expect(text);
        condition.to_filter(&column("c", kind)).expect(text)
    }

    #[test]
    fn reads_the_value_by_the_columns_type() {
        assert_eq!(filter("c=8", ColumnType::String), doc! { "c": { "$eq": "8" } });
        assert_eq!(filter("c <= 8", ColumnType::Int), doc! { "c": { "$lte": 8_i64 } });
        assert_eq!(filter("c > 7.5", ColumnType::Int), doc! { "c": { "$gt": 7.5 } });
        assert_eq!(filter("c >= 7.5", ColumnType::Float), doc! { "c": { "$gte": 7.5 } });
        assert_eq!(filter("c = true", ColumnType::Bool), doc! { "c": { "$eq": true } });
        let day = bson::DateTime::from_millis(86_400_000);
        assert_eq!(filter("c < 1970-01-02", ColumnType::Date), doc! { "c": { "$lt": day } });
    }

    #[test]
    fn null_is_a_missing_value_unless_it_is_quoted() {
        assert_eq!(filter("c = null", ColumnType::Float), doc! { "c": { "$eq": null } });
        assert_eq!(filter("c != null", ColumnType::Float), doc! { "c": { "$nin": [null, null] } });
        assert_eq!(filter("c = \"null\"", ColumnType::String), doc! { "c": { "$eq": "null" } });
        assert!("c < null".parse::<Condition>().is_err());
    }

    #[test]
    fn keeps_operators_that_are_part_of_the_value() {
        assert_eq!(filter("c = a = b <c>", ColumnType::String), doc! { "c": { "$eq": "a = b <c>" } });
    }

    #[test]
    fn is_written_as_it_is_read() {
        for text in ["movie = Up (2009)", "reviews <= 3", "rating_mean != null"] {
            assert_eq!(text.parse::<Condition>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn names_what_it_cannot_read() {
        for text in ["", "movie", "= 8", "movie =", "movie ~ 8"] {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
        let condition: Condition = "c = seven".parse().expect("a condition");
        assert_eq!(condition.to_filter(&column("c", ColumnType::Int)), Err("seven".to_owned()));
    }
}
