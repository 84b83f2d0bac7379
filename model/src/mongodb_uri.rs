//! Connection strings without their secrets, for messages, even if the strings are malformed.

/// Placeholder of a secret.
pub const MASK: &str = "***";

/// Parts of names, in lower case, of connection string parameters with secret values.
const SECRET_PARAMETERS: [&str; 3] = ["password", "authmechanismproperties", "token"];

/// Characters that must be percent-encoded in the user information of a connection string.
const RESERVED: [char; 7] = [':', '/', '?', '#', '[', ']', '@'];

/// Returns the connection string with user information and secret parameters replaced.
///
/// A password may contain characters that should be encoded, so everything up to the last `@` is replaced.
///
/// ```
/// use model::mongodb_uri::mask;
/// assert_eq!(mask("mongodb://me:p@s/s@host/?replicaSet=rs0"), "mongodb://***@host/?replicaSet=rs0");
/// assert_eq!(mask("mongodb://host/?tlsCertificateKeyFilePassword=hush&w=1"), "mongodb://host/?tlsCertificateKeyFilePassword=***&w=1");
/// ```
#[must_use]
pub fn mask(uri: &str) -> String {
    let (scheme, rest) = split_scheme(uri);
    let (user, hosts) = match rest.rfind('@') {
        Some(at) => (MASK, &rest[at..]),
        // A user and a password without a host.
        None if has_wrong_port(rest) => return format!("{scheme}{MASK}"),
        None => ("", rest),
    };
    let Some((hosts, parameters)) = hosts.split_once('?') else { return format!("{scheme}{user}{hosts}") };
    let parameters: Vec<_> = parameters.split('&').map(mask_parameter).collect();
    format!("{scheme}{user}{hosts}?{}", parameters.join("&"))
}

/// Returns a problem of a connection string in which part of a password could be read as something else. The text contains no part
/// of the string.
///
/// The driver would read part of the password as a host or port and quote it in its error.
///
/// ```
/// use model::mongodb_uri::flaw;
/// assert!(flaw("mongodb://me:p@ss@host").is_some());
/// assert_eq!(flaw("mongodb://me:p%40ss@host/?w=1"), None);
/// ```
#[must_use]
pub fn flaw(uri: &str) -> Option<&'static str> {
    let (_, rest) = split_scheme(uri);
    let Some((user_information, _)) = rest.rsplit_once('@') else {
        return has_wrong_port(rest)
            .then_some("behind the colon is no port; a user and a password stand before an @ and the host");
    };
    let (user, password) = user_information.split_once(':').unwrap_or((user_information, ""));
    (!is_encoded(user) || !is_encoded(password)).then_some(
        "a character of the user name or password must be percent-encoded: @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, \
         [ as %5B, ] as %5D, % as %25",
    )
}

/// Returns true if the port of a host is not a number; `rest` has no user information.
fn has_wrong_port(rest: &str) -> bool {
    let hosts = rest.split(['/', '?']).next().unwrap_or_default();
    let port = |host: &str| {
        let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind).to_owned();
        behind.split_once(':').map(|(_, port)| port.to_owned())
    };
    hosts.split(',').filter_map(port).any(|port| port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_encoded(text: &str) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    let escapes = bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'%').map(|(place, _)| place);
    !text.contains(RESERVED) && escapes.into_iter().all(|at| is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2)))
}

/// The scheme with `://`, or an empty text.
fn split_scheme(uri: &str) -> (&str, &str) {
    uri.find("://").map_or(("", uri), |at| uri.split_at(at + "://".len()))
}

fn mask_parameter(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, _)) if SECRET_PARAMETERS.iter().any(|secret| name.to_lowercase().contains(secret)) => {
            format!("{name}={MASK}")
        }
        _ => parameter.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_password_is_left() {
        for uri in [
            "mongodb://u:hush@h1,h2:27017/db?replicaSet=rs0",
            "mongodb://u:hu@sh@h1",
            "mongodb://u:hu/sh?sh=hush&hush@h1/?w=1",
            "mongodb+srv://u:hu%40sh@h1.example/",
            "u:hush@h1",
            "hush@h1",
            "mongodb://h1/?authMechanismProperties=AWS_SESSION_TOKEN:hush",
        ] {
            let masked = mask(uri);
            assert!(!masked.contains("hu") && masked.contains(MASK) && masked.contains("h1"), "{masked}");
        }
        assert_eq!(mask("mongodb://h1,h2/db?w=1"), "mongodb://h1,h2/db?w=1");
        assert_eq!(mask("mongodb://[::1]:27017,h2:1/db"), "mongodb://[::1]:27017,h2:1/db");
        assert_eq!(mask("mongodb://u:hush"), "mongodb://***");
        assert_eq!(mask(&mask("mongodb://u:p@h")), "mongodb://***@h");
    }

    #[test]
    fn what_would_be_taken_for_something_else_is_found() {
        assert!(flaw("mongodb://u:hush").is_some_and(|said| said.contains("no port")));
        for wrong in ["u:p@ss@h", "u:p/ss@h", "u:p:ss@h", "u@x:p@h", "u:100%@h", "u:%zz@h", "u:p?@h"] {
            assert!(flaw(&format!("mongodb://{wrong}/")).is_some(), "{wrong}");
        }
        for right in ["h", "h:1,h", "[::1]:1", "u:p@h", "u@h", "u:p%40%2F%3a@h", "u:pässword@h"] {
            assert_eq!(flaw(&format!("mongodb://{right}/?w=1")), None, "{right}");
        }
    }
}
