//! What is stored of a stream: the types of its fields, its rollups, and the number of the plan in force; and how a new plan takes the
//! place of the old one.
//!
//! A *plan* is the set of rollups with their state tables. Every position carries the number of the plan that its records are counted
//! under, and a batch commits only where that is the worker's own ([`crate::commit`]). [`prepare`] compares the schema with what is
//! stored. Where the rollups differ, it raises the number, which drops the open batches of workers with the old plan, and writes down
//! what each table needs; publishers do it ([`crate::publish`]).

mod compatible;
mod coverage;
mod entry;
mod lineage;
mod standing;
mod switch;

pub(crate) use coverage::{Lost, label, lost};
pub use entry::{Rebuild, Stage, StoredStream, TableEntry, description};
pub(crate) use entry::{is_hidden_name, next_name, place_of};
pub use switch::{Consent, check_stream, foresee, prepare, raise_positions};
pub(crate) use switch::{check_gone, forget_unused};
