//! Servers that ask who is there: TLS, SASL and users, with a real Kafka and a real mongod that are set up so.
//!
//! Certificates come from the `openssl` command. All tests share one broker, which has a listener for each kind of security, and one
//! mongod; they end with the last test that uses them.

mod certificates;
mod client;
mod kafka;
mod mongodb;
mod secrets;
mod servers;
