//! `ingest dead`: the dead letters.

use super::commands::{print, runtime};
use super::{Common, output};
use crate::config::Config;
use crate::dead_letters::filter::Kept;
use crate::dead_letters::{Letter, LetterFilter, LetterState, LetterSummary, ReasonCount, filter, json, replay, text};
use crate::error::IngestError;
use crate::schema;
use crate::store::Store;
use anyhow::Context;
use bson::DateTime;
use clap::{Args, Subcommand};
use futures_util::TryStreamExt;
use model::decode::DeadReason;
use mongodb::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest dead list --reason not_json\n         \
                        ingest dead show reviews/0/1711\n         \
                        ingest dead replay              # after the schema was corrected")]
pub(super) struct Dead {
    #[command(subcommand)]
    command: DeadCommand,
}

#[derive(Debug, Subcommand)]
enum DeadCommand {
    /// Count the letters by reason and list them
    List(List),
    /// Show one letter: what is wrong with it, its headers, its bytes
    Show(Show),
    /// Decode open letters again with the present schema; what can be used becomes an event
    Replay(Replay),
    /// Write letters to a file as JSON Lines
    Export(Export),
}

/// Which letters of the topic and the group are meant.
#[derive(Debug, Args)]
struct Selection {
    /// Only this reason; may be given several times
    #[arg(long, value_name = "CODE", value_parser = reason)]
    reason: Vec<String>,
    /// Only this partition; may be given several times
    #[arg(long, value_name = "N")]
    partition: Vec<i32>,
    /// Only records whose Kafka timestamp is at or after this: 2026-11-23 or 2026-11-23T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<DateTime>,
    /// Only records whose Kafka timestamp is before this
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<DateTime>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest dead list\n         \
                        ingest dead list --reason wrong_type --partition 0 --from 2026-11-01 --state open --json")]
struct List {
    #[command(flatten)]
    selection: Selection,
    /// Only letters in this state
    #[arg(long)]
    state: Option<LetterState>,
    /// How many letters are listed; 0 lists all. The counts are always of all
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: u32,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest dead show reviews/0/1711\n         \
                        ingest dead show 0/1711 --payload | jq .")]
struct Show {
    /// Its id as `ingest dead list` shows it; PARTITION/OFFSET is enough
    #[arg(value_name = "ID")]
    id: String,
    /// Write only the payload, byte for byte
    #[arg(long)]
    payload: bool,
    /// Print one JSON document
    #[arg(long, conflicts_with = "payload")]
    json: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest dead replay\n         \
                        ingest dead replay --reason wrong_type --schema corrected.toml")]
struct Replay {
    #[command(flatten)]
    selection: Selection,
    /// Print the counts as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest dead export letters.jsonl --state open\n         \
                        ingest dead export - --reason not_json | jq -r .payload")]
struct Export {
    /// The file; - is stdout
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    selection: Selection,
    /// Only letters in this state
    #[arg(long)]
    state: Option<LetterState>,
    #[command(flatten)]
    common: Common,
}

fn reason(code: &str) -> Result<String, String> {
    let known = DeadReason::ALL.map(DeadReason::code);
    if known.contains(&code) { Ok(code.to_owned()) } else { Err(format!("the reasons are {}", known.join(", "))) }
}

fn time(text: &str) -> Result<DateTime, String> {
    let midnight = format!("{text}T00:00:00Z");
    let instant = DateTime::parse_rfc3339_str(text).or_else(|_| DateTime::parse_rfc3339_str(&midnight));
    instant.map_err(|_| "write a date (2026-11-23) or a time with its zone (2026-11-23T08:00:00Z)".into())
}

impl Selection {
    fn filter(&self, state: Option<LetterState>) -> LetterFilter {
        LetterFilter {
            reasons: self.reason.clone(),
            partitions: self.partition.clone(),
            from: self.from,
            to: self.to,
            state,
        }
    }
}

pub(super) fn dead(args: &Dead) -> anyhow::Result<ExitCode> {
    match &args.command {
        DeadCommand::List(args) => list(args),
        DeadCommand::Show(args) => show(args),
        DeadCommand::Replay(args) => {
            let config = args.common.config()?;
            let schema = schema::load(&config.settings.schema)?;
            let filter = args.selection.filter(None);
            let report = runtime()?.block_on(replay::replay(&config, schema, &filter))?;
            print(&report, args.json)?;
            report.judge()?;
            Ok(ExitCode::SUCCESS)
        }
        DeadCommand::Export(args) => export(args),
    }
}

/// Runs something on the connected store.
fn with_store<T>(config: &Config, work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>) -> anyhow::Result<T> {
    runtime()?.block_on(async {
        let store = Store::connect(config).await?;
        let outcome = work(&store).await;
        store.close().await;
        outcome
    })
}

fn list(args: &List) -> anyhow::Result<ExitCode> {
    let config = args.common.config()?;
    let filter = args.selection.filter(args.state);
    let limit = i64::from(args.limit);
    let list = with_store(&config, async |store| {
        let counts = filter::count(store, &filter).await?;
        let elsewhere = if counts.is_empty() { elsewhere(store).await? } else { Vec::new() };
        let outside = |error: Error| store.outside(&error);
        if args.json {
            let letters = filter::find(store, &filter, limit).await?;
            let letters: Vec<Letter> = letters.try_collect().await.map_err(outside)?;
            let letters: Vec<_> = letters.iter().map(json::object).collect();
            let list = serde_json::json!({ "counts": counts, "letters": letters, "elsewhere": elsewhere });
            return Ok(format!("{list:#}"));
        }
        let letters = filter::summaries(store, &filter, limit).await?;
        let letters: Vec<LetterSummary> = letters.try_collect().await.map_err(outside)?;
        let note = (!elsewhere.is_empty()).then(|| note(&elsewhere));
        Ok([Some(table(store, &counts, &letters)), note].into_iter().flatten().collect::<Vec<_>>().join("\n"))
    })?;
    output::line(list)?;
    Ok(ExitCode::SUCCESS)
}

/// What the database has of other topics and groups, where it has none of this.
async fn elsewhere(store: &Store) -> Result<Vec<Kept>, IngestError> {
    let is_ours = |kept: &Kept| kept.topic == store.topic() && kept.group == store.group();
    Ok(filter::kept(store).await?.into_iter().filter(|kept| !is_ours(kept)).collect())
}

fn note(elsewhere: &[Kept]) -> String {
    let others = elsewhere
        .iter()
        .map(|Kept { topic, group, letters }| format!("{letters} with --topic {topic} --group {group}"));
    format!("this database has others: {}", others.collect::<Vec<_>>().join(", "))
}

fn table(store: &Store, counts: &[ReasonCount], letters: &[LetterSummary]) -> String {
    let (open, settled) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.open, sum.1 + count.settled));
    let mut lines =
        vec![format!("{}, group {}: {open} open dead letters, {settled} settled", store.topic(), store.group())];
    if !counts.is_empty() {
        lines.push(format!("\n{:<14} {:>9} {:>9}", "REASON", "OPEN", "SETTLED"));
    }
    for count in counts {
        lines.push(format!("{:<14} {:>9} {:>9}", count.reason, count.open, count.settled));
    }
    if !letters.is_empty() {
        let width = letters.iter().map(|letter| letter.id.len()).max().unwrap_or_default();
        lines.push(format!("\n{:<width$}  {:<24}  {:<9}  WHAT IS WRONG", "ID", "TIMESTAMP", "STATE"));
        lines.extend(letters.iter().map(|letter| {
            let state = letter.settled.as_ref().map_or("open", |settled| settled.outcome.code());
            let timestamp = letter.timestamp.map(json::time).unwrap_or_default();
            format!("{:<width$}  {timestamp:<24}  {state:<9}  {}: {}", letter.id, letter.reason, letter.message)
        }));
    }
    let more = open + settled - i64::try_from(letters.len()).unwrap_or(i64::MAX);
    if more > 0 {
        lines.push(format!("… and {more} more; --limit shows them, `ingest dead export` writes them to a file"));
    }
    lines.join("\n")
}

fn show(args: &Show) -> anyhow::Result<ExitCode> {
    let config = args.common.config()?;
    let id = match args.id.split('/').count() {
        2 => format!("{}/{}", config.settings.topic, args.id),
        _ => args.id.clone(),
    };
    let letter = with_store(&config, async |store| Ok(filter::get(store, &id).await?))?;
    if args.payload {
        let payload = letter.payload.as_ref().map_or(&[][..], |payload| &payload.bytes);
        let mut out = std::io::stdout().lock();
        out.write_all(payload).and_then(|()| out.flush()).context("cannot write to standard output")?;
        if let Some(cut) = letter.cut {
            output::note(format!("these are the first {} of {} bytes", payload.len(), cut.payload_bytes));
        }
    } else if args.json {
        output::line(serde_json::to_string_pretty(&json::object(&letter))?)?;
    } else {
        output::line(text::describe(&letter))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn export(args: &Export) -> anyhow::Result<ExitCode> {
    let config = args.common.config()?;
    let filter = args.selection.filter(args.state);
    let count = with_store(&config, async |store| {
        if args.file == Path::new("-") {
            return write_lines(store, &filter, std::io::stdout().lock(), "stdout").await;
        }
        let name = args.file.display().to_string();
        let unwritable = || format!("cannot write {name}");
        // Under its name a file is always complete.
        let unfinished = PathBuf::from(format!("{name}.new"));
        let file = BufWriter::new(File::create(&unfinished).with_context(unwritable)?);
        let count = write_lines(store, &filter, file, &name).await?;
        std::fs::rename(&unfinished, &args.file).with_context(unwritable)?;
        Ok(count)
    })?;
    output::note(format!("{count} dead letters written to {}", args.file.display()));
    Ok(ExitCode::SUCCESS)
}

async fn write_lines(store: &Store, filter: &LetterFilter, mut output: impl Write, name: &str) -> anyhow::Result<u64> {
    let unwritable = || format!("cannot write {name}");
    let mut letters = filter::find(store, filter, 0).await?;
    let mut count = 0;
    while let Some(letter) = letters.try_next().await.map_err(|error| store.outside(&error))? {
        writeln!(output, "{}", json::object(&letter)).with_context(unwritable)?;
        count += 1;
    }
    output.flush().with_context(unwritable)?;
    Ok(count)
}
