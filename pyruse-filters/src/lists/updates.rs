//! What the threads of the lists have found out, until the loop takes it over.
//!
//! The threads make the snapshot of a list, because that takes long for a large one; the loop only puts it in force.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyruse_core::plugin::WakeLoop;

use super::list::List;
use super::part::{Origin, Part};
use super::snapshot::Networks;

/// A list with other parts, and the networks of these, if they have changed.
pub(super) type Update = (Vec<Part>, Option<Arc<Networks>>);

/// Names with their addresses.
pub(super) type Resolved = BTreeMap<String, Vec<IpAddr>>;

/// The parts of all lists, as the threads know them.
pub(super) struct Updates {
    lists: Vec<String>,
    parts: Mutex<Vec<Vec<Part>>>,
    pending: Mutex<BTreeMap<usize, Update>>,
    resolved: Mutex<Resolved>,
    is_pending: AtomicBool,
    wake: WakeLoop,
    /// Whether the threads must end.
    ends: AtomicBool,
    /// Whether all names were resolved, or it was tried for long enough.
    is_ready: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Updates {
    pub(super) fn new(lists: &[Arc<List>], wake: WakeLoop) -> Updates {
        let parts: Vec<Vec<Part>> = lists.iter().map(|list| list.parts()).collect();
        let is_ready = !parts.iter().flatten().any(Part::is_unknown);
        Updates {
            lists: lists.iter().map(|list| list.name.clone()).collect(),
            parts: Mutex::new(parts),
            pending: Mutex::default(),
            resolved: Mutex::default(),
            is_pending: AtomicBool::new(false),
            wake,
            ends: AtomicBool::new(false),
            is_ready: AtomicBool::new(is_ready),
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    /// Lets entries be read.
    pub(super) fn set_ready(&self) {
        if !self.is_ready.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    pub(super) fn end(&self) {
        self.ends.store(true, Ordering::Release);
    }

    pub(super) fn ends(&self) -> bool {
        self.ends.load(Ordering::Acquire)
    }

    /// Returns the origins of all parts.
    pub(super) fn origins(&self) -> Vec<Origin> {
        locked(&self.parts).iter().flatten().map(|part| part.origin.clone()).collect()
    }

    /// Returns the names of the lists that have such a part, for the log.
    pub(super) fn lists_with(&self, origin: &Origin) -> String {
        let parts = locked(&self.parts);
        let with =
            parts.iter().zip(&self.lists).filter(|(parts, _)| parts.iter().any(|p| p.origin == *origin));
        let names: Vec<String> = with.map(|(_, name)| format!("`{name}`")).collect();
        match names.as_slice() {
            [name] => format!("list {name}"),
            _ => format!("lists {}", names.join(", ")),
        }
    }

    /// Returns `true` if this name was never resolved.
    pub(super) fn is_unknown(&self, origin: &Origin) -> bool {
        locked(&self.parts).iter().flatten().any(|part| part.origin == *origin && part.is_unknown())
    }

    /// Returns `true` if this holds for all parts of this origin.
    pub(super) fn all(&self, origin: &Origin, holds: impl Fn(&Part) -> bool) -> bool {
        locked(&self.parts).iter().flatten().filter(|part| part.origin == *origin).all(holds)
    }

    /// Changes all parts of this origin, in all lists; `change` returns whether the networks have changed.
    pub(super) fn change(&self, origin: &Origin, change: impl Fn(&mut Part) -> bool) {
        let mut all = locked(&self.parts);
        for (list, parts) in all.iter_mut().enumerate() {
            let mut is_touched = false;
            let mut is_changed = false;
            for part in parts.iter_mut().filter(|part| part.origin == *origin) {
                is_touched = true;
                is_changed |= change(part);
            }
            if is_touched {
                let networks = is_changed.then(|| Arc::new(Networks::of(parts)));
                let mut pending = locked(&self.pending);
                let before = pending.remove(&list).and_then(|(_, networks)| networks);
                pending.insert(list, (parts.clone(), networks.or(before)));
            }
        }
        drop(all);
        self.call();
    }

    /// Notes the addresses of a name, for the state.
    pub(super) fn note_resolved(&self, name: &str, addresses: Vec<IpAddr>) {
        locked(&self.resolved).insert(name.to_owned(), addresses);
        self.call();
    }

    fn call(&self) {
        self.is_pending.store(true, Ordering::Release);
        (self.wake)();
    }

    /// Takes what has come since the last call: lists by number, and names with their addresses.
    pub(super) fn take(&self) -> Option<(BTreeMap<usize, Update>, Resolved)> {
        if !self.is_pending.swap(false, Ordering::AcqRel) {
            return None;
        }
        Some((std::mem::take(&mut *locked(&self.pending)), std::mem::take(&mut *locked(&self.resolved))))
    }
}
