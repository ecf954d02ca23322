//! Durable state: what entries leave behind, committed together with the positions where reading stopped.
//!
//! A module opens named parts of the state (a [`Map`], a [`Log`], a [`Queue`], or its own [`Resource`]) while it is
//! compiled, and works on them in memory. Each part remembers its changes; [`State::commit`] writes all changes of all
//! parts and the [`Position`] of each source in one transaction. A commit that fails (e.g. because the disk is full) keeps its changes
//! and can be repeated: nothing is lost as long as the program runs, and after a restart the sources are read again
//! from the old positions.

mod arena;
mod error;
mod files;
mod keyed;
mod layout;
mod log;
mod map;
mod outcome;
mod queue;
mod resource;
mod rows;
mod sqlite;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::time::{Duration, Instant};

pub use self::arena::{Arena, ItemIndex, List};
pub use self::error::StateError;
pub use self::files::irregular;
pub use self::keyed::{HasKey, Keyed};
pub use self::layout::Layout;
pub use self::log::Log;
pub use self::map::Map;
pub use self::outcome::Outcome;
pub use self::queue::{DueMessage, MessageStatus, Queue, QueuedMessage};
pub use self::resource::{Changes, Resource};
pub use self::rows::{Position, Row};

use self::rows::{Change, SourceRow};
use self::sqlite::Sqlite;
use crate::time::{Clock, ClockStep, Now, Steady, Timestamp};

/// The number of an opened part.
pub struct Handle<R> {
    index: u32,
    kind: PhantomData<fn() -> R>,
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Handle<R> {}

impl<R> PartialEq for Handle<R> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl<R> Eq for Handle<R> {}

impl<R> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.index)
    }
}

/// Rows by the number of their part and their key.
type MemoryRows = BTreeMap<(u32, Box<[u8]>), Box<[u8]>>;

enum Store {
    Nowhere,
    Memory(MemoryRows),
    Sqlite(Box<Sqlite>),
}

struct Part {
    name: String,
    resource: Box<dyn Resource>,
}

/// The shortest time between two log lines about a step of the clock.
const STEP_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// All durable state of one Pyruse. There is one writer; see the module documentation.
pub struct State {
    store: Store,
    /// `None` if the times of entries are the only ones: then nothing is from the future.
    clock: Option<Clock>,
    /// When a step of the clock was last logged.
    step_logged: Steady,
    parts: Vec<Part>,
    pending: Vec<Change>,
    /// Whether somebody waits for pending or unsynced changes, so that the next commit must wait for the disk.
    urgent: bool,
    sources: Vec<SourceRow>,
    /// The error of a part that makes no sense to its module.
    loss: Option<StateError>,
    /// Is called with the time that each commit took.
    on_commit: Option<OnCommit>,
    /// How long the first half of a commit took whose second half is to come.
    writing: Option<Duration>,
}

/// Is called with the time that a commit took; see [`State::on_commit`].
pub type OnCommit = Box<dyn FnMut(Duration) + Send>;

impl State {
    /// Makes a state that is not kept: for tests, `replay`, and embedders that want no file.
    pub fn in_memory() -> State {
        State::with(Store::Memory(BTreeMap::new()), Vec::new())
    }

    /// Makes a state whose parts work but whose rows are not kept: for dry runs of any length.
    pub fn for_dry_run() -> State {
        State::with(Store::Nowhere, Vec::new())
    }

    /// Returns whether there is a state in this file. `false` means that there never was one, as far as can be
    /// determined. A state that was there and is gone is an error.
    pub fn is_in_file(path: &Path) -> Result<bool, StateError> {
        sqlite::is_there(path)
    }

    /// Opens the state in this file; makes it if it does not exist and never did. `Ok` means that it could be read
    /// *and* written. See [`StateError`] for the errors.
    pub fn open_file(path: &Path) -> Result<State, StateError> {
        let sqlite = Sqlite::open(path)?;
        let sources = sqlite.sources()?;
        Ok(State::with(Store::Sqlite(Box::new(sqlite)), sources).with_clock(Clock::system()))
    }

    /// Opens the state in this file as it is now, for inspection; changes stay in memory. A missing file is an error.
    pub fn read_file(path: &Path) -> Result<State, StateError> {
        let sqlite = Sqlite::open_read_only(path)?;
        let sources = sqlite.sources()?;
        Ok(State::with(Store::Sqlite(Box::new(sqlite)), sources).with_clock(Clock::system()))
    }

    /// Returns the same state with another clock. A state in a file has the machine's clock; any other state has no
    /// clock, unless it gets one before its parts are opened.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> State {
        State { clock: Some(clock), ..self }
    }

    /// Begins a round: reads the clocks, once for everything that happens in the round. If the wall clock has stepped
    /// since the last round, all parts are [adjusted](Resource::adjust).
    pub fn tick(&mut self) -> Now {
        let Some(clock) = &mut self.clock else { return Now::read() };
        let (step, now) = (clock.tick(), clock.now());
        if let Some(step) = step {
            // A clock that jumps back and forth must not fill the log.
            if self.step_logged.until(now.steady) >= STEP_LOG_INTERVAL {
                self.step_logged = now.steady;
                tracing::warn!(
                    "{step}: bans, grace periods and counts do not last longer because of it, and retries wait as \
                     before"
                );
            }
            self.parts.iter_mut().for_each(|part| part.resource.adjust(step));
        }
        now
    }

    /// Returns the clocks as this round has read them.
    pub fn now(&self) -> Now {
        self.clock.as_ref().map_or_else(Now::read, Clock::now)
    }

    /// Returns the time of an entry, as far as it is believed: an entry from the future counts as one of now.
    pub(crate) fn believed(&mut self, time: Timestamp) -> Timestamp {
        match &mut self.clock {
            Some(clock) => clock.believed(time),
            None => time,
        }
    }

    fn with(store: Store, sources: Vec<SourceRow>) -> State {
        State {
            store,
            clock: None,
            step_logged: Steady::START,
            parts: Vec::new(),
            pending: Vec::new(),
            urgent: false,
            sources,
            loss: None,
            on_commit: None,
            writing: None,
        }
    }

    /// Calls `callback` after each commit that has changed the file, with the time that it took: for writing, and for
    /// waiting until it was on the disk, if it waited. `None`: nothing is called or measured.
    pub fn on_commit(&mut self, callback: Option<OnCommit>) {
        self.on_commit = callback;
    }

    /// Opens a part; callers that give the same name with the same type get the same part. Another type, and rows that the
    /// part cannot read, are errors.
    pub fn open<R: Resource>(&mut self, name: &str) -> Result<Handle<R>, StateError> {
        if let Some(index) = self.parts.iter().position(|part| part.name == name) {
            let resource: &dyn Any = &*self.parts[index].resource;
            return if resource.is::<R>() {
                Ok(handle(index))
            } else {
                Err(StateError::Kind(name.to_owned()))
            };
        }
        let failed = |reason| StateError::Part { part: name.to_owned(), reason };
        let resource = match &mut self.store {
            Store::Nowhere | Store::Memory(_) => R::load(Vec::new()).map_err(failed)?,
            Store::Sqlite(sqlite) => {
                let (stored, rows) = sqlite.find_part(name)?;
                let loaded = R::load(rows).map_err(|reason| sqlite.damaged_part(name, &reason));
                let mut resource = loaded.inspect_err(|e| self.loss = Some(e.clone()))?;
                if let Some(clock) = &self.clock {
                    resource.adjust(ClockStep::loaded(clock.now()));
                }
                // Only now: a part that could not be loaded must not take the number of the next one.
                sqlite.number(stored);
                resource
            }
        };
        self.parts.push(Part { name: name.to_owned(), resource: Box::new(resource) });
        Ok(handle(self.parts.len() - 1))
    }

    /// Returns the reason why this state cannot be used, if one of its parts makes no sense.
    pub fn loss(&self) -> Option<&StateError> {
        self.loss.as_ref()
    }

    /// Returns an opened part.
    pub fn get<R: Resource>(&self, handle: Handle<R>) -> &R {
        let resource: &dyn Any = &*self.parts[handle.index as usize].resource;
        resource.downcast_ref().expect("a handle is made with the type of its part")
    }

    /// Returns an opened part, to change it.
    pub fn get_mut<R: Resource>(&mut self, handle: Handle<R>) -> &mut R {
        let resource: &mut dyn Any = &mut *self.parts[handle.index as usize].resource;
        resource.downcast_mut().expect("a handle is made with the type of its part")
    }

    /// Returns the queues among the opened parts, with their names.
    pub fn queues(&self) -> impl Iterator<Item = (&str, &Queue)> {
        self.parts.iter().filter_map(|part| {
            let resource: &dyn Any = &*part.resource;
            resource.downcast_ref().map(|queue| (part.name.as_str(), queue))
        })
    }

    /// Returns the position in this source where reading stopped.
    pub fn position(&self, source: &str) -> Option<&Position> {
        self.sources.iter().find(|row| row.name == source)?.position.as_ref()
    }

    /// Returns the positions of all sources, with their names.
    pub fn positions(&self) -> impl Iterator<Item = (&str, &Position)> {
        self.sources.iter().filter_map(|row| Some((row.name.as_str(), row.position.as_ref()?)))
    }

    /// Sets the position that reading this source has reached; the next commit writes it.
    pub fn set_position(&mut self, source: &str, position: Position) {
        self.change_position(source, Some(position));
    }

    /// Forgets the position in a source that is no longer read.
    pub(crate) fn forget_position(&mut self, source: &str) {
        self.change_position(source, None);
    }

    fn change_position(&mut self, source: &str, position: Option<Position>) {
        if let Some(row) = self.sources.iter_mut().find(|row| row.name == source) {
            (row.position, row.is_changed) = (position, true);
        } else if position.is_some() {
            let id = self.sources.iter().map(|row| row.id).max().unwrap_or(0) + 1;
            self.sources.push(SourceRow { id, name: source.to_owned(), position, is_changed: true });
        }
    }

    /// Makes the next commit wait for the disk: its changes must be on the disk when it returns.
    pub fn wait_for_disk(&mut self) {
        self.urgent = true;
    }

    /// Writes all changes and all positions in one transaction, and waits for the disk if that was requested. After an
    /// error, the changes are kept for the next call.
    pub fn commit(&mut self) -> Result<(), StateError> {
        self.write()?;
        self.sync()
    }

    /// The first half of [`State::commit`]: what is written survives any end of this program. A power cut may lose it
    /// until the second half is done.
    pub(crate) fn write(&mut self) -> Result<(), StateError> {
        for (index, part) in self.parts.iter_mut().enumerate() {
            self.urgent |= part.resource.is_urgent();
            part.resource.changes(&mut Changes { resource: part_number(index), pending: &mut self.pending });
        }
        match &mut self.store {
            Store::Nowhere => self.pending.clear(),
            Store::Memory(rows) => {
                for change in self.pending.drain(..) {
                    match change.value {
                        Some(value) => rows.insert((change.resource, change.key), value),
                        None => rows.remove(&(change.resource, change.key)),
                    };
                }
            }
            Store::Sqlite(sqlite) => {
                if !self.pending.is_empty() || self.sources.iter().any(|row| row.is_changed) {
                    let began = self.on_commit.is_some().then(Instant::now);
                    sqlite.write(&self.pending, &self.sources)?;
                    self.writing = began.map(|began| began.elapsed());
                }
                self.pending.clear();
            }
        }
        self.sources.retain(|row| row.position.is_some());
        self.sources.iter_mut().for_each(|row| row.is_changed = false);
        Ok(())
    }

    /// The second half: waits until everything written is on the disk, if that was requested.
    pub(crate) fn sync(&mut self) -> Result<(), StateError> {
        if self.urgent
            && let Store::Sqlite(sqlite) = &mut self.store
        {
            let began = self.writing.map(|_| Instant::now());
            sqlite.sync()?;
            self.writing = self.writing.zip(began).map(|(writing, began)| writing + began.elapsed());
        }
        self.urgent = false;
        if let Some(took) = self.writing.take()
            && let Some(callback) = &mut self.on_commit
        {
            callback(took);
        }
        Ok(())
    }

    /// Visits the stored rows of a part in order of their keys, after writing pending changes. An error means that the
    /// file cannot be written or read.
    pub fn scan<R: Resource>(
        &mut self,
        handle: Handle<R>,
        mut visit: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), StateError> {
        self.commit()?;
        match &self.store {
            Store::Nowhere => Ok(()),
            Store::Memory(rows) => {
                let start = (handle.index, Box::default());
                for ((_, key), value) in
                    rows.range(start..).take_while(|((part, _), _)| *part == handle.index)
                {
                    visit(key, value);
                }
                Ok(())
            }
            Store::Sqlite(sqlite) => sqlite.scan(handle.index, visit),
        }
    }
}

fn part_number(index: usize) -> u32 {
    u32::try_from(index).expect("a configuration opens fewer than 2^32 parts")
}

fn handle<R>(index: usize) -> Handle<R> {
    Handle { index: part_number(index), kind: PhantomData }
}
