//! Finds the schema that a name means: a preset, or a file.

use crate::error::IngestError;
use model::schema::{IMDB_REVIEW, Schema};
use std::path::Path;

/// The built-in schemas by name.
pub const PRESETS: [(&str, &str); 1] = [("imdb-review", IMDB_REVIEW)];

/// Reads the preset or the file of that name.
///
/// # Errors
/// [`IngestError::Usage`] where it cannot be read, or says something that cannot be.
pub fn load(name: &str) -> Result<Schema, IngestError> {
    let preset = PRESETS.iter().find(|(preset, _)| *preset == name);
    let text = match preset {
        Some((_, text)) => (*text).to_owned(),
        None => std::fs::read_to_string(Path::new(name)).map_err(|error| {
            let names: Vec<_> = PRESETS.iter().map(|(name, _)| *name).collect();
            IngestError::Usage(format!(
                "cannot read the schema {name}: {error}; name a TOML file, or a preset: {}",
                names.join(", ")
            ))
        })?,
    };
    Schema::parse(name, &text).map_err(|error| IngestError::Usage(error.to_string()))
}
