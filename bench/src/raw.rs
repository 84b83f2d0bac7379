//! The raw limit: the least that could be called the same work. The same records, consumed by one thread, decoded by the same
//! decoder, inserted unordered and without a transaction by some writers.

use crate::consume::TopicReader;
use crate::context::{Context, Topic};
use crate::part::Outcome;
use crate::report::{Column, Report, Row, Section};
use anyhow::{Context as _, Result};
use bson::raw::RawDocumentBuf;
use model::decode::{Coordinates, Decoded, Decoder};
use model::schema::{IMDB_REVIEW, Schema};
use mongodb::{Client, Collection};
use rdkafka::Message;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// Records of one insert.
const BATCH: usize = 2_000;

type Records = Vec<(Coordinates, Vec<u8>)>;

/// Measures with one, two and three writers.
pub fn measure(context: &Context, report: &mut Report) -> Result<Outcome> {
    let topic = context.reviews()?;
    for writers in 1..=3_u8 {
        let database = context.database("raw");
        let servers = context.servers_cpu_s();
        let began = Instant::now();
        run(context, &topic, database.name(), usize::from(writers))?;
        let seconds = began.elapsed().as_secs_f64();
        let [broker, mongod] = used_since(context, servers);
        context.clear(&database)?;
        let label = if writers == 1 { "raw limit, 1 writer".into() } else { format!("raw limit, {writers} writers") };
        let row = Row::new(Section::Throughput, 1 + u32::from(writers), format!("raw_{writers}"), label);
        let rate = Some(topic.records as f64 / seconds);
        report.add(&row, vec![(Column::PerS, rate), (Column::BrokerCpuS, broker), (Column::MongodCpuS, mongod)]);
    }
    Ok(Outcome::Measured)
}

/// What broker and mongod have used since then.
pub fn used_since(context: &Context, before: [Option<f64>; 2]) -> [Option<f64>; 2] {
    let now = context.servers_cpu_s();
    [0, 1].map(|server| Some(now[server]? - before[server]?))
}

/// On a runtime and with a client of its own, as a program would.
fn run(context: &Context, topic: &Topic, database: &str, writers: usize) -> Result<()> {
    let decoder = Arc::new(Decoder::new(&Schema::parse("imdb-review", IMDB_REVIEW)?)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let client = runtime.block_on(Client::with_uri_str(&context.uri))?;
    let events = client.database(database).collection::<RawDocumentBuf>("events");
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..writers).map(|_| mpsc::channel::<Records>(2)).unzip();
    let writers: Vec<_> = receivers
        .into_iter()
        .map(|receiver| runtime.spawn(write(receiver, Arc::clone(&decoder), events.clone())))
        .collect();
    hand_out(TopicReader::new(context, topic)?, senders)?;
    runtime.block_on(async {
        for writer in writers {
            writer.await?;
        }
        Ok(())
    })
}

async fn write(mut receiver: mpsc::Receiver<Records>, decoder: Arc<Decoder>, events: Collection<RawDocumentBuf>) {
    while let Some(records) = receiver.recv().await {
        let documents: Vec<_> = records.iter().filter_map(|(at, payload)| decode(&decoder, *at, payload)).collect();
        // Repeats are refused by the index; that is no failure here.
        let _ = events.insert_many(documents).ordered(false).await;
    }
}

fn decode(decoder: &Decoder, at: Coordinates, payload: &[u8]) -> Option<RawDocumentBuf> {
    match decoder.decode(Some(payload), at) {
        Ok(Decoded::Event(event)) => Some(event.document),
        _ => None,
    }
}

/// Hands every record to a writer, in batches, in turn.
fn hand_out(mut reader: TopicReader, writers: Vec<mpsc::Sender<Records>>) -> Result<()> {
    let mut turn = writers.iter().cycle();
    let mut batch = Vec::with_capacity(BATCH);
    let mut send = |batch: Records| anyhow::Ok(turn.next().context("there is no writer")?.blocking_send(batch)?);
    while let Some(message) = reader.next()? {
        let timestamp = message.timestamp().to_millis();
        let at = Coordinates { partition: message.partition(), offset: message.offset(), timestamp };
        batch.push((at, message.payload().unwrap_or_default().to_vec()));
        if batch.len() == BATCH {
            send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)))?;
        }
    }
    send(batch)
}
