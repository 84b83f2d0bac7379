//! Errors of a schema.

/// A schema that cannot be used: where, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema {schema}: {place}{problem}")]
pub struct SchemaError {
    schema: String,
    place: String,
    problem: String,
}

impl SchemaError {
    /// A problem at `place` (`fields.rating`, or empty where the text itself says where).
    pub(crate) fn new(schema: &str, place: &str, problem: impl Into<String>) -> Self {
        let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
        Self { schema: schema.to_owned(), place, problem: problem.into() }
    }
}
