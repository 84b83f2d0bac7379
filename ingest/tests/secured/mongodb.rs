//! A mongod that asks who is there.

use crate::client::{Client, Login};
use crate::servers::PASSWORD_ENCODED;

/// The sentence with the remedy, from each command that connects.
#[test]
fn what_is_wrong_is_said_with_the_remedy() {
    let client = Client::new("secured-mongodb");
    client.succeed(&["produce", client.reviews().to_str().unwrap()]);
    let writer = format!("writer:{PASSWORD_ENCODED}@");
    let stranger = format!("&tls=true&tlsCAFile={}", client.file("stranger.pem"));
    let tls = client.tls();
    let elsewhere = client.mongodb_uri(&writer, &tls).replace("authSource=admin", "authSource=elsewhere");
    let cases = [
        ("wrong password", client.mongodb_uri("writer:wrong@", &tls), "check the user and the password"),
        ("another authSource", elsewhere, "authSource"),
        ("no user", client.mongodb_uri("", &tls), "readWrite"),
        ("no TLS", client.mongodb_uri(&writer, ""), "tls=true"),
        ("unknown authority", client.mongodb_uri(&writer, &stranger), "tlsCAFile"),
        ("known authorities only", client.mongodb_uri(&writer, "&tls=true"), "tlsCAFile"),
        ("no right to write", client.mongodb_uri(&format!("reader:{PASSWORD_ENCODED}@"), &tls), "readWrite"),
        ("not encoded", client.mongodb_uri("writer:p@ss/w:rd@", &tls), "%40"),
        ("another host", client.mongodb_uri(&writer, &tls).replace("127.0.0.1", "127.0.0.2"), "is it running"),
    ];
    let login = |(case, mongodb, words)| (case, Login { mongodb, ..client.login.clone() }, words);
    client.all_say(&cases.map(login), &[&["check"], &["run", "--until-end"]], "Topology");
}
