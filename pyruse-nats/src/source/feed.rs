//! The part of the source that runs in the thread of the connection: it finds the stream, and hands its messages over.

use std::time::{Duration, Instant, SystemTime};

use async_nats::Client;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::{ConsumerError, Stream};
use futures_util::StreamExt;
use pyruse_core::time::Timestamp;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::handover::{Inlet, Item, LONGEST, Message, Outlet, WAITING, WAITING_BYTES, channel};
use super::place::Place;
use crate::connection::{LiveLink, Status, connected, consumer_name, in_words};

/// How long to wait before the stream is looked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long the server may take for an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// The server says that often that a consumer is alive for which there is no message.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A consumer that nobody asks for messages is removed after this time.
const UNUSED: Duration = Duration::from_secs(60);

/// What is read.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) stream: String,
    /// The subjects; none: all.
    pub(super) subjects: Vec<String>,
}

/// What comes from the connection. Dropping it ends the reading.
pub(super) struct Feed {
    pub(super) inlet: Inlet,
    task: AbortHandle,
}

impl Feed {
    /// Begins to read.
    pub(super) fn begin(link: &LiveLink, selection: Selection, place: Place) -> std::io::Result<Feed> {
        let (outlet, inlet) = channel()?;
        let status = link.status.clone();
        let reading = Reading {
            selection,
            place,
            link: link.clone(),
            status,
            outlet,
            keeps_newest: false,
            asked: None,
        };
        let task = link.runtime.spawn(reading.run()).abort_handle();
        Ok(Feed { inlet, task })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Reading {
    selection: Selection,
    /// Behind what was handed over.
    place: Place,
    link: LiveLink,
    status: watch::Receiver<Status>,
    outlet: Outlet,
    /// Whether the stream keeps only the newest message of each subject: then what it has removed is out of date.
    keeps_newest: bool,
    /// When the server was last asked where the stream begins.
    asked: Option<Instant>,
}

impl Reading {
    async fn run(mut self) {
        loop {
            let problem = self.status.borrow_and_update().problem.clone();
            if let Some(problem) = problem {
                self.outlet.tell_problem(problem);
            }
            let has_client = self.status.borrow().client.is_some();
            if !has_client {
                if self.status.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let Some(client) = connected(&mut self.status).await else { return };
            let problem = self.read(client).await;
            self.outlet.tell_problem(problem);
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Reads as long as it can; returns why it cannot any more.
    async fn read(&mut self, client: Client) -> String {
        let context = self.link.context(client.clone(), ANSWER);
        match self.consumer(&context, &client).await {
            Ok((messages, created, is_at_end)) => {
                self.outlet.put(Item::Begun { created }).await;
                self.outlet.tell_end(is_at_end);
                self.hand_over(messages, created, context).await
            }
            Err(problem) => match self.link.refusals.about_reading() {
                Some(refusal) => format!("{problem}; the server says: {refusal}"),
                None => problem,
            },
        }
    }

    /// Begins to consume the stream; returns its messages, when it was created, and whether there are none yet.
    async fn consumer(
        &mut self,
        context: &Context,
        client: &Client,
    ) -> Result<(pull::Stream, i64, bool), String> {
        let name = self.selection.stream.clone();
        let stream = context.get_stream(&name).await;
        let stream = stream.map_err(|e| format!("the stream {name} cannot be read: {}", in_words(&e)))?;
        let info = stream.cached_info();
        let created = micros(info.created.into()).0;
        self.keeps_newest = info.config.max_messages_per_subject == 1;
        let (first, last) = (info.state.first_sequence, info.state.last_sequence);
        let oldest = micros(info.state.first_timestamp.into());
        let policy = self.start(created, (first, last), oldest).await;
        let is_at_end = match policy {
            DeliverPolicy::ByStartSequence { start_sequence } => start_sequence > last,
            _ => info.state.messages == 0,
        };
        let consumer = self.create(&stream, policy).await;
        let consumer = consumer.map_err(|e| format!("the stream {name} cannot be read: {}", in_words(&e)))?;
        // As many bytes at once, but never less than the longest message with its headers.
        let bytes = client.server_info().max_payload.saturating_mul(2).max(WAITING_BYTES);
        let is_at_end = is_at_end || consumer.cached_info().num_pending == 0;
        let messages = consumer
            .stream()
            .max_messages_per_batch(WAITING)
            .max_bytes_per_batch(bytes)
            .heartbeat(HEARTBEAT)
            .expires(2 * HEARTBEAT)
            .messages()
            .await;
        let messages = messages.map_err(|e| format!("the stream {name} cannot be read: {}", in_words(&e)))?;
        Ok((messages, created, is_at_end))
    }

    async fn create(
        &self,
        stream: &Stream,
        deliver_policy: DeliverPolicy,
    ) -> Result<Consumer<pull::Config>, ConsumerError> {
        let config = pull::Config {
            // With a name, the server's permissions can tell consumers of this stream from others.
            name: Some(consumer_name()),
            deliver_policy,
            ack_policy: AckPolicy::None,
            filter_subjects: self.selection.subjects.clone(),
            inactive_threshold: UNUSED,
            num_replicas: 1,
            memory_storage: true,
            ..pull::Config::default()
        };
        stream.create_consumer(config).await
    }

    /// Decides where in the stream, which was created at this time, reading begins. `oldest` is the time of its first
    /// message.
    async fn start(&mut self, created: i64, (first, last): (u64, u64), oldest: Timestamp) -> DeliverPolicy {
        let name = &self.selection.stream;
        let from = match self.place {
            Place::Since(time) => return DeliverPolicy::ByStartTime { start_time: since_epoch(time).into() },
            Place::Head => 1,
            Place::At(sequence) => sequence,
            Place::Behind { created: known, .. } if known != created => {
                let text = format!(
                    "the stream {name} was deleted and made anew: it is read from its first message on"
                );
                self.outlet.put(Item::Notice(text)).await;
                1
            }
            Place::Behind { sequence, .. } if sequence > last => {
                let text = format!(
                    "the stream {name} ends at message {last}, but {sequence} was read: was it restored from a backup? It \
                     is read from message {} on",
                    last + 1
                );
                self.outlet.put(Item::Notice(text)).await;
                last + 1
            }
            Place::Behind { sequence, .. } => {
                if first > sequence + 1 && !self.keeps_newest {
                    self.outlet.put(Item::Lost(first - sequence - 1, oldest)).await;
                }
                sequence + 1
            }
        };
        self.place = Place::Behind { created, sequence: from.max(first).saturating_sub(1) };
        DeliverPolicy::ByStartSequence { start_sequence: from.max(first).max(1) }
    }

    /// Hands messages over; returns why there are no more.
    async fn hand_over(&mut self, mut messages: pull::Stream, created: i64, context: Context) -> String {
        let name = self.selection.stream.clone();
        let mut consumed = 0;
        self.asked = None;
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                changed = self.status.changed() => match changed {
                    Ok(()) => {
                        let status = self.status.borrow();
                        if status.client.is_some() {
                            continue;
                        }
                        return status.problem.clone().unwrap_or_else(|| "the connection to the server is lost".into());
                    }
                    Err(_) => return "the connection is closed".into(),
                },
            };
            let message = match message {
                Some(Ok(message)) => message,
                Some(Err(e)) => return format!("the stream {name} cannot be read on: {}", in_words(&e)),
                None => return format!("the stream {name} cannot be read on"),
            };
            let Ok(info) = message.info() else { continue };
            // One that the client or the network has lost is read again.
            if info.consumer_sequence != consumed + 1 {
                return format!("the stream {name} is read again: a message did not arrive");
            }
            consumed += 1;
            let (sequence, pending) = (info.stream_sequence, info.pending);
            let time = micros(info.published.into());
            let length = message.payload.len() + message.subject.len();
            let Some(room) = self.outlet.room(length).await else {
                return "the connection is closed".into();
            };
            self.note_gap(&context, sequence).await;
            let identity = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id"));
            let item = Message {
                sequence,
                time,
                subject: message.subject.to_string(),
                identity: identity.map(|identity| identity.as_str().to_owned()).unwrap_or_default(),
                payload: (message.payload.len() <= LONGEST).then(|| message.payload.to_vec()),
                _room: room,
            };
            self.outlet.put(Item::Message(item)).await;
            self.place = Place::Behind { created, sequence };
            let is_at_end = pending == 0;
            self.outlet.tell_end(is_at_end);
        }
    }

    /// Notes what the stream has removed while it was read: it keeps only so much.
    async fn note_gap(&mut self, context: &Context, sequence: u64) {
        let Place::Behind { sequence: before, .. } = self.place else { return };
        // Other subjects have the numbers between those that are read.
        let is_asked =
            !self.selection.subjects.is_empty() && self.asked.is_some_and(|asked| asked.elapsed() < AGAIN);
        if sequence <= before + 1 || is_asked || self.keeps_newest {
            return;
        }
        self.asked = Some(Instant::now());
        let Ok(stream) = context.get_stream(&self.selection.stream).await else { return };
        let state = &stream.cached_info().state;
        let first = state.first_sequence.min(sequence);
        if first > before + 1 {
            let oldest = micros(state.first_timestamp.into());
            self.outlet.put(Item::Lost(first - before - 1, oldest)).await;
        }
    }
}

/// Returns the time in microseconds.
fn micros(time: SystemTime) -> Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn since_epoch(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(time.0).unwrap_or(0))
}
