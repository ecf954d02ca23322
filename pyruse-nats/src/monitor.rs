//! The monitoring of a server: what its operator has configured.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use pyruse_core::serde::Deserialize;

/// A server that takes longer than this is given up.
const LIMIT: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// What `/jsz` says.
#[derive(Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct JetStream {
    #[serde(default)]
    config: Config,
}

#[derive(Default, Deserialize)]
#[serde(crate = "pyruse_core::serde", default)]
struct Config {
    sync_always: bool,
}

/// Returns whether a server has each message on its disk before it acknowledges it.
pub(crate) fn syncs_always(address: &str) -> Result<bool, String> {
    let failed = |e: std::io::Error| format!("the monitoring at {address} does not answer: {e}");
    let mut addresses = address.to_socket_addrs().map_err(failed)?;
    let socket = addresses.next().ok_or_else(|| format!("{address} has no address"))?;
    let mut stream = TcpStream::connect_timeout(&socket, LIMIT).map_err(failed)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
    stream.set_write_timeout(Some(LIMIT)).map_err(failed)?;
    // HTTP/1.0: the answer is not in parts, and ends with the connection.
    let host: String = address.chars().filter(char::is_ascii_graphic).collect();
    stream.write_all(format!("GET /jsz HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).map_err(failed)?;
    let body = answer.windows(4).position(|end| end == b"\r\n\r\n").map_or(&[][..], |at| &answer[at + 4..]);
    let found: JetStream = serde_json::from_slice(body)
        .map_err(|e| format!("what answers at {address} is not the monitoring of a NATS server: {e}"))?;
    Ok(found.config.sync_always)
}
