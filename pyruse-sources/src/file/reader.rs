//! The open source: follows all files, and returns the oldest of their next entries.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use pyruse_core::entry::Record;
use pyruse_core::losses::Losses;
use pyruse_core::plugin::{Begin, Begun, LeftOut, Next, Reader, Readiness, SourceError};
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;

use super::directories::Directories;
use super::followed::{Followed, Step};
use super::globs::{self, Matches};
use super::input;
use super::place;
use super::refused::Refused;
use super::settings::{STANDARD_INPUT, Settings};
use super::shared::Shared;
use super::siblings::is_rotation_of;
use super::watch::{Events, Watch};

/// The largest number of paths that are followed.
const FILES_LIMIT: usize = 1000;

/// The largest number of files that are read in turn, in the order of time; others wait.
const AT_ONCE: usize = 64;

/// The number of bytes that are read before other sources have their turn.
const BUDGET: usize = 4 << 20;

/// Looking for files takes at most this fraction of the time: one divided by the number.
const RARELY: u32 = 20;

/// How often files that were replaced are looked at.
const LINGERING: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct LogReader {
    settings: Rc<Settings>,
    patterns: Vec<String>,
    files: Vec<Followed>,
    watch: Watch,
    directories: Directories,
    losses: Losses,
    refused: Refused,
    /// The numbers of files that may have something to read.
    active: Vec<usize>,
    /// The file with the entry that was found.
    found: Option<usize>,
    /// When files that may have an entry later are looked at again.
    later: Option<Instant>,
    /// The file that was read last, and the time of its entry.
    last: Option<usize>,
    time: Timestamp,
    /// Whether files may have come, and when they are looked for at the earliest.
    must_expand: bool,
    expand_after: Instant,
    /// When files were looked for last, in nanoseconds: what was changed before is known.
    expanded: i64,
    linger: Option<Instant>,
    is_full: bool,
}

impl LogReader {
    pub(super) fn open(settings: Rc<Settings>) -> Result<LogReader, SourceError> {
        crate::journal::raise_descriptor_limit();
        if settings.once {
            for path in settings.literals() {
                input::open(&path).map_err(|e| SourceError(input::failure(&path, &e)))?;
            }
        }
        let watch = LogReader::watch(&settings);
        Ok(LogReader {
            patterns: settings.pattern_texts(),
            settings,
            files: Vec::new(),
            watch,
            directories: Directories::default(),
            losses: Losses::default(),
            refused: Refused::default(),
            active: Vec::new(),
            found: None,
            later: None,
            last: None,
            time: Timestamp::default(),
            must_expand: false,
            expand_after: Instant::now(),
            expanded: 0,
            linger: None,
            is_full: false,
        })
    }

    fn forget(&mut self) {
        self.files.clear();
        self.active.clear();
        (self.found, self.later, self.last, self.linger) = (None, None, None, None);
        self.watch = LogReader::watch(&self.settings);
    }

    fn watch(settings: &Settings) -> Watch {
        if settings.once { Watch::none() } else { Watch::new() }
    }

    /// Looks for files; returns those that are not followed yet.
    fn expand(&mut self) -> Vec<PathBuf> {
        let start = Instant::now();
        self.must_expand = false;
        let mut matches = Matches::default();
        if self.settings.reads_standard_input {
            matches.files.insert(PathBuf::from(STANDARD_INPUT));
        } else {
            matches = globs::expand(&self.settings.patterns);
            // Before files are opened: what comes in between is noticed.
            self.watch.set_directories(&matches.directories);
            for text in std::mem::take(&mut self.watch.notices) {
                self.losses.log_notice(text);
            }
        }
        self.refused.set_others(&matches.others, &mut self.losses);
        for (path, e) in matches.failures {
            self.refused.note(&path, input::failure(&path, &e), &mut self.losses);
        }
        let known: BTreeSet<&PathBuf> = self.files.iter().map(|file| &file.path).collect();
        let new = matches.files.iter().filter(|path| !known.contains(path)).cloned().collect();
        self.expand_after = Instant::now() + start.elapsed() * RARELY;
        self.expanded = Timestamp::now().0.saturating_mul(1000);
        new
    }

    /// Follows a path; rotated files of it that were changed before `floor` are not read.
    fn follow(&mut self, path: PathBuf, floor: i64) -> Option<usize> {
        let mut number = self.files.len();
        if number >= FILES_LIMIT {
            let gone = self.files.iter().position(Followed::is_gone);
            let Some(gone) = gone else {
                if !std::mem::replace(&mut self.is_full, true) {
                    self.losses.log(format!(
                        "{} and others are not read: {FILES_LIMIT} log files are followed already; use several sources",
                        path.display()
                    ));
                }
                return None;
            };
            number = gone;
        }
        let file = Followed::new(path, number, &self.settings, floor);
        if number == self.files.len() {
            self.files.push(file);
        } else {
            self.files[number] = file;
        }
        self.activate(number);
        Some(number)
    }

    fn activate(&mut self, number: usize) {
        if !self.active.contains(&number) {
            self.active.push(number);
        }
    }

    /// Does what has become due, and takes note of what has happened.
    fn look(&mut self) {
        let is_timed = self.linger.is_some() || self.must_expand || self.watch.polls();
        // To read the clock costs as much as to parse a date.
        if self.settings.once || !is_timed {
            return;
        }
        let now = Instant::now();
        if self.watch.is_poll_due() {
            self.see(Events { all: true, ..Events::default() });
        }
        if self.linger.is_some_and(|at| at <= now) {
            self.linger = None;
            for number in 0..self.files.len() {
                if self.files[number].lingers() {
                    self.files[number].recheck = true;
                    self.activate(number);
                }
            }
        }
        if self.must_expand && self.expand_after <= now {
            let floor = self.expanded;
            for path in self.expand() {
                self.follow(path, floor);
            }
        }
    }

    fn see(&mut self, events: Events) {
        for number in events.changed {
            if let Some(file) = self.files.get_mut(number) {
                file.recheck = true;
                self.activate(number);
            }
        }
        for number in 0..self.files.len() {
            let file = &mut self.files[number];
            if events.all || events.names.contains(&file.path) {
                (file.must_look, file.recheck) = (true, true);
                self.activate(number);
            }
        }
        if events.names.is_empty() {
            self.must_expand |= events.all;
            return;
        }
        let settings = &self.settings;
        let known: HashSet<&PathBuf> = self.files.iter().map(|file| &file.path).collect();
        let may_match = |path: &PathBuf| {
            // A directory, or a file that was not there.
            let is_known = known.contains(path);
            let is_rotated = || {
                let name = path.file_name().unwrap_or_default();
                self.files.iter().any(|file| {
                    file.path.parent() == path.parent()
                        && file.path.file_name().is_some_and(|base| is_rotation_of(base, name))
                })
            };
            let is_above = |pattern: &globs::PathPattern| pattern.may_be_below(path);
            !is_known && settings.patterns.iter().any(is_above) && !is_rotated()
        };
        self.must_expand |= events.all || events.names.iter().any(may_match);
    }

    /// Continues in the files that may have something to read.
    fn advance(&mut self) -> Option<Step> {
        let mut later: Option<Instant> = None;
        let mut is_busy = false;
        let mut heads = 0;
        let mut n = 0;
        while n < self.active.len() && heads < AT_ONCE {
            let number = self.active[n];
            let file = &mut self.files[number];
            let is_waiting = |until: Instant| !file.recheck && !file.must_look && until > Instant::now();
            let step = if file.head_time().is_some() {
                Step::Entry
            } else if let Some(until) = file.wait_until.filter(|until| is_waiting(*until)) {
                Step::Later(until.saturating_duration_since(Instant::now()))
            } else {
                file.wait_until = None;
                let mut shared = Shared {
                    settings: &self.settings,
                    watch: &mut self.watch,
                    directories: &mut self.directories,
                    losses: &mut self.losses,
                    refused: &mut self.refused,
                    budget: BUDGET,
                };
                file.advance(&mut shared)
            };
            match step {
                Step::Entry => heads += 1,
                Step::Busy => is_busy = true,
                Step::Later(wait) => {
                    let at = Instant::now() + wait;
                    file.wait_until.get_or_insert(at);
                    later = Some(later.map_or(at, |other| other.min(at)));
                }
                Step::Idle => {
                    if file.lingers() {
                        self.linger.get_or_insert_with(|| Instant::now() + LINGERING);
                    }
                    self.active.swap_remove(n);
                    continue;
                }
            }
            n += 1;
        }
        self.later = later;
        if heads > 0 {
            Some(Step::Entry)
        } else if is_busy {
            Some(Step::Busy)
        } else {
            later.map(|at| Step::Later(at.saturating_duration_since(Instant::now())))
        }
    }
}

impl Reader for LogReader {
    fn resume(&mut self, begin: Begin<'_>) -> Result<Begun, SourceError> {
        self.forget();
        let mut place = None;
        let mut begin = begin;
        if let Begin::Behind(position) = begin {
            self.time = position.time;
            place = place::read(&position.place);
            if place.is_none() {
                begin = Begin::Since(position.time);
            }
        }
        let new = self.expand();
        let settings = self.settings.clone();
        let floor = match begin {
            Begin::Head | Begin::Tail => i64::MIN,
            Begin::Since(time) => time.0.saturating_mul(1000),
            Begin::Behind(position) => position.time.0.saturating_mul(1000),
        };
        for path in new {
            let stored = place.as_ref().and_then(|place| place.files.iter().find(|file| file.path() == path));
            let was_configured = place.as_ref().is_some_and(|place| {
                let patterns = self.settings.patterns.iter();
                patterns
                    .filter(|pattern| pattern.matches(&path))
                    .any(|pattern| place.patterns.iter().any(|former| former == pattern.text()))
            });
            let Some(number) = self.follow(path, floor) else { continue };
            let file = &mut self.files[number];
            match (begin, stored) {
                (Begin::Since(time), _) => file.since = Some(time),
                (Begin::Head, _) => {}
                (Begin::Behind(_), Some(stored)) => file.restore(stored),
                // It has come while nobody read.
                (Begin::Behind(_), None) if was_configured => {}
                (Begin::Tail | Begin::Behind(_), _) => {
                    let mut shared = Shared {
                        settings: &settings,
                        watch: &mut self.watch,
                        directories: &mut self.directories,
                        losses: &mut self.losses,
                        refused: &mut self.refused,
                        budget: BUDGET,
                    };
                    self.files[number].go_to_end(&mut shared);
                }
            }
        }
        if matches!(begin, Begin::Tail) {
            self.time = Timestamp::now();
        }
        Ok(Begun::Exactly)
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        if let Some(time) = self.found.and_then(|number| self.files[number].head_time()) {
            return Ok(Next::Record(time));
        }
        self.look();
        match self.advance() {
            Some(Step::Entry) => {}
            Some(Step::Busy) => return Ok(Next::Later(Duration::ZERO)),
            Some(Step::Later(wait)) => return Ok(Next::Later(wait)),
            Some(Step::Idle) | None => return Ok(Next::End),
        }
        let heads = self.active.iter().filter_map(|number| Some((self.files[*number].head_time()?, *number)));
        let Some((time, number)) = heads.min() else { return Ok(Next::End) };
        self.found = Some(number);
        Ok(Next::Record(time))
    }

    fn record(&mut self) -> &mut dyn Record {
        // It is called after an entry was found.
        let number = self.found.take().or(self.last).unwrap_or_default();
        self.last = Some(number);
        let entry = self.files[number].take_entry();
        self.time = entry.time();
        entry
    }

    fn position(&mut self) -> Position {
        // The file that was read last comes first: it is the one to show.
        let last = self.last;
        let others = (0..self.files.len()).filter(|number| Some(*number) != last);
        self.files.iter_mut().for_each(Followed::store);
        let lines = last.into_iter().chain(others).map(|number| self.files[number].stored());
        Position { place: place::write(&self.patterns, lines), time: self.time }
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        match self.files.as_slice() {
            [file] if self.settings.once => file.progress(),
            _ => None,
        }
    }

    fn readiness(&self) -> Readiness<'_> {
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        let expand = self.must_expand.then_some(self.expand_after);
        let polls = (!self.settings.once).then(|| self.watch.timeout()).flatten();
        let due = [self.linger, expand, self.later].into_iter().flatten().map(until);
        let timeout = due.chain(polls).chain(self.losses.next_tend()).min();
        Readiness { descriptors: [self.watch.as_fd(), None], timeout }
    }

    fn wake(&mut self, _descriptor: usize) {
        let events = self.watch.take();
        self.see(events);
    }

    fn tend(&mut self, is_drained: bool) -> bool {
        if is_drained {
            self.directories.forget();
        }
        self.losses.tend();
        false
    }

    fn is_missing(&self) -> bool {
        if self.settings.reads_standard_input {
            return false;
        }
        if self.files.is_empty() {
            return !globs::expand(&self.settings.patterns).files.iter().any(|path| path.exists());
        }
        !self.files.iter().any(|file| file.exists() || file.path.exists())
    }

    fn left_out(&self) -> Vec<LeftOut> {
        self.refused.left_out()
    }

    fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }
}
