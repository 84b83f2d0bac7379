//! Which assignment is in force, and until when its batches may still commit.
//!
//! A batch carries the generation of the assignment under which its records were read. A try to commit needs a permit; after a
//! revoke is acknowledged no permit is given for the old generation (invariant I7).

use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// The generation in force, and the deadline of a revoke that is under way.
#[derive(Debug, Default)]
pub struct Fence(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    generation: u64,
    deadline: Option<Instant>,
}

impl Fence {
    /// The generation of the assignment in force.
    pub fn generation(&self) -> u64 {
        self.state().generation
    }

    /// Whether a batch of `generation` may begin a try to commit now.
    pub fn permits(&self, generation: u64) -> bool {
        let state = self.state();
        state.generation == generation && state.deadline.is_none_or(|deadline| Instant::now() < deadline)
    }

    /// A revoke has begun: tries to commit may begin until `deadline`.
    pub fn begin_revoke(&self, deadline: Instant) {
        self.state().deadline = Some(deadline);
    }

    /// The revoke ends: the old generation is over.
    pub fn end_revoke(&self) {
        let mut state = self.state();
        state.generation += 1;
        state.deadline = None;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn after_a_revoke_the_old_generation_has_no_permit() {
        let fence = Fence::default();
        let old = fence.generation();
        assert!(fence.permits(old));
        fence.begin_revoke(Instant::now() + Duration::from_secs(60));
        assert!(fence.permits(old), "an open batch may still finish");
        fence.end_revoke();
        assert!(!fence.permits(old));
        assert!(fence.permits(fence.generation()));
    }

    #[test]
    fn no_try_begins_after_the_deadline() {
        let fence = Fence::default();
        fence.begin_revoke(Instant::now());
        assert!(!fence.permits(fence.generation()));
    }
}
