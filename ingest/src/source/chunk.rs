//! Records of one partition in one piece of memory.

use super::headers;
use model::decode::Coordinates;
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A chunk is closed when it holds so many bytes (one larger record is a chunk of its own).
const MAX_BYTES: usize = 256 << 10;
const MAX_RECORDS: usize = 1_000;
/// Chunks that were sent and are not decoded yet hold so many bytes together (one larger record goes alone).
const MAX_BYTES_SENT: usize = 16 << 20;

/// Consecutive records of one partition.
#[derive(Debug)]
pub struct Chunk {
    /// Partition.
    pub partition: i32,
    /// Generation of the assignment under which they were read.
    pub generation: u64,
    bytes: Vec<u8>,
    /// Bytes that the headers of all its records take.
    header_bytes: usize,
    records: Vec<Stored>,
    /// Set when it is sent.
    share: Option<Share>,
}

/// Bytes of the chunks that were sent and are not decoded yet. Counting chunks would not do: those of large records are larger.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent(Arc<AtomicUsize>);

/// What a chunk takes of [`Sent`] until it is dropped.
#[derive(Debug)]
struct Share {
    sent: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.sent.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Sent {
    /// Whether the chunk may be sent now; it has its share then.
    pub(super) fn admit(&self, chunk: &mut Chunk) -> bool {
        let bytes = chunk.weight();
        // Only the poll thread adds, so nothing comes in between.
        let sent = self.0.load(Ordering::Relaxed);
        if chunk.share.is_none() && (sent == 0 || sent + bytes <= MAX_BYTES_SENT) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
            chunk.share = Some(Share { sent: Arc::clone(&self.0), bytes });
        }
        chunk.share.is_some()
    }
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

impl Record<'_> {
    /// Bytes that the headers take.
    pub fn header_bytes(&self) -> usize {
        headers::bytes(self.headers)
    }
}

impl Chunk {
    /// A chunk without records.
    pub fn new(partition: i32, generation: u64) -> Self {
        Self { partition, generation, bytes: Vec::new(), header_bytes: 0, records: Vec::new(), share: None }
    }

    /// Appends a record of the chunk's partition; `key` and `payload` are copied.
    pub fn push(
        &mut self,
        at: Coordinates,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: Vec<(String, Option<Vec<u8>>)>,
    ) {
        self.header_bytes += headers::bytes(&headers);
        let mut keep = |part: Option<&[u8]>| {
            part.map(|part| {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(part);
                start..self.bytes.len()
            })
        };
        let (key, payload) = (keep(key), keep(payload));
        self.records.push(Stored { offset: at.offset, timestamp: at.timestamp, key, payload, headers });
    }

    /// Bytes that it takes.
    fn weight(&self) -> usize {
        self.bytes.len() + self.header_bytes
    }

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
    pub(super) fn is_full(&self) -> bool {
        self.0.as_ref().is_some_and(|chunk| chunk.records.len() >= MAX_RECORDS || chunk.weight() >= MAX_BYTES)
    }

    /// Whether records of this partition and generation belong here.
    pub(super) fn fits(&self, partition: i32, generation: u64) -> bool {
        self.0.as_ref().is_none_or(|chunk| chunk.partition == partition && chunk.generation == generation)
    }

    pub(super) fn push(&mut self, message: &BorrowedMessage<'_>, generation: u64) {
        let at = Coordinates {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
        };
        let chunk = self.0.get_or_insert_with(|| Chunk::new(at.partition, generation));
        chunk.push(at, message.key(), message.payload(), headers::read(message));
    }

    pub(super) fn finish(self) -> Option<Chunk> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(bytes: usize) -> Chunk {
        Chunk { bytes: vec![0; bytes], ..Chunk::new(0, 0) }
    }

    #[test]
    fn a_chunk_takes_records_of_one_partition_and_generation() {
        let fits = |chunk: Option<Chunk>, partition, generation| ChunkBuilder(chunk).fits(partition, generation);
        assert!(fits(None, 7, 7) && fits(Some(chunk(1)), 0, 0));
        assert!(!fits(Some(chunk(1)), 1, 0) && !fits(Some(chunk(1)), 0, 1));
    }

    #[test]
    fn a_chunk_is_full_by_its_bytes_and_by_its_records() {
        let is_full = |chunk: Option<Chunk>| ChunkBuilder(chunk).is_full();
        assert!(!is_full(None));
        assert!(!is_full(Some(chunk(MAX_BYTES - 1))));
        assert!(is_full(Some(chunk(MAX_BYTES))));
        assert!(is_full(Some(Chunk { header_bytes: MAX_BYTES, ..chunk(0) })), "headers count as well");
        let record = |offset| Stored { offset, timestamp: None, key: None, payload: None, headers: Vec::new() };
        let of_records = |count| Chunk { records: (0..count).map(record).collect(), ..chunk(0) };
        assert!(!is_full(Some(of_records(MAX_RECORDS as i64 - 1))));
        assert!(is_full(Some(of_records(MAX_RECORDS as i64))));
    }

    #[test]
    fn chunks_wait_until_those_before_them_are_decoded() {
        let sent = Sent::default();
        let (mut half, mut other, mut third) = (chunk(MAX_BYTES_SENT / 2), chunk(MAX_BYTES_SENT / 2), chunk(1));
        assert!(sent.admit(&mut half) && sent.admit(&mut other));
        assert!(!sent.admit(&mut third));
        drop(half);
        assert!(sent.admit(&mut third) && sent.admit(&mut third));
        drop((other, third));
        let mut large = chunk(MAX_BYTES_SENT + 1);
        assert!(sent.admit(&mut large), "alone it may be of any size");
        assert!(!sent.admit(&mut chunk(1)));
        drop(large);
        let mut of_headers = Chunk { header_bytes: MAX_BYTES_SENT, ..chunk(0) };
        assert!(sent.admit(&mut of_headers) && !sent.admit(&mut chunk(1)), "headers count as well");
    }
}
