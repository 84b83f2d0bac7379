//! Fuzz targets: one for each part that reads what others wrote.
//!
//! A [`Target`] takes any bytes and panics if a property does not hold. Two drivers share them: libFuzzer with coverage (`make fuzz`,
//! the package `fuzz-engine`) and the test `replay` (part of `make test`), which runs the corpus and a fixed number of mutations of it on
//! a stable compiler. docs/testing.md says how to run both and how to add a target.
//!
//! The leading bytes of an input choose among schemas, formats and the like ([`Input`]); the rest is what is read. Each target compares with
//! something that shares no code with what it tests: numbers as texts ([`exact`]), dates by arithmetic, JSON by serde_json.

pub mod exact;
mod input;
pub mod mutate;
mod targets;

pub use input::Input;

/// One target: a name, which is also the name of its corpus and its list of words, and the property.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the target, of `corpus/NAME/` and of `words/NAME.dict`.
    pub name: &'static str,
    /// Panics if the property does not hold for these bytes.
    pub run: fn(&[u8]),
    /// How many mutated inputs the test `replay` runs: about a second's worth.
    pub replayed: usize,
}

/// All targets.
pub const TARGETS: [Target; 7] = [
    Target { name: "decode", run: targets::decode::run, replayed: 20_000 },
    Target { name: "numbers", run: targets::numbers::run, replayed: 60_000 },
    Target { name: "dates", run: targets::dates::run, replayed: 40_000 },
    Target { name: "files", run: targets::files::run, replayed: 2_000 },
    Target { name: "tables", run: targets::tables::run, replayed: 2_000 },
    Target { name: "schema", run: targets::schema::run, replayed: 5_000 },
    Target { name: "sql", run: targets::sql::run, replayed: 2_000 },
];

/// The target of that name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
