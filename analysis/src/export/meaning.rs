//! What a column's role means to a reader: dimension or measure, how its rows may be put together, and a sentence about it.

use model::{
    layout::{Column, ColumnRole, ColumnType},
    state::SPARSE_LIMIT,
};

use super::selection::OutputColumn;

/// How values of several rows become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregation {
    Sum,
    /// Of means, deviations and quantiles, which have no right answer from rows alone: the least wrong one.
    Average,
    Minimum,
    Maximum,
}

impl Aggregation {
    /// Its name in Tableau's files.
    pub fn tableau_name(self) -> &'static str {
        match self {
            Self::Sum => "Sum",
            Self::Average => "Avg",
            Self::Minimum => "Min",
            Self::Maximum => "Max",
        }
    }
}

/// How the rows of a measure may be put together; `None` for a dimension.
pub(crate) fn aggregation(role: ColumnRole) -> Option<Aggregation> {
    use ColumnRole as Role;
    match role {
        Role::WindowStart | Role::WindowEnd | Role::Key | Role::Rank | Role::IsFinal | Role::UpdatedAt => None,
        Role::Count | Role::Sum | Role::Histogram | Role::Late => Some(Aggregation::Sum),
        Role::Mean | Role::Stddev | Role::Quantile => Some(Aggregation::Average),
        Role::Min => Some(Aggregation::Minimum),
        // A distinct count of two rows is at least the larger one; their sum counts twice what is in both.
        Role::Max | Role::Distinct | Role::Revision => Some(Aggregation::Maximum),
    }
}

/// Name of the type in Tableau's files, whose integers have 64 bits.
pub(crate) fn tableau_type(column: &OutputColumn) -> &'static str {
    match column.kind() {
        ColumnType::Int if column.is_long => "real",
        ColumnType::String | ColumnType::StringList => "string",
        ColumnType::Int => "integer",
        ColumnType::Float => "real",
        ColumnType::Bool => "boolean",
        ColumnType::Date => "date",
        ColumnType::Timestamp => "datetime",
    }
}

/// The name that people read: as it was chosen, or the column's name in words.
pub(crate) fn caption(column: &OutputColumn) -> String {
    if column.name == column.source.name { sentence_case(&column.name) } else { column.name.clone() }
}

/// `top_movies_by_month` as `Top movies by month`.
pub(crate) fn sentence_case(name: &str) -> String {
    let words = crate::format::words(name);
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A sentence about the column.
pub(crate) fn description(column: &Column) -> String {
    let measure = column.measure.as_deref().unwrap_or("the records");
    match column.role {
        ColumnRole::WindowStart => "First moment of the window.".to_owned(),
        ColumnRole::WindowEnd => "End of the window; the next one begins here.".to_owned(),
        ColumnRole::Key => "What the row is about; one row per window and key.".to_owned(),
        ColumnRole::Rank => "Place within the window, from 1.".to_owned(),
        ColumnRole::Count if column.measure.is_some() => {
            format!("Records with a value of {measure}. May be summed over rows.")
        }
        ColumnRole::Count => "Records. May be summed over rows.".to_owned(),
        ColumnRole::Sum => format!("Sum of {measure}. May be summed over rows."),
        ColumnRole::Mean => {
            format!("Mean of {measure} within the row. For several rows divide the summed sums by the summed counts.")
        }
        ColumnRole::Stddev => format!("Sample standard deviation of {measure} within the row."),
        ColumnRole::Min => format!("Smallest value of {measure}."),
        ColumnRole::Max => format!("Largest value of {measure}."),
        ColumnRole::Quantile => format!("Quantile of {measure} within the row."),
        ColumnRole::Histogram => format!("Records with this value of {measure}. May be summed over rows."),
        ColumnRole::Distinct => {
            let estimate = column.relative_error.map_or_else(String::new, |error| format!(": {}", estimate(error)));
            format!("Distinct values within the row{estimate}. Must not be summed over rows.")
        }
        ColumnRole::Late => "Records that came after the window had closed; they are counted in the row.".to_owned(),
        ColumnRole::IsFinal => "Whether no more records are expected for the window.".to_owned(),
        ColumnRole::Revision => "Grows with each change of the row.".to_owned(),
        ColumnRole::UpdatedAt => "When the row was last published.".to_owned(),
    }
}

/// How exact an estimated count is.
fn estimate(relative_error: f64) -> String {
    format!("exact up to {SPARSE_LIMIT}, an estimate beyond (standard error ±{:.1} %)", relative_error * 100.0)
}

/// The columns whose values tell a row from all others.
pub(crate) fn identity(columns: &[Column]) -> Vec<&Column> {
    let with = |role| columns.iter().filter(move |column| column.role == role);
    let ranked = with(ColumnRole::Rank).next().is_some();
    let second = if ranked { ColumnRole::Rank } else { ColumnRole::Key };
    with(ColumnRole::WindowStart).chain(with(second)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_says_how_exact_it_is() {
        let column = |relative_error| Column {
            name: "users".to_owned(),
            kind: ColumnType::Int,
            role: ColumnRole::Distinct,
            measure: None,
            relative_error,
        };
        let estimate = "Distinct values within the row: exact up to 512, an estimate beyond (standard error ±1.6 %). \
                        Must not be summed over rows.";
        assert_eq!(description(&column(Some(0.016_25))), estimate);
        assert_eq!(description(&column(None)), "Distinct values within the row. Must not be summed over rows.");
    }
}
