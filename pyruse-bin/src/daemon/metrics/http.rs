//! One HTTP request, and its answer: `GET /metrics`, and nothing else.
//!
//! The whole exchange has one time limit, and a request a largest size, so a client cannot hold a thread for longer.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::time::{Duration, Instant};

/// How long a client may take for everything.
const LIMIT: Duration = Duration::from_secs(5);

/// The largest size of a request, in bytes.
const LONGEST: usize = 8 * 1024;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A connection.
pub(super) trait Client: Read + Write {
    /// Limits how long the next call may read, or write.
    fn limit(&self, time: Duration) -> Result<()>;
}

impl Client for std::net::TcpStream {
    fn limit(&self, time: Duration) -> Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

impl Client for std::os::unix::net::UnixStream {
    fn limit(&self, time: Duration) -> Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

/// Serves one connection. `metrics` returns their text, if the daemon gives it in time.
pub(super) fn serve<T: AsRef<str>>(
    client: &mut dyn Client,
    metrics: impl FnOnce() -> Option<T>,
) -> Result<()> {
    let end = Instant::now() + LIMIT;
    let request = read_request(client, end)?;
    let plain = |status, text: &str| answer(status, "text/plain; charset=utf-8", text);
    let answer = match request.as_deref().map(judged) {
        None => plain("431 Request Header Fields Too Large", "A request has at most 8 KiB.\n"),
        Some(Asked::Metrics) => match metrics() {
            Some(text) => answer("200 OK", OPEN_METRICS, text.as_ref()),
            None => plain("503 Service Unavailable", "Pyruse is busy.\n"),
        },
        Some(Asked::OtherPath) => plain("404 Not Found", "The metrics are at /metrics.\n"),
        Some(Asked::OtherMethod) => plain("405 Method Not Allowed\r\nAllow: GET", "Only GET is possible.\n"),
        Some(Asked::Nonsense) => plain("400 Bad Request", "This is not an HTTP request.\n"),
    };
    let mut rest = answer.as_bytes();
    while !rest.is_empty() {
        client.limit(left(end)?)?;
        match client.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => rest = &rest[length..],
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn left(end: Instant) -> Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Error::from(ErrorKind::TimedOut)) } else { Ok(left) }
}

fn answer(status: &str, kind: &str, text: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

/// Reads up to the end of the header; `None`: it is too long.
fn read_request(client: &mut dyn Client, end: Instant) -> Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        client.limit(left(end)?)?;
        match client.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => request.extend_from_slice(&buffer[..length]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        if request.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(Some(request));
        }
        if request.len() > LONGEST {
            return Ok(None);
        }
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq)]
enum Asked {
    Metrics,
    OtherPath,
    OtherMethod,
    Nonsense,
}

fn judged(request: &[u8]) -> Asked {
    let line = request.split(|b| *b == b'\r').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
    let [method, target, version] = words[..] else { return Asked::Nonsense };
    if !version.starts_with(b"HTTP/1.") || !target.starts_with(b"/") {
        return Asked::Nonsense;
    }
    if target.split(|b| *b == b'?').next() != Some(b"/metrics") {
        return Asked::OtherPath;
    }
    if method == b"GET" { Asked::Metrics } else { Asked::OtherMethod }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_get_metrics_is_served() {
        for (request, asked) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Asked::Metrics),
            ("GET /metrics?name=a HTTP/1.0\r\n\r\n", Asked::Metrics),
            ("GET / HTTP/1.1\r\n\r\n", Asked::OtherPath),
            ("GET /metrics/../etc/passwd HTTP/1.1\r\n\r\n", Asked::OtherPath),
            ("POST /metrics HTTP/1.1\r\n\r\n", Asked::OtherMethod),
            ("GET /metrics\r\n\r\n", Asked::Nonsense),
            ("GET http://example.org/metrics HTTP/1.1\r\n\r\n", Asked::Nonsense),
            ("\u{1}\u{2}\r\n\r\n", Asked::Nonsense),
            ("\r\n\r\n", Asked::Nonsense),
        ] {
            assert_eq!(judged(request.as_bytes()), asked, "{request:?}");
        }
    }
}
