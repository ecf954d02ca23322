//! Sources: where records come from.
//!
//! A source is a module, like a filter or an action: compiling it checks its arguments and opens nothing. An opened
//! source is a [`Reader`]: a stream of records with a durable position in it. The pump reads all sources; each position
//! is committed together with everything that the records before it left behind.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Inspection, Module};
use crate::entry::{FieldTable, Record};
use crate::losses::Losses;
use crate::state::Position;
use crate::time::Timestamp;

/// The reason why a source cannot be opened or read, for people.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

impl SourceError {
    /// Makes an error of any other error, with all its causes.
    pub fn of(error: impl std::fmt::Display) -> SourceError {
        SourceError(format!("{error:#}"))
    }
}

/// A configured source; it can be opened any number of times.
pub trait Source {
    /// Opens it. Reading begins where [`Reader::resume`] says.
    fn open(&self) -> Result<Box<dyn Reader>, SourceError>;

    /// Returns what it knows about the fields of its records, if its arguments decide that; otherwise,
    /// [`SourceModule::FIELDS`] counts.
    fn fields(&self) -> Option<&'static dyn FieldTable> {
        None
    }

    /// Checks, without changing anything, whether it can be read on this machine: for `check --live`. Arguments are
    /// named by their path.
    fn inspect(&self, _inspection: &mut Inspection) {}

    /// Returns what it reads, as a phrase for people, e.g. `the journal of this machine`.
    fn describe(&self) -> Option<String> {
        None
    }

    /// Returns the position as text for people and programs, e.g. the cursor of a journal's entry; `None` if it is
    /// only a time.
    fn show(&self, _position: &Position) -> Option<String> {
        None
    }

    /// Returns what belongs to the source but cannot be read.
    fn left_out(&self) -> Vec<LeftOut> {
        Vec::new()
    }

    /// Returns what belongs to the source and is not read, because the configuration says so.
    fn excluded(&self) -> Option<Excluded> {
        None
    }
}

/// The module of a source: what is known before it is configured.
pub trait SourceModule: Module + Source {
    /// What it knows about the fields of its records.
    const FIELDS: &'static dyn FieldTable;
}

/// Something that belongs to a source but cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The file or directory.
    pub file: PathBuf,
    /// The reason.
    pub why: String,
    /// Both, as a sentence.
    pub text: String,
}

/// What a source does not read because the configuration says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// The names of what is excluded, e.g. units.
    pub names: Vec<String>,
    /// A sentence for people.
    pub text: String,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug)]
pub enum Begin<'a> {
    /// Right behind the record that was read last.
    Behind(&'a Position),
    /// At the first record of this time or later.
    Since(Timestamp),
    /// At the first record of all.
    Head,
    /// Behind the last record: only what comes later is read.
    Tail,
}

/// Where reading did begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Exactly there.
    Exactly,
    /// Somewhere near, because that record is gone; the text says where and why.
    Near(String),
}

/// The result of going to the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is one, of this time.
    Record(Timestamp),
    /// There are no more for now.
    End,
    /// There may be one that is not complete yet: ask again after this time.
    Later(Duration),
}

/// What wakes up a reader.
#[derive(Debug, Default)]
pub struct Readiness<'r> {
    /// Descriptors that become readable when there may be records; then [`Reader::wake`] is called.
    pub descriptors: [Option<BorrowedFd<'r>>; 2],
    /// The longest time to wait for them before reading again.
    pub timeout: Option<Duration>,
}

/// An open source: a stream of records with a durable position in it.
pub trait Reader {
    /// Moves to where reading begins.
    fn resume(&mut self, begin: Begin<'_>) -> Result<Begun, SourceError>;

    /// Goes to the next record. After an error, the next call tries again.
    fn next(&mut self) -> Result<Next, SourceError>;

    /// Returns the current record. Only then does it count as read.
    fn record(&mut self) -> &mut dyn Record;

    /// Returns the position right behind the last record that counts as read.
    fn position(&mut self) -> Position;

    /// Goes to the record with this address (`__CURSOR`); returns `false` if there is none.
    fn find(&mut self, _address: &str) -> Result<bool, SourceError> {
        Err(SourceError("records of this source have no address".to_owned()))
    }

    /// Returns `true` if no record is earlier than the one before it.
    fn is_in_order(&self) -> bool {
        false
    }

    /// Returns how many bytes have been read, and how many there are, if that is known.
    fn progress(&self) -> Option<(u64, Option<u64>)> {
        None
    }

    /// Returns what to wait for.
    fn readiness(&self) -> Readiness<'_> {
        Readiness::default()
    }

    /// Called when this descriptor of [`Reader::readiness`] is readable.
    fn wake(&mut self, _descriptor: usize) {}

    /// Does what is due beside reading: follows a rotation or a moved directory, gives back memory, checks whether
    /// everything was read. `is_drained`: [`Reader::next`] has just returned [`Next::End`]. Returns `true` if the source
    /// must be read again at once: [`Reader::next`] then starts again behind the last record that counts as read.
    fn tend(&mut self, _is_drained: bool) -> bool {
        false
    }

    /// Returns `true` if what the configuration names does not exist yet: no journal, no file.
    fn is_missing(&self) -> bool {
        false
    }

    /// Returns what belongs to the source but cannot be read, as far as it is known.
    fn left_out(&self) -> Vec<LeftOut> {
        Vec::new()
    }

    /// Returns what could not be given as it was written.
    fn losses(&mut self) -> &mut Losses;
}
