//! Messages that wait for a courier.
//!
//! A message stays in the queue until its courier reports that it is done; it survives a crash with its identity and
//! its number of tries. A message with a *key* replaces an older waiting one with the same key: for a ban, only the
//! newest message counts.
//!
//! Messages wait by the steady clock, so a change of the wall clock neither delays them nor makes them old. The
//! wall-clock times of a message are for people, and for the next start.

mod message;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

pub use self::message::{DueMessage, MessageStatus, QueuedMessage};
use super::outcome::Outcome;
use super::resource::{Changes, Resource};
use super::rows::Row;
use crate::time::{ClockStep, Now, Steady};

/// A durable queue of messages.
#[derive(Default)]
pub struct Queue {
    messages: BTreeMap<u64, QueuedMessage>,
    due: BTreeSet<(Steady, u64)>,
    newest_of_key: HashMap<String, u64>,
    next: u64,
    /// The size of all payloads.
    bytes: usize,
    dirty: Vec<u64>,
    urgent: bool,
}

impl Queue {
    /// Queues a message; returns its number.
    pub fn push(&mut self, key: Option<&str>, payload: String) -> u64 {
        self.urgent = true;
        self.add(key, payload, false)
    }

    /// Queues a message, unless `max` messages are not done: then the oldest one that was given up is removed for it, and
    /// if there is none, it is not queued. Returns its number.
    pub fn push_bounded(&mut self, payload: String, max: usize) -> Option<u64> {
        if self.messages.len() >= max {
            let given_up = |(_, message): &(&u64, &QueuedMessage)| message.status == MessageStatus::GivenUp;
            let oldest = *self.messages.iter().find(given_up)?.0;
            self.remove(oldest);
        }
        Some(self.push(None, payload))
    }

    /// Queues a message, and removes the oldest ones, until there are at most `max` messages with payloads of at most
    /// `max_bytes` bytes in all; those that their courier has, and the new one, stay. Returns how many were removed.
    pub fn push_over_oldest(
        &mut self,
        key: Option<&str>,
        payload: String,
        (max, max_bytes): (usize, usize),
    ) -> usize {
        let newest = self.push(key, payload);
        let mut removed = 0;
        while self.messages.len() > max || self.bytes > max_bytes {
            let is_free = |(id, message): &(&u64, &QueuedMessage)| {
                **id != newest && message.status != MessageStatus::InProgress
            };
            let Some((&oldest, _)) = self.messages.iter().find(is_free) else { break };
            self.remove(oldest);
            removed += 1;
        }
        removed
    }

    /// Queues a message that need not survive a crash, because every start derives it from the state again.
    pub(crate) fn push_volatile(&mut self, key: Option<&str>, payload: String) -> u64 {
        self.add(key, payload, true)
    }

    fn add(&mut self, key: Option<&str>, payload: String, volatile: bool) -> u64 {
        let id = self.next;
        self.next += 1;
        if let Some(key) = key
            && let Some(older) = self.newest_of_key.insert(key.to_owned(), id)
            && self.messages.get(&older).is_some_and(|m| m.status != MessageStatus::InProgress)
        {
            self.remove(older);
        }
        self.bytes += payload.len();
        self.messages.insert(id, QueuedMessage::new(key, payload, volatile));
        self.due.insert((Steady::START, id));
        self.dirty.push(id);
        id
    }

    /// Returns the due messages, oldest first, at most `limit`; their courier has them until [`Queue::settle`].
    pub(crate) fn take_due(&mut self, now: Now, limit: usize) -> Vec<DueMessage> {
        let now = now.steady;
        let ids: Vec<(Steady, u64)> = self.due.range(..=(now, u64::MAX)).take(limit).copied().collect();
        let mut messages = Vec::with_capacity(ids.len());
        for place in ids {
            self.due.remove(&place);
            if let Some(message) = self.messages.get_mut(&place.1) {
                messages.push(message.hand_out(place.1, now));
            }
        }
        messages
    }

    /// Like [`Queue::take_due`], but no message is handed out before an older one is done or given up.
    pub(crate) fn take_in_order(&mut self, now: Now, limit: usize) -> Vec<DueMessage> {
        let now = now.steady;
        let unsettled =
            self.messages.iter_mut().filter(|(_, message)| message.status != MessageStatus::GivenUp);
        let due = unsettled
            .take_while(|(_, message)| message.status == MessageStatus::Waiting && message.ready <= now);
        let mut messages = Vec::new();
        for (id, message) in due.take(limit) {
            self.due.remove(&(message.ready, *id));
            messages.push(message.hand_out(*id, now));
        }
        messages
    }

    /// Returns when [`Queue::take_in_order`] has a message, if it does not wait for its courier.
    pub(crate) fn next_in_order(&self) -> Option<Steady> {
        let first = self.messages.values().find(|message| message.status != MessageStatus::GivenUp)?;
        (first.status == MessageStatus::Waiting).then_some(first.ready)
    }

    /// Records the outcome of a delivery. `longest_wait` limits the doubling wait between tries.
    pub(crate) fn settle(&mut self, id: u64, outcome: Outcome, now: Now, longest_wait: Duration) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        let superseded = message.key.as_ref().is_some_and(|key| self.newest_of_key.get(key) != Some(&id));
        match outcome {
            Outcome::Done => self.remove(id),
            Outcome::GiveUp(error) => {
                message.give_up(error);
                self.dirty.push(id);
            }
            _ if superseded => self.remove(id),
            Outcome::Retry(error) | Outcome::Blocked(error) => {
                if message.fail(error, now, longest_wait) {
                    self.dirty.push(id);
                }
                self.due.insert((message.ready, id));
            }
            Outcome::RetryAfter(error, wait) => {
                if message.fail_for(error, now, wait) {
                    self.dirty.push(id);
                }
                self.due.insert((message.ready, id));
            }
            Outcome::Postpone(wait) => {
                message.wait(now, wait);
                self.due.insert((message.ready, id));
            }
        }
    }

    /// Takes back messages that their courier never reported on, unless there is a newer message with the same key.
    pub(crate) fn recall(&mut self) {
        let mut superseded = Vec::new();
        for (id, message) in &mut self.messages {
            if message.status != MessageStatus::InProgress {
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
    pub(crate) fn retry(&mut self, id: u64) -> bool {
        let Some(message) = self.messages.get_mut(&id) else { return false };
        if message.status == MessageStatus::InProgress {
            return false;
        }
        self.due.remove(&(message.ready, id));
        message.retry_now();
        self.due.insert((message.ready, id));
        self.dirty.push(id);
        true
    }

    /// Makes all messages that wait for their next try due now, because the reason of their failures may be gone.
    pub fn retry_now(&mut self) {
        for (id, message) in &mut self.messages {
            if message.status == MessageStatus::Waiting {
                self.due.remove(&(message.ready, *id));
                message.retry_now();
                self.due.insert((message.ready, *id));
            }
        }
    }

    /// Removes a message, whatever its status.
    pub(crate) fn remove(&mut self, id: u64) {
        if let Some(message) = self.messages.remove(&id) {
            self.bytes -= message.payload.len();
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
    pub(crate) fn next_due(&self) -> Option<Steady> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Returns all messages, oldest first.
    pub fn messages(&self) -> impl Iterator<Item = (u64, &QueuedMessage)> {
        self.messages.iter().map(|(id, message)| (*id, message))
    }

    /// Returns a message.
    pub(crate) fn get(&self, id: u64) -> Option<&QueuedMessage> {
        self.messages.get(&id)
    }

    /// Returns the newest message with this key that is not done.
    pub(crate) fn of_key(&self, key: &str) -> Option<u64> {
        self.newest_of_key.get(key).copied()
    }

    /// Returns how many messages are not done.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Returns how many messages are neither done nor given up.
    pub fn pending(&self) -> usize {
        self.messages.values().filter(|m| m.status != MessageStatus::GivenUp).count()
    }
}

impl Resource for Queue {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut queue = Queue::default();
        for (key, value) in rows {
            let id = u64::from_be_bytes((*key).try_into().map_err(|_| "a message has no number".to_owned())?);
            let message: QueuedMessage = serde_json::from_slice(&value).map_err(|e| e.to_string())?;
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
            queue.bytes += message.payload.len();
            queue.messages.insert(id, message);
        }
        Ok(queue)
    }

    fn adjust(&mut self, step: ClockStep) {
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
