//! Some hundreds of seeds, and the proof that each guard is needed.

use simulate::{Case, Guard, run};

/// The first seed: SIMULATE_SEED, or 1.
fn first_seed() -> u64 {
    std::env::var("SIMULATE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

#[test]
fn the_invariants_hold_whatever_happens() {
    for seed in first_seed()..first_seed() + 300 {
        if let Err(problem) = run(&Case::draw(seed), None) {
            panic!("seed {seed}: {problem}; `make simulate SEEDS=1 SEED={seed}` makes it smaller");
        }
    }
}

#[test]
fn equal_seeds_are_equal_runs() {
    for seed in first_seed()..first_seed() + 20 {
        assert_eq!(run(&Case::draw(seed), None), run(&Case::draw(seed), None), "seed {seed}");
    }
}

#[test]
fn without_any_of_the_guards_an_invariant_is_broken() {
    const SEEDS: u64 = 2_000;
    let first_failure = |guard| (1..=SEEDS).find(|&seed| run(&Case::draw(seed), Some(guard)).is_err());
    for guard in Guard::ALL {
        let seed = first_failure(guard);
        println!("without {guard}: seed {seed:?}");
        assert!(seed.is_some(), "nothing notices that the guard {guard} is missing");
    }
}
