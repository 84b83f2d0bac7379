//! Reading the topic: by itself as a measurement, and for the raw limit.

use crate::context::{Context, Topic};
use crate::part::Outcome;
use crate::report::{Column, Report, Row, Section};
use anyhow::{Result, bail};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// All records of a topic from its beginning, by one consumer.
pub struct TopicReader {
    consumer: BaseConsumer,
    left: u64,
}

impl TopicReader {
    /// Joins a group of its own.
    pub fn new(context: &Context, topic: &Topic) -> Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &context.brokers)
            .set("group.id", context.unique("reader"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            // As the worker has it: else a fetcher whose queue is full looks again only after a second.
            .set("fetch.queue.backoff.ms", "5")
            .create()?;
        consumer.subscribe(&[&topic.name])?;
        Ok(Self { consumer, left: topic.records })
    }

    /// The next record; `None` after the last.
    pub fn next(&mut self) -> Result<Option<BorrowedMessage<'_>>> {
        if self.left == 0 {
            return Ok(None);
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            // A poll that served a rebalance has no record, which is not the end.
            if let Some(message) = self.consumer.poll(Duration::from_secs(1)) {
                self.left -= 1;
                return Ok(Some(message?));
            }
        }
        bail!("the topic ended before all of its records were read");
    }
}

/// Measures reading the topic with nothing done to the records.
pub fn measure(context: &Context, report: &mut Report) -> Result<Outcome> {
    let topic = context.reviews()?;
    let began = Instant::now();
    let mut reader = TopicReader::new(context, &topic)?;
    let mut bytes = 0;
    while let Some(message) = reader.next()? {
        bytes += message.payload_len();
    }
    let seconds = began.elapsed().as_secs_f64();
    let figures = vec![
        (Column::PerS, Some(topic.records as f64 / seconds)),
        (Column::MbPerS, Some(bytes as f64 / 1e6 / seconds)),
    ];
    report.add(&Row::new(Section::Throughput, 1, "consume", "consume only"), figures);
    Ok(Outcome::Measured)
}
