//! Serves the metrics to clients. A few threads accept connections; the loop gets only the question for a new text, at
//! most once a second, and never waits for a client.

use std::fs::Permissions;
use std::io::{Error, ErrorKind, Result};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::socket::{Shutdown, shutdown};
use nix::sys::stat::Mode;
use pyruse_core::plugin::WakeLoop;

use super::http::{self, Client};
use super::settings::Address;
use crate::daemon::unix_socket::listen_at;

/// How many connections are served at the same time; more wait.
const CONNECTIONS: usize = 4;

/// A text is served again to clients that come within this time.
const FRESH: Duration = Duration::from_secs(1);

/// How long a client's thread waits for the loop.
const LOOP_TIMEOUT: Duration = Duration::from_secs(4);

/// How long to wait after a connection could not be accepted (too many open files).
const ACCEPT_RETRY: Duration = Duration::from_secs(1);

enum Socket {
    Net(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Socket {
    fn open(address: &Address) -> Result<Socket> {
        let failed = |place: &dyn std::fmt::Display, e: &Error| {
            Error::new(e.kind(), format!("the metrics cannot be served at {place}: {e}"))
        };
        match address {
            Address::Net(address) => {
                let socket = TcpListener::bind(address).map_err(|e| failed(address, &e))?;
                Ok(Socket::Net(socket))
            }
            Address::Path(path) => {
                let mode = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP | Mode::S_IWGRP;
                let socket = listen_at(path, mode).map_err(|e| failed(&path.display(), &e))?;
                // The umask of the service leaves nothing for the group.
                let mode = Permissions::from_mode(mode.bits());
                std::fs::set_permissions(path, mode).map_err(|e| failed(&path.display(), &e))?;
                Ok(Socket::Unix(socket, path.clone()))
            }
        }
    }

    fn accept(&self) -> Result<Box<dyn Client>> {
        Ok(match self {
            Socket::Net(socket) => Box::new(socket.accept()?.0),
            Socket::Unix(socket, _) => Box::new(socket.accept()?.0),
        })
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Net(socket) => socket.as_fd(),
            Socket::Unix(socket, _) => socket.as_fd(),
        }
    }
}

/// A text that waits to be made.
type Question = SyncSender<Arc<str>>;

/// The last text, and how to get another.
struct Page {
    last: Mutex<Option<(Instant, Arc<str>)>>,
    questions: Sender<Question>,
    wake: WakeLoop,
}

impl Page {
    /// Returns a text that is fresh; `None`: the loop did not make one in time.
    fn text(&self) -> Option<Arc<str>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, text)) = &*last
            && made.elapsed() < FRESH
        {
            return Some(text.clone());
        }
        let (answer, coming) = sync_channel(1);
        self.questions.send(answer).ok()?;
        (self.wake)();
        let text = coming.recv_timeout(LOOP_TIMEOUT).ok()?;
        *last = Some((Instant::now(), text.clone()));
        Some(text)
    }
}

/// The open socket and its threads; dropping it closes the socket and ends the threads.
pub(super) struct Listener {
    socket: Arc<Socket>,
    is_closed: Arc<AtomicBool>,
    questions: Receiver<Question>,
    /// Those that the next text answers.
    asked: Vec<Question>,
}

impl Listener {
    pub(super) fn open(address: &Address, wake: WakeLoop) -> Result<Listener> {
        let (sender, questions) = channel();
        let page = Arc::new(Page { last: Mutex::new(None), questions: sender, wake });
        let is_closed = Arc::new(AtomicBool::new(false));
        let socket = Arc::new(Socket::open(address)?);
        let listener = Listener { socket, is_closed, questions, asked: Vec::new() };
        for _ in 0..CONNECTIONS {
            let (socket, is_closed) = (listener.socket.clone(), listener.is_closed.clone());
            let page = page.clone();
            std::thread::Builder::new()
                .name("metrics".into())
                .spawn(move || take_connections(&socket, &is_closed, &page))?;
        }
        Ok(listener)
    }

    /// Returns `true` if a client waits for a text.
    pub(super) fn is_asked(&mut self) -> bool {
        self.asked.extend(self.questions.try_iter());
        !self.asked.is_empty()
    }

    pub(super) fn answer(&mut self, text: &str) {
        let text: Arc<str> = text.into();
        for question in self.asked.drain(..) {
            // The client may be gone.
            let _ = question.try_send(text.clone());
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Relaxed);
        // Ends every `accept`, and makes the address free at once.
        let _ = shutdown(self.socket.as_fd().as_raw_fd(), Shutdown::Both);
        if let Socket::Unix(_, path) = &*self.socket {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn take_connections(socket: &Socket, is_closed: &AtomicBool, page: &Page) {
    loop {
        let client = socket.accept();
        if is_closed.load(Ordering::Relaxed) {
            return;
        }
        match client {
            Ok(mut client) => {
                if let Err(e) = http::serve(&mut *client, || page.text()) {
                    tracing::debug!("a client of the metrics: {e}");
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
            Err(e) => {
                tracing::warn!("the socket of the metrics: {e}");
                std::thread::sleep(ACCEPT_RETRY);
            }
        }
    }
}
