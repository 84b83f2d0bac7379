//! The consumer that a good Python programmer would write: `consumer.py`.

use crate::context::{Context, Topic};
use anyhow::Result;
use bson::Document;
use mongodb::Collection;
use stack::StackError;
use stack::{fetch, output};
use std::path::PathBuf;
use std::process::Command;

const PROGRAM: &str = include_str!("consumer.py");
/// polars is for the part `analysis`, which loads events as a Python notebook would.
const REQUIREMENTS: [&str; 3] = ["confluent-kafka==2.16.1", "pymongo==4.20.0", "polars==2.1.0"];

/// What to run it with.
pub struct Parts {
    /// The folder of its packages.
    pub packages: PathBuf,
}

impl Parts {
    /// Fetches the packages where they are not in the cache.
    pub fn fetch() -> Result<Self, StackError> {
        // Compiled modules fit one version of Python.
        let version = python(&["-c", "import sysconfig; print(sysconfig.get_config_var('SOABI'))"])?;
        let packages = fetch::part(&format!("python-peer-2-{version}"), |staging| {
            output::note("    fetching confluent-kafka, pymongo and polars for Python (60 MB, once)");
            let target = staging.display().to_string();
            let pip =
                ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-input", "--target", &target];
            python(&[&pip[..], &REQUIREMENTS].concat()).map(drop)
        })?;
        Ok(Self { packages })
    }

    /// The command that fills the collection.
    pub fn command(&self, context: &Context, topic: &Topic, events: &Collection<Document>) -> Result<Command> {
        let program = context.folder().join("consumer.py");
        std::fs::write(&program, PROGRAM)?;
        let mut command = Command::new("python3");
        command.arg(program).args([&context.brokers, &topic.name, &context.uri, &events.namespace().db]);
        command.env("PYTHONPATH", &self.packages);
        Ok(command)
    }
}

/// Runs Python to its end; gives what it printed.
fn python(arguments: &[&str]) -> Result<String, StackError> {
    let failed = |reason: String| StackError::Fetch {
        part: "confluent-kafka, pymongo and polars".to_owned(),
        reason,
        remedy: "check `python3 -m pip --version` and the network, or leave this part out: --skip python".to_owned(),
    };
    let output =
        Command::new("python3").args(arguments).env("PIP_USER", "0").env("PIP_ROOT_USER_ACTION", "ignore").output();
    let output = output.map_err(|error| failed(format!("python3 cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
