//! Shortens errors of MongoDB's driver about missing connections and adds a remedy.

/// Remedy for a refused user.
pub const CHECK_THE_USER: &str = "check the user and the password in the connection string, and the database that has the user \
                                  (authSource=admin in most set-ups)";

/// Extracts the last server error from the driver's description of the topology.
///
/// ```
/// use model::mongodb_reason::last_attempt;
/// let message = "Server selection timeout: No available servers. Topology: { Servers: [ { Address: h:1, Type: Unknown, \
///                Error: Kind: I/O error: Connection refused (os error 111), labels: {} } ] }";
/// assert_eq!(last_attempt(message), "I/O error: Connection refused (os error 111)");
/// ```
#[must_use]
pub fn last_attempt(message: &str) -> &str {
    let error = message.rsplit("Error: Kind: ").next().filter(|rest| rest.len() < message.len());
    let error = error.or_else(|| message.split("Error: ").nth(1));
    error.and_then(|rest| rest.split(", labels").next()).unwrap_or("no server answered in time")
}

/// Returns the remedy for such a reason, to follow a semicolon.
#[must_use]
pub fn remedy(reason: &str) -> &'static str {
    let has = |word: &str| reason.contains(word);
    if has("UnknownIssuer") || has("CaUsedAsEndEntity") {
        "its certificate is not signed by an authority that is known here: add tlsCAFile=FILE to the connection string, with the \
         authority's certificate"
    } else if has("NotValidForName") || has("not valid for name") {
        "its certificate is for another host name: write the name that is in it into the connection string and into the replica set's \
         configuration"
    } else if has("certificate") {
        "look at the server's certificate, and at the options tls… of the connection string"
    } else if has("InvalidContentType") || has("corrupt message") {
        "it does not speak TLS: remove tls=true from the connection string"
    } else if has("end of file") || has("reset by peer") || has("closed") {
        "it hung up: where it wants TLS, add tls=true to the connection string"
    } else if has("invalid reply") || has("wire protocol") {
        "what listens there answers in another protocol, such as HTTP, and is no MongoDB server: write the address of mongod into the \
         connection string"
    } else if has("uthentication") || has("SCRAM") {
        CHECK_THE_USER
    } else {
        "is it running? `stack up` starts one"
    }
}
