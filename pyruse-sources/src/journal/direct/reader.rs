//! The reader of a journal's files, for `"reader": "files"`.
//!
//! Files of one sequence are one stream ([`super::sequence`]). In a backlog, streams are joined by time, as libsystemd
//! joins them; at the end, whichever has an entry comes first. Entries are identified by their numbers, so each is read
//! once, whatever its time, and whenever its file comes.

use std::time::{Duration, Instant};

use pyruse_core::entry::{Record, Sink};
use pyruse_core::losses::Losses;
use pyruse_core::plugin::{Begin, Begun, LeftOut, Next, Reader, Readiness, SourceError};
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;
use systemd::id128::Id128;

use crate::journal::descriptors::raise_descriptor_limit;
use crate::journal::file::Id;
use crate::journal::losses::{DAMAGED, DAMAGED_FIELDS, MISSING};
use crate::journal::places;
use crate::journal::settings::JournalSettings;

use super::entry::{Address, Head};
use super::files::Files;
use super::matches::Matches;
use super::numbers::Numbers;
use super::place::{Place, SEQUENCES};
use super::sequence::{Sequence, is_before};
use super::walk::{Shared, Walk};
use super::watch::Watch;

/// journald notifies of entries up to 250 ms later; see `super::super::follow`.
const LOOKING: Duration = Duration::from_secs(2);

/// The shortest time between two looks.
const LOOK: Duration = Duration::from_micros(250);

/// How often to look for files, where something cannot be watched.
const LOOK_FOR_FILES: Duration = Duration::from_secs(5);

/// After this many entries of a backlog, files are looked for: they may be rotated away.
const BACKLOG: u32 = 1000;

/// See the module.
pub(in crate::journal) struct FilesReader {
    settings: JournalSettings,
    files: Files,
    sequences: Vec<Sequence>,
    shared: Shared,
    matches: Matches,
    watch: Option<Watch>,
    /// Whether there may be files that are not open.
    have_files_changed: bool,
    next_look: Instant,
    /// Whether files were let go.
    was_let_go: bool,
    /// How many entries were read since the last look at the directories.
    since_look: u32,
    /// The sequence of the current entry, and the entry.
    current: Option<(usize, Address)>,
    /// Whether it was found, but not read yet.
    is_peeked: bool,
    last: Option<Address>,
    /// The time of the position, where nothing was read.
    began_at: Timestamp,
    /// The number of entries that were read since the last [`Reader::position`].
    fresh: u64,
    last_read: Instant,
    losses: Losses,
}

impl FilesReader {
    pub(in crate::journal) fn open(settings: &JournalSettings) -> Result<FilesReader, SourceError> {
        raise_descriptor_limit();
        let watch = Watch::new().inspect_err(|e| tracing::debug!("inotify: {e}")).ok();
        let now = Instant::now();
        let mut reader = FilesReader {
            files: Files::new(settings).map_err(SourceError::of)?,
            settings: settings.clone(),
            sequences: Vec::new(),
            shared: Shared::default(),
            matches: Matches::new(&settings.matches),
            watch,
            have_files_changed: false,
            next_look: now + LOOK_FOR_FILES,
            was_let_go: false,
            since_look: 0,
            current: None,
            is_peeked: false,
            last: None,
            began_at: Timestamp::now(),
            fresh: 0,
            last_read: now,
            losses: Losses::default(),
        };
        reader.look_for_files();
        let left_out = reader.files.left_out();
        if !settings.files.is_empty()
            && let Some(first) = left_out.first()
        {
            return Err(SourceError(first.text.clone()));
        }
        if let Some(directory) = &settings.directory {
            std::fs::read_dir(directory)
                .map_err(|e| SourceError(format!("opening the journal in {}: {e}", directory.display())))?;
        }
        Ok(reader)
    }

    /// Looks at what was written meanwhile, in the order that [`Sequence::look`] needs.
    fn refresh(&mut self) {
        self.sequences.iter_mut().for_each(Sequence::look);
        self.notice();
        for sequence in &mut self.sequences {
            self.was_let_go |= sequence.refresh();
        }
    }

    /// Opens files again that were let go because they were read.
    fn open_all(&mut self) {
        self.leave();
        if std::mem::take(&mut self.was_let_go) {
            self.files.forget();
            self.have_files_changed = true;
        }
        self.refresh();
    }

    fn look_for_files(&mut self) {
        self.have_files_changed = false;
        self.next_look = Instant::now() + LOOK_FOR_FILES;
        if let Some(watch) = &mut self.watch {
            // Before looking: what comes in between is noticed.
            watch.add(&places::directories(&self.settings));
        }
        let changes = self.files.look();
        for sequence in &mut self.sequences {
            self.was_let_go |= sequence.let_deleted_go();
        }
        for refused in changes.refused {
            self.losses.log(refused.text);
        }
        let open = |identity| {
            let mut walks = self.sequences.iter().flat_map(|sequence| &sequence.walks);
            walks.any(|walk| walk.identity == identity)
        };
        let new: Vec<_> = changes.new.into_iter().filter(|walk| !open(walk.identity)).collect();
        for walk in new {
            let id = walk.file.header.seqnum_id;
            let known = self.sequences.iter().position(|sequence| sequence.id == id);
            let at = known.unwrap_or_else(|| {
                self.sequences.push(Sequence::new(id, Numbers::default()));
                self.sequences.len() - 1
            });
            self.sequences[at].add(walk);
        }
        if self.sequences.len() > SEQUENCES {
            self.sequences.retain(|sequence| !sequence.walks.is_empty());
        }
    }

    /// Looks whether there are other files, if something has happened to them.
    fn notice(&mut self) {
        self.since_look = 0;
        if let Some(watch) = &self.watch {
            self.have_files_changed |= watch.clear(|name| self.files.is_known(name));
        }
        let is_watched = self.watch.as_ref().is_some_and(|watch| !watch.is_partial());
        if self.have_files_changed || (!is_watched && Instant::now() >= self.next_look) {
            self.look_for_files();
        }
    }

    /// Goes to the entry that comes next.
    fn choose(&mut self) -> Option<(usize, Head)> {
        let mut first: Option<(usize, Head)> = None;
        for (at, sequence) in self.sequences.iter_mut().enumerate() {
            let Some(head) = sequence.peek().copied() else { continue };
            if first.as_ref().is_none_or(|(_, first)| is_before(&head, first)) {
                first = Some((at, head));
            }
        }
        first
    }

    fn advance(&mut self) -> Option<(usize, Head)> {
        self.since_look += 1;
        if self.since_look >= BACKLOG {
            self.notice();
        }
        self.choose().or_else(|| {
            self.refresh();
            self.choose()
        })
    }

    /// The file of the current entry.
    pub(super) fn walk(&mut self) -> Option<&mut Walk> {
        let (at, _) = self.current?;
        self.sequences[at].walk()
    }

    /// Counts the current entry as read.
    fn take(&mut self) {
        let Some((at, address)) = self.current else { return };
        let time = time(address.head.realtime);
        let since = self.last.filter(|last| last.sequence == address.sequence);
        let since = since.map_or(time, |last| time.min(self::time(last.head.realtime)));
        let sequence = &mut self.sequences[at];
        let (missing, damaged) = (sequence.take(address.head.number), sequence.take_damaged());
        if damaged > 0 {
            self.losses.note(&DAMAGED, damaged, since, time);
        }
        // Damaged entries have numbers, too.
        let missing = missing.saturating_sub(damaged);
        if missing > 0 && !self.files.is_shared(address.sequence) {
            self.losses.note(&MISSING, missing, since, time);
        }
        self.last = Some(address);
    }

    fn leave(&mut self) {
        (self.current, self.is_peeked, self.last) = (None, false, None);
    }

    fn go_behind(&mut self, position: &Position) -> Begun {
        self.began_at = position.time;
        let place = Place::read(&position.place);
        let by_time = place.is_none();
        let place = place.unwrap_or_else(|| of_cursor(&position.place));
        let top = |numbers: &Numbers| numbers.below(u64::MAX).unwrap_or(0);
        self.files.resume(place.sequences.iter().map(|(id, numbers)| (*id, top(numbers))).collect());
        self.look_for_files();
        for sequence in &mut self.sequences {
            match place.sequences.iter().find(|(id, _)| *id == sequence.id) {
                Some((_, numbers)) => sequence.seek(numbers.clone()),
                None if by_time => sequence.seek_since(position.time),
                None => sequence.seek(Numbers::default()),
            }
        }
        for (id, numbers) in place.sequences {
            if !self.sequences.iter().any(|sequence| sequence.id == id) {
                self.sequences.push(Sequence::new(id, numbers));
            }
        }
        self.last = place.last;
        let boot = Id128::from_boot().ok().and_then(|boot| Id::from_str_radix(&boot.to_string(), 16).ok());
        if let Some((last, boot)) = self.last.zip(boot)
            && let Some(sequence) = self.sequences.iter_mut().find(|sequence| sequence.id == last.sequence)
        {
            sequence.forget_reused(&last.head, boot);
        }
        self.begun(position)
    }

    fn begun(&self, position: &Position) -> Begun {
        let is_there = |last: Address| {
            self.sequences.iter().any(|sequence| sequence.id == last.sequence && !sequence.walks.is_empty())
        };
        if self.last.is_none_or(is_there) {
            return Begun::Exactly;
        }
        Begun::Near(format!(
            "the journal no longer contains the last read entry, of {}, nor others of its sequence: reading resumes \
             with all entries that were not read, and entries between may be lost",
            position.time.local()
        ))
    }
}

impl Reader for FilesReader {
    fn resume(&mut self, begin: Begin<'_>) -> Result<Begun, SourceError> {
        self.open_all();
        match begin {
            Begin::Behind(position) => return Ok(self.go_behind(position)),
            Begin::Since(time) => {
                self.began_at = time;
                self.sequences.iter_mut().for_each(|sequence| sequence.seek_since(time));
            }
            Begin::Head => {
                self.began_at = Timestamp::default();
                self.sequences.iter_mut().for_each(|sequence| sequence.seek(Numbers::default()));
            }
            Begin::Tail => {
                self.began_at = Timestamp::now();
                self.sequences.iter_mut().for_each(Sequence::seek_tail);
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
        while let Some((at, head)) = self.advance() {
            let sequence = &mut self.sequences[at];
            self.current = Some((at, Address { sequence: sequence.id, head }));
            if sequence.walk().is_some_and(|walk| self.matches.want(walk, &mut self.shared.unpacker)) {
                self.is_peeked = true;
                return Ok(Next::Record(time(head.realtime)));
            }
            self.take();
        }
        self.current = None;
        Ok(Next::End)
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
        let read = self.sequences.iter().map(|sequence| (sequence.id, &sequence.read));
        Position {
            place: Place::stored(self.last.as_ref(), read),
            time: self.last.map_or(self.began_at, |last| time(last.head.realtime)),
        }
    }

    fn find(&mut self, address: &str) -> Result<bool, SourceError> {
        let Some(wanted) = Address::read(address).filter(|address| address.head.number > 0) else {
            return Err(SourceError(format!("`{}` is not a cursor of the journal", address.escape_debug())));
        };
        self.open_all();
        let time = time(wanted.head.realtime);
        self.sequences.iter_mut().for_each(|sequence| sequence.seek_since(time));
        let at = self.sequences.iter().position(|sequence| sequence.id == wanted.sequence);
        let Some(at) = at.filter(|at| self.sequences[*at].find(wanted.head.number)) else { return Ok(false) };
        let sequence = &self.sequences[at];
        self.current =
            sequence.current().filter(|found| found.head.xor == wanted.head.xor).map(|found| (at, found));
        self.is_peeked = self.current.is_some();
        Ok(self.is_peeked)
    }

    fn is_in_order(&self) -> bool {
        self.sequences.iter().filter(|sequence| !sequence.walks.is_empty()).count() < 2
    }

    fn readiness(&self) -> Readiness<'_> {
        let silence = self.last_read.elapsed();
        let look = (silence < LOOKING).then(|| (silence / 32).max(LOOK));
        let is_watched = self.watch.as_ref().is_some_and(|watch| !watch.is_partial());
        let files = (!is_watched).then(|| self.next_look.saturating_duration_since(Instant::now()));
        Readiness {
            descriptors: [self.watch.as_ref().map(Watch::as_fd), None],
            patience: [look, files, self.losses.next_tend()].into_iter().flatten().min(),
        }
    }

    fn wake(&mut self, _descriptor: usize) {
        if let Some(watch) = &self.watch {
            self.have_files_changed |= watch.clear(|name| self.files.is_known(name));
        }
    }

    fn tend(&mut self, is_drained: bool) -> bool {
        if is_drained {
            let damaged = self.sequences.iter_mut().map(Sequence::take_damaged).sum();
            if damaged > 0 {
                let time = self.last.map_or(self.began_at, |last| time(last.head.realtime));
                self.losses.note(&DAMAGED, damaged, time, Timestamp::now());
            }
        }
        self.losses.tend();
        false
    }

    fn is_missing(&self) -> bool {
        self.files.is_empty()
    }

    fn left_out(&self) -> Vec<LeftOut> {
        self.files.left_out()
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
        let Some(walk) = self.sequences[at].walk() else { return false };
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
    Place { last: Some(last), sequences: vec![(last.sequence, numbers)] }
}

fn time(micros: u64) -> Timestamp {
    Timestamp(i64::try_from(micros).unwrap_or(i64::MAX))
}
