//! Warns of fields of the schema that no record has: they would be null in every event.

use model::decode::presence::Presence;
use model::schema::Schema;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Events of a run that are looked at.
pub const SAMPLE: u64 = 5_000;
/// So many events are enough where a partition has no more records for now.
const FEW: u64 = 100;

/// Looks at the first events of a run; shared by its lanes.
#[derive(Debug)]
pub struct AbsentFields {
    /// Cleared once it has been told. The lanes read nothing else then.
    is_open: AtomicBool,
    presence: Mutex<Presence>,
}

impl AbsentFields {
    /// A sample without events.
    pub fn new(schema: &Schema) -> Self {
        Self { is_open: AtomicBool::new(true), presence: Mutex::new(Presence::new(schema)) }
    }

    /// Takes the payload of a record that became an event into account.
    pub fn note(&self, payload: Option<&[u8]>) {
        let Some(payload) = payload.filter(|_| self.is_open.load(Ordering::Relaxed)) else { return };
        let mut presence = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        presence.add(payload);
        let is_full = presence.records() >= SAMPLE;
        drop(presence);
        if is_full {
            self.tell(SAMPLE);
        }
    }

    /// A partition has no more records for now.
    pub fn reached_end(&self) {
        self.tell(FEW);
    }

    /// The run ends.
    pub fn finish(&self) {
        self.tell(1);
    }

    /// Logs the fields that no event had, once, where there were `enough` events.
    fn tell(&self, enough: u64) {
        if !self.is_open.load(Ordering::Relaxed) {
            return;
        }
        let presence = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        if presence.records() < enough || !self.is_open.swap(false, Ordering::Relaxed) {
            return;
        }
        for absent in presence.absent() {
            tracing::warn!(field = absent.field, source = absent.source, records = absent.records, "{absent}");
        }
    }
}
