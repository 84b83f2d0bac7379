//! Kafka Connect in standalone mode with MongoDB's own sink, set up as its documentation says for upserts by a business key.

use crate::context::{Context, Topic};
use anyhow::Result;
use bson::{Document, doc};
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};
use stack::StackError;
use stack::fetch::{self, KafkaParts};
use stack::output;
use std::path::{Path, PathBuf};
use std::process::Command;

const POM: &str = include_str!("pom.xml");
/// Changes with the versions in the POM.
const PART: &str = "connect-4.2.0-mongodb-2.0.1";
const COPY_JARS: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";

/// The id strategy and the write strategy belong together, and need a unique index. Larger polls than the 500 records of the default,
/// unordered writes and two tasks are what makes it quick on this machine.
const SINK: &str = "\
name=sink
connector.class=com.mongodb.kafka.connect.MongoSinkConnector
tasks.max=2
document.id.strategy=com.mongodb.kafka.connect.sink.processor.id.strategy.PartialValueStrategy
document.id.strategy.partial.value.projection.list=review_id
document.id.strategy.partial.value.projection.type=AllowList
writemodel.strategy=com.mongodb.kafka.connect.sink.writemodel.strategy.ReplaceOneBusinessKeyStrategy
bulk.write.ordered=false
consumer.override.max.poll.records=2000
";

const WORKER: &str = "\
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
connector.client.config.override.policy=All
consumer.auto.offset.reset=earliest
listeners=http://127.0.0.1:0
";

/// What to run it with.
pub struct Parts {
    kafka: KafkaParts,
    jars: PathBuf,
}

impl Parts {
    /// Fetches the jars where they are not in the cache.
    pub fn fetch(context: &Context) -> Result<Self, StackError> {
        let kafka = context.runtime.block_on(fetch::kafka_parts())?;
        let folder = fetch::part(PART, |staging| {
            output::note("    fetching Kafka Connect with MongoDB's sink (39 MB, once)");
            let pom = staging.join("pom.xml");
            std::fs::write(&pom, POM).map_err(|error| failed(error.to_string()))?;
            let mut maven = Command::new("mvn");
            maven.args(["--batch-mode", "--no-transfer-progress", "--file"]).arg(pom).arg(COPY_JARS);
            maven.arg(format!("-DoutputDirectory={}", staging.join("jars").display())).arg("-DincludeScope=runtime");
            let output = maven.output().map_err(|error| failed(format!("mvn (Maven) cannot be run: {error}")))?;
            if output.status.success() { Ok(()) } else { Err(failed(String::from_utf8_lossy(&output.stdout).into())) }
        })?;
        Ok(Self { kafka, jars: folder.join("jars") })
    }

    /// The command that fills the collection, whose index it makes.
    pub fn command(&self, context: &Context, topic: &Topic, events: &Collection<Document>) -> Result<Command> {
        let unique = IndexOptions::builder().unique(true).build();
        let index = IndexModel::builder().keys(doc! { "review_id": 1 }).options(unique).build();
        context.runtime.block_on(async { events.create_index(index).await })?;
        let [worker, sink] = properties(context, topic, events, context.folder())?;
        let mut command = Command::new(&self.kafka.java);
        command.args(["-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"]).arg(self.jars.join("*"));
        command.arg("org.apache.kafka.connect.cli.ConnectStandalone").args([worker, sink]);
        Ok(command)
    }
}

fn properties(context: &Context, topic: &Topic, events: &Collection<Document>, dir: &Path) -> Result<[PathBuf; 2]> {
    let database = &events.namespace().db;
    let offsets = dir.join(format!("{database}.offsets"));
    let worker =
        format!("{WORKER}bootstrap.servers={}\noffset.storage.file.filename={}\n", context.brokers, offsets.display());
    let sink = format!(
        "{SINK}topics={}\nconsumer.override.group.id={database}\nconnection.uri={}\ndatabase={database}\ncollection={}\n",
        topic.name,
        context.uri,
        events.name()
    );
    let paths = ["worker", "sink"].map(|name| dir.join(format!("{database}.{name}.properties")));
    for (path, text) in paths.iter().zip([worker, sink]) {
        std::fs::write(path, text)?;
    }
    Ok(paths)
}

fn failed(reason: String) -> StackError {
    StackError::Fetch {
        part: "Kafka Connect with MongoDB's sink".to_owned(),
        reason,
        remedy: "install Maven, check the network, or leave this part out: --skip connect".to_owned(),
    }
}
