//! What a column's role means to a reader: dimension or measure, how its rows may be put together, and a sentence about it.

use model::layout::{Column, ColumnRole, ColumnType};

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

/// Name of the type in Tableau's files.
pub(crate) fn tableau_type(kind: ColumnType) -> &'static str {
    match kind {
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
        ColumnRole::Distinct => "Distinct values within the row, estimated. Must not be summed over rows.".to_owned(),
        ColumnRole::Late => "Records that came after the window had closed; they are counted in the row.".to_owned(),
        ColumnRole::IsFinal => "Whether no more records are expected for the window.".to_owned(),
        ColumnRole::Revision => "Grows with each change of the row.".to_owned(),
        ColumnRole::UpdatedAt => "When the row was last published.".to_owned(),
    }
}

/// The columns whose values tell a row from all others.
pub(crate) fn identity(columns: &[Column]) -> Vec<&Column> {
    let with = |role| columns.iter().filter(move |column| column.role == role);
    let ranked = with(ColumnRole::Rank).next().is_some();
    let second = if ranked { ColumnRole::Rank } else { ColumnRole::Key };
    with(ColumnRole::WindowStart).chain(with(second)).collect()
}
