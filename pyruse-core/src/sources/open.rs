//! A source that is read.

use std::time::{Duration, Instant};

use super::configured::Identity;
use super::label::labelled;
use crate::losses::About;
use crate::plugin::{Next, Reader, Remark, SourceError};
use crate::throttle::Throttle;
use crate::time::Timestamp;

/// How long to wait before reading a source again after an error.
const RETRY: Duration = Duration::from_secs(1);

/// At most this many errors of one source are logged per window; see [`Throttle`].
pub(super) const LOGGED: u32 = 5;

/// A source that is read.
pub(super) struct OpenSource {
    pub(super) name: String,
    pub(super) identity: Identity,
    pub(super) reader: Box<dyn Reader>,
    /// The time of the next record, if the reader has found it.
    pub(super) head: Option<Timestamp>,
    /// Whether the reader had no record when it was last asked, and is skipped for a while.
    pub(super) is_idle: bool,
    /// Whether no more of it is read.
    pub(super) is_finished: bool,
    /// Whether the reader was at its end when it was last asked.
    pub(super) is_at_end: bool,
    /// When to ask it again, if it has returned [`Next::Later`].
    pub(super) later: Option<Duration>,
    /// The number of records that were read since the last [`Sources::store_positions`](super::Sources::store_positions).
    pub(super) fresh: u64,
    /// The number of those that were read before.
    pub(super) entries: u64,
    /// The last error, until the reader was at its end without one.
    pub(super) error: Option<String>,
    /// When to try again after an error.
    pub(super) retry: Option<Instant>,
    /// Limits how many errors are logged.
    pub(super) errors: Throttle<(), ()>,
}

impl OpenSource {
    pub(super) fn new(name: String, identity: Identity, reader: Box<dyn Reader>) -> OpenSource {
        OpenSource {
            name,
            identity,
            reader,
            head: None,
            is_idle: false,
            is_finished: false,
            is_at_end: false,
            later: None,
            fresh: 0,
            entries: 0,
            error: None,
            retry: None,
            errors: Throttle::new(LOGGED, LOGGED),
        }
    }

    /// Logs the lines of its reader; returns those that are about losses.
    pub(super) fn log_lines(&mut self, are_several: bool) -> Vec<Remark> {
        let mut losses = Vec::new();
        for line in self.reader.losses().take_lines() {
            let text = labelled(&self.name, are_several, &line.text());
            tracing::warn!("{text}");
            if let About::Loss(lost) = line.about {
                losses.push(Remark { source: self.name.clone(), text, lost });
            }
        }
        losses
    }

    /// Goes to its next record. After an error, it is skipped for [`RETRY`].
    pub(super) fn advance(&mut self) -> Result<(), SourceError> {
        self.is_idle = true;
        if self.retry.is_some_and(|again| Instant::now() < again) {
            return Ok(());
        }
        (self.is_at_end, self.later, self.retry) = (false, None, None);
        match self.reader.next() {
            Ok(Next::Record(time)) => (self.head, self.is_idle) = (Some(time), false),
            Ok(Next::End) => (self.is_at_end, self.error) = (true, None),
            Ok(Next::Later(wait)) => self.later = Some(wait),
            Err(e) => {
                self.retry = Some(Instant::now() + RETRY);
                let is_new = self.error.replace(e.0.clone()).is_none_or(|former| former != e.0);
                // The same error is returned once, not every second; many different ones are not all returned.
                return if is_new && self.errors.admits((), (), 1) { Err(e) } else { Ok(()) };
            }
        }
        Ok(())
    }
}
