//! Runs each target over its corpus and over seeded mutations of it, without the engine and on any compiler.
//!
//! `FUZZ_SEED` chooses other mutations (1 by default) and `FUZZ_RUNS` multiplies their number.

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use fuzz::{Target, mutate};
use rand::{SeedableRng, rngs::StdRng};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, not a whole number")),
        Err(_) => default,
    }
}

/// The corpus, sorted by name so that a seed means the same everywhere.
fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = folder("corpus").join(target.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry of a folder").path()).collect();
    paths.sort();
    let input = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, bytes)
    };
    paths.into_iter().map(input).collect()
}

/// Runs one input; a failure says how to run it again.
fn run(target: &Target, input: &[u8], what: impl FnOnce() -> String) {
    if panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        panic!("{} failed on {}: b\"{}\"", target.name, what(), input.escape_ascii());
    }
}

fn replay(name: &str) {
    let target = fuzz::find(name).expect("a target of this name");
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    for (path, input) in &corpus {
        run(target, input, || path.display().to_string());
    }
    let seed = number("FUZZ_SEED", 1);
    let runs = target.replayed as u64 * number("FUZZ_RUNS", 1);
    println!("{name}: {} inputs of the corpus, {runs} mutations, FUZZ_SEED={seed}", corpus.len());
    let dictionary = folder("words").join(format!("{name}.dict"));
    let words = fs::read_to_string(&dictionary).unwrap_or_else(|error| panic!("{}: {error}", dictionary.display()));
    let mutator = mutate::Mutator::new(corpus.into_iter().map(|(_, input)| input).collect(), mutate::words(&words));
    let mut random = StdRng::seed_from_u64(seed);
    for turn in 1..=runs {
        run(target, &mutator.next(&mut random), || format!("mutation {turn} of FUZZ_SEED={seed}"));
    }
}

macro_rules! replays {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<&str> = fuzz::TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

replays!(decode, numbers, dates, files, tables, schema, sql);
