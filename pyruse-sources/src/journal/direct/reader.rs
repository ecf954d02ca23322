//! The reader of a journal's files.
//!
//! Entries come as one stream ([`super::stream`]), and are identified by their numbers: so each is read once, whatever its
//! time, and whenever its file comes.

use std::path::Path;
use std::time::{Duration, Instant};

use pyruse_core::entry::{Record, Sink};
use pyruse_core::losses::Losses;
use pyruse_core::plugin::{Begin, Begun, LeftOut, Next, Reader, Readiness, SourceError};
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;
use systemd::id128::Id128;

use crate::journal::descriptors::raise_descriptor_limit;
use crate::journal::file::Id;
use crate::journal::losses::{DAMAGED, DAMAGED_FIELDS, GIVEN_UP, MISSING};
use crate::journal::open::check_file;
use crate::journal::places::Directories;
use crate::journal::settings::JournalSettings;

use super::entry::{Address, Head};
use super::holes::Holes;
use super::matches::Matches;
use super::numbers::Numbers;
use super::place::{Copied, Memory, Place};
use super::sequence::Sequence;
use super::stream::Stream;
use super::walk::{Shared, Walk};
use super::watch::Watch;

/// journald notifies of entries up to 250 ms later; see `super::super::follow`.
const LOOKING: Duration = Duration::from_secs(2);

/// The shortest time between two looks.
const LOOK: Duration = Duration::from_micros(250);

/// See the module.
pub(in crate::journal) struct FilesReader {
    settings: JournalSettings,
    stream: Stream,
    shared: Shared,
    matches: Matches,
    /// The sequence of the current entry, and the entry.
    current: Option<(usize, Address)>,
    /// Whether it was found, but not read yet.
    is_peeked: bool,
    last: Option<Address>,
    copied: Option<Copied>,
    /// The time of the position, where nothing was read.
    began_at: Timestamp,
    /// The number of entries that were read since the last [`Reader::position`].
    fresh: u64,
    last_read: Instant,
    holes: Holes,
    losses: Losses,
}

impl FilesReader {
    pub(in crate::journal) fn open(settings: &JournalSettings) -> Result<FilesReader, SourceError> {
        raise_descriptor_limit();
        settings.files.iter().try_for_each(|file| check_file(file)).map_err(SourceError::of)?;
        let reader = FilesReader {
            settings: settings.clone(),
            stream: Stream::open(settings).map_err(SourceError::of)?,
            shared: Shared::default(),
            matches: Matches::new(&settings.matches),
            current: None,
            is_peeked: false,
            last: None,
            copied: None,
            began_at: Timestamp::now(),
            fresh: 0,
            last_read: Instant::now(),
            holes: Holes::default(),
            losses: Losses::default(),
        };
        let left_out = reader.left_out();
        if !settings.files.is_empty()
            && reader.unknown().is_none()
            && let Some(first) = left_out.first()
        {
            return Err(SourceError(first.text.clone()));
        }
        match reader.stream.trouble {
            Some(trouble) => Err(SourceError(trouble)),
            None => Ok(reader),
        }
    }

    /// A file of a format that is not known here, if there is one.
    pub(in crate::journal) fn unknown(&self) -> Option<&Path> {
        self.stream.files.unknown()
    }

    /// Returns whether there are entries; `None` if there is no journal at all.
    pub(in crate::journal) fn has_entries(&self) -> Option<bool> {
        let mut walks = self.stream.sequences.iter().flat_map(|sequence| &sequence.walks);
        (!self.is_missing()).then(|| walks.any(|walk| walk.file.header.entries > 0))
    }

    /// Are there numbers of which it is not known yet whether they are missing?
    #[cfg(test)]
    pub(super) fn are_holes_open(&self) -> bool {
        self.holes.next_tend().is_some()
    }

    /// The file of the current entry.
    pub(super) fn walk(&mut self) -> Option<&mut Walk> {
        let (at, _) = self.current?;
        self.stream.sequences[at].walk()
    }

    /// Counts the current entry as read.
    fn take(&mut self) {
        let Some((at, address)) = self.current else { return };
        let time = time(address.head.realtime);
        let (sequence, number) = (&mut self.stream.sequences[at], address.head.number);
        // The entry before it in its sequence: meanwhile, many of other sequences may have been read.
        let since = sequence.last_time.replace(time).unwrap_or(self.began_at).min(time);
        let ((before, given_up), damaged) = (sequence.take(number), sequence.take_damaged());
        if damaged > 0 {
            self.losses.note(&DAMAGED, damaged, since, time);
        }
        if let Some(before) = before {
            self.note_missing(&address, before, damaged, given_up, since);
        }
        self.last = Some(address);
        if self.walk().is_some_and(|walk| walk.is_runtime) {
            self.copied = Some(Copied::upto(&address.head));
        }
    }

    /// Is the current entry a copy of one that was read?
    fn is_copy(&mut self, address: &Address) -> bool {
        let is_same = |last: &Address| {
            let last = Head { number: address.head.number, ..last.head };
            last == address.head
        };
        self.last.filter(|last| last.sequence != address.sequence).as_ref().is_some_and(is_same)
            || (self.copied.is_some_and(|copied| copied.has(&address.head))
                && self.walk().is_some_and(|walk| !walk.is_runtime))
    }

    /// Before that entry, numbers are missing.
    fn note_missing(
        &mut self,
        address: &Address,
        before: u64,
        damaged: u64,
        given_up: u64,
        since: Timestamp,
    ) {
        let (sequence, number, time) = (address.sequence, address.head.number, time(address.head.realtime));
        if self.stream.files.is_shared(sequence) {
            self.holes.note(sequence, (before, number), (since, time));
            return;
        }
        // Damaged entries have numbers, too.
        let missing = (number - 1 - before).saturating_sub(damaged);
        if missing > 0 {
            self.losses.note(&MISSING, missing, since, time);
        }
        if given_up > 0 {
            self.losses.note(&GIVEN_UP, given_up, since, time);
        }
    }

    fn leave(&mut self) {
        (self.current, self.is_peeked, self.last) = (None, false, None);
    }

    fn go_behind(&mut self, position: &Position) -> Begun {
        self.began_at = position.time;
        let place = Place::read(&position.place);
        let by_time = place.is_none().then_some(position.time);
        let place = place.unwrap_or_else(|| of_cursor(&position.place));
        let memory = place.memory;
        self.last = place.last;
        let boot = Id128::from_boot().ok().and_then(|boot| Id::from_str_radix(&boot.to_string(), 16).ok());
        self.stream.seek(place, by_time, boot);
        let is_own = self.settings.directory.is_none() && self.settings.files.is_empty();
        self.copied = match memory {
            Memory::Read(copied) => copied,
            Memory::Unknown => self
                .last
                .filter(|last| is_own && boot == Some(last.head.boot) && self.stream.was_in_memory(last))
                .map(|last| Copied::upto(&last.head)),
        };
        if self.last.is_none_or(|last| self.stream.has(&last)) {
            return Begun::Exactly;
        }
        Begun::Near(format!(
            "the journal no longer contains the last read entry, of {}: reading resumes with all entries that \
             were not read, and entries between may be lost",
            position.time.local()
        ))
    }
}

impl Reader for FilesReader {
    fn resume(&mut self, begin: Begin<'_>) -> Result<Begun, SourceError> {
        self.leave();
        self.stream.open_all();
        match begin {
            Begin::Behind(position) => return Ok(self.go_behind(position)),
            Begin::Since(time) => {
                self.began_at = time;
                self.stream.sequences.iter_mut().for_each(|sequence| sequence.seek_since(time));
            }
            Begin::Head => {
                self.began_at = Timestamp::default();
                self.stream.sequences.iter_mut().for_each(|sequence| sequence.seek(Numbers::default()));
            }
            Begin::Tail => {
                let newest = self.stream.sequences.iter().filter_map(Sequence::newest).max();
                self.began_at = newest.unwrap_or_else(Timestamp::now);
                self.stream.sequences.iter_mut().for_each(Sequence::seek_tail);
            }
        }
        Ok(Begun::Exactly)
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        if self.is_peeked
            && let Some((_, address)) = &self.current
        {
            return Ok(Next::Record(time(address.head.realtime)));
        }
        self.current = None;
        while let Some((at, head)) = self.stream.advance() {
            let sequence = &mut self.stream.sequences[at];
            let address = Address { sequence: sequence.id, head };
            self.current = Some((at, address));
            if self.is_copy(&address) {
                self.take();
                continue;
            }
            let sequence = &mut self.stream.sequences[at];
            if sequence.walk().is_some_and(|walk| self.matches.want(walk, &mut self.shared.unpacker)) {
                self.is_peeked = true;
                return Ok(Next::Record(time(head.realtime)));
            }
            self.take();
        }
        self.current = None;
        match &self.stream.trouble {
            Some(trouble) => Err(SourceError(format!(
                "the journal's directory was replaced, but cannot be opened: {trouble}"
            ))),
            None => Ok(Next::End),
        }
    }

    fn record(&mut self) -> &mut dyn Record {
        if std::mem::take(&mut self.is_peeked) {
            self.take();
            self.fresh += 1;
        }
        if let Some(walk) = self.walk() {
            walk.rewind();
        }
        self
    }

    fn position(&mut self) -> Position {
        // The clock is read once per batch, not for each entry.
        if std::mem::take(&mut self.fresh) > 0 {
            self.last_read = Instant::now();
        }
        let sequences = &self.stream.sequences;
        let read = sequences.iter().map(|sequence| (sequence.id, &sequence.read));
        Position {
            // Where there is nothing, there is only a time.
            place: if sequences.is_empty() {
                Vec::new()
            } else {
                Place::stored(self.last.as_ref(), Memory::Read(self.copied), read)
            },
            time: self.last.map_or(self.began_at, |last| time(last.head.realtime)),
        }
    }

    fn find(&mut self, address: &str) -> Result<bool, SourceError> {
        let Some(wanted) = Address::read(address).filter(|address| address.head.number > 0) else {
            return Err(SourceError(format!("`{}` is not a cursor of the journal", address.escape_debug())));
        };
        self.leave();
        self.stream.open_all();
        let time = time(wanted.head.realtime);
        self.stream.sequences.iter_mut().for_each(|sequence| sequence.seek_since(time));
        let at = self.stream.sequences.iter().position(|sequence| sequence.id == wanted.sequence);
        let Some(at) = at.filter(|at| self.stream.sequences[*at].find(wanted.head.number)) else {
            return Ok(false);
        };
        let sequence = &self.stream.sequences[at];
        self.current =
            sequence.current().filter(|found| found.head.xor == wanted.head.xor).map(|found| (at, found));
        self.is_peeked = self.current.is_some();
        Ok(self.is_peeked)
    }

    fn is_in_order(&self) -> bool {
        self.stream.width() < 2
    }

    fn readiness(&self) -> Readiness<'_> {
        let silence = self.last_read.elapsed();
        let look = (silence < LOOKING).then(|| (silence / 32).max(LOOK));
        let watch = self.stream.watch();
        let files = self.stream.timeout();
        Readiness {
            descriptors: [watch.map(Watch::as_fd), None],
            timeout: [look, files, self.losses.next_tend(), self.holes.next_tend()]
                .into_iter()
                .flatten()
                .min(),
        }
    }

    fn wake(&mut self, _descriptor: usize) {
        self.stream.wake();
    }

    fn tend(&mut self, is_drained: bool) -> bool {
        if is_drained {
            let damaged = self.stream.sequences.iter_mut().map(Sequence::take_damaged).sum();
            if damaged > 0 {
                let time = self.last.map_or(self.began_at, |last| time(last.head.realtime));
                self.losses.note(&DAMAGED, damaged, time, Timestamp::now());
            }
        }
        self.holes.tend(&self.settings, self.stream.files.named(), &mut self.losses);
        self.stream.report(&mut self.losses);
        self.losses.tend();
        false
    }

    fn is_missing(&self) -> bool {
        Directories::of(&self.settings).is_empty()
    }

    fn left_out(&self) -> Vec<LeftOut> {
        self.stream.files.left_out()
    }

    fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }
}

impl Record for FilesReader {
    fn realtime(&mut self) -> Timestamp {
        self.current.map_or(self.began_at, |(_, address)| time(address.head.realtime))
    }

    fn monotonic(&mut self) -> Option<i64> {
        self.current.and_then(|(_, address)| i64::try_from(address.head.monotonic).ok())
    }

    fn cursor(&mut self) -> Option<String> {
        self.current.map(|(_, address)| address.cursor())
    }

    fn next_field(&mut self, sink: &mut Sink<'_>) -> bool {
        let Some((at, address)) = self.current else { return false };
        let Some(walk) = self.stream.sequences[at].walk() else { return false };
        let Some(damaged) = walk.give(&mut self.shared, sink) else { return false };
        if damaged > 0 {
            let time = time(address.head.realtime);
            self.losses.note(&DAMAGED_FIELDS, damaged, time, time);
        }
        true
    }
}

/// A position that is the text of a cursor: of its sequence, the number counts.
fn of_cursor(place: &[u8]) -> Place {
    let (is_before, text) = match place.strip_prefix(b"<") {
        Some(text) => (true, text),
        None => (false, place),
    };
    let Some(last) = std::str::from_utf8(text).ok().and_then(Address::read) else { return Place::default() };
    let numbers = Numbers::upto(last.head.number.saturating_sub(u64::from(is_before)));
    Place { last: Some(last), memory: Memory::Unknown, sequences: vec![(last.sequence, numbers)] }
}

fn time(micros: u64) -> Timestamp {
    Timestamp(i64::try_from(micros).unwrap_or(i64::MAX))
}
