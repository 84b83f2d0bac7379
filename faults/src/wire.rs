//! As much of MongoDB's wire protocol as is needed to see a `commitTransaction` go by.
//!
//! A message is a header of 16 bytes (length, request, response, code; little-endian) and a body. Commands are `OP_MSG`: flags, then
//! sections; the section of kind 0 is the command's document, and the name of its first element is the command's.
//! <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

const HEADER: usize = 16;
const OP_MSG: i32 = 2013;
/// MongoDB's own limit is 48,000,000 bytes.
const LONGEST: usize = 64 << 20;

/// Reads one whole message; `None` at the end of the stream.
///
/// # Errors
/// A stream that ends within a message, or a length that no message has.
pub async fn read_message(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut message = vec![0; HEADER];
    if from.read(&mut message[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut message[1..]).await?;
    let length = usize::try_from(number(&message, 0)).unwrap_or_default();
    if !(HEADER..=LONGEST).contains(&length) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes")));
    }
    message.resize(length, 0);
    from.read_exact(&mut message[HEADER..]).await?;
    Ok(Some(message))
}

/// The name of the command that a message carries; `None` where it is no `OP_MSG` that begins with its document.
pub fn command(message: &[u8]) -> Option<&str> {
    // Flags, then the kind of the section, the document's length and the first element's type.
    const KIND: usize = HEADER + 4;
    const NAME: usize = KIND + 1 + 4 + 1;
    if message.len() <= NAME || number(message, 12) != OP_MSG || message[KIND] != 0 {
        return None;
    }
    let end = message[NAME..].iter().position(|&byte| byte == 0)?;
    std::str::from_utf8(&message[NAME..NAME + end]).ok()
}

/// Whether a client's first message says that it is a Rust driver of another application than `ours`.
pub fn is_from_driver(message: &[u8], ours: &str) -> bool {
    let holds = |text: &str| message.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    holds("mongo-rust-driver") && !holds(ours)
}

fn number(bytes: &[u8], at: usize) -> i32 {
    let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    i32::from_le_bytes(bytes.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;

    fn message(code: i32, command: &bson::Document) -> Vec<u8> {
        let body = bson::serialize_to_vec(command).unwrap();
        let length = i32::try_from(HEADER + 5 + body.len()).unwrap();
        let mut message = [length, 1, 0, code, 0].map(i32::to_le_bytes).concat();
        message.push(0);
        message.extend(body);
        message
    }

    #[test]
    fn a_commit_is_seen() {
        let commit = message(OP_MSG, &doc! { "commitTransaction": 1, "$db": "admin" });
        assert_eq!(command(&commit), Some("commitTransaction"));
        assert_eq!(command(&message(OP_MSG, &doc! { "insert": "events" })), Some("insert"));
        assert_eq!(command(&message(2004, &doc! { "isMaster": 1 })), None);
        assert_eq!(command(&commit[..20]), None);
    }

    #[tokio::test]
    async fn messages_are_read_whole() {
        let (first, second) = (message(OP_MSG, &doc! { "find": "events" }), message(OP_MSG, &doc! { "insert": "x" }));
        let both = [first.clone(), second.clone()].concat();
        let mut stream = &both[..];
        assert_eq!(read_message(&mut stream).await.unwrap(), Some(first));
        assert_eq!(read_message(&mut stream).await.unwrap(), Some(second.clone()));
        assert_eq!(read_message(&mut stream).await.unwrap(), None);
        assert!(read_message(&mut &second[..30]).await.is_err());
        assert!(read_message(&mut &[1, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9][..]).await.is_err());
    }

    #[test]
    fn drivers_are_told_from_members_and_from_us() {
        let hello = |app: &str, driver: &str| {
            message(
                2004,
                &doc! { "hello": 1, "client": { "application": { "name": app }, "driver": { "name": driver } } },
            )
        };
        assert!(is_from_driver(&hello("rushes-ingest", "mongo-rust-driver"), "rushes-faults"));
        assert!(!is_from_driver(&hello("rushes-faults", "mongo-rust-driver"), "rushes-faults"));
        assert!(!is_from_driver(&hello("", "NetworkInterfaceTL"), "rushes-faults"));
    }
}
