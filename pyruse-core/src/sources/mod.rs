//! The sources that are read: their readers, which of them is next, and their positions in the state.
//!
//! In a backlog, the source whose next record is the oldest comes first; when all are read to their ends, any that
//! has a record. So records of several sources are in order as far as the sources are; nothing may depend on more.

mod configured;
mod label;
mod open;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::configured::Identity;
pub(crate) use self::configured::{Configure, configure, tables};
pub use self::configured::{ConfiguredSource, NamedReader, readers};
use self::label::{labelled, named};
use self::open::OpenSource;
use crate::entry::Record;
use crate::losses::LossTotal;
use crate::plugin::{Begin, Begun, LeftOut, Reader, Readiness, Remark, SourceError};
use crate::state::{Position, State};
use crate::time::Timestamp;

/// The largest number of lines that are kept for the report.
const REMEMBERED: usize = 100;

/// While other sources have records, a source that had none is asked again after this many of theirs: to ask costs as
/// much as to read a record.
const ASK_AGAIN_AFTER: u64 = 100;

/// The status of a source.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Whether what the configuration names does not exist yet.
    pub is_missing: bool,
    /// How many of its entries were read since the start.
    #[serde(default)]
    pub entries: u64,
    /// Whether all that was written to it, as far as it is complete, was read when it was last asked.
    #[serde(default)]
    pub is_at_end: bool,
    /// Where reading stopped.
    pub position: Option<Position>,
    /// What was lost since the start.
    pub losses: Vec<LossTotal>,
    /// What cannot be read.
    pub left_out: Vec<LeftOut>,
    /// The last error, if it was not read to its end without one since.
    pub error: Option<String>,
}

/// If there are more sources, a message says only how many.
const MAX_NAMED: usize = 5;

/// The sources that are read.
#[derive(Default)]
pub struct Sources {
    open: Vec<OpenSource>,
    entries: u64,
    /// What was logged about losses, for the report.
    losses: Vec<Remark>,
}

type NewReader = (Identity, Box<dyn Reader>);

/// Sources that are opened, but not read yet; see [`Sources::prepare`].
pub(crate) struct Prepared {
    /// For each configured source, in order: a new reader, or `None` if the present one is kept.
    readers: Vec<(String, Option<NewReader>)>,
    positions: Vec<(String, Position)>,
}

impl Sources {
    /// Opens all sources where the state says; those that the state does not know at `since`, or at their ends. The
    /// state then has a position for each of them. Returns the first error.
    pub fn open(
        configured: &[ConfiguredSource],
        state: &mut State,
        since: Option<Timestamp>,
    ) -> Result<Sources, SourceError> {
        let mut sources = Sources::default();
        let prepared = sources.prepare(configured, state, since)?;
        sources.adopt(prepared, state);
        Ok(sources)
    }

    /// Opens sources that read from these readers, whatever the state says.
    pub fn of_readers(readers: Vec<NamedReader>) -> Sources {
        let open =
            readers.into_iter().map(|(name, reader)| OpenSource::new(name, Identity::default(), reader));
        Sources { open: open.collect(), ..Sources::default() }
    }

    /// Opens what differs from what is read now. Changes nothing.
    pub(crate) fn prepare(
        &self,
        configured: &[ConfiguredSource],
        state: &State,
        since: Option<Timestamp>,
    ) -> Result<Prepared, SourceError> {
        let (mut readers, mut positions) = (Vec::new(), Vec::new());
        for source in configured {
            let name = &source.name;
            if self.open.iter().any(|open| open.name == *name && source.is_same_as(&open.identity)) {
                readers.push((name.clone(), None));
                continue;
            }
            if self.open.iter().any(|open| open.name == *name) {
                tracing::info!("the configuration names another source as `{name}` now; it is opened");
            }
            let are_several = configured.len() > 1;
            let failed = |e: SourceError| named(name, are_several, &e);
            let mut reader = source.source.open().map_err(failed)?;
            if reader.is_missing() {
                tracing::warn!("the configured source `{name}` does not exist yet; waiting for it");
            }
            let begin = match (state.position(name), since) {
                (Some(position), None) => Begin::Behind(position),
                (Some(position), Some(_)) => {
                    return Err(failed(SourceError(format!(
                        "reading stopped at {} and resumes there; --since applies only to the first start, or with \
                         --dry-run",
                        position.time.local()
                    ))));
                }
                (None, Some(since)) => Begin::Since(since),
                (None, None) => Begin::Tail,
            };
            if let Begun::Near(text) = reader.resume(begin).map_err(failed)? {
                tracing::warn!("{}", labelled(name, are_several, &text));
            }
            match begin {
                Begin::Since(time) => positions.push((name.clone(), Position { place: Vec::new(), time })),
                Begin::Tail => positions.push((name.clone(), reader.position())),
                Begin::Behind(_) | Begin::Head => {}
            }
            readers.push((name.clone(), Some((source.identity(), reader))));
        }
        Ok(Prepared { readers, positions })
    }

    /// Puts prepared sources in force, and deletes the positions of sources that are no longer read.
    pub(crate) fn adopt(&mut self, prepared: Prepared, state: &mut State) {
        let mut former: Vec<OpenSource> = std::mem::take(&mut self.open);
        for (name, reader) in prepared.readers {
            let known = former.iter().position(|open| open.name == name).map(|at| former.swap_remove(at));
            self.open.push(match (reader, known) {
                (None, Some(open)) => open,
                (None, None) => continue,
                (Some((identity, reader)), known) => {
                    let mut open = OpenSource::new(name, identity, reader);
                    if let Some(mut known) = known {
                        *open.reader.losses() = std::mem::take(known.reader.losses());
                        open.entries = known.entries;
                    }
                    open
                }
            });
        }
        for mut gone in former {
            gone.reader.losses().flush();
            self.losses.extend(gone.log_lines(true));
        }
        let is_first_start = state.positions().next().is_none();
        for (name, position) in prepared.positions {
            if !is_first_start {
                tracing::info!("source `{name}` is new: it is read from {} on", position.time.local());
            }
            state.set_position(&name, position);
        }
        let unread = state.positions().filter(|(name, _)| !self.open.iter().any(|open| open.name == *name));
        let unread: Vec<_> = unread.map(|(name, position)| (name.to_owned(), position.time)).collect();
        for (name, time) in unread {
            tracing::warn!(
                "source `{name}` is no longer configured: its position, at {}, is deleted",
                time.local()
            );
            state.forget_position(&name);
        }
    }

    /// Goes to the record that comes next; returns the number of its source, for [`Sources::record`]. `None`: there is
    /// none for now. An error that lasts is returned once.
    pub fn advance(&mut self) -> Result<Option<usize>, SourceError> {
        let are_several = self.open.len() > 1;
        let mut first: Option<(Timestamp, usize)> = None;
        for (n, open) in self.open.iter_mut().enumerate() {
            if open.head.is_none() && !open.is_idle {
                open.advance().map_err(|e| named(&open.name, are_several, &e))?;
            }
            if let Some(time) = open.head
                && first.is_none_or(|(earliest, _)| time < earliest)
            {
                first = Some((time, n));
            }
        }
        if first.is_none() {
            self.ask_all();
        }
        Ok(first.map(|(_, n)| n))
    }

    /// Likewise, for programs that follow the sources: errors are logged, and reading is tried again.
    pub fn advance_or_log(&mut self) -> Option<usize> {
        loop {
            match self.advance() {
                Ok(source) => return source,
                Err(e) => tracing::error!("{e}; reading it is tried again"),
            }
        }
    }

    /// Has [`Sources::advance`] ask also the sources that had no record.
    fn ask_all(&mut self) {
        self.open.iter_mut().for_each(|open| open.is_idle = open.is_finished);
    }

    /// Reads no more of this source if all that follows in it is later than what was read.
    pub fn finish_in_order(&mut self, source: usize) {
        let open = &mut self.open[source];
        open.is_finished = open.reader.is_in_order();
        open.is_idle |= open.is_finished;
    }

    /// Returns the record that [`Sources::advance`] has found, and the name of its source. It then counts as read.
    pub fn record(&mut self, source: usize) -> (&str, &mut dyn Record) {
        self.entries += 1;
        if self.entries.is_multiple_of(ASK_AGAIN_AFTER) {
            self.ask_all();
        }
        let open = &mut self.open[source];
        open.head = None;
        open.fresh += 1;
        (&open.name, open.reader.record())
    }

    /// Returns how long to wait before [`Sources::advance`] may find a record that is not complete yet, if there is one.
    pub fn later(&self) -> Option<Duration> {
        self.open.iter().filter_map(|open| open.later).min()
    }

    /// Returns the number of records that were read.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Sets the positions in the state to what was read.
    pub(crate) fn store_positions(&mut self, state: &mut State) {
        for open in self.open.iter_mut().filter(|open| open.fresh > 0) {
            open.entries += std::mem::take(&mut open.fresh);
            state.set_position(&open.name, open.reader.position());
        }
    }

    /// Does what is due beside reading; see [`Reader::tend`]. Returns `true` if a source must be read again at once.
    pub fn tend(&mut self, is_drained: bool) -> bool {
        let are_several = self.open.len() > 1;
        let mut again = false;
        for open in &mut self.open {
            if open.reader.tend(is_drained && open.is_at_end) {
                open.head = None;
                again = true;
            }
            let OpenSource { name, errors, .. } = open;
            errors.flush_if_over(|(), more, _| log_more(name, are_several, more));
        }
        self.log_losses();
        again
    }

    fn log_losses(&mut self) {
        let are_several = self.open.len() > 1;
        for open in &mut self.open {
            self.losses.extend(open.log_lines(are_several));
        }
        self.losses.truncate(REMEMBERED);
    }

    /// Takes the lines about losses that were logged since the last call.
    pub(crate) fn take_logged(&mut self) -> Vec<Remark> {
        std::mem::take(&mut self.losses)
    }

    /// Logs all losses, and how many errors, that are not logged yet.
    pub fn flush_losses(&mut self) {
        let are_several = self.open.len() > 1;
        for OpenSource { name, errors, reader, .. } in &mut self.open {
            reader.losses().flush();
            errors.flush(|(), more, _| log_more(name, are_several, more));
        }
        self.log_losses();
    }

    /// Returns what to wait for, for each source.
    pub fn readiness(&self) -> impl Iterator<Item = Readiness<'_>> {
        self.open.iter().map(|open| {
            let mut readiness = open.reader.readiness();
            let retry = open.retry.map(|at| at.saturating_duration_since(Instant::now()));
            readiness.timeout = [readiness.timeout, retry, open.errors.left()].into_iter().flatten().min();
            readiness
        })
    }

    /// Notifies a source that this one of its descriptors is readable.
    pub fn wake(&mut self, source: usize, descriptor: usize) {
        self.open[source].reader.wake(descriptor);
    }

    /// Returns the status of all sources.
    pub fn status(&mut self, state: &State) -> Vec<SourceStatus> {
        let status = |open: &mut OpenSource| SourceStatus {
            name: open.name.clone(),
            is_missing: open.reader.is_missing(),
            entries: open.entries + open.fresh,
            is_at_end: open.is_at_end || open.later.is_some(),
            position: state.position(&open.name).cloned(),
            losses: open.reader.losses().totals(),
            left_out: open.reader.left_out(),
            error: open.error.clone(),
        };
        self.open.iter_mut().map(status).collect()
    }

    /// Names the sources as the object of a sentence.
    pub fn in_words(&self) -> String {
        let names: Vec<&str> = self.open.iter().map(|open| open.name.as_str()).collect();
        match names.as_slice() {
            [name] => format!("the source {name}"),
            names if names.len() <= MAX_NAMED => format!("the sources {}", names.join(", ")),
            names => format!("{} sources", names.len()),
        }
    }

    /// Moves all readers to where reading begins, whatever the state says. Returns the first error.
    pub fn resume(&mut self, begin: Begin<'_>) -> Result<(), SourceError> {
        let are_several = self.open.len() > 1;
        for open in &mut self.open {
            (open.head, open.is_idle, open.is_finished) = (None, false, false);
            open.reader.resume(begin).map_err(|e| named(&open.name, are_several, &e))?;
        }
        Ok(())
    }

    /// Returns `true` if no record is earlier than the one before it.
    pub fn is_in_order(&self) -> bool {
        self.open.iter().all(|open| open.reader.is_in_order())
    }

    /// Returns the time of the last record that counts as read, of all sources.
    pub fn last_time(&mut self) -> Option<Timestamp> {
        self.open.iter_mut().map(|open| open.reader.position().time).max()
    }

    /// Returns how many bytes have been read and how many there are, if there is one source and it knows.
    pub fn progress(&self) -> Option<(u64, Option<u64>)> {
        match self.open.as_slice() {
            [open] => open.reader.progress(),
            _ => None,
        }
    }
}

fn log_more(name: &str, are_several: bool, more: u64) {
    let text = format!("{more} more errors; `pyruse status` shows the last one");
    tracing::error!("{}", labelled(name, are_several, &text));
}
