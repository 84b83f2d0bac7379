//! The invariants, recomputed from the topic and the positions alone.

use crate::db::View;
use crate::topic::{Fate, LogRecord};
use ingest::store::Counts;
use std::collections::{BTreeMap, BTreeSet};

/// Checks a moment: everything below the positions has become what it must, once, and nothing else has.
///
/// # Errors
/// The invariant that does not hold, as in ARCHITECTURE.md.
pub fn view(view: &View, logs: &[[Vec<LogRecord>; 2]]) -> Result<(), String> {
    let (mut events, mut dead) = (BTreeSet::new(), BTreeSet::new());
    let mut stored = 0;
    for (&partition, position) in &view.positions {
        let mut right = Counts::default();
        for (epoch, log) in logs[usize::try_from(partition).expect("not negative")].iter().enumerate() {
            let next = match view.left.get(&partition) {
                Some(&left) if epoch == 0 => left,
                None if epoch > 0 => 0,
                _ => position.next,
            };
            for record in log.iter().filter(|record| record.offset < next) {
                right.read += 1;
                match record.fate {
                    Fate::Event(id) => {
                        events.insert(id);
                    }
                    Fate::Filtered => right.filtered += 1,
                    Fate::Dead => {
                        right.dead += 1;
                        dead.insert((partition, epoch, record.offset));
                    }
                }
            }
        }
        let counts = position.counts;
        if !counts.add_up() || (counts.read, counts.filtered, counts.dead) != (right.read, right.filtered, right.dead) {
            return Err(format!("I4: partition {partition} counts {counts:?}; its records are {right:?}"));
        }
        stored += counts.stored;
    }
    if view.repeated > 0 {
        return Err("I5: an id was stored twice".to_owned());
    }
    if view.events.len() != events.len() || view.dead != dead {
        let (has, needs) = ((view.events.len(), view.dead.len()), (events.len(), dead.len()));
        return Err(format!("I2: {has:?} events and dead letters are stored; the positions say {needs:?}"));
    }
    if usize::try_from(stored) != Ok(events.len()) {
        return Err(format!("I5: {stored} events are counted as stored, {} are", events.len()));
    }
    if view.outdated > 0 {
        return Err("I6: a batch was counted under another plan than the one in force".to_owned());
    }
    groups(view)
}

/// The partial states add up to the stored events.
fn groups(view: &View) -> Result<(), String> {
    let mut groups: BTreeMap<String, i64> = BTreeMap::new();
    for event in view.events.values() {
        *groups.entry(event.get_str("movie").unwrap_or_default().to_owned()).or_default() += 1;
    }
    if view.states == groups {
        Ok(())
    } else {
        Err(format!("I6: the states are {:?}, the events {groups:?}", view.states))
    }
}

/// No position goes back, unless its partition was created again.
///
/// # Errors
/// The partition.
pub fn forward(before: &View, after: &View) -> Result<(), String> {
    for (partition, position) in &before.positions {
        let now = &after.positions[partition];
        if before.epoch(*partition) == after.epoch(*partition) && now.next < position.next {
            return Err(format!("I1: partition {partition} went from {} to {}", position.next, now.next));
        }
    }
    Ok(())
}
