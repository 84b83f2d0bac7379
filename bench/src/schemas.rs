//! The preset with fewer rollups.

use anyhow::{Context, Result};
use model::schema::IMDB_REVIEW;
use std::path::{Path, PathBuf};

const ROLLUPS: &str = "[[rollups]]";

/// Writes the preset without rollups.
pub fn without_rollups(folder: &Path) -> Result<PathBuf> {
    cut(folder, "none.toml", ROLLUPS)
}

/// Writes the preset with its calendar rollups only.
pub fn calendar(folder: &Path) -> Result<PathBuf> {
    cut(folder, "calendar.toml", "[[rollups]]\nname = \"movies_by_month\"")
}

fn cut(folder: &Path, name: &str, before: &str) -> Result<PathBuf> {
    let end = IMDB_REVIEW.find(before).with_context(|| format!("the preset has no {before}"))?;
    let path = folder.join(name);
    std::fs::write(&path, &IMDB_REVIEW[..end])?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::schema::Schema;

    #[test]
    fn what_is_left_is_a_schema() {
        let folder = tempfile::tempdir().unwrap();
        let rollups = |path: PathBuf| {
            let schema = Schema::parse("cut", &std::fs::read_to_string(path).unwrap()).unwrap();
            schema.rollups().rollups().iter().map(|rollup| rollup.name().to_owned()).collect::<Vec<_>>()
        };
        assert!(rollups(without_rollups(folder.path()).unwrap()).is_empty());
        assert_eq!(rollups(calendar(folder.path()).unwrap()), ["reviews_by_month", "reviews_by_ten_day"]);
    }
}
