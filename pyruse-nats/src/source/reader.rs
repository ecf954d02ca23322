//! The open source: entries from messages, each once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyruse_core::entry::Record;
use pyruse_core::losses::{LossKind, Losses};
use pyruse_core::plugin::{Begin, Begun, Next, Reader, Readiness, SourceError};
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;

use super::entry::StreamRecord;
use super::feed::{Feed, Selection};
use super::handover::{Idle, Item, Message};
use super::place::{self, Place, Seen};
use crate::connection::{Link, LiveLink};

/// How long to wait when it is not known yet whether there are messages.
const UNKNOWN: Duration = Duration::from_millis(50);

/// How long to wait for a message that is named.
const FIND: Duration = Duration::from_secs(10);

fn messages(count: u64) -> &'static str {
    if count == 1 { "message" } else { "messages" }
}

fn were(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// Messages that the stream had, and that could not be read.
static GONE: LossKind = LossKind {
    name: "gone",
    text: |count, range| {
        format!(
            "{count} {} of the stream, stored {range}, {} removed before {} read",
            messages(count),
            were(count),
            if count == 1 { "it was" } else { "they were" }
        )
    },
};

/// Messages that are no entries.
static FOREIGN: LossKind = LossKind {
    name: "foreign",
    text: |count, range| {
        format!(
            "{count} {} of the stream, stored {range}, {} passed over: not a JSON object, or no token that names a sender",
            messages(count),
            were(count)
        )
    },
};

/// Messages that are too long.
static TOO_LONG: LossKind = LossKind {
    name: "tooLong",
    text: |count, range| {
        format!(
            "{count} {} of the stream, stored {range}, {} passed over: longer than 256 KiB",
            messages(count),
            were(count)
        )
    },
};

/// An open stream.
pub(super) struct StreamReader {
    link: LiveLink,
    /// Ends the connection when nobody needs it.
    _link: Arc<Link>,
    selection: Selection,
    /// The number of the token that names the sender, from 0.
    sender_token: Option<usize>,
    /// Whether a new source begins at the first message.
    from_first: bool,
    feed: Option<Feed>,
    /// Behind the last record that counts as read.
    place: Place,
    seen: Seen,
    time: Timestamp,
    /// The stream that is read.
    created: i64,
    record: StreamRecord,
    losses: Losses,
}

impl StreamReader {
    pub(super) fn new(
        link: &Arc<Link>,
        selection: &Selection,
        sender_token: Option<usize>,
        from_first: bool,
    ) -> Result<StreamReader, SourceError> {
        Ok(StreamReader {
            link: link.begin().map_err(SourceError)?,
            _link: link.clone(),
            selection: selection.clone(),
            sender_token,
            from_first,
            feed: None,
            place: Place::Head,
            seen: Seen::default(),
            time: Timestamp::default(),
            created: 0,
            record: StreamRecord::of(&selection.stream),
            losses: Losses::default(),
        })
    }

    fn begin(&mut self) -> Result<(), SourceError> {
        self.feed = None;
        let feed = Feed::begin(&self.link, self.selection.clone(), self.place.clone());
        self.feed = Some(feed.map_err(SourceError::of)?);
        Ok(())
    }

    /// Takes a message; returns whether it is an entry.
    fn take(&mut self, message: &Message) -> bool {
        let time = message.time;
        let Some(payload) = &message.payload else {
            self.losses.note(&TOO_LONG, 1, time, time);
            return false;
        };
        let is_entry = self.record.fill(message, payload, self.sender_token);
        if !is_entry {
            self.losses.note(&FOREIGN, 1, time, time);
            return false;
        }
        !self.seen.has(self.record.sender(), self.record.identity())
    }
}

impl Reader for StreamReader {
    fn resume(&mut self, begin: Begin<'_>) -> Result<Begun, SourceError> {
        (self.place, self.seen) = match begin {
            Begin::Behind(position) => place::read(position),
            Begin::Since(time) => (Place::Since(time), Seen::default()),
            Begin::Tail if self.from_first => (Place::Head, Seen::default()),
            Begin::Head => (Place::Head, Seen::default()),
            Begin::Tail => (Place::Since(Timestamp::now()), Seen::default()),
        };
        self.time = match (begin, &self.place) {
            (Begin::Behind(position), _) => position.time,
            (_, Place::Since(time)) => *time,
            _ => Timestamp::default(),
        };
        self.begin()?;
        Ok(Begun::Exactly)
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        loop {
            let Some(feed) = &mut self.feed else { return Ok(Next::End) };
            match feed.inlet.next() {
                Ok(Item::Begun { created }) => {
                    if matches!(self.place, Place::Behind { created: former, .. } if former != created) {
                        self.seen.clear();
                    }
                    self.created = created;
                }
                Ok(Item::Notice(text)) => self.losses.log(text),
                Ok(Item::Lost(count, until)) => self.losses.note(&GONE, count, self.time.min(until), until),
                Ok(Item::Message(message)) => {
                    if self.take(&message) {
                        return Ok(Next::Record(self.record.time()));
                    }
                }
                Err(Idle::End) => return Ok(Next::End),
                Err(Idle::Unknown) => return Ok(Next::Later(UNKNOWN)),
                Err(Idle::Problem(problem)) => return Err(SourceError(problem)),
            }
        }
    }

    fn record(&mut self) -> &mut dyn Record {
        let sequence = self.record.sequence();
        self.seen.note(self.record.sender(), self.record.identity(), sequence);
        self.place = Place::Behind { created: self.created, sequence };
        self.time = self.record.time();
        &mut self.record
    }

    fn position(&mut self) -> Position {
        place::write(&self.place, &self.seen, self.time)
    }

    fn find(&mut self, address: &str) -> Result<bool, SourceError> {
        let sequence = address.strip_prefix(&self.selection.stream).and_then(|rest| rest.strip_prefix(':'));
        let Some(sequence) =
            sequence.and_then(|number| number.parse::<u64>().ok()).filter(|number| *number > 0)
        else {
            return Ok(false);
        };
        let end = Instant::now() + FIND;
        let client = self.link.client(FIND).map_err(SourceError)?;
        drop(client);
        self.place = Place::At(sequence);
        self.seen.clear();
        self.begin()?;
        loop {
            match self.next()? {
                Next::Record(_) => return Ok(self.record.sequence() == sequence),
                Next::End => return Ok(false),
                Next::Later(_) if Instant::now() > end => {
                    return Err(SourceError("the server does not answer".into()));
                }
                Next::Later(wait) => std::thread::sleep(wait),
            }
        }
    }

    fn readiness(&self) -> Readiness<'_> {
        let descriptor = self.feed.as_ref().map(|feed| feed.inlet.descriptor());
        Readiness { descriptors: [descriptor, None], timeout: self.losses.next_tend() }
    }

    fn wake(&mut self, _descriptor: usize) {
        if let Some(feed) = &self.feed {
            feed.inlet.woken();
        }
    }

    fn tend(&mut self, _is_drained: bool) -> bool {
        self.losses.tend();
        false
    }

    fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }
}
