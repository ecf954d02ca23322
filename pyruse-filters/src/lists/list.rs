//! A list in use: filters read its snapshot, and its owner replaces that.
//!
//! A look-up takes no lock: each filter has the snapshot that it used last, and compares one number to know whether
//! there is another.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyruse_core::network::Network;
use pyruse_core::time::Timestamp;

use super::look_up;
use super::part::Part;
use super::snapshot::{Networks, Snapshot, Temporary};

/// A list.
pub(super) struct List {
    pub(super) name: String,
    /// Grows with each change; never 0.
    generation: AtomicU64,
    content: Mutex<Content>,
}

/// What a list contains, for its owner.
struct Content {
    parts: Vec<Part>,
    snapshot: Arc<Snapshot>,
    /// Whether the first look-up resolves names that are not known: there is no thread that does it.
    resolves: bool,
}

impl List {
    pub(super) fn new(name: String, parts: Vec<Part>) -> List {
        let networks = Arc::new(Networks::of(&parts));
        let snapshot = Arc::new(Snapshot { networks, temporary: Arc::default() });
        let content = Content { parts, snapshot, resolves: true };
        List { name, generation: AtomicU64::new(1), content: Mutex::new(content) }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // Nothing panics while it changes the content.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn parts(&self) -> Vec<Part> {
        self.content().parts.clone()
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.content().snapshot.clone()
    }

    /// Puts other parts in force; `networks` was made of them, or is what there was.
    pub(super) fn set_parts(&self, parts: Vec<Part>, networks: Option<Arc<Networks>>) {
        let mut content = self.content();
        content.parts = parts;
        if let Some(networks) = networks {
            let temporary = content.snapshot.temporary.clone();
            self.publish(&mut content, Snapshot { networks, temporary });
        }
    }

    /// Puts other networks of the operator in force.
    pub(super) fn set_temporary(&self, all: Vec<(Network, Timestamp)>) {
        let mut content = self.content();
        if content.snapshot.temporary.all != all {
            let networks = content.snapshot.networks.clone();
            self.publish(&mut content, Snapshot { networks, temporary: Arc::new(Temporary::of(all)) });
        }
    }

    fn publish(&self, content: &mut Content, snapshot: Snapshot) {
        content.snapshot = Arc::new(snapshot);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// States that a thread resolves its names.
    pub(super) fn is_followed(&self) {
        self.content().resolves = false;
    }

    /// Returns the snapshot, with all names resolved if nobody else does that.
    fn resolved(&self) -> Arc<Snapshot> {
        let mut content = self.content();
        if std::mem::take(&mut content.resolves) && content.parts.iter().any(Part::is_unknown) {
            for part in content.parts.iter_mut().filter(|part| part.is_unknown()) {
                look_up::resolve_once(&self.name, part);
            }
            let networks = Arc::new(Networks::of(&content.parts));
            let temporary = content.snapshot.temporary.clone();
            self.publish(&mut content, Snapshot { networks, temporary });
        }
        content.snapshot.clone()
    }
}

/// A filter's view of a list.
pub(crate) struct ListReader {
    list: Arc<List>,
    /// The generation of the snapshot; 0: there was no look-up yet.
    seen: u64,
    snapshot: Arc<Snapshot>,
}

impl ListReader {
    pub(super) fn of(list: &Arc<List>) -> ListReader {
        ListReader { list: list.clone(), seen: 0, snapshot: Arc::default() }
    }

    /// Returns `true` if the list contains this address at `now`, the time of an entry.
    pub(crate) fn contains(&mut self, ip: IpAddr, now: Timestamp) -> bool {
        if self.list.generation.load(Ordering::Acquire) != self.seen {
            self.refresh();
        }
        self.snapshot.contains(ip, now)
    }

    #[cold]
    fn refresh(&mut self) {
        self.seen = self.list.generation.load(Ordering::Acquire);
        self.snapshot = self.list.resolved();
    }
}
