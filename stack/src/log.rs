//! Extracts the relevant lines of a server's log, and remedies for known causes.

use std::fs;
use std::path::Path;

use crate::StackError;

/// Number of log lines in an error.
const TAIL_LINES: usize = 20;

/// Returns the last relevant lines of a log, indented. mongod writes JSON and much information after an error, so its lines are
/// shortened, and lines that only inform are omitted if there are others.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let entries: Vec<Entry> = text.lines().filter(|line| !line.trim().is_empty()).map(Entry::read).collect();
    let has_warnings = entries.iter().any(|entry| matches!(entry, Entry::Warning(_)));
    let lines: Vec<&str> = entries.iter().filter_map(|entry| entry.shown(has_warnings)).collect();
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    if last.is_empty() {
        return format!("    ({} is empty)", log.display());
    }
    last.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// One line of a log.
enum Entry {
    /// An informational line of mongod.
    Information(String),
    /// A warning or an error of mongod.
    Warning(String),
    /// A line in another format.
    Text(String),
}

impl Entry {
    fn read(line: &str) -> Self {
        let entry: Option<serde_json::Value> = serde_json::from_str(line).ok();
        let Some((entry, message)) = entry.as_ref().and_then(|entry| Some((entry, entry["msg"].as_str()?))) else {
            return Self::Text(line.to_owned());
        };
        let text = match &entry["attr"] {
            serde_json::Value::Null => message.to_owned(),
            attributes => format!("{message} {attributes}"),
        };
        match entry["s"].as_str() {
            Some("W" | "E" | "F") => Self::Warning(text),
            _ => Self::Information(text),
        }
    }

    fn shown(&self, has_warnings: bool) -> Option<&str> {
        match self {
            Self::Information(_) if has_warnings => None,
            Self::Information(text) | Self::Warning(text) | Self::Text(text) => Some(text),
        }
    }
}

/// Returns the remedy for a known cause, or where to look.
pub(crate) fn remedy(tail: &str) -> String {
    let has = |words: &str| tail.to_lowercase().contains(words);
    let known = if has("error while loading shared libraries") || has("glibc") {
        "install the libraries named below (Debian, Ubuntu: apt-get install libcurl4 liblzma5), or install MongoDB 6 or later \
         yourself so that mongod is on PATH, or set MONGODB_URI"
    } else if has("address already in use") {
        "try again: the port was taken by another program"
    } else if has("no space left") {
        "free some disk space, or put the data elsewhere with --dir or TMPDIR"
    } else if has("unable to lock") || has("failed to acquire lock") || has("dbpathinuse") {
        "another server uses this folder: stop it, or choose another --dir"
    } else if has("could not reserve enough space") || has("cannot allocate memory") {
        "free some memory: Kafka needs about 350 MB, mongod about 150 MB"
    } else {
        "read the log below; `stack fetch` shows which programs are used"
    };
    known.to_owned()
}

/// Returns true if a start failed because another program took the port after it was chosen.
pub(crate) fn is_port_taken(error: &StackError) -> bool {
    matches!(error, StackError::Start { tail, .. } if tail.to_lowercase().contains("address already in use"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(text: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        tail(file.path())
    }

    #[test]
    fn the_tail_keeps_the_line_that_matters() {
        let log = concat!(
            r#"{"t":{},"s":"I","c":"CONTROL","msg":"starting"}"#,
            "\n",
            r#"{"t":{},"s":"E","c":"STORAGE","msg":"no","attr":{"error":"DBPathInUse"}}"#,
            "\n",
            r#"{"t":{},"s":"I","c":"CONTROL","msg":"bye"}"#,
            "\nthe server ended with status 100\n",
        );
        let expected = "    no {\"error\":\"DBPathInUse\"}\n    the server ended with status 100";
        assert_eq!(tail_of(log), expected);
        assert!(remedy(expected).contains("another server uses this folder"));
    }

    #[test]
    fn the_tail_is_the_end_of_the_log() {
        let text: String = (0..100).map(|line| format!("line {line}\n\n")).collect();
        let tail = tail_of(&text);
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert!(tail.starts_with("    line 80\n") && tail.ends_with("line 99"), "{tail}");
    }

    #[test]
    fn an_empty_log_is_called_that() {
        assert!(tail_of("\n").contains("is empty"));
    }

    #[test]
    fn a_taken_port_is_recognized() {
        let error = |tail: &str| StackError::Start {
            server: "Kafka",
            reason: String::new(),
            remedy: String::new(),
            tail: tail.to_owned(),
        };
        assert!(is_port_taken(&error("java.net.BindException: Address already in use")));
        assert!(!is_port_taken(&error("java.lang.OutOfMemoryError")));
    }
}
