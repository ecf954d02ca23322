//! What the threads of the lists have found out, until the loop takes it over.
//!
//! The threads make the snapshot of a list, because that takes long for a large one; the loop only puts it in force. A
//! list of many names gets one snapshot for many answers.

use std::collections::{BTreeMap, HashMap};
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
    parts: Mutex<Parts>,
    /// Where the parts of an origin are: in which list, and which part of it.
    places: HashMap<Origin, Vec<(usize, usize)>>,
    pending: Mutex<BTreeMap<usize, Update>>,
    resolved: Mutex<Resolved>,
    is_pending: AtomicBool,
    wake: WakeLoop,
    /// Whether the threads must end.
    ends: AtomicBool,
    /// Whether all names were resolved, or it was tried for long enough.
    is_ready: AtomicBool,
}

/// The parts of all lists, and what was changed since the last snapshot.
struct Parts {
    lists: Vec<Vec<Part>>,
    /// The lists whose parts were changed, and whether their networks were.
    changed: BTreeMap<usize, bool>,
}

impl Parts {
    fn all(&self) -> impl Iterator<Item = &Part> {
        self.lists.iter().flatten()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Updates {
    pub(super) fn new(lists: &[Arc<List>], wake: WakeLoop) -> Updates {
        let parts: Vec<Vec<Part>> = lists.iter().map(|list| list.parts()).collect();
        let is_ready = !parts.iter().flatten().any(Part::is_unknown);
        let mut places: HashMap<Origin, Vec<(usize, usize)>> = HashMap::new();
        for (list, parts) in parts.iter().enumerate() {
            for (n, part) in parts.iter().enumerate() {
                places.entry(part.origin.clone()).or_default().push((list, n));
            }
        }
        Updates {
            places,
            lists: lists.iter().map(|list| list.name.clone()).collect(),
            parts: Mutex::new(Parts { lists: parts, changed: BTreeMap::new() }),
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
        locked(&self.parts).all().map(|part| part.origin.clone()).collect()
    }

    /// Returns the names of the lists that have such a part, for the log.
    pub(super) fn lists_with(&self, origin: &Origin) -> String {
        let mut lists: Vec<usize> = self.places(origin).iter().map(|(list, _)| *list).collect();
        lists.dedup();
        let names: Vec<String> = lists.into_iter().map(|list| format!("`{}`", self.lists[list])).collect();
        match names.as_slice() {
            [name] => format!("list {name}"),
            _ => format!("lists {}", names.join(", ")),
        }
    }

    /// Returns `true` if this name was never resolved.
    pub(super) fn is_unknown(&self, origin: &Origin) -> bool {
        !self.all(origin, |part| !part.is_unknown())
    }

    /// Returns `true` if this holds for all parts of this origin.
    pub(super) fn all(&self, origin: &Origin, holds: impl Fn(&Part) -> bool) -> bool {
        let parts = locked(&self.parts);
        self.places(origin).iter().all(|(list, n)| holds(&parts.lists[*list][*n]))
    }

    fn places(&self, origin: &Origin) -> &[(usize, usize)] {
        self.places.get(origin).map_or(&[], Vec::as_slice)
    }

    /// Changes all parts of this origin, in all lists; `change` returns whether the networks have changed. The loop gets
    /// this with the next call of [`Updates::publish`].
    pub(super) fn change(&self, origin: &Origin, change: impl Fn(&mut Part) -> bool) {
        let mut parts = locked(&self.parts);
        for (list, n) in self.places(origin) {
            let is_changed = change(&mut parts.lists[*list][*n]);
            *parts.changed.entry(*list).or_default() |= is_changed;
        }
    }

    /// Notes the addresses of a name, for the state, likewise.
    pub(super) fn note_resolved(&self, name: &str, addresses: Vec<IpAddr>) {
        locked(&self.resolved).insert(name.to_owned(), addresses);
    }

    /// Gives the loop what was changed, if anything was.
    pub(super) fn publish(&self) {
        let mut parts = locked(&self.parts);
        if parts.changed.is_empty() {
            return;
        }
        for (list, is_changed) in std::mem::take(&mut parts.changed) {
            let parts = &parts.lists[list];
            let networks = is_changed.then(|| Arc::new(Networks::of(parts)));
            let mut pending = locked(&self.pending);
            let before = pending.remove(&list).and_then(|(_, networks)| networks);
            pending.insert(list, (parts.clone(), networks.or(before)));
        }
        drop(parts);
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
