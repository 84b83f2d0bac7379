//! The server inside the kernel that live charts come from: one for all of them.
//!
//! It has a fixed number of threads and remembers a bounded number of charts. A cell that is run again makes a new chart, and nobody
//! asks for the old one any more; so of too many the one that was asked for longest ago is forgotten.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tiny_http::{Header, Request, Response, Server};

use super::{NotebookError, page};

/// Charts that are remembered.
pub(super) const MOST_CHARTS: usize = 32;
/// Threads that answer browsers; while one reads a table another chart is answered.
const THREADS: usize = 4;
/// What a browser is told that asks for a chart that was forgotten, or never was.
const GONE: &str = "this chart is not followed any more; run the cell again to follow it";

static CHARTS: Mutex<Option<Arc<Charts>>> = Mutex::new(None);

/// A chart that can be asked for as it is now.
pub(super) trait Followed: Send + Sync {
    /// The SVG document, or a sentence that says why there is none.
    fn current(&self) -> Result<Arc<str>, String>;
}

/// The remembered charts by their names, the one that was asked for last at the end.
struct Charts {
    port: u16,
    known: Mutex<Vec<(String, Arc<dyn Followed>)>>,
}

/// Remembers a chart and returns its address; the first one starts the server.
pub(super) fn follow(chart: impl Followed + 'static) -> Result<String, NotebookError> {
    let mut charts = locked(&CHARTS);
    let charts = match &*charts {
        Some(charts) => Arc::clone(charts),
        None => Arc::clone(charts.insert(started()?)),
    };
    let token = format!("{:032x}", rand::random::<u128>());
    let address = format!("http://127.0.0.1:{}/{token}/", charts.port);
    let mut known = locked(&charts.known);
    if known.len() >= MOST_CHARTS {
        known.remove(0);
    }
    known.push((token, Arc::new(chart)));
    Ok(address)
}

fn started() -> Result<Arc<Charts>, NotebookError> {
    let failed = |error: String| NotebookError::NoPort(error);
    let server = Server::http("127.0.0.1:0").map_err(|error| failed(error.to_string()))?;
    let port = server.server_addr().to_ip().map(|address| address.port());
    let port = port.ok_or_else(|| failed("the server has no port".to_owned()))?;
    let charts = Arc::new(Charts { port, known: Mutex::new(Vec::new()) });
    let server = Arc::new(server);
    for _ in 0..THREADS {
        let (server, charts) = (Arc::clone(&server), Arc::clone(&charts));
        let serve = move || server.incoming_requests().for_each(|request| charts.answer(request));
        let thread = thread::Builder::new().name("live-chart".to_owned()).spawn(serve);
        thread.map_err(|error| failed(error.to_string()))?;
    }
    Ok(charts)
}

impl Charts {
    /// The chart of this name, which was asked for just now.
    fn asked(&self, token: &str) -> Option<Arc<dyn Followed>> {
        let mut known = locked(&self.known);
        let place = known.iter().position(|(name, _)| name == token)?;
        let found = known.remove(place);
        let chart = Arc::clone(&found.1);
        known.push(found);
        Some(chart)
    }

    fn answer(&self, request: Request) {
        let mut parts = request.url().trim_start_matches('/').splitn(2, '/');
        let chart = parts.next().and_then(|token| self.asked(token));
        let response = match (chart, parts.next()) {
            (Some(_), Some("")) => content(page::PAGE, "text/html; charset=utf-8"),
            (Some(chart), Some("chart")) => match chart.current() {
                Ok(svg) => content(&svg, "image/svg+xml"),
                Err(reason) => content(&reason, "text/plain; charset=utf-8").with_status_code(503),
            },
            _ => content(GONE, "text/plain; charset=utf-8").with_status_code(404),
        };
        // A browser that has gone misses nothing.
        let _ = request.respond(response);
    }
}

/// The value behind a lock, also after a panic of another thread: what is locked here is whole at any time.
pub(super) fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn content(body: &str, kind: &'static str) -> Response<std::io::Cursor<Vec<u8>>> {
    let headers = [("Content-Type", kind), ("Cache-Control", "no-store")];
    let headers = headers.into_iter().filter_map(|(name, value)| Header::from_bytes(name, value).ok());
    headers.fold(Response::from_string(body), Response::with_header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    struct Fixed(Result<&'static str, &'static str>);

    impl Followed for Fixed {
        fn current(&self) -> Result<Arc<str>, String> {
            self.0.map(Arc::from).map_err(str::to_owned)
        }
    }

    fn status(address: &str) -> String {
        let (host, path) = address.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
        let mut stream = TcpStream::connect(host).expect("the server listens");
        write!(stream, "GET /{path}chart HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }

    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
    }

    #[test]
    fn many_charts_take_one_server_and_the_longest_unasked_is_forgotten() {
        let first = follow(Fixed(Ok("<svg/>"))).expect("a chart");
        let second = follow(Fixed(Err("no rows"))).expect("a chart");
        let before = threads();
        let others: Vec<String> = (2..MOST_CHARTS).map(|_| follow(Fixed(Ok("<svg/>"))).expect("a chart")).collect();
        // Threads of other tests and of connections come and go; a server per chart would add five each.
        assert!(threads() < before + MOST_CHARTS, "{} threads, {before} before", threads());
        assert_eq!((status(&first).as_str(), status(&second).as_str()), ("200", "503"));
        assert_eq!(status(&first), "200", "asked for last");
        for _ in 0..MOST_CHARTS - 1 {
            follow(Fixed(Ok("<svg/>"))).expect("a chart");
        }
        assert_eq!(
            (status(&first).as_str(), status(&second).as_str(), status(&others[0]).as_str()),
            ("200", "404", "404")
        );
    }
}
