//! What a service may do beside deliveries: each facet is a trait of its own.

use crate::entry::Entry;
use crate::operation::ReportTimes;
use crate::state::{State, StateError};
use crate::time::Timestamp;
use crate::workflow::Done;

/// Takes over what the first Pyruse stored.
pub trait Importer {
    /// The file, in the storage directory, in which the first Pyruse kept what this service has in the state.
    fn former_file(&self) -> &'static str;

    /// Takes over the content of that file. It is called once for a file, before
    /// [`Service::boot`](super::Service::boot), and committed together with the note that it is done. Returns how much it
    /// was, in words for people, e.g. `3 bans`. After an error, which says what is wrong with the file, the state must be
    /// as it was.
    fn import(&mut self, content: &[u8], state: &mut State, now: Timestamp) -> Result<String, String>;
}

/// What a report is to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportForm {
    /// Plain text.
    Text,
    /// A page of HTML.
    Html,
    /// One JSON object, for programs: nothing is left out of it that is kept, and nothing is worded.
    Json,
}

/// Makes the report.
pub trait Reporter {
    /// When reports are due.
    fn times(&self, state: &State, now: Timestamp) -> ReportTimes;

    /// The report as it stands now; empty if there is nothing to report.
    fn report(&mut self, state: &mut State, now: Timestamp, form: ReportForm) -> Result<String, StateError>;

    /// Queues the report now; was there anything to report?
    fn send(&mut self, state: &mut State, now: Timestamp) -> Result<bool, StateError>;

    /// Records something that readers of the report must know, although no entry says it: that entries were lost.
    fn remark(&mut self, text: &str, state: &mut State, now: Timestamp);
}

/// Decides whether entries may have consequences.
pub trait Gate {
    /// May this entry have consequences? Asked once per entry, right before the first of them.
    fn admits(&mut self, entry: &mut Entry<'_>, state: &mut State) -> bool;
}

/// Sees what every entry causes.
pub trait Witness {
    /// An entry has gone its way, and this is what it has caused.
    fn saw(&mut self, entry: &mut Entry<'_>, done: Done<'_>, state: &mut State);
}
