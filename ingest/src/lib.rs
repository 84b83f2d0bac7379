//! Files to Kafka, and Kafka to MongoDB with an exactly-once effect and rollups that are always current.
//!
//! The way of a record: [`files`] and [`produce`] send it; [`source`] reads it; [`worker`] hands it to a [`lane`], which gathers a
//! [`batch`] and has [`commit`] store it in one transaction; [`publish`] brings the rollups' tables up to date; [`audit`] proves
//! that they are right.

pub mod absent_fields;
pub mod audit;
pub mod background;
pub mod batch;
pub mod breaker;
pub mod check;
pub mod cli;
pub mod commit;
pub mod config;
mod connection;
pub mod dead_letters;
pub mod error;
pub mod fail_point;
pub mod kafka_options;
pub mod known_ids;
pub mod lane;
pub mod lost_offsets;
pub mod produce;
pub mod progress;
pub mod publish;
pub mod schema;
pub mod source;
pub mod stamp;
pub mod store;
pub mod stream;
pub mod topic;
mod topic_id;
pub mod worker;

pub use files;
