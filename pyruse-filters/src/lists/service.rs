//! The service of the lists: starts the threads, puts in force what they make, and stores what must outlive a restart.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use pyruse_core::operation::ListKeeper;
use pyruse_core::plugin::{Inspection, Service, ServicePlugin, WakeLoop};
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;

use super::list::List;
use super::settings::ListSettings;
use super::stored::Stored;
use super::updates::Updates;
use super::{Lists, inspect, resolver, watch};

/// The service.
pub(super) struct ListService {
    pub(super) lists: Arc<[Arc<List>]>,
    pub(super) stored: Stored,
    threads: Option<Threads>,
    /// What [`Stored::ends`] was when the added networks were put in force by [`Service::tend`].
    ends: (usize, i64),
    /// Whether all names that were never resolved are in force now, or cannot be resolved.
    is_ready: bool,
}

/// The threads; they end when this is dropped.
struct Threads {
    updates: Arc<Updates>,
    /// Closed, it wakes the thread that follows files.
    _watch: UnixStream,
    /// Closed, it wakes the thread that resolves names.
    _resolver: Sender<()>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.updates.end();
    }
}

impl Threads {
    fn start(lists: &[Arc<List>], wake: &WakeLoop) -> std::io::Result<Threads> {
        let updates = Arc::new(Updates::new(lists, wake.clone()));
        let (stop, stopped) = UnixStream::pair()?;
        let (sender, receiver) = channel();
        let of_watch = updates.clone();
        let thread = std::thread::Builder::new().name("lists".into());
        thread.spawn(move || watch::run(&of_watch, stopped))?;
        let of_resolver = updates.clone();
        let thread = std::thread::Builder::new().name("lists-dns".into());
        thread.spawn(move || resolver::run(&of_resolver, &receiver))?;
        Ok(Threads { updates, _watch: stop, _resolver: sender })
    }
}

impl Service for ListService {
    fn lists(&mut self) -> Option<&mut dyn ListKeeper> {
        Some(self)
    }

    fn begin(&mut self, state: &mut State, wake: &WakeLoop) {
        self.lists.iter().for_each(|list| list.is_followed());
        if self.lists.is_empty() {
            return;
        }
        self.stored.publish_resolved(&self.lists, state, state.now().wall);
        match Threads::start(&self.lists, wake) {
            Ok(threads) => {
                self.is_ready = threads.updates.is_ready();
                self.threads = Some(threads);
            }
            Err(e) => tracing::error!("lists are not followed, because no thread can be started: {e}"),
        }
    }

    fn tend(&mut self, state: &mut State, now: Timestamp) {
        // Asked before the updates are taken: what made them ready is among these.
        let is_ready = self.threads.as_ref().is_none_or(|threads| threads.updates.is_ready());
        if let Some((lists, names)) = self.threads.as_ref().and_then(|threads| threads.updates.take()) {
            for (list, (parts, networks)) in lists {
                self.lists[list].set_parts(parts, networks);
            }
            for (name, addresses) in names {
                self.stored.store(state, &name, addresses, now);
            }
        }
        self.is_ready |= is_ready;
        // They end by themselves; and if the clock was set, at another time.
        if !state.get(self.stored.added).is_empty() {
            state.get_mut(self.stored.added).expire(now);
            let ends = self.stored.ends(state, now);
            if std::mem::replace(&mut self.ends, ends) != ends {
                self.stored.publish_added(&self.lists, state, now);
            }
        }
    }

    fn is_ready(&self) -> bool {
        self.is_ready
    }

    fn inspect(&self, inspection: &mut Inspection) {
        inspect::inspect(&self.lists, inspection);
    }
}

pyruse_core::inventory::submit!(ServicePlugin::new("filter_inList", |start| {
    let settings = start.settings::<ListSettings>();
    let lists = start.shared::<Lists>().get(&settings);
    let stored = Stored::open(start.layout())?;
    let bound = lists.clone();
    start.on_bind(move |state| {
        let now = state.now().wall;
        stored.publish_resolved(&bound, state, now);
        stored.publish_added(&bound, state, now);
    });
    Ok(Box::new(ListService { lists, stored, threads: None, ends: (0, 0), is_ready: true }))
}));
