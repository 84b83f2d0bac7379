//! `stack up`, `down` and `status`: servers in the background.
//!
//! `up` starts this program again as `serve`, which owns the servers and holds a lock while it runs. The lock, not a process id, tells
//! whether a stack runs: the kernel releases it in any case, and ids are reused. The folder `run` of the cache contains for each name:
//! `NAME.lock` (the id of `serve`), `NAME.json` (addresses of the servers, written when they are ready) and `NAME.log` (output of
//! `serve`).

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use stack::process::Server;
use stack::{KAFKA_BROKERS, MONGODB_URI, Stack, fetch, output};
use tokio::signal::unix::{SignalKind, signal};

use super::UpArgs;

const POLL: Duration = Duration::from_millis(20);
/// Longer than both servers together may take for an orderly shutdown.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// State that `serve` writes for other processes.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    name: String,
    /// The process id of `serve`.
    pid: u32,
    kafka_brokers: Option<String>,
    mongodb_uri: Option<String>,
    kafka_pid: Option<u32>,
    mongod_pid: Option<u32>,
    folder: PathBuf,
}

impl State {
    fn of(name: &str, stack: &Stack) -> Self {
        Self {
            name: name.to_owned(),
            pid: std::process::id(),
            kafka_brokers: stack.kafka_brokers().map(str::to_owned),
            mongodb_uri: stack.mongodb_uri().map(str::to_owned),
            kafka_pid: stack.kafka().map(|kafka| kafka.server().pid()),
            mongod_pid: stack.mongod().map(|mongod| mongod.server().pid()),
            folder: stack.folder().to_path_buf(),
        }
    }

    /// Lines for `eval` in a shell.
    fn exports(&self) -> String {
        let variables = [(KAFKA_BROKERS, &self.kafka_brokers), (MONGODB_URI, &self.mongodb_uri)];
        let line = |(variable, value): (&str, &Option<String>)| {
            value.as_ref().map(|value| format!("export {variable}='{value}'\n"))
        };
        variables.into_iter().filter_map(line).collect()
    }
}

/// State of a stack as `status` prints it.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    state: State,
    /// True if all of it works.
    running: bool,
    /// The problem, and where to read more.
    trouble: Option<String>,
}

/// Starts `serve`, waits until it is ready, prints the variables.
pub(crate) async fn up(arguments: &UpArgs) -> anyhow::Result<ExitCode> {
    let slot = Slot::new(&arguments.name.name)?;
    if !slot.is_free()? {
        let state = slot.wait_for_state().await?;
        output::note(format!("stack: {} runs already", state.name));
        output::line(state.exports().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut log = slot.fresh_log()?;
    let mut serve = spawn_serve(&log)?;
    let ready = tokio::select! {
        ready = follow(&slot, &mut serve, &mut log) => ready,
        _ = tokio::signal::ctrl_c() => {
            kill(Pid::from_raw(serve.id().cast_signed()), Signal::SIGTERM)?;
            serve.wait()?;
            Ok(None)
        }
    };
    let Some(state) = ready? else {
        return Ok(ExitCode::FAILURE);
    };
    output::line(state.exports().trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the arguments of this process with another subcommand.
fn spawn_serve(log: &File) -> anyhow::Result<Child> {
    let arguments = std::env::args_os().skip(2);
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve").args(arguments).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.try_clone()?);
    command.spawn().context("cannot start the stack in the background")
}

/// Prints the output of `serve` until it is ready; `None` if it has ended.
async fn follow(slot: &Slot, serve: &mut Child, log: &mut File) -> anyhow::Result<Option<State>> {
    let mut shown = 0;
    loop {
        let ended = serve.try_wait()?.is_some();
        let mut said = String::new();
        log.seek(std::io::SeekFrom::Start(shown))?;
        log.read_to_string(&mut said)?;
        shown += said.len() as u64;
        // Where it cannot be shown, nobody is left to see it.
        let _ = std::io::stderr().write_all(said.as_bytes());
        if ended {
            return Ok(None);
        }
        if let Some(state) = slot.state()? {
            return Ok(Some(state));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Owns the servers until a signal arrives. Runs in the background; errors go to the log.
pub(crate) async fn serve(arguments: &UpArgs) -> anyhow::Result<ExitCode> {
    let slot = Slot::new(&arguments.name.name)?;
    let _lock = slot.occupy().await?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Handling the signal keeps the end of the terminal from ending the stack.
    let _hang_up = signal(SignalKind::hangup())?;
    let stopped = async {
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
    };
    tokio::pin!(stopped);
    let stack = tokio::select! {
        stack = Stack::start(arguments.servers.options(false)) => stack?,
        () = &mut stopped => return Ok(ExitCode::FAILURE),
    };
    slot.publish(&State::of(&slot.name, &stack))?;
    stopped.await;
    stack.stop().await?;
    slot.forget();
    Ok(ExitCode::SUCCESS)
}

/// Asks `serve` to end and waits for it.
pub(crate) async fn down(name: &str) -> anyhow::Result<ExitCode> {
    let slot = Slot::new(name)?;
    let deadline = Instant::now() + STOP_TIMEOUT;
    let mut asked = false;
    while !slot.is_free()? {
        if !asked && let Some(pid) = slot.owner()? {
            kill(pid, Signal::SIGTERM).with_context(|| format!("cannot stop the stack {name} (process {pid})"))?;
            asked = true;
        }
        if Instant::now() > deadline {
            bail!("the stack {name} does not end; see {}", slot.file("log").display());
        }
        tokio::time::sleep(POLL).await;
    }
    slot.forget();
    output::note(format!("stack: {name} {}", if asked { "has ended" } else { "does not run" }));
    Ok(ExitCode::SUCCESS)
}

/// Prints the state of one stack or of all.
pub(crate) fn status(name: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let names = name.map_or_else(Slot::names, |name| Ok(vec![name.to_owned()]))?;
    let reports = names.iter().map(|name| Slot::new(name)?.report()).collect::<anyhow::Result<Vec<_>>>()?;
    let reports: Vec<Report> = reports.into_iter().flatten().collect();
    if json {
        output::line(serde_json::to_string_pretty(&reports)?)?;
    } else if reports.is_empty() {
        output::line("no stack runs")?;
    } else {
        reports.iter().try_for_each(print_report)?;
    }
    let good = !reports.is_empty() && reports.iter().all(|report| report.running);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_report(report: &Report) -> std::io::Result<()> {
    let state = &report.state;
    output::line(format!("{}: {}", state.name, report.trouble.as_deref().unwrap_or("running")))?;
    for (variable, value) in [(KAFKA_BROKERS, &state.kafka_brokers), (MONGODB_URI, &state.mongodb_uri)] {
        if let Some(value) = value {
            output::line(format!("  {variable}={value}"))?;
        }
    }
    output::line(format!("  data and logs in {}", state.folder.display()))
}

/// The files of one name.
struct Slot {
    name: String,
    folder: PathBuf,
}

impl Slot {
    fn new(name: &str) -> anyhow::Result<Self> {
        let folder = fetch::cache_folder()?.join("run");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self { name: name.to_owned(), folder })
    }

    /// Returns all names that have a state.
    fn names() -> anyhow::Result<Vec<String>> {
        let folder = fetch::cache_folder()?.join("run");
        let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let states = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
        let mut names: Vec<String> =
            states.filter_map(|file| file.file_stem().map(|stem| stem.to_string_lossy().into_owned())).collect();
        names.sort();
        Ok(names)
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }

    fn lock(&self, how: FlockArg) -> anyhow::Result<Option<Flock<File>>> {
        let path = self.file("lock");
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        match Flock::lock(file, how) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// Returns true if no `serve` has this name.
    fn is_free(&self) -> anyhow::Result<bool> {
        // A shared lock, so that two concurrent checks do not take each other for the owner.
        Ok(self.lock(FlockArg::LockSharedNonblock)?.is_some())
    }

    /// Locks the name until the end of this process.
    async fn occupy(&self) -> anyhow::Result<Flock<File>> {
        // A check holds the lock for an instant.
        for _ in 0..25 {
            if let Some(mut lock) = self.lock(FlockArg::LockExclusiveNonblock)? {
                lock.set_len(0)?;
                write!(lock, "{}", std::process::id())?;
                self.forget();
                return Ok(lock);
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("a stack named {} runs already", self.name)
    }

    /// Returns the id of the `serve` with this name; `None` before it has written the id.
    fn owner(&self) -> anyhow::Result<Option<Pid>> {
        let text = fs::read_to_string(self.file("lock"))?;
        Ok(text.trim().parse().ok().map(Pid::from_raw))
    }

    fn publish(&self, state: &State) -> anyhow::Result<()> {
        let unfinished = self.file("json.new");
        fs::write(&unfinished, serde_json::to_vec_pretty(state)?)?;
        fs::rename(&unfinished, self.file("json"))?;
        Ok(())
    }

    /// Removes the state, if there is one.
    fn forget(&self) {
        let _ = fs::remove_file(self.file("json"));
    }

    fn state(&self) -> anyhow::Result<Option<State>> {
        let path = self.file("json");
        let Ok(text) = fs::read(&path) else {
            return Ok(None);
        };
        let state = serde_json::from_slice(&text);
        state.map(Some).with_context(|| format!("{} is damaged; delete it", path.display()))
    }

    /// Waits for a stack that another `up` is starting.
    async fn wait_for_state(&self) -> anyhow::Result<State> {
        loop {
            if let Some(state) = self.state()? {
                return Ok(state);
            }
            if self.is_free()? {
                bail!("the stack {} has ended; see {}", self.name, self.file("log").display());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn fresh_log(&self) -> anyhow::Result<File> {
        let path = self.file("log");
        // A stale state would be taken for the new one.
        self.forget();
        let _ = fs::remove_file(&path);
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path);
        file.with_context(|| format!("cannot write {}", path.display()))
    }

    fn report(&self) -> anyhow::Result<Option<Report>> {
        let Some(state) = self.state()? else {
            return Ok(None);
        };
        let gone = |pid: Option<u32>| pid.is_some_and(|pid| !Server::is_alive(pid));
        let log = |server: &str| state.folder.join(server).join("server.log").display().to_string();
        let trouble = if self.is_free()? {
            Some(format!("was killed; see {}, then `stack up` again", self.file("log").display()))
        } else if gone(state.kafka_pid) {
            Some(format!("Kafka has ended by itself; see {}, then `stack down` and `stack up`", log("kafka")))
        } else if gone(state.mongod_pid) {
            Some(format!("mongod has ended by itself; see {}, then `stack down` and `stack up`", log("mongod")))
        } else {
            None
        };
        Ok(Some(Report { running: trouble.is_none(), state, trouble }))
    }
}
