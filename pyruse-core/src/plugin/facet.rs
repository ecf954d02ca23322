//! What a service can do beside deliveries: each facet is a separate trait.

use serde::{Deserialize, Serialize};

use crate::entry::{Entry, StepError};
use crate::losses::LostPart;
use crate::operation::ReportStatus;
use crate::state::{State, StateError};
use crate::time::Timestamp;
use crate::workflow::{EntryEffects, Site};

/// Imports what the first Pyruse stored.
pub trait Importer {
    /// Returns the name of the file, in the storage directory, in which the first Pyruse kept what this service has in
    /// the state.
    fn former_file(&self) -> &'static str;

    /// Imports the content of that file. Called once for a file, before [`Service::boot`](super::Service::boot), and
    /// committed together with the note that it is done. Returns how much was imported, as text for people, e.g.
    /// `3 bans`. An error says what is wrong with the file; after one, the state must be unchanged.
    fn import(&mut self, content: &[u8], state: &mut State, now: Timestamp) -> Result<String, String>;
}

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportForm {
    /// Plain text.
    Text,
    /// A page of HTML.
    Html,
    /// One JSON object, for programs: it holds everything that is kept, and no prose.
    Json,
}

/// A report that was sent, and is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptReport {
    /// The local date of the day that it is about, `YYYY-MM-DD`.
    pub date: String,
    /// The time of the first entry, if there was one.
    pub since: Option<Timestamp>,
    /// When it was made.
    pub until: Timestamp,
    /// The day in one line.
    pub verdict: String,
    /// As plain text.
    pub text: String,
    /// As a page of HTML.
    pub html: String,
    /// As one JSON object.
    pub json: String,
}

/// A fact that readers of the report must know although no entry states it: a source could not give something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The name of the source.
    pub source: String,
    /// The fact, in words.
    pub text: String,
    /// What was lost and when; `None` if that is not known, e.g. because a file is not read.
    pub lost: Option<LostPart>,
}

/// Makes the report.
pub trait Reporter {
    /// Returns when reports are due, and what is not as usual.
    fn status(&self, state: &State, now: Timestamp) -> ReportStatus;

    /// Returns the report as of now; empty if there is nothing to report.
    fn report(&mut self, state: &mut State, now: Timestamp, form: ReportForm) -> Result<String, StateError>;

    /// Queues the report now; returns `true` if there was anything to report.
    fn send(&mut self, state: &mut State, now: Timestamp) -> Result<bool, StateError>;

    /// Returns the reports that were sent and are kept, the oldest first.
    fn kept(&mut self, _state: &mut State) -> Result<Vec<KeptReport>, StateError> {
        Ok(Vec::new())
    }

    /// Records a fact that readers of the report must know although no entry states it, e.g. that entries were lost.
    fn remark(&mut self, remark: &Remark, state: &mut State, now: Timestamp);
}

/// Decides whether entries may have consequences.
pub trait Gate {
    /// Returns `true` if this entry may have consequences. Called once per entry, right before the first of them.
    fn admits(&mut self, entry: &mut Entry<'_>, state: &mut State) -> bool;
}

/// Sees the effects of every entry.
pub trait EntryWatcher {
    /// Called when a step could not do its work; before [`EntryWatcher::entry_finished`] for the same entry.
    fn step_failed(&mut self, _site: &Site, _error: &StepError) {}

    /// Called when an entry is finished, with the effects that it has caused.
    fn entry_finished(&mut self, entry: &mut Entry<'_>, effects: EntryEffects<'_>, state: &mut State);
}
