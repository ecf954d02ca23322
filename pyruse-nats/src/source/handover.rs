//! From the thread of the connection to the reader: a channel that is bounded in messages and bytes, and a descriptor that
//! wakes the loop.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};
use pyruse_core::time::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// How many messages wait for the reader at most.
pub(super) const WAITING: usize = 1000;

/// How many bytes of messages wait for the reader at most.
pub(super) const WAITING_BYTES: usize = 8 * 1024 * 1024;

/// The longest message that becomes an entry, in bytes.
pub(super) const LONGEST: usize = 256 * 1024;

/// What comes from the stream, in order.
pub(super) enum Item {
    /// Reading begins in the stream that was created at this time, in microseconds since 1970.
    Begun { created: i64 },
    /// What happened is worth a line in the log.
    Notice(String),
    /// So many messages are lost, stored before this time.
    Lost(u64, Timestamp),
    /// A message.
    Message(Message),
}

/// A message of the stream.
pub(super) struct Message {
    pub(super) sequence: u64,
    /// When the server stored it.
    pub(super) time: Timestamp,
    pub(super) subject: String,
    /// Its `Nats-Msg-Id`; empty if it has none.
    pub(super) identity: String,
    /// `None`: it is longer than [`LONGEST`].
    pub(super) payload: Option<Vec<u8>>,
    /// Its part of the channel, which is free again when the message is dropped.
    pub(super) _room: Room,
}

/// What the reader must know beside what comes in order.
#[derive(Default)]
struct Shared {
    problem: Option<String>,
    /// Whether all messages that the stream had were handed over.
    is_at_end: bool,
}

/// A part of the channel.
pub(super) struct Room(#[allow(dead_code, reason = "it is only dropped")] OwnedSemaphorePermit);

/// Makes a channel.
pub(super) fn channel() -> std::io::Result<(Outlet, Inlet)> {
    let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
    let (sender, items) = mpsc::channel(WAITING);
    let shared = Arc::new(Mutex::new(Shared::default()));
    let bytes = Arc::new(Semaphore::new(WAITING_BYTES));
    let outlet = Outlet { items: sender, bytes, shared: shared.clone(), wake: wake.clone() };
    Ok((outlet, Inlet { items, shared, wake }))
}

/// Where the reader takes what was handed over.
pub(super) struct Inlet {
    items: mpsc::Receiver<Item>,
    shared: Arc<Mutex<Shared>>,
    wake: Arc<EventFd>,
}

/// How it is with a channel that has no item.
pub(super) enum Idle {
    /// It is not known yet whether there are more.
    Unknown,
    /// There are no more for now.
    End,
    /// There is a problem.
    Problem(String),
}

impl Inlet {
    /// Returns the next item, if there is one.
    pub(super) fn next(&mut self) -> Result<Item, Idle> {
        if let Ok(item) = self.items.try_recv() {
            return Ok(item);
        }
        let idle = {
            let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            match &shared.problem {
                Some(problem) => Idle::Problem(problem.clone()),
                None if shared.is_at_end => Idle::End,
                None => Idle::Unknown,
            }
        };
        // Only what was handed over before this was known is before it.
        self.items.try_recv().map_err(|_| idle)
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    pub(super) fn woken(&self) {
        // It fails only if nothing was written.
        let _ = self.wake.read();
    }
}

/// Where the task puts what it reads.
pub(super) struct Outlet {
    items: mpsc::Sender<Item>,
    bytes: Arc<Semaphore>,
    shared: Arc<Mutex<Shared>>,
    wake: Arc<EventFd>,
}

impl Outlet {
    pub(super) async fn put(&self, item: Item) {
        // Nobody is left to read if it fails: the task is about to be ended.
        let _ = self.items.send(item).await;
        self.wake();
    }

    fn wake(&self) {
        // It fails only if the reader was woken 2^64 times, and has not looked.
        let _ = self.wake.write(1);
    }

    /// Waits until so many bytes have room; `None`: nobody is left to read.
    pub(super) async fn room(&self, bytes: usize) -> Option<Room> {
        let permits = u32::try_from(bytes.min(WAITING_BYTES)).unwrap_or(u32::MAX);
        self.bytes.clone().acquire_many_owned(permits).await.ok().map(Room)
    }

    /// Says that there is a problem: nothing comes for now.
    pub(super) fn tell_problem(&self, problem: String) {
        self.tell(Shared { problem: Some(problem), is_at_end: false });
        self.wake();
    }

    /// Says that there is no problem, and whether all that the stream has was handed over.
    pub(super) fn tell_end(&self, is_at_end: bool) {
        self.tell(Shared { problem: None, is_at_end });
    }

    fn tell(&self, shared: Shared) {
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = shared;
    }
}
