//! What a run prints.

use crate::positions::Recovery;
use crate::schedule::{Fault, Kind};
use crate::verify::Verdict;
use std::collections::BTreeMap;
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
    pub fn print(&self) {
        println!("\nseconds from the end of a fault until a position moved, and until every partition's had:");
        println!("  {:<22} {:>5}   {:>6} {:>6}   {:>6} {:>6}", "", "times", "first", "worst", "all", "worst");
        for (kind, recoveries) in &self.0 {
            let (first, first_worst) = median_and_max(recoveries.iter().map(|recovery| recovery.first));
            let (all, all_worst) = median_and_max(recoveries.iter().map(|recovery| recovery.all));
            let times = recoveries.len();
            println!("  {kind:<22} {times:>5}   {first:>6.2} {first_worst:>6.2}   {all:>6.2} {all_worst:>6.2}");
        }
    }
}

fn median_and_max(durations: impl Iterator<Item = Duration>) -> (f64, f64) {
    let mut seconds: Vec<f64> = durations.map(|duration| duration.as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    let median = seconds.get(seconds.len() / 2).copied().unwrap_or_default();
    (median, seconds.last().copied().unwrap_or_default())
}

/// Prints the schedule, before anything happens.
pub fn print_schedule(seed: u64, faults: &[Fault]) {
    println!("seed {seed}, {} faults:", faults.len());
    for (number, fault) in (1..).zip(faults) {
        let Fault { kind, lasts_ms, pause_ms, pick, skip } = fault;
        println!("  {number:>3} {kind:<22} {lasts_ms:>5} ms, after {pause_ms:>3} ms, pick {pick}, skip {skip}");
    }
}

/// Prints one fault that is over.
pub fn print_fault(number: usize, of: usize, since: Duration, kind: Kind, what: &str, recovery: Recovery) {
    let (since, first, all) = (since.as_secs_f64(), recovery.first.as_secs_f64(), recovery.all.as_secs_f64());
    println!("{number:>4}/{of} {since:>7.1} s  {kind:<22} first {first:>5.2} s, all {all:>5.2} s  {what}");
}

/// Prints what was found.
pub fn print_verdict(verdict: &Verdict) {
    println!(
        "\ncounts: {}",
        verdict.counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    );
    println!(
        "in the store: {} events, {} dead letters; {} rows compared with the generator's numbers",
        verdict.events, verdict.dead, verdict.rows
    );
    for problem in &verdict.wrong {
        println!("WRONG: {problem}");
    }
}
