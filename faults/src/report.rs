//! What a run prints.

use crate::positions::Recovery;
use crate::schedule::{Fault, Kind};
use crate::verify::Verdict;
use stack::output;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

/// The recoveries of a run.
#[derive(Debug, Default)]
pub struct Recoveries(BTreeMap<Kind, Vec<Recovery>>);

impl Recoveries {
    /// Notes one.
    pub fn add(&mut self, kind: Kind, recovery: Recovery) {
        self.0.entry(kind).or_default().push(recovery);
    }

    /// A table with a line for each kind.
    pub fn print(&self) -> io::Result<()> {
        output::line("\nseconds from the end of a fault until a position moved, and until every partition's had:")?;
        output::line(format!(
            "  {:<22} {:>5}   {:>6} {:>6}   {:>6} {:>6}",
            "", "times", "first", "worst", "all", "worst"
        ))?;
        for (kind, recoveries) in &self.0 {
            let (first, first_worst) = median_and_max(recoveries.iter().map(|recovery| recovery.first));
            let (all, all_worst) = median_and_max(recoveries.iter().map(|recovery| recovery.all));
            let times = recoveries.len();
            output::line(format!(
                "  {kind:<22} {times:>5}   {first:>6.2} {first_worst:>6.2}   {all:>6.2} {all_worst:>6.2}"
            ))?;
        }
        Ok(())
    }
}

fn median_and_max(durations: impl Iterator<Item = Duration>) -> (f64, f64) {
    let mut seconds: Vec<f64> = durations.map(|duration| duration.as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    let median = seconds.get(seconds.len() / 2).copied().unwrap_or_default();
    (median, seconds.last().copied().unwrap_or_default())
}

/// Prints the schedule, before anything happens.
pub fn print_schedule(seed: u64, faults: &[Fault]) -> io::Result<()> {
    output::line(format!("seed {seed}, {} faults:", faults.len()))?;
    for (number, fault) in (1..).zip(faults) {
        let Fault { kind, lasts_ms, pause_ms, pick, skip } = fault;
        output::line(format!(
            "  {number:>3} {kind:<22} {lasts_ms:>5} ms, after {pause_ms:>3} ms, pick {pick}, skip {skip}"
        ))?;
    }
    Ok(())
}

/// Prints one fault that is over.
pub fn print_fault(
    number: usize,
    of: usize,
    since: Duration,
    kind: Kind,
    what: &str,
    recovery: Recovery,
) -> io::Result<()> {
    let (since, first, all) = (since.as_secs_f64(), recovery.first.as_secs_f64(), recovery.all.as_secs_f64());
    output::line(format!("{number:>4}/{of} {since:>7.1} s  {kind:<22} first {first:>5.2} s, all {all:>5.2} s  {what}"))
}

/// Prints what was found.
pub fn print_verdict(verdict: &Verdict) -> io::Result<()> {
    output::line(format!(
        "\ncounts: {}",
        verdict.counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    ))?;
    output::line(format!(
        "in the store: {} events, {} dead letters; {} rows compared with the generator's numbers",
        verdict.events, verdict.dead, verdict.rows
    ))?;
    for problem in &verdict.wrong {
        output::line(format!("WRONG: {problem}"))?;
    }
    Ok(())
}
