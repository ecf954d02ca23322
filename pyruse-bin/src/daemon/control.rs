//! The control socket: how commands reach a running daemon, which alone changes the state.
//!
//! A thread accepts connections one at a time, reads one line, and passes the request to the loop, which answers when
//! the changes are committed. Only the thread waits for clients. Whatever comes over the socket (nothing, half a line,
//! garbage, a flood, a client that hangs up), the loop gets only complete requests of permitted users. While there are
//! no requests, the thread sleeps in `accept`.
//!
//! Root and the daemon's own user are permitted. The socket's mode says so. The kernel is also asked which user has
//! connected, because a mode can be changed.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;
use pyruse_cli::owner::Owner;
use pyruse_cli::request::{LONGEST, Reply, Request};
use pyruse_cli::storage::Storage;

use super::unix_socket::listen_at;
use super::wake::Wake;

const NAME: &str = "control";

/// How long a client may take to write its line, and to read each part of the answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(2);

/// At most one refused user is logged per this time.
const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// How long to wait after a connection could not be accepted (too many open files).
const ACCEPT_RETRY: Duration = Duration::from_secs(1);

/// A request that waits for the loop.
pub(super) struct PendingRequest {
    pub(super) request: Request,
    /// The user who asks, for the log.
    pub(super) user: u32,
    answer: SyncSender<Reply>,
}

impl PendingRequest {
    pub(super) fn answer(&self, reply: Reply) {
        // The client may have disconnected.
        let _ = self.answer.send(reply);
    }
}

/// The socket of this daemon; it is removed when this is dropped.
pub(super) struct Control {
    requests: Receiver<PendingRequest>,
    pub(super) path: PathBuf,
}

impl Control {
    /// Listens in systemd's runtime directory for us, or in the storage. The caller holds the lock of the storage.
    pub(super) fn listen(storage: &Path, wake: Arc<dyn Fn() + Send + Sync>) -> std::io::Result<Control> {
        let runtime = std::env::var_os("RUNTIME_DIRECTORY").filter(|paths| !paths.is_empty());
        let runtime = runtime.and_then(|paths| std::env::split_paths(&paths).next());
        let mut failure = None;
        for directory in runtime.iter().map(PathBuf::as_path).chain([storage]) {
            match bind_in(directory) {
                Ok(listener) => {
                    let (sender, requests) = channel();
                    std::thread::Builder::new()
                        .name("control".into())
                        .spawn(move || take_connections(&listener, &sender, &*wake))?;
                    // Commands may run in another directory.
                    let path = std::path::absolute(directory)?.join(NAME);
                    return Ok(Control { requests, path });
                }
                Err(e) => {
                    failure = Some(std::io::Error::new(e.kind(), format!("{}: {e}", directory.display())));
                }
            }
        }
        Err(failure.unwrap_or_else(|| ErrorKind::NotFound.into()))
    }

    /// Returns the next request.
    pub(super) fn next(&self) -> Option<PendingRequest> {
        self.requests.try_recv().ok()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn bind_in(directory: &Path) -> std::io::Result<UnixListener> {
    let owner = Owner::of(directory).map_err(std::io::Error::other)?;
    let _as_owner = owner.enter();
    // A runtime directory may be shared by two daemons, each with a state of its own.
    listen_at(&directory.join(NAME), Mode::S_IRUSR | Mode::S_IWUSR)
}

fn take_connections(
    listener: &UnixListener,
    requests: &Sender<PendingRequest>,
    wake: &(dyn Fn() + Send + Sync),
) {
    let mut refused = None;
    loop {
        match listener.accept() {
            Ok((client, _)) => {
                if let Err(e) = serve(client, requests, wake, &mut refused) {
                    tracing::debug!("a client of the control socket: {e}");
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
            Err(e) => {
                tracing::warn!("the control socket: {e}");
                std::thread::sleep(ACCEPT_RETRY);
            }
        }
    }
}

/// Serves one connection: reads one line, writes one line.
fn serve(
    mut client: UnixStream,
    requests: &Sender<PendingRequest>,
    wake: &(dyn Fn() + Send + Sync),
    refused: &mut Option<Instant>,
) -> std::io::Result<()> {
    client.set_write_timeout(Some(CLIENT_TIMEOUT))?;
    let user = getsockopt(&client, sockopt::PeerCredentials)?.uid();
    if user != 0 && user != geteuid().as_raw() {
        // A user must not be able to fill the log.
        if refused.is_none_or(|last| last.elapsed() >= REFUSAL_LOG_INTERVAL) {
            *refused = Some(Instant::now());
            tracing::warn!("user {user} was refused at the control socket");
        }
        let why = format!("you are user {user}; only root and the daemon's own user may ask it");
        return write_reply(&mut client, &Reply::Rejected(why));
    }
    let Some(line) = read_line(&mut client)? else { return Ok(()) };
    let reply = match serde_json::from_slice(&line) {
        Ok(request) => ask(request, user, requests, wake),
        Err(e) => Reply::Rejected(format!(
            "the running daemon, version {}, does not understand this request: {e}",
            env!("CARGO_PKG_VERSION")
        )),
    };
    write_reply(&mut client, &reply)
}

fn ask(
    request: Request,
    user: u32,
    requests: &Sender<PendingRequest>,
    wake: &(dyn Fn() + Send + Sync),
) -> Reply {
    let (answer, coming) = sync_channel(1);
    if requests.send(PendingRequest { request, user, answer }).is_err() {
        return Reply::Ending;
    }
    wake();
    coming.recv().unwrap_or(Reply::Ending)
}

/// Reads a line, with a limit of time and length; `None`: there was none.
fn read_line(client: &mut UnixStream) -> std::io::Result<Option<Vec<u8>>> {
    let end = Instant::now() + CLIENT_TIMEOUT;
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        client.set_read_timeout(Some(left))?;
        match client.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(length) => {
                let chunk = &buffer[..length];
                if let Some(at) = chunk.iter().position(|b| *b == b'\n') {
                    line.extend_from_slice(&chunk[..at]);
                    return Ok(Some(line));
                }
                line.extend_from_slice(chunk);
                if line.len() > LONGEST {
                    let why = format!("a request has at most {LONGEST} bytes");
                    write_reply(client, &Reply::Rejected(why))?;
                    return Ok(None);
                }
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn write_reply(client: &mut UnixStream, reply: &Reply) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    client.write_all(&line)
}

/// Opens the control socket. If that fails, the daemon runs without it.
pub(super) fn control_socket(storage: &mut Storage, directory: &Path, wake: &Wake) -> Option<Control> {
    let listening = Control::listen(directory, wake.caller()).and_then(|control| {
        storage.announce_socket(&control.path)?;
        Ok(control)
    });
    listening
        .inspect_err(|e| tracing::warn!("there is no control socket, commands cannot reach this daemon: {e}"))
        .ok()
}
