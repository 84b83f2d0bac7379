//! A mongod as a replica set of one member, because transactions need a replica set, or standalone.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use mongodb::{Client, Database};

use crate::StackError;
use crate::process::{Server, Spec, free_ports};

pub(crate) const REPLICA_SET: &str = "rs0";
/// Far longer than a cold start on a slow machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for an orderly shutdown if the data stays; it takes two seconds.
const GRACE: Duration = Duration::from_secs(20);
/// The probe's database; created, used once and dropped during the start.
const PROBE_DATABASE: &str = "stack_ready";

/// A running mongod.
#[derive(Debug)]
pub struct Mongod {
    server: Server,
    uri: String,
}

impl Mongod {
    /// Starts mongod in `folder` and returns after it has committed a transaction (standalone: an insert).
    /// `cache_mb` is the storage engine's cache in MiB, at least 256.
    pub(crate) async fn start(
        program: &Path,
        folder: &Path,
        keep: bool,
        replica_set: bool,
        cache_mb: u32,
    ) -> Result<Self, StackError> {
        let deadline = Instant::now() + START_TIMEOUT;
        let [port] = free_ports()?;
        let data = folder.join("data");
        fs::create_dir_all(&data).map_err(StackError::file("create", &data))?;
        let command = command(program, &data, port, replica_set, cache_mb);
        let spec = Spec { name: "mongod", command, folder: folder.to_path_buf(), keep, grace: GRACE };
        let mongod = Self { server: Server::start(spec)?, uri: uri(port, replica_set) };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match mongod.ready(address, replica_set, deadline).await {
            Ok(()) => Ok(mongod),
            // Wait, so that another attempt can use the folder.
            Err(error) => mongod.stop().await.and(Err(error)),
        }
    }

    async fn ready(&self, address: SocketAddr, replica_set: bool, deadline: Instant) -> Result<(), StackError> {
        self.server.listening(address, deadline).await?;
        if replica_set {
            self.elect(&address.to_string(), deadline).await?;
        }
        self.probe(replica_set).await?;
        // If another program took the port first, that program has answered.
        self.server.still_starting(deadline, "it answered too late").await
    }

    /// Returns the connection string.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns the server process.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Stops mongod and waits for its end.
    ///
    /// # Errors
    /// See [`Server::stop`].
    pub async fn stop(self) -> Result<(), StackError> {
        self.server.stop().await
    }

    /// Makes `address` the only member of the replica set and waits until it is primary.
    async fn elect(&self, address: &str, deadline: Instant) -> Result<(), StackError> {
        let failed = |error: Error| self.server.failed(format!("the replica set was not formed: {error}"));
        let client = connect(&format!("mongodb://{address}/?directConnection=true")).await.map_err(failed)?;
        let admin = client.database("admin");
        configure(&admin, &[address]).await.map_err(failed)?;
        while !is_primary(&admin).await.map_err(failed)? {
            self.server.still_starting(deadline, "no primary was elected").await?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        client.shutdown().immediate(true).await;
        Ok(())
    }

    async fn probe(&self, replica_set: bool) -> Result<(), StackError> {
        let failed = |error: Error| self.server.failed(format!("nothing could be written: {error}"));
        let client = connect(&self.uri).await.map_err(failed)?;
        let written = if replica_set { commit_one(&client).await } else { insert_one(&client).await };
        written.map_err(failed)?;
        client.database(PROBE_DATABASE).drop().await.map_err(failed)?;
        client.shutdown().immediate(true).await;
        Ok(())
    }
}

/// Creates a client that gives up early if nothing answers.
pub(crate) async fn connect(uri: &str) -> Result<Client, Error> {
    let mut options = mongodb::options::ClientOptions::parse(uri).await?;
    options.server_selection_timeout = Some(Duration::from_secs(20));
    options.connect_timeout = Some(Duration::from_secs(5));
    Client::with_options(options)
}

/// Initiates the replica set, or updates the addresses of one from an earlier run.
async fn configure(admin: &Database, members: &[&str]) -> Result<(), Error> {
    let members: Vec<Document> =
        members.iter().zip(0_i32..).map(|(host, id)| doc! { "_id": id, "host": *host }).collect();
    let config = doc! { "_id": REPLICA_SET, "members": members.clone() };
    let initiated = admin.run_command(doc! { "replSetInitiate": config }).await;
    if !initiated.as_ref().is_err_and(is_already_initialized) {
        return initiated.map(drop);
    }
    let mut config = admin.run_command(doc! { "replSetGetConfig": 1 }).await?.get_document("config")?.clone();
    let version = config.get_i32("version")?;
    config.insert("version", version + 1);
    config.insert("members", members);
    admin.run_command(doc! { "replSetReconfig": config, "force": true }).await.map(drop)
}

fn is_already_initialized(error: &Error) -> bool {
    use mongodb::error::ErrorKind;
    const ALREADY_INITIALIZED: i32 = 23;
    matches!(&*error.kind, ErrorKind::Command(command) if command.code == ALREADY_INITIALIZED)
}

pub(crate) async fn is_primary(admin: &Database) -> Result<bool, Error> {
    let hello = admin.run_command(doc! { "hello": 1 }).await?;
    Ok(hello.get_bool("isWritablePrimary").unwrap_or(false))
}

async fn insert_one(client: &Client) -> Result<(), Error> {
    client.database(PROBE_DATABASE).collection("probe").insert_one(doc! { "ready": true }).await.map(drop)
}

async fn commit_one(client: &Client) -> Result<(), Error> {
    let collection = client.database(PROBE_DATABASE).collection("probe");
    let mut session = client.start_session().await?;
    session.start_transaction().await?;
    collection.insert_one(doc! { "ready": true }).session(&mut session).await?;
    session.commit_transaction().await
}

fn uri(port: u16, replica_set: bool) -> String {
    if replica_set {
        format!("mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}")
    } else {
        format!("mongodb://127.0.0.1:{port}/?directConnection=true")
    }
}

pub(crate) fn command(program: &Path, data: &Path, port: u16, replica_set: bool, cache_mb: u32) -> Vec<OsString> {
    let mut command = vec![program.as_os_str().to_owned(), "--dbpath".into(), data.as_os_str().to_owned()];
    let cache_gb = format!("{:.3}", f64::from(cache_mb) / 1024.0);
    let port = port.to_string();
    let mut add = |arguments: &[&str]| command.extend(arguments.iter().map(OsString::from));
    add(&["--port", &port, "--bind_ip", "127.0.0.1", "--nounixsocket", "--quiet"]);
    add(&["--wiredTigerCacheSizeGB", &cache_gb]);
    // By default the journal is preallocated with three files of 100 MB, and the temporary folder may be in memory.
    add(&["--wiredTigerEngineConfigString", "log=(file_max=32MB)"]);
    add(&["--setParameter", "diagnosticDataCollectionEnabled=false"]);
    if replica_set {
        add(&["--replSet", REPLICA_SET]);
    }
    command
}
