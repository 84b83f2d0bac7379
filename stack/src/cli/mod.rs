//! The command line and its dispatch.

mod background;
mod run;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use stack::{StackOptions, fetch, output};

/// Starts a private Apache Kafka and MongoDB (replica set) on free ports of this machine.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "\
What is missing is fetched once into RUSHES_CACHE (default ~/.cache/rushes). A Java 17 or a mongod 6 on PATH is used instead.

Example:
  stack run -- sh -c 'echo $KAFKA_BROKERS $MONGODB_URI'"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a command with KAFKA_BROKERS and MONGODB_URI set; stop both servers when it ends.
    ///
    /// The exit code is the command's; 128 + n where signal n ended it. A server that KAFKA_BROKERS or MONGODB_URI names
    /// already is used instead of a new one, unless --private is given.
    #[command(after_help = "Example:\n  stack run -- cargo test")]
    Run {
        #[command(flatten)]
        servers: ServerArgs,
        /// Start new servers even where KAFKA_BROKERS or MONGODB_URI is set.
        #[arg(long)]
        private: bool,
        /// The command and its arguments.
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
    /// Start both servers, keep them running, and print the two variables as `export` lines.
    ///
    /// Where the stack of that name runs already, its variables are printed again.
    #[command(after_help = "Example:\n  eval \"$(stack up)\"\n  stack up --name bench --dir ./data")]
    Up(UpArgs),
    /// Stop the servers that `up` has started; done as well where none run.
    #[command(after_help = "Example:\n  stack down --name bench")]
    Down {
        #[command(flatten)]
        name: Name,
    },
    /// Show the stacks that `up` has started; exit code 1 where one does not run as it should, or none does.
    #[command(after_help = "Example:\n  stack status --json")]
    Status {
        /// Only the stack of this name.
        #[arg(long, value_parser = parse_name)]
        name: Option<String>,
        /// Print a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Get Kafka, Java and mongod without starting them, and print where they are.
    #[command(after_help = "Example:\n  stack fetch")]
    Fetch,
    /// What `up` leaves running.
    #[command(hide = true)]
    Serve(UpArgs),
}

/// Which servers, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// Start Kafka alone.
    #[arg(long, conflicts_with = "mongod_only")]
    kafka_only: bool,
    /// Start mongod alone.
    #[arg(long)]
    mongod_only: bool,
    /// Run mongod without a replica set, hence without transactions.
    #[arg(long, conflicts_with = "kafka_only")]
    standalone: bool,
    /// Keep the data in this folder [default: a temporary folder, deleted at the end].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Heap of Kafka's JVM, in MiB.
    #[arg(long, default_value_t = 512, value_name = "MIB", value_parser = clap::value_parser!(u32).range(128..))]
    kafka_heap: u32,
    /// Cache of mongod's storage engine, in MiB.
    #[arg(long, default_value_t = 512, value_name = "MIB", value_parser = clap::value_parser!(u32).range(256..))]
    mongod_cache: u32,
}

/// A stack that is kept running.
#[derive(Debug, Clone, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    name: Name,
    #[command(flatten)]
    servers: ServerArgs,
}

/// Which of several stacks.
#[derive(Debug, Clone, Args)]
pub(crate) struct Name {
    /// The name of the stack; several may run side by side.
    #[arg(long, default_value = "default", value_parser = parse_name)]
    name: String,
}

impl Cli {
    /// Runs the command and returns the exit code.
    pub(crate) fn execute(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            match self.command {
                Command::Run { servers, private, command } => run::run(servers.options(!private), &command).await,
                Command::Up(up) => background::up(&up).await,
                Command::Down { name } => background::down(&name.name).await,
                Command::Status { name, json } => background::status(name.as_deref(), json),
                Command::Fetch => print_parts().await,
                Command::Serve(up) => background::serve(&up).await,
            }
        })
    }
}

impl ServerArgs {
    fn options(&self, reuse_environment: bool) -> StackOptions {
        StackOptions {
            kafka: !self.mongod_only,
            mongod: !self.kafka_only,
            replica_set: !self.standalone,
            dir: self.dir.clone(),
            reuse_environment,
            kafka_heap_mb: self.kafka_heap,
            mongod_cache_mb: self.mongod_cache,
        }
    }
}

async fn print_parts() -> anyhow::Result<ExitCode> {
    let (kafka, mongod) = tokio::try_join!(fetch::kafka_parts(), fetch::mongod())?;
    output::line(format!("kafka   {}", kafka.jars.display()))?;
    output::line(format!("java    {}", kafka.java.display()))?;
    output::line(format!("mongod  {}", mongod.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Checks a name, which becomes a file name.
fn parse_name(name: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(allowed) {
        return Err("a name consists of letters, digits, - and _".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn names_cannot_leave_their_folder() {
        assert!(parse_name("bench-2").is_ok());
        for name in ["", "..", "a/b", "a b", "a.json"] {
            assert!(parse_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn flags_of_the_command_are_left_alone() {
        let cli = Cli::try_parse_from(["stack", "run", "--mongod-only", "--", "cargo", "test", "--release"]).unwrap();
        let Command::Run { servers, command, .. } = cli.command else { panic!("run was said") };
        assert!(!servers.options(true).kafka);
        assert_eq!(command, ["cargo", "test", "--release"]);
    }
}
