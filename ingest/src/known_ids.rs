//! Which ids may be in the store already, so that it need not be asked for every one.
//!
//! A Bloom filter of the ids that this worker has stored. An id that it does not know is taken for new: where another worker or an
//! earlier run has stored it, its insert fails, nothing of the batch is stored, and the batch is tried again with a question for every
//! id. After such a miss more are likely (files that were sent twice), so for some batches every id is asked for at once.

use bson::raw::RawDocumentBuf;
use fastbloom::BloomFilter;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// 8 MB: of five million ids one in 200 is taken for stored although it is not. More ids only mean more questions.
const BITS: usize = 1 << 26;
const EXPECTED: usize = 5_000_000;
/// Batches that ask for every id after one that has met an unknown one.
const CAUTIOUS_BATCHES: u32 = 100;

/// Ids that this worker has stored, shared by its lanes.
pub struct KnownIds {
    filter: Mutex<BloomFilter>,
    cautious: AtomicU32,
}

impl Default for KnownIds {
    fn default() -> Self {
        let filter = BloomFilter::with_num_bits(BITS).expected_items(EXPECTED);
        Self { filter: Mutex::new(filter), cautious: AtomicU32::new(0) }
    }
}

impl KnownIds {
    /// The ids that the store must be asked for, of those of one batch (as `{_id}` documents).
    pub fn doubtful<'i>(&self, ids: &'i [RawDocumentBuf]) -> Vec<&'i RawDocumentBuf> {
        let spent = |left: u32| left.checked_sub(1);
        if self.cautious.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent).is_ok() {
            return ids.iter().collect();
        }
        let filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().filter(|id| filter.contains(id.as_bytes())).collect()
    }

    /// The ids are in the store now.
    pub fn stored(&self, ids: &[RawDocumentBuf]) {
        let mut filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            filter.insert(id.as_bytes());
        }
    }

    /// An id that was taken for new is in the store.
    pub fn missed(&self) {
        self.cautious.store(CAUTIOUS_BATCHES, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for KnownIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownIds").field("cautious", &self.cautious).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::raw::cstr;

    fn id(number: i64) -> RawDocumentBuf {
        let mut id = RawDocumentBuf::new();
        id.append(cstr!("_id"), number);
        id
    }

    #[test]
    fn only_ids_that_were_stored_are_asked_for() {
        let known = KnownIds::default();
        let ids: Vec<_> = (0..2_000).map(id).collect();
        known.stored(&ids[..1_000]);
        let doubtful = known.doubtful(&ids);
        assert!(ids[..1_000].iter().all(|id| doubtful.contains(&id)), "a stored id is never taken for new");
        assert!(doubtful.len() < 1_050);
    }

    #[test]
    fn after_a_miss_every_id_is_asked_for_during_some_batches() {
        let known = KnownIds::default();
        known.missed();
        let asked: usize = (0..CAUTIOUS_BATCHES * 2).map(|_| known.doubtful(&[id(1), id(2)]).len()).sum();
        assert_eq!(asked, 2 * CAUTIOUS_BATCHES as usize);
    }
}
