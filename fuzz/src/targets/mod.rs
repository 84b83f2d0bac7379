//! The targets, one module each: `run` takes any bytes and panics if a property does not hold.

pub mod dates;
pub mod decode;
pub mod files;
pub mod numbers;
mod rfc4180;
pub mod schema;
pub mod sql;
mod sqlite;
pub mod tables;

use model::decode::{Coordinates, Decoded, Decoder, Event, Reject};
use model::schema::Schema;

/// A schema that a target is written for, with its decoder.
#[derive(Debug)]
struct Stream {
    schema: Schema,
    decoder: Decoder,
}

impl Stream {
    fn new(toml: &str) -> Self {
        let schema =
            Schema::parse("fuzz", toml).unwrap_or_else(|error| panic!("a schema of a target: {error}\n{toml}"));
        let decoder = Decoder::new(&schema).expect("the names of a target's schema can be stored");
        Self { schema, decoder }
    }

    /// The event that a record becomes; none if it is filtered.
    fn decode(&self, record: &[u8]) -> Result<Option<Event>, Reject> {
        let at = Coordinates { partition: 0, offset: 7, timestamp: None };
        match self.decoder.decode(Some(record), at)? {
            Decoded::Event(event) => Ok(Some(event)),
            Decoded::Filtered => Ok(None),
        }
    }
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("every text is JSON")
}
