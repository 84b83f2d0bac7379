//! The broker and the mongod.

use crate::certificates::Certificates;
use crate::client::{DATABASES, database};
use bson::{Document, doc};
use mongodb::Client;
use stack::process::{Server, free_ports};
use stack::{Kafka, Listener, MoreListeners, fetch};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Passwords hold what must be encoded in a connection string.
pub const PASSWORD: &str = "p@ss/w:rd";
pub const PASSWORD_ENCODED: &str = "p%40ss%2Fw%3Ard";
/// Far more than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const KAFKA_HEAP_MB: u32 = 256;

/// Ports of the broker's listeners.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub plain: u16,
    pub tls: u16,
    /// Wants certificates of its clients.
    pub mutual: u16,
    /// Has a certificate for another host.
    pub elsewhere: u16,
    pub sasl: u16,
    pub sasl_tls: u16,
}

/// Both servers.
pub struct Servers {
    pub certificates: Certificates,
    pub kafka: Ports,
    pub mongod: u16,
    runtime: tokio::runtime::Runtime,
    running: Option<(Kafka, Server)>,
    /// After the servers, so that it is dropped after them.
    _folder: TempDir,
}

impl Servers {
    /// The servers of all tests that run now.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Servers>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let servers = Arc::new(Self::start());
            *shared = Arc::downgrade(&servers);
            servers
        })
    }

    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("rushes-secured-").tempdir().unwrap();
        let certificates = Certificates::new(folder.path());
        certificates.sign("server", "IP:127.0.0.1,DNS:localhost");
        certificates.sign("elsewhere", "DNS:elsewhere.example");
        certificates.sign("alice", "DNS:alice");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let [mongod_port] = free_ports().unwrap();
        let (kafka, mongod) = runtime.block_on(async {
            tokio::join!(
                start_kafka(folder.path(), &certificates),
                start_mongod(folder.path(), &certificates, mongod_port)
            )
        });
        let (kafka, ports) = kafka;
        Self {
            certificates,
            kafka: ports,
            mongod: mongod_port,
            runtime,
            running: Some((kafka, mongod)),
            _folder: folder,
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Some((kafka, mongod)) = self.running.take() {
            // Guardians end what does not end by itself.
            let _ = self.runtime.block_on(async { tokio::join!(kafka.stop(), mongod.stop()) });
        }
    }
}

async fn start_kafka(folder: &Path, certificates: &Certificates) -> (Kafka, Ports) {
    let parts = fetch::kafka_parts().await.unwrap();
    let [tls, mutual, elsewhere, sasl, sasl_tls] = free_ports().unwrap();
    let listener = |name, protocol, port| Listener { name, protocol, port, advertised: port };
    let file = |name: &str| certificates.path(name).display().to_string();
    let keys = |listener: &str, name: &str| {
        format!(
            "listener.name.{listener}.ssl.keystore.type=PEM\nlistener.name.{listener}.ssl.keystore.location={}\n",
            file(&format!("{name}.pem"))
        )
    };
    let users = |listener: &str| {
        format!(
            "listener.name.{listener}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256\n\
             listener.name.{listener}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
             user_alice=\"{PASSWORD}\" user_bob=\"{PASSWORD}\";\n\
             listener.name.{listener}.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
        )
    };
    let properties = [
        // `bob` has no rights at all.
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS;User:alice;User:CN=alice\n"
            .to_owned(),
        keys("tls", "server"),
        keys("mutual", "server"),
        keys("elsewhere", "elsewhere"),
        keys("sasl_tls", "server"),
        format!(
            "listener.name.mutual.ssl.client.auth=required\nlistener.name.mutual.ssl.truststore.type=PEM\n\
             listener.name.mutual.ssl.truststore.location={}\n",
            file("authority.pem")
        ),
        users("sasl"),
        users("sasl_tls"),
    ];
    let more = MoreListeners {
        listeners: vec![
            listener("TLS", "SSL", tls),
            listener("MUTUAL", "SSL", mutual),
            listener("ELSEWHERE", "SSL", elsewhere),
            listener("SASL", "SASL_PLAINTEXT", sasl),
            listener("SASL_TLS", "SASL_SSL", sasl_tls),
        ],
        properties: properties.concat(),
    };
    let own = folder.join("kafka");
    std::fs::create_dir(&own).unwrap();
    let kafka = Kafka::start_with_listeners(&parts, &own, KAFKA_HEAP_MB, &more).await.unwrap();
    // The only way to give SCRAM its passwords.
    let mut configure = Command::new(&parts.java);
    configure.arg("-cp").arg(parts.jars.join("*")).args([
        "kafka.admin.ConfigCommand",
        "--bootstrap-server",
        kafka.brokers(),
    ]);
    configure.args(["--alter", "--entity-type", "users", "--entity-name", "alice"]);
    configure.args(["--add-config", &format!("SCRAM-SHA-256=[password={PASSWORD}]")]);
    let configured = tokio::task::spawn_blocking(move || configure.output()).await.unwrap().unwrap();
    assert!(configured.status.success(), "{}", String::from_utf8_lossy(&configured.stderr));
    let plain = kafka.brokers().rsplit(':').next().unwrap().parse().unwrap();
    (kafka, Ports { plain, tls, mutual, elsewhere, sasl, sasl_tls })
}

async fn start_mongod(folder: &Path, certificates: &Certificates, port: u16) -> Server {
    let program = fetch::mongod().await.unwrap();
    let own = folder.join("mongod");
    std::fs::create_dir_all(own.join("data")).unwrap();
    let key = own.join("members.key");
    std::fs::write(&key, "bWVtYmVycyBvZiB0aGUgc2V0").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = |path: &Path| path.display().to_string();
    let command = [
        vec![text(&program), "--dbpath".into(), text(&own.join("data")), "--port".into(), port.to_string()],
        ["--bind_ip", "127.0.0.1", "--nounixsocket", "--quiet", "--replSet", "rs0"].map(Into::into).to_vec(),
        ["--wiredTigerCacheSizeGB", "0.25", "--wiredTigerEngineConfigString", "log=(file_max=32MB)"]
            .map(Into::into)
            .to_vec(),
        vec!["--keyFile".into(), text(&key), "--tlsMode".into(), "requireTLS".into()],
        vec!["--tlsCertificateKeyFile".into(), text(&certificates.path("server.pem"))],
        vec!["--tlsCAFile".into(), text(&certificates.path("authority.pem"))],
        vec!["--tlsAllowConnectionsWithoutCertificates".into()],
    ];
    let command = command.concat().into_iter().map(Into::into).collect();
    let server = Server::run("mongod", command, own).unwrap();
    wait_for_port(&server, port).await;
    let authority = text(&certificates.path("authority.pem"));
    // Whoever comes from the same machine may make the first user.
    let first = format!("mongodb://127.0.0.1:{port}/?directConnection=true&tls=true&tlsCAFile={authority}");
    let admin = Client::with_uri_str(&first).await.unwrap().database("admin");
    let member = doc! { "_id": 0, "host": format!("127.0.0.1:{port}") };
    admin.run_command(doc! { "replSetInitiate": { "_id": "rs0", "members": [member] } }).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !is_primary(&admin).await {
        assert!(Instant::now() < deadline, "no primary was elected");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let create = |user: &str, roles: Vec<Document>| doc! { "createUser": user, "pwd": PASSWORD, "roles": roles };
    let role = |role: &str, database: String| doc! { "role": role, "db": database };
    admin.run_command(create("root", vec![role("root", "admin".into())])).await.unwrap();
    let uri = format!(
        "mongodb://root:{PASSWORD_ENCODED}@127.0.0.1:{port}/?directConnection=true&tls=true&tlsCAFile={authority}"
    );
    let admin = Client::with_uri_str(&uri).await.unwrap().database("admin");
    for (user, right) in [("writer", "readWrite"), ("reader", "read")] {
        let roles = (0..DATABASES).map(|number| role(right, database(number))).collect();
        admin.run_command(create(user, roles)).await.unwrap();
    }
    server
}

async fn is_primary(admin: &mongodb::Database) -> bool {
    let hello: Document = admin.run_command(doc! { "hello": 1 }).await.unwrap();
    hello.get_bool("isWritablePrimary").unwrap_or_default()
}

async fn wait_for_port(server: &Server, port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        let log = || std::fs::read_to_string(server.log()).unwrap_or_default();
        assert!(server.is_running() && Instant::now() < deadline, "mongod does not start: {}", log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
