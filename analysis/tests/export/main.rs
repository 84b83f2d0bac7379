//! Exports from a real mongod: right for every reader, incremental, and whole or not at all.

mod faults;
mod fixture;
mod incremental;
mod pipeline;
mod readers;
mod settings;
#[path = "../support/mod.rs"]
mod support;
