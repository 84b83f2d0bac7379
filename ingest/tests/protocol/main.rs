//! The protocol without servers: two workers, a store that has a transaction's semantics, and a world that does what it likes.
//!
//! The workers use the product's own batch, plan and fence. What happens is a random list of actions: either worker reads, goes one step
//! further with a commit, is given any partitions (also ones that the other believes to have), loses them, dies; commits are
//! delivered late or never, open transactions are aborted as an election does. The invariants are looked at after every action. That
//! they would notice is tested too: each guard is taken away once, and then they must fail.

mod store;
mod worker;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use world::{Action, Guards, World, records};

/// The topic's records by partition, and what happens.
type Case = (Vec<Vec<world::LogRecord>>, Vec<Action>);

fn cases() -> impl Strategy<Value = Case> {
    (prop::collection::vec(records(), world::PARTITIONS), prop::collection::vec(any::<Action>(), 0..160))
}

/// Plays a case; says which invariant does not hold, and after which action.
fn play((log, actions): Case, guards: Guards) -> Result<(), String> {
    let mut world = World::new(log, guards);
    for (number, &action) in actions.iter().enumerate() {
        world.act(action);
        world.check().map_err(|problem| format!("after action {number}, {action:?}: {problem}"))?;
    }
    world.finish()
}

proptest! {
    #![proptest_config(Config { cases: 2_000, max_shrink_iters: 20_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold(case in cases()) {
        if let Err(problem) = play(case, Guards::default()) {
            return Err(TestCaseError::fail(problem));
        }
    }
}

/// What the invariants say first without some guard; always the same cases.
fn without(guards: Guards) -> String {
    let config = Config { cases: 20_000, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&cases(), |case| play(case, guards).map_err(TestCaseError::fail));
    match outcome {
        Err(failed) => failed.to_string(),
        Ok(()) => "nothing: the guard is not needed, or the invariants are blind".to_owned(),
    }
}

#[test]
fn without_the_compare_and_set_records_are_counted_twice() {
    let said = without(Guards { compare_and_set: false, ..Guards::default() });
    assert!(said.contains("I1") || said.contains("I4"), "{said}");
}

#[test]
fn without_one_transaction_a_crash_loses_events() {
    let said = without(Guards { one_transaction: false, ..Guards::default() });
    assert!(said.contains("I2"), "{said}");
}

#[test]
fn without_unique_ids_a_repeat_is_counted() {
    let said = without(Guards { unique_ids: false, ..Guards::default() });
    assert!(said.contains("I5"), "{said}");
}

#[test]
fn without_the_permit_a_revoked_assignment_commits() {
    let said = without(Guards { permit: false, ..Guards::default() });
    assert!(said.contains("I7"), "{said}");
}

#[test]
fn without_dropping_a_fenced_batch_it_is_tried_for_ever() {
    let said = without(Guards { drop_when_fenced: false, ..Guards::default() });
    assert!(said.contains("never given up"), "{said}");
}
