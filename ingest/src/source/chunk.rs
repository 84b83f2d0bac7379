//! Records of one partition in one piece of memory.

use super::headers;
use model::decode::Coordinates;
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;
use std::ops::Range;

/// A chunk is closed when it holds so many bytes (one larger record is a chunk of its own).
pub const MAX_BYTES: usize = 256 << 10;
const MAX_RECORDS: usize = 1_000;

/// Consecutive records of one partition.
#[derive(Debug)]
pub struct Chunk {
    /// Partition.
    pub partition: i32,
    /// Generation of the assignment under which they were read.
    pub generation: u64,
    bytes: Vec<u8>,
    records: Vec<Stored>,
}

#[derive(Debug)]
struct Stored {
    offset: i64,
    timestamp: Option<i64>,
    key: Option<Range<usize>>,
    payload: Option<Range<usize>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A record of a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Where it stands in Kafka.
    pub at: Coordinates,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its payload.
    pub payload: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a [(String, Option<Vec<u8>>)],
}

impl Chunk {
    /// The records in the order of their offsets.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let part = |range: &Option<Range<usize>>| range.clone().map(|range| &self.bytes[range]);
        self.records.iter().map(move |stored| Record {
            at: Coordinates { partition: self.partition, offset: stored.offset, timestamp: stored.timestamp },
            key: part(&stored.key),
            payload: part(&stored.payload),
            headers: &stored.headers,
        })
    }
}

/// Gathers a chunk.
#[derive(Debug, Default)]
pub(super) struct ChunkBuilder(Option<Chunk>);

impl ChunkBuilder {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a record of this partition and generation belongs here, and there is room.
    pub(super) fn fits(&self, partition: i32, generation: u64) -> bool {
        self.0.as_ref().is_none_or(|chunk| {
            chunk.partition == partition
                && chunk.generation == generation
                && chunk.records.len() < MAX_RECORDS
                && chunk.bytes.len() < MAX_BYTES
        })
    }

    pub(super) fn push(&mut self, message: &BorrowedMessage<'_>, generation: u64) {
        let chunk = self.0.get_or_insert_with(|| Chunk {
            partition: message.partition(),
            generation,
            bytes: Vec::new(),
            records: Vec::new(),
        });
        let bytes = &mut chunk.bytes;
        let mut keep = |part: Option<&[u8]>| {
            part.map(|part| {
                let start = bytes.len();
                bytes.extend_from_slice(part);
                start..bytes.len()
            })
        };
        let (key, payload) = (keep(message.key()), keep(message.payload()));
        chunk.records.push(Stored {
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key,
            payload,
            headers: headers::read(message),
        });
    }

    pub(super) fn finish(self) -> Option<Chunk> {
        self.0
    }
}
