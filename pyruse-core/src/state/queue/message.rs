//! A message, and when it is due.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{ClockStep, Expiry, Now, Steady, Timestamp};

/// The status of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MessageStatus {
    /// It waits until its next try (or its first) is due.
    Waiting,
    /// Its courier has it.
    #[serde(skip)]
    InProgress,
    /// Its courier has given it up; it is kept for inspection.
    GivenUp,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// What is to be delivered, in the courier's own form.
    pub payload: String,
    /// Messages with the same key replace each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When it was queued, by the wall clock.
    pub created: Timestamp,
    /// How many tries have failed.
    #[serde(default)]
    pub tries: u32,
    /// When the next try is due, by the wall clock; a time long ago means at once. See [`QueuedMessage::next_try`].
    due: Expiry,
    /// How many seconds it had been tried for when it was last written.
    #[serde(default, skip_serializing_if = "is_zero")]
    tried: u64,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its status.
    pub status: MessageStatus,
    /// Whether it is made again at every start, and not stored.
    #[serde(skip)]
    pub(super) volatile: bool,
    /// When the next try is due.
    #[serde(skip, default = "at_once")]
    pub(super) ready: Steady,
    /// When it was queued; if that was before this program started, as exactly as the wall clock can say.
    #[serde(skip)]
    pub(super) queued: Steady,
    /// Since when it has been tried, if all tries were in this run.
    #[serde(skip)]
    tried_since: Option<Steady>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(seconds: &u64) -> bool {
    *seconds == 0
}

fn at_once() -> Steady {
    Steady::START
}

/// A message is written at least this often while it is tried, so that its age survives the end of the program.
const TRIED_WRITTEN: Duration = Duration::from_secs(3600);

/// The longest wait that an earlier version may have stored: it did not store the length of the wait.
const LONGEST_UNKNOWN_WAIT: u64 = 3600;

/// The end of a message that is due at once: a time long ago.
const AT_ONCE: Expiry = Expiry::without_span(Timestamp(0));

impl QueuedMessage {
    /// Returns when the next try is due, by the wall clock; `None`: at once, or it does not wait.
    pub(crate) fn next_try(&self) -> Option<Timestamp> {
        let waits = self.status == MessageStatus::Waiting && self.due.at() > Timestamp(0);
        waits.then_some(self.due.at())
    }

    /// Makes a message that is due at once.
    pub(super) fn new(key: Option<&str>, payload: String, volatile: bool) -> QueuedMessage {
        let now = Now::read();
        QueuedMessage {
            payload,
            key: key.map(str::to_owned),
            created: now.wall,
            tries: 0,
            due: AT_ONCE,
            tried: 0,
            error: None,
            status: MessageStatus::Waiting,
            volatile,
            // Due at once, and in order: only a retried message waits for a later time.
            ready: Steady::START,
            queued: now.steady,
            tried_since: None,
        }
    }

    /// Gives the message to its courier.
    pub(super) fn hand_out(&mut self, id: u64, now: Steady) -> DueMessage {
        self.status = MessageStatus::InProgress;
        let tried = self.tried(now);
        self.tried_since.get_or_insert(now.minus(tried));
        DueMessage {
            id,
            payload: self.payload.clone(),
            tries: self.tries,
            created: self.created,
            age: self.queued.until(now),
            tried,
        }
    }

    /// Records a failed try: the message waits for the next one. Returns whether it must be written. A try that failed
    /// like the one before it changes only times, and is not written: after a crash, the message is tried a little
    /// earlier. Thousands may wait for a missing set.
    pub(super) fn fail(&mut self, error: String, now: Now, longest_wait: Duration) -> bool {
        let wait = Duration::from_secs(1 << self.tries.min(20)).min(longest_wait);
        self.fail_until(error, now, in_step(now.steady.plus(wait), wait))
    }

    /// Like [`QueuedMessage::fail`], with this wait.
    pub(super) fn fail_for(&mut self, error: String, now: Now, wait: Duration) -> bool {
        self.fail_until(error, now, now.steady.plus(wait))
    }

    fn fail_until(&mut self, error: String, now: Now, ready: Steady) -> bool {
        let tried = self.tried(now.steady);
        let unwritten = tried.saturating_sub(Duration::from_secs(self.tried));
        let is_new = self.error.as_ref() != Some(&error) || unwritten >= TRIED_WRITTEN;
        if is_new {
            self.tried = tried.as_secs();
        }
        self.tries += 1;
        self.error = Some(error);
        self.wait(now, now.steady.until(ready));
        is_new
    }

    /// Makes it wait for this long.
    pub(super) fn wait(&mut self, now: Now, wait: Duration) {
        self.status = MessageStatus::Waiting;
        self.ready = now.steady.plus(wait);
        self.due = Expiry::after(now.wall, wait);
    }

    /// Records that the courier has given it up.
    pub(super) fn give_up(&mut self, error: String) {
        self.tries += 1;
        self.error = Some(error);
        self.status = MessageStatus::GivenUp;
    }

    /// Makes it due at once.
    pub(super) fn retry_now(&mut self) {
        self.status = MessageStatus::Waiting;
        (self.due, self.ready) = (AT_ONCE, Steady::START);
    }

    /// Sets the times on the steady clock after a load: no clock measured how long the message waits.
    pub(super) fn resume(&mut self, now: Now) {
        // An earlier version did not store the length of the wait; but the waits double.
        let wait = LONGEST_UNKNOWN_WAIT.min(1 << self.tries.saturating_sub(1).min(20));
        self.due = self.due.with_span(Duration::from_secs(wait));
        self.due.adjust(ClockStep::loaded(now));
        self.ready = match self.next_try().map(|due| now.wall.until(due)) {
            Some(left) if !left.is_zero() => {
                now.steady.plus(self.due.span().map_or(left, |span| left.min(span)))
            }
            _ => Steady::START,
        };
        let (one, other) = (now.wall.is_plausible(), self.created.is_plausible());
        // If only one of message and clock had a correct time, the age is not known.
        let age = if one == other { self.created.until(now.wall) } else { Duration::ZERO };
        self.queued = now.steady.minus(age);
        if now.wall.can_judge(self.created) {
            self.created = self.created.min(now.wall);
        }
    }

    /// Adapts the wall-clock times to a step: the new times are what a correct clock would have shown.
    pub(super) fn follow(&mut self, now: Now) {
        self.created = now.wall_at(self.queued);
        if let (Some(_), Some(span)) = (self.next_try(), self.due.span()) {
            self.due = Expiry::after(now.wall_at(self.ready.minus(span)), span);
        }
    }

    /// Returns how long it has been tried, in all runs.
    fn tried(&self, now: Steady) -> Duration {
        self.tried_since.map_or(Duration::from_secs(self.tried), |since| since.until(now))
    }
}

/// A message as its courier gets it.
#[derive(Clone, Debug, Default)]
pub struct DueMessage {
    /// Its number in the queue.
    pub id: u64,
    /// The content to deliver.
    pub payload: String,
    /// How many tries have failed.
    pub tries: u32,
    /// When it was queued, by the wall clock.
    pub created: Timestamp,
    /// How long ago that was, whatever happened to the wall clock since.
    pub age: Duration,
    /// How long it has been tried; time in which the program did not run is not included.
    pub tried: Duration,
}

/// Returns a common moment, no later than `due`, for all messages with the same wait; at least half of the wait is left
/// until then. So messages that failed one by one, e.g. because a set is missing, are tried again together: one process
/// for a batch, not one for each message.
fn in_step(due: Steady, wait: Duration) -> Steady {
    due.rounded_down(wait / 2)
}
