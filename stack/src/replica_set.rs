//! A replica set of several members whose processes can be killed and restarted, for tests of failures.
//!
//! Each member has an *advertised* port for clients and other members. A test may listen there and forward, to observe or cut the traffic.
//! Otherwise it is the port on which the member listens.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::error::Error;

use crate::StackError;
use crate::mongod::{REPLICA_SET, command, connect, is_primary};
use crate::process::{Server, Spec};

/// Far longer than a start on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// No grace time, because the data is not used afterwards.
const GRACE: Duration = Duration::from_secs(1);
/// Time without a heartbeat after which a primary is replaced; MongoDB's default is 10 s.
const ELECTION_TIMEOUT_MS: i32 = 1_500;
const HEARTBEAT_MS: i32 = 300;

/// The ports of a member.
#[derive(Debug, Clone, Copy)]
pub struct MemberPorts {
    /// The member's own port.
    pub listen: u16,
    /// The port in the replica set's configuration.
    pub advertised: u16,
}

/// A running replica set. Its data stays in its folder.
#[derive(Debug)]
pub struct ReplicaSet {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    server: Server,
    ports: MemberPorts,
}

impl ReplicaSet {
    /// Starts a member for each pair of ports in a subfolder of `folder`, and returns when there is a primary. A proxy of the advertised
    /// ports must already forward them. `cache_mb` is each member's cache in MiB, at least 256.
    ///
    /// # Errors
    /// If a member does not start or the set elects no primary, with the end of a log.
    pub async fn start(
        program: &Path,
        folder: &Path,
        ports: &[MemberPorts],
        cache_mb: u32,
    ) -> Result<Self, StackError> {
        Self::start_with(program, folder, ports, cache_mb, &[]).await
    }

    /// Like [`start`](Self::start), with further arguments for mongod.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub async fn start_with(
        program: &Path,
        folder: &Path,
        ports: &[MemberPorts],
        cache_mb: u32,
        arguments: &[&str],
    ) -> Result<Self, StackError> {
        let deadline = Instant::now() + START_TIMEOUT;
        let launch = |(&ports, number)| Member::launch(program, folder, number, ports, cache_mb, arguments);
        let members = ports.iter().zip(0..).map(launch);
        let set = Self { members: members.collect::<Result<_, _>>()? };
        for member in &set.members {
            member.server.listening(member.address(), deadline).await?;
        }
        set.form(deadline).await?;
        Ok(set)
    }

    /// Returns the connection string with the advertised ports.
    #[must_use]
    pub fn uri(&self) -> String {
        let hosts: Vec<String> = self.members.iter().map(Member::host).collect();
        format!("mongodb://{}/?replicaSet={REPLICA_SET}", hosts.join(","))
    }

    /// The servers of the members, in the order of their ports.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.members.iter().map(|member| &member.server)
    }

    /// Returns the index of the primary; `None` during an election.
    pub async fn primary(&self) -> Option<usize> {
        for (place, member) in self.members.iter().enumerate() {
            if member.says_it_is_primary().await.unwrap_or(false) {
                return Some(place);
            }
        }
        None
    }

    /// Restarts a [killed](Server::crash) member on the same ports and data, and returns when it listens.
    ///
    /// # Errors
    /// If the member does not start, with the end of its log.
    ///
    /// # Panics
    /// If there is no member with index `place`.
    pub async fn restart(&mut self, place: usize) -> Result<(), StackError> {
        let member = &mut self.members[place];
        member.server.restart().await?;
        member.server.listening(member.address(), Instant::now() + START_TIMEOUT).await
    }

    /// Makes the member with index `place` step down and not run for election for two seconds.
    ///
    /// # Errors
    /// The driver's error if the member does not answer or is not primary.
    ///
    /// # Panics
    /// If there is no member with index `place`.
    pub async fn step_down(&self, place: usize) -> Result<(), Error> {
        let client = self.members[place].connect().await?;
        let command = doc! { "replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 1, "force": true };
        let answer = client.database("admin").run_command(command).await;
        client.shutdown().immediate(true).await;
        answer.map(drop)
    }

    /// Stops all members and waits for their end.
    ///
    /// # Errors
    /// See [`Server::stop`].
    pub async fn stop(self) -> Result<(), StackError> {
        let mut outcome = Ok(());
        for member in self.members {
            outcome = outcome.and(member.server.stop().await);
        }
        outcome
    }

    async fn form(&self, deadline: Instant) -> Result<(), StackError> {
        let Some(first) = self.members.first() else { return Ok(()) };
        let failed = |error: Error| first.server.failed(format!("the replica set was not formed: {error}"));
        let members: Vec<Document> = self
            .members
            .iter()
            .zip(0_i32..)
            .map(|(member, id)| doc! { "_id": id, "host": member.host(), "priority": 1 })
            .collect();
        let settings = doc! { "electionTimeoutMillis": ELECTION_TIMEOUT_MS, "heartbeatIntervalMillis": HEARTBEAT_MS };
        let config = doc! { "_id": REPLICA_SET, "members": members, "settings": settings };
        let client = first.connect().await.map_err(failed)?;
        client.database("admin").run_command(doc! { "replSetInitiate": config }).await.map_err(failed)?;
        client.shutdown().immediate(true).await;
        while self.primary().await.is_none() {
            first.server.still_starting(deadline, "no primary was elected").await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Member {
    fn launch(
        program: &Path,
        folder: &Path,
        number: usize,
        ports: MemberPorts,
        cache_mb: u32,
        arguments: &[&str],
    ) -> Result<Self, StackError> {
        let folder = folder.join(format!("mongod-{number}"));
        let data = folder.join("data");
        std::fs::create_dir_all(&data).map_err(StackError::file("create", &data))?;
        let mut command = command(program, &data, ports.listen, true, cache_mb);
        command.extend(arguments.iter().map(OsString::from));
        let server = Server::start(Spec { name: "mongod", command, folder, keep: true, grace: GRACE })?;
        Ok(Self { server, ports })
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.listen))
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.ports.advertised)
    }

    /// Creates a client of this member only, without any proxy.
    async fn connect(&self) -> Result<Client, Error> {
        connect(&format!("mongodb://{}/?directConnection=true&serverSelectionTimeoutMS=1000", self.address())).await
    }

    async fn says_it_is_primary(&self) -> Result<bool, Error> {
        let client = self.connect().await?;
        let says = tokio::time::timeout(Duration::from_secs(1), is_primary(&client.database("admin"))).await;
        client.shutdown().immediate(true).await;
        says.unwrap_or(Ok(false))
    }
}
