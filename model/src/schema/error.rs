//! Errors of a schema.

/// An invalid schema: the place and the problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema {schema}: {place}{problem}")]
pub struct SchemaError {
    schema: String,
    place: String,
    problem: String,
}

impl SchemaError {
    /// Creates an error at `place`, such as `fields.rating`. The place is empty if the text itself names it.
    pub(crate) fn new(schema: &str, place: &str, problem: impl Into<String>) -> Self {
        let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
        Self { schema: schema.to_owned(), place, problem: problem.into() }
    }
}
