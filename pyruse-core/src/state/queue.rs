//! Messages that wait for a courier.
//!
//! A message stays in the queue until its courier reports that it is done; it survives a crash with its identity and
//! its number of tries. A message with a *key* replaces an older waiting one with the same key: for a ban, only the
//! newest message counts.
//!
//! Messages wait by the steady clock, so a change of the wall clock neither delays them nor makes them old. The
//! wall-clock times of a message are for people, and for the next start.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use super::resource::{Changes, Resource};
use super::rows::Row;
use crate::time::{Ends, Now, Steady, Step, Timestamp};

/// The status of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MessageStatus {
    /// It waits until its next try (or its first) is due.
    Waiting,
    /// Its courier has it.
    #[serde(skip)]
    Away,
    /// Its courier has given it up; it is kept for inspection.
    GivenUp,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
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
    /// When the next try is due, by the wall clock; a time long ago means at once. See [`Message::next_try`].
    due: Ends,
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
    volatile: bool,
    /// When the next try is due.
    #[serde(skip, default = "at_once")]
    ready: Steady,
    /// When it was queued; if that was before this program started, as exactly as the wall clock can say.
    #[serde(skip)]
    queued: Steady,
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

impl Message {
    /// Returns when the next try is due, by the wall clock; `None`: at once, or it does not wait.
    pub fn next_try(&self) -> Option<Timestamp> {
        let waits = self.status == MessageStatus::Waiting && self.due.at() > Timestamp(0);
        waits.then_some(self.due.at())
    }

    /// Sets the times on the steady clock after a load: no clock measured how long the message waits.
    fn resume(&mut self, now: Now) {
        // An earlier version did not store the length of the wait; but the waits double.
        let wait = LONGEST_UNKNOWN_WAIT.min(1 << self.tries.saturating_sub(1).min(20));
        self.due = self.due.with_span(Duration::from_secs(wait));
        self.due.adjust(Step::loaded(now));
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
    fn follow(&mut self, now: Now) {
        self.created = now.wall_at(self.queued);
        if let (Some(_), Some(span)) = (self.next_try(), self.due.span()) {
            self.due = Ends::after(now.wall_at(self.ready.minus(span)), span);
        }
    }

    /// Returns how long it has been tried, in all runs.
    fn tried(&self, now: Steady) -> Duration {
        self.tried_since.map_or(Duration::from_secs(self.tried), |since| since.until(now))
    }
}

/// A message as its courier gets it.
#[derive(Clone, Debug, Default)]
pub struct Letter {
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

/// A durable queue of messages.
#[derive(Default)]
pub struct Queue {
    messages: BTreeMap<u64, Message>,
    due: BTreeSet<(Steady, u64)>,
    newest_of_key: HashMap<String, u64>,
    next: u64,
    dirty: Vec<u64>,
    urgent: bool,
}

impl Queue {
    /// Queues a message; returns its number.
    pub fn push(&mut self, key: Option<&str>, payload: String) -> u64 {
        self.urgent = true;
        self.add(key, payload, false)
    }

    /// Queues a message that need not survive a crash, because every start derives it from the state again.
    pub fn push_volatile(&mut self, key: Option<&str>, payload: String) -> u64 {
        self.add(key, payload, true)
    }

    fn add(&mut self, key: Option<&str>, payload: String, volatile: bool) -> u64 {
        let id = self.next;
        self.next += 1;
        if let Some(key) = key
            && let Some(older) = self.newest_of_key.insert(key.to_owned(), id)
            && self.messages.get(&older).is_some_and(|m| m.status != MessageStatus::Away)
        {
            self.remove(older);
        }
        let now = Now::read();
        self.messages.insert(
            id,
            Message {
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
            },
        );
        self.due.insert((Steady::START, id));
        self.dirty.push(id);
        id
    }

    /// Returns the due messages, oldest first, at most `limit`; their courier has them until [`Queue::settle`].
    pub fn take_due(&mut self, now: Now, limit: usize) -> Vec<Letter> {
        let now = now.steady;
        let ids: Vec<(Steady, u64)> = self.due.range(..=(now, u64::MAX)).take(limit).copied().collect();
        let mut letters = Vec::with_capacity(ids.len());
        for place in ids {
            self.due.remove(&place);
            if let Some(message) = self.messages.get_mut(&place.1) {
                message.status = MessageStatus::Away;
                let tried = message.tried(now);
                message.tried_since.get_or_insert(now.minus(tried));
                letters.push(Letter {
                    id: place.1,
                    payload: message.payload.clone(),
                    tries: message.tries,
                    created: message.created,
                    age: message.queued.until(now),
                    tried,
                });
            }
        }
        letters
    }

    /// Records the outcome of a delivery. `longest_wait` limits the doubling wait between tries.
    pub fn settle(&mut self, id: u64, outcome: Outcome, now: Now, longest_wait: Duration) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        let superseded = message.key.as_ref().is_some_and(|key| self.newest_of_key.get(key) != Some(&id));
        match outcome {
            Outcome::Done => self.remove(id),
            Outcome::Retry(_) | Outcome::Blocked(_) if superseded => self.remove(id),
            Outcome::Retry(error) | Outcome::Blocked(error) => {
                // A try that failed like the one before it changes only times, and is not written: after a crash, the
                // message is tried a little earlier. Thousands may wait for a missing set.
                let tried = message.tried(now.steady);
                let unwritten = tried.saturating_sub(Duration::from_secs(message.tried));
                if message.error.as_ref() != Some(&error) || unwritten >= TRIED_WRITTEN {
                    message.tried = tried.as_secs();
                    self.dirty.push(id);
                }
                let wait = Duration::from_secs(1 << message.tries.min(20)).min(longest_wait);
                message.tries += 1;
                message.error = Some(error);
                message.status = MessageStatus::Waiting;
                message.ready = in_step(now.steady.plus(wait), wait);
                message.due = Ends::after(now.wall, now.steady.until(message.ready));
                self.due.insert((message.ready, id));
            }
            Outcome::GiveUp(error) => {
                message.tries += 1;
                message.error = Some(error);
                message.status = MessageStatus::GivenUp;
                self.dirty.push(id);
            }
        }
    }

    /// Takes back messages that their courier never reported on, unless there is a newer message with the same key.
    pub fn recall(&mut self) {
        let mut superseded = Vec::new();
        for (id, message) in &mut self.messages {
            if message.status != MessageStatus::Away {
                continue;
            }
            if message.key.as_ref().is_some_and(|key| self.newest_of_key.get(key) != Some(id)) {
                superseded.push(*id);
                continue;
            }
            message.status = MessageStatus::Waiting;
            self.due.insert((message.ready, *id));
        }
        for id in superseded {
            self.remove(id);
        }
    }

    /// Makes a message due at once, even one that was given up; returns `false` if its courier has it, or it does not
    /// exist.
    pub fn retry(&mut self, id: u64) -> bool {
        let Some(message) = self.messages.get_mut(&id) else { return false };
        if message.status == MessageStatus::Away {
            return false;
        }
        self.due.remove(&(message.ready, id));
        message.status = MessageStatus::Waiting;
        (message.due, message.ready) = (AT_ONCE, Steady::START);
        self.due.insert((message.ready, id));
        self.dirty.push(id);
        true
    }

    /// Makes all messages that wait for their next try due now: the world may have changed.
    pub fn hurry(&mut self) {
        for (id, message) in &mut self.messages {
            if message.status == MessageStatus::Waiting {
                self.due.remove(&(message.ready, *id));
                (message.due, message.ready) = (AT_ONCE, Steady::START);
                self.due.insert((message.ready, *id));
            }
        }
    }

    /// Removes a message, whatever its status.
    pub fn remove(&mut self, id: u64) {
        if let Some(message) = self.messages.remove(&id) {
            self.due.remove(&(message.ready, id));
            if let Some(key) = &message.key
                && self.newest_of_key.get(key) == Some(&id)
            {
                self.newest_of_key.remove(key);
            }
            if !message.volatile {
                self.dirty.push(id);
            }
        }
    }

    /// Returns when the next message is due.
    pub fn next_due(&self) -> Option<Steady> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Returns all messages, oldest first.
    pub fn messages(&self) -> impl Iterator<Item = (u64, &Message)> {
        self.messages.iter().map(|(id, message)| (*id, message))
    }

    /// Returns a message.
    pub fn get(&self, id: u64) -> Option<&Message> {
        self.messages.get(&id)
    }

    /// Returns the newest message with this key that is not done.
    pub fn of_key(&self, key: &str) -> Option<u64> {
        self.newest_of_key.get(key).copied()
    }

    /// Returns how many messages are not done.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Returns `true` if there are no messages.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns how many messages are neither done nor given up.
    pub fn pending(&self) -> usize {
        self.messages.values().filter(|m| m.status != MessageStatus::GivenUp).count()
    }
}

/// Returns a common moment, no later than `due`, for all messages with the same wait; at least half of the wait is left
/// until then. So messages that failed one by one, e.g. because a set is missing, are tried again together: one process
/// for a batch, not one for each message.
fn in_step(due: Steady, wait: Duration) -> Steady {
    due.rounded_down(wait / 2)
}

/// The end of a message that is due at once: a time long ago.
const AT_ONCE: Ends = Ends::without_span(Timestamp(0));

impl Resource for Queue {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut queue = Queue::default();
        for (key, value) in rows {
            let id = u64::from_be_bytes((*key).try_into().map_err(|_| "a message has no number".to_owned())?);
            let message: Message = serde_json::from_slice(&value).map_err(|e| e.to_string())?;
            queue.next = queue.next.max(id + 1);
            if message.status == MessageStatus::Waiting {
                queue.due.insert((message.ready, id));
            }
            if let Some(key) = &message.key
                && let Some(older) = queue.newest_of_key.insert(key.clone(), id)
            {
                // The older message was being delivered when the newer one came. If it waited for its own time, it
                // would now take effect last.
                queue.remove(older);
            }
            queue.messages.insert(id, message);
        }
        Ok(queue)
    }

    fn adjust(&mut self, step: Step) {
        for (id, message) in &mut self.messages {
            if step.is_load() {
                let before = message.ready;
                message.resume(step.now);
                if self.due.remove(&(before, *id)) {
                    self.due.insert((message.ready, *id));
                }
            } else {
                message.follow(step.now);
                self.dirty.push(*id);
            }
        }
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        self.urgent = false;
        for id in self.dirty.drain(..) {
            match self.messages.get(&id) {
                Some(message) if message.volatile => {}
                Some(message) => match serde_json::to_vec(message) {
                    Ok(value) => changes.put(id.to_be_bytes(), value),
                    // Strings and numbers always serialize to JSON.
                    Err(e) => tracing::error!("a message cannot be stored: {e}"),
                },
                None => changes.delete(id.to_be_bytes()),
            }
        }
    }

    fn is_urgent(&self) -> bool {
        self.urgent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what a store would hold after these changes.
    fn stored(queue: &mut Queue) -> Vec<Row> {
        let mut pending = Vec::new();
        queue.changes(&mut Changes { resource: 0, pending: &mut pending });
        let mut rows = BTreeMap::new();
        for change in pending {
            match change.value {
                Some(value) => rows.insert(change.key, value),
                None => rows.remove(&change.key),
            };
        }
        rows.into_iter().collect()
    }

    #[test]
    fn of_a_key_only_the_newest_is_delivered_after_a_crash_or_a_recall() {
        let now = Now::at(Timestamp::from_seconds(1_795_000_000));
        let mut queue = Queue::default();
        let old = queue.push(Some("key"), "old".into());
        queue.take_due(now, 9);
        queue.settle(old, Outcome::Retry("no".into()), now, Duration::from_secs(60));
        let later = now.plus(Duration::from_secs(60));
        assert_eq!(queue.take_due(later, 9).len(), 1);
        queue.push(Some("key"), "new".into());

        let mut loaded = Queue::load(stored(&mut queue)).unwrap();
        queue.recall();
        for queue in [&mut loaded, &mut queue] {
            let letters = queue.take_due(later, 9);
            assert_eq!(letters.iter().map(|letter| &*letter.payload).collect::<Vec<_>>(), ["new"]);
            queue.settle(letters[0].id, Outcome::Done, later, Duration::from_secs(60));
            assert_eq!((queue.pending(), queue.of_key("key")), (0, None));
        }
    }

    #[test]
    fn a_try_that_fails_as_the_one_before_is_not_written_again() {
        let (wait, start) = (Duration::from_secs(1), Now::at(Timestamp::from_seconds(1_795_000_000)));
        let mut queue = Queue::default();
        let id = queue.push(None, "letter".into());
        let mut written = Vec::new();
        for (n, error) in ["no", "no", "no", "never", "never"].into_iter().enumerate() {
            let now = start.plus(Duration::from_secs(10 * n as u64));
            assert_eq!(queue.take_due(now, 9).len(), 1);
            queue.settle(id, Outcome::Retry(error.into()), now, wait);
            written.push(stored(&mut queue).len());
        }
        assert_eq!(written, [1, 0, 0, 1, 0]);
        assert_eq!(queue.get(id).unwrap().tries, 5);
    }

    #[test]
    fn what_waits_or_was_given_up_is_due_at_once_when_it_is_to_be_tried_again() {
        let (wait, now) = (Duration::from_secs(1000), Now::at(Timestamp::from_seconds(1_795_000_000)));
        let mut queue = Queue::default();
        let ids = [queue.push(None, "waits".into()), queue.push(None, "given up".into())];
        assert!(ids.iter().all(|id| queue.retry(*id)), "before the first try");
        assert_eq!(queue.take_due(now, 9).len(), 2);
        assert!(!queue.retry(ids[0]), "its courier has it");
        queue.settle(ids[0], Outcome::Retry("no".into()), now, wait);
        queue.settle(ids[1], Outcome::GiveUp("never".into()), now, wait);
        assert!(queue.take_due(now, 9).is_empty());
        assert!(ids.iter().all(|id| queue.retry(*id)) && !queue.retry(7));
        let mut loaded = Queue::load(stored(&mut queue)).unwrap();
        for queue in [&mut queue, &mut loaded] {
            let letters = queue.take_due(now, 9);
            assert_eq!(
                letters.iter().map(|letter| (letter.id, letter.tries)).collect::<Vec<_>>(),
                [(0, 1), (1, 1)]
            );
            assert_eq!((queue.pending(), queue.len()), (2, 2));
        }
    }

    #[test]
    fn what_waits_for_its_next_try_is_due_when_it_is_hurried() {
        let now = Now::at(Timestamp::from_seconds(1_795_000_000));
        let mut queue = Queue::default();
        let [waits, given_up] = ["a", "b"].map(|payload| queue.push(None, payload.into()));
        queue.take_due(now, 9);
        queue.settle(waits, Outcome::Retry("no".into()), now, Duration::from_secs(60));
        queue.settle(given_up, Outcome::GiveUp("never".into()), now, Duration::from_secs(60));
        assert!(queue.take_due(now, 9).is_empty());
        queue.hurry();
        let letters = queue.take_due(now, 9);
        assert_eq!(letters.iter().map(|letter| letter.id).collect::<Vec<_>>(), [waits]);
    }

    #[test]
    fn what_failed_one_by_one_is_tried_again_together_and_never_later_than_its_wait() {
        let longest = Duration::from_secs(60);
        let mut queue = Queue::default();
        let ids: Vec<u64> = (0..600).map(|n| queue.push(None, n.to_string())).collect();
        let mut now = Now::at(Timestamp::from_seconds(1_795_000_000));
        for _ in 0..7 {
            assert_eq!(queue.take_due(now, usize::MAX).len(), ids.len());
            for (n, id) in (0..).zip(&ids) {
                queue.settle(
                    *id,
                    Outcome::Retry("no".into()),
                    now.plus(Duration::from_millis(100 * n)),
                    longest,
                );
            }
            now = now.plus(Duration::from_secs(60 + 60));
            assert!(queue.due.last().is_some_and(|(due, _)| *due <= now.steady));
        }
        let moments: BTreeSet<Steady> = queue.due.iter().map(|(due, _)| *due).collect();
        assert!(moments.len() <= 3, "{moments:?}");
    }

    const HOUR: Duration = Duration::from_secs(3600);

    const START: Now = Now::at(Timestamp::from_seconds(1_795_000_000));

    /// Returns the same moment, with the wall clock set to this time.
    fn set(now: Now, wall: Timestamp) -> Step {
        Step { now: Now { wall, ..now }, by: wall.0 - now.wall.0 }
    }

    /// Makes a queue with a letter that failed at [`START`] and waits for its longest wait.
    fn waiting(longest: Duration) -> (Queue, u64) {
        let mut queue = Queue::default();
        let id = queue.push(None, "letter".into());
        for _ in 0..10 {
            queue.retry(id);
            assert_eq!(queue.take_due(START, 9).len(), 1);
            queue.settle(id, Outcome::Retry("no".into()), START, longest);
        }
        // Its age is measured by the clock of this test, not by its own.
        queue.messages.get_mut(&id).unwrap().queued = START.steady;
        (queue, id)
    }

    #[test]
    fn a_retry_waits_as_long_however_the_wall_clock_is_set_and_people_see_the_new_time() {
        let years = Duration::from_secs(56 * 365 * 86_400);
        for wall in [
            Timestamp(START.wall.0 - 3_600_000_000),
            Timestamp(START.wall.0 + 3_600_000_000),
            START.wall.plus(years),
            Timestamp::from_seconds(100),
        ] {
            let (mut queue, id) = waiting(Duration::from_secs(300));
            let step = set(START, wall);
            queue.adjust(step);
            let next = queue.get(id).unwrap().next_try().unwrap();
            assert!(next > wall && next <= wall.plus_seconds(300), "{next} at {wall}");
            assert_eq!(queue.get(id).unwrap().created, wall);
            assert!(queue.take_due(step.now, 9).is_empty());
            assert_eq!(queue.take_due(step.now.plus(Duration::from_secs(300)), 9).len(), 1, "{wall}");
        }
    }

    #[test]
    fn after_a_restart_no_try_is_further_away_than_its_wait() {
        let longest = Duration::from_secs(300);
        let ahead = START.plus(Duration::from_secs(1_000_000_000));
        let mut queue = Queue::default();
        let id = queue.push(None, "letter".into());
        for _ in 0..10 {
            queue.retry(id);
            queue.take_due(ahead, 9);
            queue.settle(id, Outcome::Retry("no".into()), ahead, longest);
        }
        queue.messages.get_mut(&id).unwrap().created = ahead.wall;
        queue.dirty.push(id);
        let mut rows = stored(&mut queue);
        // The form that an earlier version wrote.
        let old = format!(
            r#"{{"payload":"p","created":{at},"tries":10,"due":{at},"error":"no","status":"waiting"}}"#,
            at = ahead.wall.0
        );
        rows.push((99_u64.to_be_bytes().into(), old.into_bytes().into()));
        let mut loaded = Queue::load(rows).unwrap();
        loaded.adjust(Step::loaded(START));
        for message in loaded.messages.values() {
            assert!(message.next_try().unwrap() <= START.wall.plus_seconds(600));
            assert_eq!(message.created, START.wall);
        }
        assert!(loaded.take_due(START, 9).is_empty());
        assert_eq!(loaded.take_due(START.plus(longest), 9).len(), 1);
        assert_eq!(loaded.take_due(START.plus(Duration::from_secs(600)), 9).len(), 1);
        // Time also passes while the program does not run.
        let mut later = Queue::load(stored(&mut queue)).unwrap();
        assert_eq!(later.len(), 0, "nothing new is written");
        later = Queue::load(vec![(
            0_u64.to_be_bytes().into(),
            serde_json::to_vec(queue.get(id).unwrap()).unwrap().into(),
        )])
        .unwrap();
        later.adjust(Step::loaded(ahead.plus(HOUR)));
        assert_eq!(later.take_due(ahead.plus(HOUR), 9).len(), 1);
    }

    #[test]
    fn a_message_is_as_old_as_the_time_in_which_it_was_tried() {
        let mut now = Now::at(Timestamp::from_seconds(100));
        let mut queue = Queue::default();
        let id = queue.push(None, "letter".into());
        let tried = |queue: &mut Queue, now: Now| {
            queue.retry(id);
            let tried = queue.take_due(now, 1)[0].tried;
            queue.settle(id, Outcome::Retry("no".into()), now, HOUR);
            tried.as_secs()
        };
        assert_eq!(tried(&mut queue, now), 0);
        now = now.plus(2 * HOUR);
        assert_eq!(tried(&mut queue, now), 7200);
        // The clock is set by 56 years.
        let step = set(now, START.wall);
        queue.adjust(step);
        now = step.now.plus(HOUR);
        assert_eq!(tried(&mut queue, now), 10_800);
        // The program does not run for a year.
        let mut queue = Queue::load(stored(&mut queue)).unwrap();
        now = Now::at(START.wall.plus_seconds(365 * 86_400));
        queue.adjust(Step::loaded(now));
        assert_eq!(tried(&mut queue, now), 10_800);
        assert_eq!(tried(&mut queue, now.plus(HOUR)), 14_400);
    }
}
