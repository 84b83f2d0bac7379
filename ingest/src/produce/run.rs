//! One run: reads the files, queues their records, waits for their delivery.

use super::delivery::{Deliveries, OVERHEAD};
use super::pace::Pace;
use super::pipe;
use super::producer::{LARGEST, Producer, QUEUE};
use super::topic::LARGEST_BATCH;
use super::{Observer, ProduceError, ProduceReport, ProduceSettings, Progress, StopCause, Stopped};
use crate::files::{BrokenRecord, FileError, FileRecord, Found, Options, Trouble};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Deliveries are taken note of, and progress told, after this many records.
const LOOK_EVERY: u64 = 64;
/// How often progress is told at most.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// How long one wait for the pace or for deliveries lasts before the run looks around.
const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// How long a wait for room in the queue lasts; the client frees room every few milliseconds.
const ROOM_WAIT: Duration = Duration::from_millis(2);
/// How long deliveries may take once the run is told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A run that is under way.
pub(super) struct Run<'a> {
    settings: &'a ProduceSettings,
    producer: &'a Producer,
    partitions: i32,
    observer: &'a mut dyn Observer,
    stop: &'a Arc<AtomicBool>,
    started: Instant,
    told: Instant,
    pace: Option<Pace>,
    progress: Progress,
    /// Records queued.
    queued: u64,
    files_done: u64,
    /// Bytes of the files before the current one.
    bytes_before: u64,
    /// Each file with the place of its first record among all records of the run.
    begun: Vec<(usize, PathBuf)>,
    /// Place of the next file's first record.
    places: usize,
    /// By its place, each queued record that the topic may refuse for its size.
    large: HashMap<usize, FileError>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        settings: &'a ProduceSettings,
        producer: &'a Producer,
        partitions: i32,
        (files, bytes_total): (usize, Option<u64>),
        observer: &'a mut dyn Observer,
        stop: &'a Arc<AtomicBool>,
    ) -> Self {
        let started = Instant::now();
        let elapsed = Duration::ZERO;
        Self {
            settings,
            producer,
            partitions,
            observer,
            stop,
            started,
            told: started,
            pace: settings.rate.map(Pace::new),
            progress: Progress { bytes_read: 0, bytes_total, file: 0, files, records: 0, broken: 0, elapsed },
            queued: 0,
            files_done: 0,
            bytes_before: 0,
            begun: Vec::new(),
            places: 0,
            large: HashMap::new(),
        }
    }

    /// Sends the records of all files, in their order.
    pub(super) fn send(mut self, found: &Found, options: &Options) -> Result<ProduceReport, ProduceError> {
        let sent = found.files.iter().try_for_each(|path| self.send_file(path, options));
        // What has been queued is delivered whatever ended the run.
        let delivered = self.finish();
        self.tell();
        let report = ProduceReport { left_out: found.left_out.len() as u64, ..self.report() };
        match sent.and(delivered) {
            Ok(()) => Ok(report),
            Err(cause) => Err(ProduceError::Stopped(Box::new(Stopped { cause, report }))),
        }
    }

    fn send_file(&mut self, path: &Path, options: &Options) -> Result<(), StopCause> {
        if self.is_over() {
            return Ok(());
        }
        let mut file = match pipe::open(path, options, self.stop) {
            Err(_) if self.is_stopped() => return Ok(()),
            opened => opened?,
        };
        file.noticed().iter().for_each(|what| self.observer.noticed(what));
        self.progress.file += 1;
        self.begun.push((self.places, path.to_owned()));
        while let Some(record) = file.next_record() {
            self.places += 1;
            match record {
                Ok(record) => self.queue(path, &record)?,
                // A pipe whose next bytes are no longer waited for.
                Err(error) if self.is_stopped() && !error.is_broken_record() => return Ok(()),
                Err(error) => self.pass_broken(error)?,
            }
            if self.queued.is_multiple_of(LOOK_EVERY) {
                self.look(self.bytes_before + file.bytes_read())?;
            }
            if self.is_over() {
                return Ok(());
            }
        }
        file.doubted().iter().for_each(|what| self.observer.doubted(what));
        self.files_done += 1;
        self.bytes_before += file.bytes_read();
        Ok(())
    }

    /// The run is told to stop, has sent what it should, or has failed to deliver a record.
    fn is_over(&self) -> bool {
        let is_enough = self.settings.limit.is_some_and(|limit| self.queued >= limit);
        is_enough || self.is_stopped() || self.deliveries().failed() > 0
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn deliveries(&self) -> &'a Deliveries {
        self.producer.context()
    }

    /// Queues a record, waiting for its turn and for room.
    fn queue(&mut self, path: &Path, record: &FileRecord<'_>) -> Result<(), StopCause> {
        self.wait_for_turn()?;
        let mut message = BaseRecord::with_opaque_to(&self.settings.target.topic, self.places - 1).payload(record.json);
        message.key = record.key;
        let mut was_empty = false;
        while let Err((error, unsent)) = self.producer.send(message) {
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) if was_empty => return self.pass_broken(beyond_queue(path, record)),
                Some(RDKafkaErrorCode::QueueFull) if !self.is_over() => {
                    was_empty = self.producer.in_flight_count() == 0;
                    self.producer.poll(ROOM_WAIT);
                    self.look(self.progress.bytes_read)?;
                }
                // The run is over and says why itself.
                Some(RDKafkaErrorCode::QueueFull) => return Ok(()),
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => return self.pass_broken(beyond_producer(path, record)),
                _ => return Err(self.undelivered(path, record.number, error)),
            }
            message = unsent;
        }
        self.queued += 1;
        if self.deliveries().is_large(record.json.len() + record.key.map_or(0, str::len)) {
            self.large.insert(self.places - 1, beyond_topic(path, record));
        }
        Ok(())
    }

    /// Counts the records that the topic has refused for their size as broken.
    fn pass_refused(&mut self) -> Result<(), StopCause> {
        for (place, is_refused) in self.deliveries().take_settled() {
            let error = self.large.remove(&place).filter(|_| is_refused);
            error.map_or(Ok(()), |error| self.pass_broken(error))?;
        }
        Ok(())
    }

    fn wait_for_turn(&mut self) -> Result<(), StopCause> {
        let Some(pace) = &mut self.pace else { return Ok(()) };
        let due = self.started.elapsed() + pace.wait(self.started.elapsed());
        while !self.stop.load(Ordering::Relaxed) {
            let left = due.saturating_sub(self.started.elapsed());
            if left.is_zero() {
                break;
            }
            self.producer.poll(left.min(LONGEST_WAIT));
            self.look(self.progress.bytes_read)?;
        }
        Ok(())
    }

    fn pass_broken(&mut self, error: FileError) -> Result<(), StopCause> {
        if self.settings.strict || !error.is_broken_record() {
            return Err(error.into());
        }
        self.progress.broken += 1;
        self.observer.broken(&error);
        Ok(())
    }

    fn undelivered(&self, path: &Path, number: u64, error: KafkaError) -> StopCause {
        StopCause::Delivery { path: path.to_owned(), number, error, failed: 1 }
    }

    /// Takes note of deliveries and tells progress when it is time to.
    fn look(&mut self, bytes_read: u64) -> Result<(), StopCause> {
        self.producer.poll(Duration::ZERO);
        self.progress.bytes_read = bytes_read;
        if self.told.elapsed() >= TELL_EVERY {
            self.tell();
        }
        self.pass_refused()
    }

    fn tell(&mut self) {
        self.told = Instant::now();
        self.progress.records = self.deliveries().records();
        self.progress.elapsed = self.started.elapsed();
        self.observer.progress(&self.progress);
    }

    /// Waits until every queued record is delivered or has failed.
    fn finish(&mut self) -> Result<(), StopCause> {
        let mut stopping: Option<Instant> = None;
        while self.producer.flush(LONGEST_WAIT).is_err() {
            self.tell();
            if self.is_stopped() && stopping.get_or_insert_with(Instant::now).elapsed() > STOP_TIMEOUT {
                return Err(self.unfinished());
            }
        }
        let refused = self.pass_refused();
        match self.deliveries().first_failure() {
            None => refused,
            Some((place, error)) => {
                let file = self.begun.partition_point(|(first, _)| *first <= place) - 1;
                let (first, path) = &self.begun[file];
                let number = (place - first) as u64 + 1;
                Err(StopCause::Delivery { path: path.clone(), number, error, failed: self.deliveries().failed() })
            }
        }
    }

    fn unfinished(&self) -> StopCause {
        StopCause::Unfinished {
            left: u64::try_from(self.producer.in_flight_count()).unwrap_or(0),
            seconds: STOP_TIMEOUT.as_secs(),
            reason: self.deliveries().connection.explain(&"the broker does not answer"),
        }
    }

    fn report(&self) -> ProduceReport {
        ProduceReport {
            topic: self.settings.target.topic.clone(),
            partitions: self.partitions,
            files: self.files_done,
            records: self.deliveries().records(),
            bytes: self.deliveries().bytes(),
            broken: self.progress.broken,
            left_out: 0,
            seconds: self.started.elapsed().as_secs_f64(),
            interrupted: self.is_stopped() && self.files_done < self.progress.files as u64,
        }
    }
}

/// A record that the producer does not take.
fn beyond_producer(path: &Path, record: &FileRecord<'_>) -> FileError {
    let largest = record.json.len() + OVERHEAD;
    let remedy = format!(
        "the producer's {LARGEST}; raise it with --set kafka.{LARGEST}={largest}, and the topic's {LARGEST_BATCH}"
    );
    too_large(path, record, &remedy)
}

/// A record that the producer's queue never has room for.
fn beyond_queue(path: &Path, record: &FileRecord<'_>) -> FileError {
    let kilobytes = (record.json.len() + OVERHEAD) / 1024 + 1;
    too_large(path, record, &format!("the producer's queue holds; raise it with --set kafka.{QUEUE}={kilobytes}"))
}

/// A record that the topic does not take.
fn beyond_topic(path: &Path, record: &FileRecord<'_>) -> FileError {
    let remedy = format!("the topic takes; raise its {LARGEST_BATCH} (or the broker's message.max.bytes)");
    too_large(path, record, &remedy)
}

/// A record that is longer than Kafka takes cannot be used, but the ones behind it can.
fn too_large(path: &Path, record: &FileRecord<'_>, remedy: &str) -> FileError {
    let length = record.json.len();
    let trouble = Trouble::Broken(BrokenRecord {
        number: record.number,
        line: None,
        byte: record.byte,
        at: record.byte,
        reason: format!("its {length} bytes are more than {remedy}"),
        skipped: length as u64,
    });
    FileError { path: path.to_owned(), trouble }
}
