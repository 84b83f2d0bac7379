//! The program with options for secured servers.

use crate::servers::{PASSWORD, PASSWORD_ENCODED, Servers};
use sample::GenerateOptions;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Databases that the users have rights on; each test takes one.
pub const DATABASES: u32 = 32;

/// The name of a database.
pub fn database(number: u32) -> String {
    format!("secured_{number}")
}

/// A topic and a group of one test.
pub struct Client {
    pub servers: Arc<Servers>,
    pub name: String,
    database: String,
    pub folder: TempDir,
    pub login: Login,
}

/// How the program comes to its servers.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// Port of the broker.
    pub broker: u16,
    /// Options of librdkafka.
    pub kafka: Vec<(&'static str, String)>,
    /// The connection string.
    pub mongodb: String,
}

impl Client {
    /// Logs in rightly everywhere: SASL over TLS, a user over TLS.
    pub fn new(test: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let servers = Servers::shared();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        assert!(number < DATABASES, "there are more tests than databases");
        let name = format!("{test}-{}-{number}", std::process::id());
        let mut client = Self {
            name,
            database: database(number),
            folder: tempfile::tempdir().unwrap(),
            servers,
            login: Login::default(),
        };
        client.login.broker = client.servers.kafka.sasl_tls;
        client.login.kafka = [client.over("SASL_SSL"), client.user("PLAIN", "alice", PASSWORD)].concat();
        client.login.mongodb = client.mongodb_uri(&format!("writer:{PASSWORD_ENCODED}@"), &client.tls());
        client
    }

    /// The options of a protocol, with the authority where it is one with TLS.
    pub fn over(&self, protocol: &str) -> Vec<(&'static str, String)> {
        let mut options = vec![("security.protocol", protocol.to_owned())];
        if protocol.ends_with("SSL") {
            options.push(("ssl.ca.location", self.file("authority.pem")));
        }
        options
    }

    /// The options of a user.
    pub fn user(&self, mechanism: &str, user: &str, password: &str) -> Vec<(&'static str, String)> {
        vec![
            ("sasl.mechanism", mechanism.to_owned()),
            ("sasl.username", user.to_owned()),
            ("sasl.password", password.to_owned()),
        ]
    }

    /// The connection string for a user, with parameters.
    pub fn mongodb_uri(&self, user: &str, parameters: &str) -> String {
        let port = self.servers.mongod;
        format!("mongodb://{user}127.0.0.1:{port}/?replicaSet=rs0&authSource=admin{parameters}")
    }

    /// Parameters of a connection string for TLS.
    pub fn tls(&self) -> String {
        format!("&tls=true&tlsCAFile={}", self.file("authority.pem"))
    }

    pub fn file(&self, name: &str) -> String {
        self.servers.certificates.path(name).display().to_string()
    }

    /// Generated reviews in a folder of the test's.
    pub fn reviews(&self) -> PathBuf {
        let dir = self.folder.path().join("reviews");
        sample::generate(&GenerateOptions::new(dir.clone(), 500, 3)).unwrap();
        dir
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The program with these options in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_as(&self.login, arguments)
    }

    fn command_as(&self, login: &Login, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ingest"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("KAFKA_BROKERS", format!("127.0.0.1:{}", login.broker))
            .env("MONGODB_URI", &login.mongodb)
            .env("RUSHES_TOPIC", &self.name)
            .env("RUSHES_GROUP", &self.name)
            .env("RUSHES_DATABASE", &self.database)
            .env("RUSHES_STATE_DIR", self.state())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        for (name, value) in &login.kafka {
            command.env(format!("RUSHES_KAFKA_{}", name.to_uppercase().replace('.', "_")), value);
        }
        command
    }

    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs every command with every login, each of which must fail and say `words`, and must not say `never`.
    pub fn all_say(&self, cases: &[(&str, Login, &str)], commands: &[&[&str]], never: &str) {
        // At once, because each waits for a while.
        let failures: Vec<String> = std::thread::scope(|scope| {
            let spawn = |case| {
                scope.spawn(move || -> Vec<String> {
                    commands.iter().filter_map(|command| self.says_otherwise(case, command, never)).collect()
                })
            };
            let running: Vec<_> = cases.iter().map(spawn).collect();
            running.into_iter().flat_map(|case| case.join().unwrap()).collect()
        });
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    fn says_otherwise(&self, case: &(&str, Login, &str), command: &[&str], never: &str) -> Option<String> {
        let (case, login, words) = case;
        let output = self.command_as(login, command).output().unwrap();
        let said = said(&output);
        let is_right = !output.status.success() && said.contains(words) && !said.contains(never);
        (!is_right).then(|| format!("{case}: ingest {command:?} should say {words:?}:\n{said}"))
    }

    /// Runs the program, which must succeed; returns what it printed.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "ingest {arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program, which must fail; returns all that it said.
    pub fn fail(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(!output.status.success(), "ingest {arguments:?}: {}", said(&output));
        said(&output)
    }
}

/// Both outputs of a program.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
