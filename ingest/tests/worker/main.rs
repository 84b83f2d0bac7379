//! The worker as a user runs it: the program itself, against a real Kafka and a real mongod.
//!
//! Every test has its own topic, group and database, and ends what it starts. Where the real sample of reviews lies beside the
//! repository it is used as well; a clone has none, and then the same test runs on generated reviews alone, and says so.

mod absent_fields;
mod audit;
mod background;
mod bad_neighbours;
mod bad_servers;
mod broker_away;
mod crash;
mod dead_letters;
mod everything_dead;
mod fail_points;
mod group;
mod halted;
mod interruptions;
mod kafka;
mod lineage;
mod lost_offsets;
mod other_stream;
mod output;
mod ownership;
mod plans;
mod rebuild;
mod repeat;
mod retention;
mod servers;
mod sessions;
mod support;
mod time;
mod truth;
mod wrong_input;
