//! Which database to read, found where `ingest` finds it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use model::mongodb_uri::mask;
use serde::Deserialize;

use super::{Store, StoreError};

/// The file that is read where it is there and none is named; `ingest` reads it, too.
const DEFAULT_FILE: &str = "rushes.toml";
/// What names the server in the environment; the last one that is set counts, as for `ingest`.
const MONGODB_URI: [&str; 2] = ["MONGODB_URI", "RUSHES_MONGODB_URI"];
/// What names the database in the environment.
const DATABASE: [&str; 1] = ["RUSHES_DATABASE"];

/// A server and a database on it. What is not given comes from the environment (`MONGODB_URI`, `RUSHES_DATABASE`), else from the
/// configuration file of `ingest` (`mongodb_uri` and `database` in `rushes.toml` of the current folder), else it is
/// `mongodb://127.0.0.1:27017` and `rushes`.
///
/// ```no_run
/// # use analysis::load::Connection;
/// let store = Connection::new().database("sensors").open()?;
/// # Ok::<(), analysis::load::StoreError>(())
/// ```
#[must_use = "connects to nothing before `open`"]
#[derive(Clone, Default)]
pub struct Connection {
    file: Option<PathBuf>,
    mongodb_uri: Option<String>,
    database: Option<String>,
}

/// What of the configuration file is read here; the rest is for `ingest`, which also refuses names that it does not know.
#[derive(Default, Deserialize)]
struct Settings {
    mongodb_uri: Option<String>,
    database: Option<String>,
    schema: Option<String>,
}

impl Connection {
    /// Nothing given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads this configuration file; it has to be there.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// The servers, `mongodb://HOST:PORT`.
    pub fn mongodb_uri(mut self, uri: impl Into<String>) -> Self {
        self.mongodb_uri = Some(uri.into());
        self
    }

    /// The database.
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.database = Some(name.into());
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// [`StoreError::Config`] where the file cannot be read, and those of [`Store::connect`].
    pub fn open(self) -> Result<Store, StoreError> {
        let (uri, database) = self.resolve(|name| std::env::var(name).ok(), Path::new(DEFAULT_FILE))?;
        Store::connect(&uri, &database)
    }

    /// The schema that the configuration file of `ingest` names: a file or a preset.
    ///
    /// # Errors
    /// [`StoreError::Config`] if the file cannot be read.
    pub fn schema_name(&self) -> Result<Option<String>, StoreError> {
        Ok(self.settings(Path::new(DEFAULT_FILE))?.schema)
    }

    fn settings(&self, default_file: &Path) -> Result<Settings, StoreError> {
        match &self.file {
            Some(path) => read(path),
            None if default_file.exists() => read(default_file),
            None => Ok(Settings::default()),
        }
    }

    /// Server and database, each given, of the environment, of a file, or the default.
    fn resolve(
        self,
        variable: impl Fn(&str) -> Option<String>,
        default_file: &Path,
    ) -> Result<(String, String), StoreError> {
        let settings = self.settings(default_file)?;
        let of_environment =
            |names: &[&str]| names.iter().rev().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        let uri = self.mongodb_uri.or_else(|| of_environment(&MONGODB_URI)).or(settings.mongodb_uri);
        let database = self.database.or_else(|| of_environment(&DATABASE)).or(settings.database);
        Ok((
            uri.unwrap_or_else(|| "mongodb://127.0.0.1:27017".to_owned()),
            database.unwrap_or_else(|| "rushes".to_owned()),
        ))
    }
}

/// Without the user information of the address.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("file", &self.file)
            .field("mongodb_uri", &self.mongodb_uri.as_deref().map(mask))
            .field("database", &self.database)
            .finish()
    }
}

fn read(path: &Path) -> Result<Settings, StoreError> {
    let config = |problem: String| StoreError::Config { path: path.to_owned(), problem };
    let text = fs::read_to_string(path).map_err(|error| config(format!("cannot be read: {error}")))?;
    toml::from_str(&text).map_err(|error| {
        // The error itself shows the line, which may hold a secret.
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count()) + 1;
        config(format!("line {line}: {}", error.message()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "topic = \"readings\"\nmongodb_uri = \"mongodb://me:hush@db-1\"\ndatabase = \"of_file\"\n[kafka]\nacks = 1\n";

    /// Resolved with this text as `rushes.toml`, and these variables.
    fn resolve(connection: Connection, text: &str, variables: &[(&str, &str)]) -> Result<(String, String), StoreError> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(DEFAULT_FILE);
        fs::write(&file, text).expect("written");
        let variable =
            |wanted: &str| variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned());
        connection.resolve(variable, &file)
    }

    #[test]
    fn what_is_given_counts_before_the_environment_the_file_and_the_default() {
        let resolved = |connection, text, variables: &[(&str, &str)]| {
            let (uri, database) = resolve(connection, text, variables).expect("resolved");
            format!("{uri} {database}")
        };
        let given = || Connection::new().mongodb_uri("mongodb://given").database("given");
        let variables = [("MONGODB_URI", "mongodb://variable"), ("RUSHES_DATABASE", "variable")];
        assert_eq!(resolved(Connection::new(), "", &[]), "mongodb://127.0.0.1:27017 rushes");
        assert_eq!(resolved(Connection::new(), FILE, &[]), "mongodb://me:hush@db-1 of_file");
        assert_eq!(resolved(Connection::new(), FILE, &[("MONGODB_URI", "")]), "mongodb://me:hush@db-1 of_file");
        assert_eq!(resolved(Connection::new(), FILE, &variables), "mongodb://variable variable");
        assert_eq!(resolved(given(), FILE, &variables), "mongodb://given given");
        let own = [("MONGODB_URI", "mongodb://general"), ("RUSHES_MONGODB_URI", "mongodb://own")];
        assert_eq!(resolved(Connection::new(), FILE, &own), "mongodb://own of_file");
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_the_line_and_no_secret() {
        let missing = Connection::new().file("not-there.toml").open().expect_err("no such file").to_string();
        assert!(missing.starts_with("not-there.toml cannot be read: No such file"), "{missing}");
        for (text, problem) in [
            ("topic = 1\nmongodb_uri = \"mongodb://me:hush@db-1", "line 2: "),
            ("database = 5", "line 1: invalid type: integer `5`, expected a string"),
        ] {
            let error = resolve(Connection::new(), text, &[]).expect_err("not usable").to_string();
            assert!(error.contains("rushes.toml") && error.contains(problem) && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_debug_output_shows_no_secret() {
        let shown = format!("{:?}", Connection::new().mongodb_uri("mongodb://me:hush@db-1/"));
        assert!(shown.contains("db-1") && !shown.contains("hush"), "{shown}");
    }
}
