//! The network between workers and servers: TCP proxies that can cut, stall and slow down what goes through them.
//!
//! Members of a replica set reach each other by the same addresses as their clients do, hence through the proxies too. Only
//! connections of workers feel faults: a MongoDB client says in its first message what it is.

use crate::wire;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// Name by which the fault run's own clients tell MongoDB, and the proxies, who they are.
pub const OURS: &str = "rushes-faults";
/// How long an answer that is swallowed is waited for.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// How a network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Open,
    /// Connections end, and none begins.
    Cut,
    /// Nothing goes through.
    Stalled,
    /// Every piece is so late.
    Slow(Duration),
}

/// Where a commit is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitCut {
    /// Before it is forwarded.
    Before,
    /// After the server has answered it; the answer is swallowed.
    Answered,
    /// When it was forwarded, whatever the server does with it.
    Forwarded,
}

/// A network that several proxies belong to.
#[derive(Debug)]
pub struct Network {
    state: watch::Sender<State>,
    trap: Mutex<Option<Trap>>,
    sprung: Notify,
}

#[derive(Debug)]
struct Trap {
    cut: CommitCut,
    skip: u32,
}

impl Default for Network {
    fn default() -> Self {
        Self { state: watch::Sender::new(State::Open), trap: Mutex::default(), sprung: Notify::new() }
    }
}

impl Network {
    /// Puts the network into a state.
    pub fn set(&self, state: State) {
        self.state.send_replace(state);
    }

    /// Cuts the network off at the commit after `skip` others; returns once that has happened. The network stays cut.
    pub async fn cut_at_commit(&self, cut: CommitCut, skip: u32) {
        let sprung = self.sprung.notified();
        *self.trap() = Some(Trap { cut, skip });
        sprung.await;
    }

    /// Gives up waiting for a commit.
    pub fn disarm(&self) {
        *self.trap() = None;
    }

    /// What to do with the commit that goes by now.
    fn spring(&self) -> Option<CommitCut> {
        let mut trap = self.trap();
        let armed = trap.as_mut()?;
        if armed.skip > 0 {
            armed.skip -= 1;
            return None;
        }
        trap.take().map(|trap| trap.cut)
    }

    fn cut_now(&self) {
        self.set(State::Cut);
        self.sprung.notify_waiters();
    }

    fn trap(&self) -> std::sync::MutexGuard<'_, Option<Trap>> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a proxy forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// MongoDB's; connections that are not a worker's are left alone.
    Mongodb,
    /// Bytes; every connection is a worker's.
    Bytes,
}

/// A port that a proxy listens on already; nothing is forwarded before [`Proxy::forward`].
#[derive(Debug)]
pub struct Proxy {
    listener: TcpListener,
    port: u16,
}

impl Proxy {
    /// Takes a free port.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Forwards every connection to `server` from now on, until the runtime ends.
    pub fn forward(self, server: u16, protocol: Protocol, network: Arc<Network>) {
        tokio::spawn(async move {
            loop {
                // An error is that of one connection, which ended before it was taken.
                if let Ok((client, _)) = self.listener.accept().await {
                    let network = Arc::clone(&network);
                    // Ends with either side; there is nobody to tell.
                    tokio::spawn(async move { connect(client, server, protocol, network).await });
                }
            }
        });
    }
}

async fn connect(mut client: TcpStream, server: u16, protocol: Protocol, network: Arc<Network>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut first = Vec::new();
    if protocol == Protocol::Mongodb {
        first = wire::read_message(&mut client).await?.unwrap_or_default();
    }
    let is_worker = protocol == Protocol::Bytes || wire::is_from_driver(&first, OURS);
    let mut state = network.state.subscribe();
    if is_worker && *state.borrow_and_update() == State::Cut {
        return Ok(());
    }
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?;
    server.set_nodelay(true)?;
    server.write_all(&first).await?;
    if !is_worker {
        return tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop);
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let answers = Arc::new(Answers::default());
    let up = async {
        match protocol {
            Protocol::Mongodb => commands(from_client, to_server, &network, &answers).await,
            Protocol::Bytes => bytes(from_client, to_server, network.state.subscribe(), None).await,
        }
    };
    let down = bytes(from_server, to_client, network.state.subscribe(), Some(&answers));
    tokio::select! {
        outcome = up => outcome,
        outcome = down => outcome,
        _ = state.wait_for(|state| *state == State::Cut) => Ok(()),
    }
}

/// What becomes of a connection's answers.
#[derive(Debug, Default)]
struct Answers {
    are_swallowed: AtomicBool,
    swallowed: Notify,
}

async fn bytes(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    answers: Option<&Answers>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        if let Some(answers) = answers
            && answers.are_swallowed.load(Ordering::Acquire)
        {
            answers.swallowed.notify_one();
            continue;
        }
        delay(&mut state).await;
        to.write_all(&buffer[..length]).await?;
    }
}

async fn commands(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    network: &Network,
    answers: &Answers,
) -> io::Result<()> {
    let mut state = network.state.subscribe();
    while let Some(message) = wire::read_message(&mut from).await? {
        delay(&mut state).await;
        let cut = if wire::command(&message) == Some("commitTransaction") { network.spring() } else { None };
        match cut {
            None => to.write_all(&message).await?,
            Some(CommitCut::Before) => {
                network.cut_now();
                return Ok(());
            }
            Some(cut) => {
                answers.are_swallowed.store(true, Ordering::Release);
                let written = to.write_all(&message).await;
                if cut == CommitCut::Answered {
                    // Without an answer in time the result is as unknown.
                    let _ = tokio::time::timeout(ANSWER_PATIENCE, answers.swallowed.notified()).await;
                }
                network.cut_now();
                return written;
            }
        }
    }
    Ok(())
}

/// Waits as long as the state asks.
async fn delay(state: &mut watch::Receiver<State>) {
    let slow = match *state.borrow_and_update() {
        State::Slow(by) => Some(by),
        State::Stalled => None,
        State::Open | State::Cut => return,
    };
    match slow {
        Some(by) => tokio::time::sleep(by).await,
        // The sender lives as long as the network.
        None => drop(state.wait_for(|state| *state != State::Stalled).await),
    }
}
