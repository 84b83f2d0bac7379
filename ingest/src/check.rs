//! `ingest check`: what a run needs, looked at without consuming anything.

mod records;

use crate::config::Config;
use crate::error::IngestError;
use crate::schema;
use crate::source::Watermarks;
use crate::store::Store;
use crate::stream;
use crate::topic::TopicInspector;
use bson::{Document, doc};
use model::layout::OFFSETS;
use model::schema::Schema;
use mongodb::error::Error;
use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Whether it holds, but is probably not meant to be so.
    pub warns: bool,
    /// What was found; where it does not hold, what to do.
    pub detail: String,
}

impl Finding {
    fn new(what: &'static str, found: Result<String, IngestError>) -> Self {
        match found {
            Ok(detail) => Self { what, holds: true, warns: false, detail },
            Err(error) => Self { what, holds: false, warns: false, detail: error.to_string() },
        }
    }

    fn warning(what: &'static str, detail: String) -> Self {
        Self { what, holds: true, warns: true, detail }
    }
}

/// Looks at the schema, the broker and its topic, MongoDB, transactions, and what is stored already.
pub async fn check(config: &Config) -> Vec<Finding> {
    let schema = schema::load(&config.settings.schema);
    let mut findings = vec![Finding::new(
        "schema",
        schema.as_ref().map(describe).map_err(|error| IngestError::Usage(error.to_string())),
    )];
    // At once, since each may take its ten seconds to say that nobody answers.
    let (topic, store) = tokio::join!(topic(config), Store::connect(config));
    match topic {
        Ok(topic) => {
            findings.push(Finding::new("topic", Ok(topic.describe(config))));
            if let Ok(schema) = &schema {
                let Topic { inspector, marks } = topic;
                findings.extend(records::findings(schema, &inspector, &marks, config.settings.dead_ratio).await);
            }
        }
        Err(error) => findings.push(Finding::new("topic", Err(error))),
    }
    match store {
        Ok(store) => {
            findings.push(Finding::new("mongodb", server(&store).await.map_err(|error| store.outside(&error))));
            let owned = match &schema {
                Ok(schema) => Some(Finding::new("collections", collections(&store, schema).await)),
                Err(_) => None,
            };
            // Nothing is written, nor read as ours, where it may be somebody else's.
            let is_ours = owned.as_ref().is_some_and(|finding| finding.holds);
            findings.extend(owned);
            if is_ours && let Ok(schema) = &schema {
                let transaction = transaction(&store).await.map_err(|error| store.outside(&error));
                findings.push(Finding::new("transactions", transaction));
                findings.push(Finding::new("positions", positions(&store, schema).await));
            }
            store.close().await;
        }
        Err(error) => findings.push(Finding::new("mongodb", Err(error))),
    }
    findings
}

fn describe(schema: &Schema) -> String {
    let rollups: Vec<_> = schema.rollups().rollups().iter().map(|rollup| rollup.name()).collect();
    format!("{}: {} fields, rollups {}", schema.name(), schema.fields().len(), rollups.join(", "))
}

/// What the broker has.
struct Topic {
    inspector: TopicInspector,
    marks: Vec<Watermarks>,
}

async fn topic(config: &Config) -> Result<Topic, IngestError> {
    let inspector = TopicInspector::new(config)?;
    let marks = inspector.watermarks().await?;
    Ok(Topic { inspector, marks })
}

impl Topic {
    fn describe(&self, config: &Config) -> String {
        let records: i64 = self.marks.iter().map(|marks| marks.high - marks.low).sum();
        format!("{}: {} partitions, {records} offsets", config.settings.topic, self.marks.len())
    }
}

async fn server(store: &Store) -> Result<String, Error> {
    let build = store.database().run_command(doc! { "buildInfo": 1 }).await?;
    Ok(format!("version {}, database {}", build.get_str("version").unwrap_or("unknown"), store.database().name()))
}

/// Whether every collection that the schema needs is this program's, or not there yet.
async fn collections(store: &Store, schema: &Schema) -> Result<String, IngestError> {
    let mut ground = store.check_ownership(schema).await.map_err(|error| store.explain(&error))?;
    stream::check_gone(store, schema, &mut ground).await?;
    let unmarked: Vec<_> = ground.unmarked().collect();
    Ok(match unmarked.len() {
        0 => "none that is needed is somebody else's".to_owned(),
        count => format!(
            "{count} of an earlier version; the next start marks them as this program's: {}",
            unmarked.join(", ")
        ),
    })
}

/// Marks the collections of the catalog as this program's, where all of their documents are.
///
/// # Errors
/// [`IngestError::Usage`] where there is nothing to mark, or a collection has other documents.
pub async fn adopt(config: &Config) -> Result<(), IngestError> {
    let store = Store::connect(config).await?;
    let schema = schema::load(&config.settings.schema).ok();
    let adopted = async {
        let registry = store.registry().await?;
        let adoption = store.adoptable(&registry, schema.as_ref()).await?;
        if let Some(adoption) = &adoption {
            store.adopt(&registry, adoption).await?;
        }
        Ok(adoption.is_some())
    };
    let adopted = adopted.await.map_err(|error| store.explain(&error));
    let database = store.database().name().to_owned();
    store.close().await;
    match adopted? {
        true => Ok(()),
        false => Err(IngestError::Usage(format!(
            "the database {database} has no stream of this program: there is nothing to adopt"
        ))),
    }
}

/// Writes a position in a transaction, and aborts it: nothing stays, not even a collection that it would create.
async fn transaction(store: &Store) -> Result<String, Error> {
    let mut session = store.client().start_session().await?;
    session.start_transaction().await?;
    let probe = doc! { "_id": format!("check/{}", std::process::id()) };
    store.collection::<Document>(OFFSETS).insert_one(probe).session(&mut session).await?;
    session.abort_transaction().await?;
    Ok("a transaction was written and aborted".into())
}

async fn positions(store: &Store, schema: &Schema) -> Result<String, IngestError> {
    let stored = store.positions().await.map_err(|error| store.outside(&error))?;
    let gaps = stored.values().flat_map(|position| &position.gaps).map(|gap| format!("; lost: {gap}"));
    let gaps: String = gaps.collect();
    let rollups = stream::foresee(store, schema).await?;
    Ok(format!("{} partitions have a stored position{gaps}; {rollups}", stored.len()))
}
