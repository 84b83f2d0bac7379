//! Starts a private Apache Kafka (KRaft, one JVM) and a private mongod (replica set `rs0`) as child processes on free ports of
//! `127.0.0.1`, for the demo, the tests and the benchmarks.
//!
//! ```no_run
//! # async fn example() -> Result<(), stack::StackError> {
//! use stack::{Stack, StackOptions};
//!
//! let stack = Stack::start(StackOptions::default()).await?;
//! println!("{:?} {:?}", stack.kafka_brokers(), stack.mongodb_uri());
//! stack.stop().await
//! # }
//! ```
//!
//! Rules:
//!
//! * *Ready* is what a user would call ready: Kafka has handed back a message that was produced, mongod has a primary and
//!   has committed a transaction. [`Stack::start`] returns no earlier.
//! * No server outlives the process that started it, whatever ends that process. See [`process`] for how.
//! * What is missing (Kafka's jars, a JRE, mongod) is fetched once into a cache folder, checked against pinned sums, and
//!   put in place by a rename. See [`fetch`].
//! * The data is in a temporary folder that is deleted at the end, unless [`StackOptions::dir`] names one.

mod error;
pub mod fetch;
mod kafka;
mod log;
mod mongod;
pub mod output;
pub mod process;
mod replica_set;
mod stack;
pub mod testing;

pub use error::StackError;
pub use kafka::{Kafka, Listener, MoreListeners, ProxiedListener};
pub use mongod::Mongod;
pub use replica_set::{MemberPorts, ReplicaSet};
pub use stack::{KAFKA_BROKERS, MONGODB_URI, Stack, StackOptions};
