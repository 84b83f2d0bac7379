//! Kafka's jars, a formatted storage folder, and an archive of its classes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tracing::info;

use super::cache::Cache;
use super::{KafkaParts, announce, on_path, run};
use crate::{Kafka, StackError};

const POM: &str = include_str!("pom.xml");
const SUMS: &str = include_str!("kafka-jars.sha256");
const VERSION: &str = "4.2.0";
const COPY_JARS: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";
/// Cluster id: 16 bytes in base64.
const CLUSTER_ID: &str = "cnVzaGVzLXByaXZhdGUtMQ";

/// Settings for formatting; the addresses are not stored.
pub(crate) const FORMAT_PROPERTIES: &str = "\
process.roles=broker,controller
node.id=1
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
";

/// Fetches the jars and formats a storage folder to copy. Formatting at each start would take a second.
pub(super) fn fetch(cache: &Cache, java: PathBuf) -> Result<KafkaParts, StackError> {
    let part = cache.part(&format!("kafka-{VERSION}"), |staging| {
        announce(&format!("Kafka {VERSION} (43 MB)"), cache.root());
        fetch_jars(staging, &java)?;
        check_sums(&staging.join("jars"))?;
        format_storage(staging, &java)
    })?;
    Ok(KafkaParts { java, jars: part.join("jars"), storage: part.join("storage"), classes: None })
}

fn fetch_jars(staging: &Path, java: &Path) -> Result<(), StackError> {
    let maven = on_path("mvn").ok_or_else(|| StackError::Prerequisite {
        what: "Kafka's jars are missing, and mvn (Maven), which would fetch them, is not on PATH".to_owned(),
        remedy: "install it (Debian, Ubuntu: apt-get install maven; macOS: brew install maven), or set KAFKA_BROKERS"
            .to_owned(),
    })?;
    let pom = staging.join("pom.xml");
    fs::write(&pom, POM).map_err(StackError::file("write", &pom))?;
    let mut command = Command::new(maven);
    command.args(["--batch-mode", "--no-transfer-progress", "--file"]).arg(pom).arg(COPY_JARS);
    command.arg(format!("-DoutputDirectory={}", staging.join("jars").display())).arg("-DincludeScope=runtime");
    if on_path("java").is_none()
        && let Some(home) = java.parent().and_then(Path::parent)
    {
        command.env("JAVA_HOME", home);
    }
    let remedy = "check the network and the proxy settings of Maven (~/.m2/settings.xml), or set KAFKA_BROKERS";
    run(&format!("Kafka {VERSION}"), &mut command, remedy)
}

/// Compares names and contents of the folder with the pinned list.
fn check_sums(jars: &Path) -> Result<(), StackError> {
    let differs = |reason: String| StackError::Fetch {
        part: format!("Kafka {VERSION}"),
        reason,
        remedy: "try again; if it stays so, a mirror or proxy serves other files: ask who runs it".to_owned(),
    };
    let expected: Vec<(&str, &str)> = SUMS.lines().filter_map(|line| line.split_once("  ")).collect();
    for (sum, name) in &expected {
        let file = jars.join(name);
        let content = fs::read(&file).map_err(|error| differs(format!("{name} cannot be read: {error}")))?;
        if hex(&Sha256::digest(&content)) != *sum {
            return Err(differs(format!("{name} is not the file that was pinned")));
        }
    }
    let found = fs::read_dir(jars).map_err(StackError::file("list", jars))?.count();
    if found != expected.len() {
        return Err(differs(format!("{found} jars came instead of {}", expected.len())));
    }
    Ok(())
}

fn format_storage(staging: &Path, java: &Path) -> Result<(), StackError> {
    let storage = staging.join("storage");
    let settings = staging.join("format.properties");
    // Ports 1 and 2 are valid, but never opened.
    let text = format!(
        "{FORMAT_PROPERTIES}listeners=BROKER://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n\
         controller.quorum.voters=1@127.0.0.1:2\nlog.dirs={}\n",
        storage.display()
    );
    fs::write(&settings, text).map_err(StackError::file("write", &settings))?;
    let mut command = Command::new(java);
    command.arg("-cp").arg(staging.join("jars/*")).arg("kafka.tools.StorageTool");
    command.args(["format", "-t", CLUSTER_ID, "-c"]).arg(&settings);
    let remedy = format!("check that `{} -version` is 17 or later", java.display());
    run(&format!("Kafka {VERSION} (formatting its storage)"), &mut command, &remedy)
}

/// Returns the archive of Kafka's classes for this Java, created by one run of Kafka. It halves a start of 2.4 s and 4 s of CPU time. If
/// Java cannot create one, the folder stays empty and there is no second attempt.
pub(super) async fn class_archive(parts: KafkaParts) -> Result<Option<PathBuf>, StackError> {
    let folder = tokio::task::spawn_blocking(move || {
        let name = format!("kafka-{VERSION}-classes-{}", java_fingerprint(&parts.java));
        Cache::open()?.part(&name, |staging| {
            info!("archiving Kafka's classes for quicker starts (once)");
            if let Err(error) = archive_classes(&parts, staging) {
                info!("it did not work, so Kafka will start a second later: {error}");
            }
            Ok(())
        })
    })
    .await??;
    Ok(Some(folder.join("kafka.jsa")).filter(|archive| archive.is_file()))
}

/// Runs on this thread with its own runtime, while the lock on the cache is held.
fn archive_classes(parts: &KafkaParts, staging: &Path) -> Result<(), StackError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(StackError::file("start a runtime to fill", staging))?;
    runtime.block_on(Kafka::archive_classes(parts, staging, &staging.join("kafka.jsa")))
}

/// Changes if this Java is replaced by another.
fn java_fingerprint(java: &Path) -> String {
    let java = fs::canonicalize(java).unwrap_or_else(|_| java.to_path_buf());
    let release = java.parent().and_then(Path::parent).map(|home| home.join("release"));
    let release = release.and_then(|file| fs::read(file).ok()).unwrap_or_default();
    let sum = Sha256::new().chain_update(java.as_os_str().as_encoded_bytes()).chain_update(&release).finalize();
    hex(&sum[..6])
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_jar_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = SUMS.lines().next().and_then(|line| line.split_once("  ")).unwrap().1;
        fs::write(folder.path().join(first), "something else").unwrap();
        let error = check_sums(folder.path()).unwrap_err().to_string();
        assert!(error.contains(first) && error.contains("not the file that was pinned"), "{error}");
    }

    #[test]
    fn bytes_become_hexadecimal() {
        assert_eq!(hex(&[0, 0x1f, 0xff]), "001fff");
    }
}
