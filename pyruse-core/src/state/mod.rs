//! Durable state: what entries leave behind, committed together with the place where reading stopped.
//!
//! A module opens named parts of the state (a [`Map`], a [`Log`], a [`Queue`], or a [`Resource`] of its own) while it
//! is compiled, and works on them in memory. Each part remembers what changed; [`State::commit`] writes all changes of
//! all parts and the [`Position`] in one transaction. A commit that fails (a full disk) keeps its changes and can be
//! repeated: nothing is lost as long as the program lives, and after it the journal is read again from the old
//! position.

mod error;
mod files;
mod keyed;
mod layout;
mod log;
mod map;
mod outcome;
mod places;
mod queue;
mod resource;
mod rows;
mod sqlite;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

pub use self::error::StateError;
pub use self::files::irregular;
pub use self::keyed::{HasKey, Keyed};
pub use self::layout::Layout;
pub use self::log::Log;
pub use self::map::Map;
pub use self::outcome::Outcome;
pub use self::places::{Order, Place, Places};
pub use self::queue::{Letter, Message, MessageStatus, Queue};
pub use self::resource::{Changes, Resource};
pub use self::rows::{Position, Row};

use self::rows::Change;
use self::sqlite::Sqlite;
use crate::time::{Clock, Now, Steady, Step, Timestamp};

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

/// At most this often, a step of the clock is logged.
const STEP_TOLD: Duration = Duration::from_secs(60);

/// All durable state of one Pyruse. One writer; see the module.
pub struct State {
    store: Store,
    /// None where the times of entries are the only ones: nothing is from the future there.
    clock: Option<Clock>,
    /// When a step of the clock was logged last.
    step_told: Steady,
    parts: Vec<Part>,
    pending: Vec<Change>,
    /// Somebody waits for what is pending, or written and not synced, so that it must be on the disk.
    urgent: bool,
    position: Option<Position>,
    position_changed: bool,
    /// A part makes no sense to its module.
    loss: Option<StateError>,
}

impl State {
    /// State that is forgotten: for tests, `replay`, and embedders that want no file.
    pub fn in_memory() -> State {
        State::with(Store::Memory(BTreeMap::new()), None)
    }

    /// State whose parts work, but whose rows are kept nowhere: for rehearsals of any length.
    pub fn of_rehearsal() -> State {
        State::with(Store::Nowhere, None)
    }

    /// Is there a state in that file? `false`: there never was one, as far as anything tells. Where there was one that is
    /// gone, that is an error.
    pub fn is_in_file(path: &Path) -> Result<bool, StateError> {
        sqlite::is_there(path)
    }

    /// The state in that file, which is made if it is not there and never was. `Ok` means that it could be read *and*
    /// written.
    pub fn open_file(path: &Path) -> Result<State, StateError> {
        let sqlite = Sqlite::open(path)?;
        let position = sqlite.position()?;
        Ok(State::with(Store::Sqlite(Box::new(sqlite)), position).with_clock(Clock::system()))
    }

    /// The state in that file as it is now, for looking at; changes stay in memory.
    pub fn read_file(path: &Path) -> Result<State, StateError> {
        let sqlite = Sqlite::open_read_only(path)?;
        let position = sqlite.position()?;
        Ok(State::with(Store::Sqlite(Box::new(sqlite)), position).with_clock(Clock::system()))
    }

    /// The same state with another clock. State in a file has that of the machine; any other has none, unless it is given
    /// one before its parts are opened.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> State {
        State { clock: Some(clock), ..self }
    }

    /// Begins a round: reads the clocks, once for all that happens in it. Where the wall clock has stepped since the last
    /// round, all parts are [adjusted](Resource::adjust).
    pub fn tick(&mut self) -> Now {
        let Some(clock) = &mut self.clock else { return Now::read() };
        let (step, now) = (clock.tick(), clock.now());
        if let Some(step) = step {
            // A clock that flaps must not fill the log.
            if self.step_told.until(now.steady) >= STEP_TOLD {
                self.step_told = now.steady;
                tracing::warn!(
                    "{step}: no ban, grace or count lasts longer for it, and retries wait as before"
                );
            }
            self.parts.iter_mut().for_each(|part| part.resource.adjust(step));
        }
        now
    }

    /// The clocks as this round has read them.
    pub fn now(&self) -> Now {
        self.clock.as_ref().map_or_else(Now::read, Clock::now)
    }

    /// The time of an entry, as far as it is believed: one from the future is one of now.
    pub(crate) fn believed(&mut self, time: Timestamp) -> Timestamp {
        match &mut self.clock {
            Some(clock) => clock.believed(time),
            None => time,
        }
    }

    fn with(store: Store, position: Option<Position>) -> State {
        State {
            store,
            clock: None,
            step_told: Steady::START,
            parts: Vec::new(),
            pending: Vec::new(),
            urgent: false,
            position,
            position_changed: false,
            loss: None,
        }
    }

    /// Opens a part; who opens the same name with the same type gets the same part.
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
                    resource.adjust(Step::loaded(clock.now()));
                }
                // Only now: a part that could not be loaded must not take the number of the next.
                sqlite.number(stored);
                resource
            }
        };
        self.parts.push(Part { name: name.to_owned(), resource: Box::new(resource) });
        Ok(handle(self.parts.len() - 1))
    }

    /// Why this state cannot be used, if one of its parts makes no sense.
    pub fn loss(&self) -> Option<&StateError> {
        self.loss.as_ref()
    }

    /// An opened part.
    pub fn get<R: Resource>(&self, handle: Handle<R>) -> &R {
        let resource: &dyn Any = &*self.parts[handle.index as usize].resource;
        resource.downcast_ref().expect("a handle is made with the type of its part")
    }

    /// An opened part, to change it.
    pub fn get_mut<R: Resource>(&mut self, handle: Handle<R>) -> &mut R {
        let resource: &mut dyn Any = &mut *self.parts[handle.index as usize].resource;
        resource.downcast_mut().expect("a handle is made with the type of its part")
    }

    /// Where reading stopped.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Where reading has come to; written with the next commit.
    pub fn set_position(&mut self, position: Position) {
        self.position = Some(position);
        self.position_changed = true;
    }

    /// Somebody waits for the next commit: it must be on the disk when it returns.
    pub fn wait_for_disk(&mut self) {
        self.urgent = true;
    }

    /// Writes all changes and the position in one transaction, and waits for the disk if somebody waits for them. After
    /// an error the changes wait for the next call.
    pub fn commit(&mut self) -> Result<(), StateError> {
        self.write()?;
        self.sync()
    }

    /// The first half of [`State::commit`]: what is written survives the end of this program, whatever ends it. Until
    /// the second half is done, a power cut may take it.
    pub fn write(&mut self) -> Result<(), StateError> {
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
                if !self.pending.is_empty() || self.position_changed {
                    sqlite.write(&self.pending, self.position.as_ref())?;
                }
                self.pending.clear();
            }
        }
        self.position_changed = false;
        Ok(())
    }

    /// The second half: waits until what has been written is on the disk, if somebody waits for it.
    pub fn sync(&mut self) -> Result<(), StateError> {
        if self.urgent
            && let Store::Sqlite(sqlite) = &mut self.store
        {
            sqlite.sync()?;
        }
        self.urgent = false;
        Ok(())
    }

    /// Visits the stored rows of a part in order of their keys, after writing what waits.
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
