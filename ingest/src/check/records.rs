//! What the newest records of the topic would become.

use super::Finding;
use crate::breaker;
use crate::error::IngestError;
use crate::source::Watermarks;
use crate::topic::{Sampled, TopicInspector};
use model::decode::presence::Presence;
use model::decode::{Decoded, Decoder, Reject};
use model::schema::Schema;

/// Records that are read.
const SAMPLE: usize = 1_000;

/// What became of a sample of records.
#[derive(Debug)]
struct Tried {
    events: i64,
    filtered: i64,
    dead: i64,
    first_dead: Option<Reject>,
    presence: Presence,
}

/// Decodes the newest records; finds records that cannot be used, and fields that none of them has.
pub(super) async fn findings(
    schema: &Schema,
    inspector: &TopicInspector,
    marks: &[Watermarks],
    dead_ratio: f64,
) -> Vec<Finding> {
    let tried = match inspector.sample(marks, SAMPLE).await {
        Ok(records) => Tried::new(schema, &records),
        Err(error) => Err(error),
    };
    match tried {
        Err(error) => vec![Finding::new("records", Err(error))],
        Ok(tried) => [Some(tried.records(dead_ratio)), tried.fields()].into_iter().flatten().collect(),
    }
}

impl Tried {
    fn new(schema: &Schema, records: &[Sampled]) -> Result<Self, IngestError> {
        let decoder = Decoder::new(schema).map_err(|error| IngestError::Usage(error.to_string()))?;
        let mut tried = Self { events: 0, filtered: 0, dead: 0, first_dead: None, presence: Presence::new(schema) };
        for record in records {
            match decoder.decode(record.payload.as_deref(), record.at) {
                Ok(Decoded::Event(_)) => {
                    tried.events += 1;
                    tried.presence.add(record.payload.as_deref().unwrap_or_default());
                }
                Ok(Decoded::Filtered) => tried.filtered += 1,
                Err(reject) => {
                    tried.dead += 1;
                    tried.first_dead.get_or_insert(reject);
                }
            }
        }
        Ok(tried)
    }

    fn records(&self, dead_ratio: f64) -> Finding {
        let Self { events, filtered, dead, first_dead, .. } = self;
        let read = events + filtered + dead;
        if read == 0 {
            return Finding::new("records", Ok("there are none yet".into()));
        }
        let mut said = format!("of the newest {read}: {events} can be stored, {filtered} are left out by the filter");
        if let Some(reject) = first_dead {
            let remedy = reject.reason.remedy();
            said += &format!(", {dead} cannot be used; the first of these: {reject}; {remedy}");
        }
        let found = match breaker::judge(events + dead, *dead, dead_ratio) {
            None => Ok(said),
            Some(_) => Err(IngestError::TooManyDeadLetters(said)),
        };
        Finding::new("records", found)
    }

    /// `None` where no record became an event: nothing is known of the fields then.
    fn fields(&self) -> Option<Finding> {
        if self.presence.records() == 0 {
            return None;
        }
        let absent: Vec<String> = self.presence.absent().iter().map(ToString::to_string).collect();
        Some(match &absent[..] {
            [] => Finding::new("fields", Ok("each is in some of these records".into())),
            _ => Finding::warning("fields", absent.join("; ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::decode::Coordinates;

    fn tried(records: &[&str]) -> Tried {
        let schema = "stream = \"s\"\nid = [\"id\"]\nevent_time = \"at\"\n[fields]\nid = { type = \"string\" }\n\
                      at = { type = \"timestamp\" }\nacter = { type = \"string\" }\n[[rollups]]\nname = \"r\"\nwindow = \"day\"\n";
        let at = Coordinates { partition: 0, offset: 0, timestamp: None };
        let records: Vec<Sampled> =
            records.iter().map(|record| Sampled { at, payload: Some(record.as_bytes().to_vec()) }).collect();
        Tried::new(&Schema::parse("s", schema).unwrap(), &records).unwrap()
    }

    #[test]
    fn a_sample_tells_what_a_run_would_do() {
        let good = r#"{"id":"a","at":"2024-05-01T00:00:00Z","actor":"x"}"#;
        for (records, holds, warns) in [
            (&[][..], true, None),
            (&[good, good, "{"], true, Some(true)),
            (&[good, "{", "{"], false, Some(true)),
            (&["{"], false, None),
            (&[r#"{"id":"a","at":"2024-05-01T00:00:00Z","acter":null}"#], true, Some(false)),
        ] {
            let tried = tried(records);
            assert_eq!(tried.records(0.5).holds, holds, "{records:?}");
            assert_eq!(tried.fields().map(|fields| fields.warns), warns, "{records:?}");
        }
        let left = Tried { filtered: 9, ..tried(&["{"]) };
        assert!(!left.records(0.5).holds, "everything that the filter leaves is dead");
    }
}
