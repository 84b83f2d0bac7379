//! The raw limit: consume, decode, insert unordered without a transaction.

use crate::Bench;
use crate::report::Figures;
use anyhow::{Context, Result};
use bson::raw::RawDocumentBuf;
use model::decode::{Coordinates, Decoded, Decoder};
use model::schema::{IMDB_REVIEW, Schema};
use mongodb::Client;
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Records of one insert.
const BATCH: usize = 2_000;

const PATIENCE: Duration = Duration::from_secs(30);

type Records = Vec<(Coordinates, Vec<u8>)>;

/// Measures with so many writers.
pub fn measure(bench: &Bench, writers: usize) -> Result<Figures> {
    let database = format!("{}-raw{writers}", bench.topic);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let began = Instant::now();
    runtime.block_on(run(bench, writers, &database))?;
    let seconds = began.elapsed().as_secs_f64();
    runtime.block_on(async { Client::with_uri_str(&bench.uri).await?.database(&database).drop().await })?;
    Ok(Figures { seconds, ..Figures::default() })
}

async fn run(bench: &Bench, writers: usize, database: &str) -> Result<()> {
    let schema = Schema::parse("imdb-review", IMDB_REVIEW)?;
    let decoder = Arc::new(Decoder::new(&schema)?);
    let client = Client::with_uri_str(&bench.uri).await?;
    let events = client.database(database).collection::<RawDocumentBuf>("events");
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..writers).map(|_| mpsc::channel::<Records>(2)).unzip();
    let tasks: Vec<_> = receivers
        .into_iter()
        .map(|mut receiver| {
            let (decoder, events) = (Arc::clone(&decoder), events.clone());
            tokio::spawn(async move {
                while let Some(records) = receiver.recv().await {
                    let documents: Vec<_> =
                        records.iter().filter_map(|(at, payload)| decode(&decoder, *at, payload)).collect();
                    // Repeats are refused by the index; that is no failure here.
                    let _ = events.insert_many(documents).ordered(false).await;
                }
            })
        })
        .collect();
    let (brokers, topic, records) = (bench.brokers.clone(), bench.topic.clone(), bench.records);
    tokio::task::spawn_blocking(move || consume(&brokers, &topic, records, &senders)).await??;
    for task in tasks {
        task.await?;
    }
    Ok(())
}

fn decode(decoder: &Decoder, at: Coordinates, payload: &[u8]) -> Option<RawDocumentBuf> {
    match decoder.decode(Some(payload), at) {
        Ok(Decoded::Event(event)) => Some(event.document),
        _ => None,
    }
}

/// Hands every record to a writer, in batches, in turn.
fn consume(brokers: &str, topic: &str, records: u64, writers: &[mpsc::Sender<Records>]) -> Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", format!("{topic}-{:?}", Instant::now()))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create()?;
    consumer.subscribe(&[topic])?;
    let mut batch = Vec::with_capacity(BATCH);
    let mut turn = writers.iter().cycle();
    for number in 1..=records {
        let message = next(&consumer)?;
        let at = Coordinates {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
        };
        batch.push((at, message.payload().unwrap_or_default().to_vec()));
        if batch.len() == BATCH || number == records {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            turn.next().context("there is no writer")?.blocking_send(full)?;
        }
    }
    Ok(())
}

/// The next message; a poll that served a rebalance has none, which is not the end.
fn next(consumer: &BaseConsumer) -> Result<BorrowedMessage<'_>> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            return Ok(message?);
        }
    }
    anyhow::bail!("the topic ended before all of its records were read")
}
