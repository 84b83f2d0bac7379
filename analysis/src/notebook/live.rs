//! Charts that follow the stream while other cells run.
//!
//! A kernel's output cannot change once it is sent, so it holds a frame, and the chart in the frame comes from a server inside the
//! kernel: on the loopback address only, on a free port, under a random name that nobody else knows. It reads the rollup when
//! a browser asks, at most twice a second, and ends with the kernel.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use polars::prelude::DataFrame;
use tiny_http::{Header, Request, Response, Server};

use super::{NotebookError, Rollup, page};
use crate::chart::Figure;
use crate::show::html::escaped;
use crate::show::notebook::{Block, display};

/// A drawing is shown again, without a look into the database, for this long.
const FRESH: Duration = Duration::from_millis(500);

/// A chart that follows its rollup for as long as the kernel lives; the end of a cell shows it.
#[derive(Debug, Clone)]
pub struct Live {
    url: String,
    /// As it was drawn at the beginning, for readers without this kernel.
    figure: Figure,
}

/// Shows the chart that `draw` makes of the rows of `query`, and draws it again as the rows change.
///
/// # Errors
/// When the rows cannot be read or drawn now, or no port is free.
///
/// ```no_run
/// use analysis::notebook::*;
///
/// let store = connect()?;
/// live(store.rollup("reviews_by_month"), |months| Figure::line(months).y("reviews").title("Reviews so far"))?;
/// # Ok::<(), NotebookError>(())
/// ```
pub fn live<F>(query: Rollup, draw: F) -> Result<Live, NotebookError>
where
    F: Fn(&DataFrame) -> Figure + Send + 'static,
{
    let figure = draw(&query.clone().collect()?);
    let mut drawing = Drawing { query, draw, svg: figure.svg()?, drawn: Instant::now() };
    let server = Server::http("127.0.0.1:0").map_err(|error| NotebookError::NoPort(error.to_string()))?;
    let port = server.server_addr().to_ip().map(|address| address.port());
    let port = port.ok_or_else(|| NotebookError::NoPort("the server has no port".to_owned()))?;
    let token = format!("{:032x}", rand::random::<u128>());
    let url = format!("http://127.0.0.1:{port}/{token}/");
    let serve = move || server.incoming_requests().for_each(|request| answer(request, &token, &mut drawing));
    thread::Builder::new()
        .name("live-chart".to_owned())
        .spawn(serve)
        .map_err(|error| NotebookError::NoPort(error.to_string()))?;
    Ok(Live { url, figure })
}

impl Live {
    /// Address of the chart alone, for a browser on this machine.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Displays the chart in a notebook with the evcxr kernel, which calls this for a cell's last value. Without a browser, or
    /// after the end of the kernel, it is the picture of this moment.
    pub fn evcxr_display(&self) {
        match self.blocks() {
            Ok(blocks) => display(&blocks),
            Err(error) => eprintln!("{error}"),
        }
    }

    fn blocks(&self) -> Result<[Block; 3], NotebookError> {
        let png = self.figure.png()?;
        let description = self.figure.to_string();
        Ok([
            Block::text("text/plain", &self.to_string()),
            Block::markup("text/html", &page::frame(&self.url, &png, &escaped(&description))),
            Block::binary("image/png", &png),
        ])
    }
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, live", self.figure)
    }
}

/// The chart as it was drawn last.
struct Drawing<F> {
    query: Rollup,
    draw: F,
    svg: String,
    drawn: Instant,
}

impl<F: Fn(&DataFrame) -> Figure> Drawing<F> {
    fn current(&mut self) -> Result<&str, NotebookError> {
        if self.drawn.elapsed() > FRESH {
            self.svg = (self.draw)(&self.query.clone().collect()?).svg()?;
            self.drawn = Instant::now();
        }
        Ok(&self.svg)
    }
}

fn answer<F: Fn(&DataFrame) -> Figure>(request: Request, token: &str, drawing: &mut Drawing<F>) {
    let path = request.url().strip_prefix('/').and_then(|path| path.strip_prefix(token)).map(str::to_owned);
    let response = match path.as_deref() {
        Some("/") => content(page::PAGE, "text/html; charset=utf-8"),
        Some("/chart") => match drawing.current() {
            Ok(svg) => content(svg, "image/svg+xml"),
            Err(error) => content(&error.to_string(), "text/plain; charset=utf-8").with_status_code(503),
        },
        _ => content("not found", "text/plain").with_status_code(404),
    };
    // A browser that has gone misses nothing.
    let _ = request.respond(response);
}

fn content(body: &str, kind: &'static str) -> Response<std::io::Cursor<Vec<u8>>> {
    let headers = [("Content-Type", kind), ("Cache-Control", "no-store")];
    let headers = headers.into_iter().filter_map(|(name, value)| Header::from_bytes(name, value).ok());
    headers.fold(Response::from_string(body), Response::with_header)
}
