//! `make simulate SEEDS=10000 SEED=1`: many seeds, on all cores. Exit code 0 only where every invariant held in each.

use clap::Parser;
use simulate::{Case, Guard, run};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Plays the pipeline against a simulated store, one case a seed.
#[derive(Debug, Parser)]
struct Args {
    /// Number of seeds
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// First seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take a guard of the protocol away, to see that its absence is noticed
    #[arg(long, value_parser = guard)]
    without: Option<Guard>,
}

fn guard(name: &str) -> Result<Guard, String> {
    let names = Guard::ALL.map(Guard::name).join(", ");
    Guard::find(name).ok_or(format!("the guards are {names}"))
}

fn main() -> ExitCode {
    let args = Args::parse();
    let (next, requests) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed: Mutex<Option<(u64, String)>> = Mutex::new(None);
    let work = || {
        while failed.lock().expect("no thread panics with it").is_none() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= args.seeds {
                return;
            }
            let seed = args.seed + number;
            match run(&Case::draw(seed), args.without) {
                Ok(run) => {
                    requests.fetch_add(run.requests, Ordering::Relaxed);
                }
                Err(problem) => {
                    failed.lock().expect("no thread panics with it").get_or_insert((seed, problem));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let Some((seed, problem)) = failed.into_inner().expect("no thread panics with it") else {
        println!("{} seeds, {} requests: every invariant held", args.seeds, requests.into_inner());
        return ExitCode::SUCCESS;
    };
    println!("seed {seed}: {problem}");
    let smallest = Case::draw(seed).shrink(|case| run(case, args.without).is_err());
    match run(&smallest, args.without) {
        Err(problem) => println!("made smaller: {problem}\n{smallest:#?}"),
        Ok(_) => println!("the run does not repeat: that is a defect of the simulation"),
    }
    println!("run it again: make simulate SEEDS=1 SEED={seed}");
    ExitCode::FAILURE
}
