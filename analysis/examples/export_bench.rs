//! How long exports take: of all preset rollups anew, and after 1,000 new reviews. Programs are timed as whole processes.
//!
//! `cargo build --release --examples && stack run -- target/release/examples/export_bench [REVIEWS] [ROUNDS]` prints medians as
//! JSON. Needs KAFKA_BROKERS and MONGODB_URI, and the programs beside this one.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use sample::GenerateOptions;
use serde_json::json;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const NEW_REVIEWS: u64 = 1_000;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let reviews: u64 = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let rounds: u32 = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let bench = Bench::new(folder.path())?;
    bench.send("first", GenerateOptions::new(folder.path().join("first"), reviews, 7))?;

    let anew = (0..rounds).map(|round| bench.export(&format!("anew-{round}"), &[])).collect::<Result<Vec<f64>>>()?;
    let by_year = ["movies_by_month", "--partition-by", "year"];
    let unchanged = (0..rounds).map(|_| bench.export("anew-0", &[])).collect::<Result<Vec<f64>>>()?;
    bench.export("by-year", &by_year)?;
    let mut refreshed = Vec::new();
    let mut refreshed_by_year = Vec::new();
    for round in 0..rounds {
        let name = format!("more-{round}");
        let options = GenerateOptions::new(folder.path().join(&name), NEW_REVIEWS, 100 + u64::from(round));
        bench.send(&name, GenerateOptions { files: 1, duplicates: 0, bad: 0, ..options })?;
        refreshed.push(bench.export("anew-0", &[])?);
        refreshed_by_year.push(bench.export("by-year", &by_year)?);
    }
    let events = bench.time(&["export", &bench.place("events"), "events"])?;
    let result = json!({
        "reviews": reviews,
        "export_anew_s": median(anew),
        "export_unchanged_s": median(unchanged),
        "refresh_after_1000_s": median(refreshed),
        "refresh_by_year_after_1000_s": median(refreshed_by_year),
        "events_s": events,
    });
    println!("{}", serde_json::to_string_pretty(&result)?);
    Ok(())
}

/// Programs and places of this run.
struct Bench {
    programs: PathBuf,
    folder: PathBuf,
    name: String,
}

impl Bench {
    fn new(folder: &Path) -> Result<Self> {
        let here = std::env::current_exe()?;
        let programs = here.parent().and_then(Path::parent).ok_or("this program is not in target/release/examples")?;
        let name = format!("export-bench-{}", std::process::id());
        Ok(Self { programs: programs.to_owned(), folder: folder.to_owned(), name })
    }

    fn place(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Generates reviews with ids of their own, and brings them into MongoDB.
    fn send(&self, name: &str, options: GenerateOptions) -> Result<()> {
        sample::generate(&options)?;
        for file in fs::read_dir(&options.dir)? {
            let path = file?.path();
            // Reviews of another seed have the same ids.
            let text = fs::read_to_string(&path)?;
            fs::write(&path, text.replace("\"rw", &format!("\"{name}-")))?;
        }
        let data = options.dir.display().to_string();
        self.run("ingest", &["produce", &data])?;
        self.run("ingest", &["run", "--until-end"])
    }

    fn export(&self, folder: &str, more: &[&str]) -> Result<f64> {
        let place = self.place(folder);
        self.time(&[&["export", &place], more].concat())
    }

    fn time(&self, arguments: &[&str]) -> Result<f64> {
        let began = Instant::now();
        self.run("analysis", arguments)?;
        Ok(began.elapsed().as_secs_f64())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(self.programs.join(program));
        for setting in ["RUSHES_TOPIC", "RUSHES_GROUP", "RUSHES_DATABASE"] {
            command.env(setting, &self.name);
        }
        let output = command.args(arguments).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2] * 1000.0).round() / 1000.0
}
