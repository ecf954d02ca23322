//! All files of a journal as one stream of entries.
//!
//! Files of one sequence are one stream ([`super::sequence`]). In a backlog, these are joined by time, as libsystemd joins
//! them; at the end, whichever has an entry comes first.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use pyruse_core::losses::Losses;
use pyruse_core::time::Timestamp;

use crate::journal::file::Id;
use crate::journal::left_out::CREATION_TIME;
use crate::journal::places;
use crate::journal::settings::JournalSettings;

use super::entry::{Address, Head};
use super::files::{Files, NAMED};
use super::numbers::Numbers;
use super::place::Place;
use super::sequence::{Sequence, is_before};
use super::watch::Watch;

/// How often to look for files, where something cannot be watched.
const LOOK_FOR_FILES: Duration = Duration::from_secs(5);

/// The most sequences that are remembered after their files are gone.
const GONE: usize = 64;

/// After this many entries of a backlog, files are looked for: they may be rotated away.
const BACKLOG: u32 = 1000;

/// See the module.
pub(super) struct Stream {
    settings: JournalSettings,
    pub(super) files: Files,
    pub(super) sequences: Vec<Sequence>,
    /// Made when somebody wants to wait. Who only reads has no use for it, and to close one takes the kernel 10 to 50 ms.
    watch: OnceCell<Option<Watch>>,
    /// Whether there may be files that are not open.
    have_files_changed: bool,
    next_look: Instant,
    /// Whether files were let go.
    was_let_go: bool,
    /// How many entries were read since the last look at the directories.
    since_look: u32,
    /// Whether files were added since the open files were last looked at: those before them may have more entries.
    were_files_added: bool,
    /// Files that are left out, and were not before.
    refused: Vec<String>,
    /// What to say of files that every user may write.
    writable: Vec<String>,
    /// Why the directory that the configuration names cannot be read, if so.
    pub(super) trouble: Option<String>,
}

impl Stream {
    pub(super) fn open(settings: &JournalSettings) -> std::io::Result<Stream> {
        let mut stream = Stream {
            files: Files::new(settings)?,
            settings: settings.clone(),
            sequences: Vec::new(),
            watch: OnceCell::new(),
            have_files_changed: false,
            next_look: Instant::now(),
            was_let_go: false,
            since_look: 0,
            were_files_added: false,
            refused: Vec::new(),
            writable: Vec::new(),
            trouble: None,
        };
        stream.look_for_files();
        Ok(stream)
    }

    /// Goes to the entry that comes next; returns its sequence, and what it says of itself.
    pub(super) fn advance(&mut self) -> Option<(usize, Head)> {
        self.since_look += 1;
        if self.since_look >= BACKLOG || self.were_files_added {
            self.refresh();
        }
        self.choose().or_else(|| {
            self.refresh();
            self.choose()
        })
    }

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

    /// Looks at what was written meanwhile, in the order that [`Sequence::look`] needs.
    fn refresh(&mut self) {
        self.sequences.iter_mut().for_each(Sequence::look);
        self.notice();
        for sequence in &mut self.sequences {
            self.was_let_go |= sequence.refresh();
        }
        self.were_files_added = false;
    }

    /// Opens files again that were let go because they were read.
    pub(super) fn open_all(&mut self) {
        if std::mem::take(&mut self.was_let_go) {
            self.files.forget();
            self.have_files_changed = true;
        }
        self.refresh();
    }

    /// Looks whether there are other files, if something has happened to them.
    fn notice(&mut self) {
        self.since_look = 0;
        self.wake();
        if self.have_files_changed || self.timeout().is_some_and(|left| left.is_zero()) {
            self.look_for_files();
        }
    }

    fn look_for_files(&mut self) {
        self.have_files_changed = false;
        if let Some(Some(watch)) = self.watch.get_mut() {
            // Before looking: what comes in between is noticed.
            watch.add(&places::directories(&self.settings));
        }
        let directory = self.settings.directory.as_ref();
        self.trouble = directory.and_then(|directory| {
            let error = std::fs::read_dir(directory).err()?;
            Some(format!("opening the journal in {}: {error}", directory.display()))
        });
        let changes = self.files.look();
        self.next_look =
            Instant::now() + if self.files.is_in_doubt() { CREATION_TIME } else { LOOK_FOR_FILES };
        for sequence in &mut self.sequences {
            self.was_let_go |= sequence.let_deleted_go();
        }
        self.refused.extend(changes.refused.into_iter().map(|refused| refused.text));
        self.writable.extend(changes.writable);
        let walks = self.sequences.iter().flat_map(|sequence| &sequence.walks);
        let mut open: HashSet<_> = walks.map(|walk| walk.identity).collect();
        for walk in changes.new.into_iter().filter(|walk| open.insert(walk.identity)) {
            let id = walk.file.header.seqnum_id;
            let known = self.sequences.iter().position(|sequence| sequence.id == id);
            let at = known.unwrap_or_else(|| {
                self.sequences.push(Sequence::new(id, Numbers::default()));
                self.sequences.len() - 1
            });
            self.sequences[at].add(walk);
            self.were_files_added = true;
        }
        self.forget_gone();
    }

    /// Forgets the sequences whose files are gone, but for the last ones: a directory may be away for some time.
    fn forget_gone(&mut self) {
        let present = self.files.sequences();
        let is_gone = |sequence: &Sequence| sequence.walks.is_empty() && !present.contains(&sequence.id);
        let gone = self.sequences.iter().filter(|sequence| is_gone(sequence)).count();
        let mut surplus = gone.saturating_sub(GONE);
        self.sequences.retain(|sequence| {
            let is_kept = surplus == 0 || !is_gone(sequence);
            surplus -= usize::from(!is_kept);
            is_kept
        });
    }

    /// Reports the files that are left out, and were not before, and those that every user may write.
    pub(super) fn report(&mut self, losses: &mut Losses) {
        let others = self.refused.len().saturating_sub(NAMED);
        self.refused.drain(..).take(NAMED).for_each(|text| losses.log(text));
        if others > 0 {
            losses
                .log(format!("{others} more files of the journal are left out: they cannot be read either"));
        }
        self.writable.drain(..).take(NAMED).for_each(|text| losses.log_notice(text));
    }

    /// Goes behind the entries that were read. `by_time`: of sequences that the place does not know, all that libsystemd
    /// gives before was read.
    pub(super) fn seek(&mut self, place: Place, by_time: Option<Timestamp>, boot: Option<Id>) {
        let top = |numbers: &Numbers| numbers.below(u64::MAX).unwrap_or(0);
        self.files.resume(place.sequences.iter().map(|(id, numbers)| (*id, top(numbers))).collect());
        self.look_for_files();
        for sequence in &mut self.sequences {
            match place.sequences.iter().find(|(id, _)| *id == sequence.id) {
                Some((_, numbers)) => sequence.seek(numbers.clone()),
                None => match (by_time, &place.last) {
                    (None, _) => sequence.seek(Numbers::default()),
                    (Some(_), Some(last)) => sequence.seek_behind(&last.head),
                    (Some(time), None) => sequence.seek_since(time),
                },
            }
        }
        for (id, numbers) in place.sequences {
            if !self.sequences.iter().any(|sequence| sequence.id == id) {
                self.sequences.push(Sequence::new(id, numbers));
            }
        }
        let Some((last, boot)) = place.last.zip(boot).filter(|(last, boot)| last.head.boot != *boot) else {
            return;
        };
        for sequence in &mut self.sequences {
            let is_last = sequence.id == last.sequence;
            sequence.forget_reused(is_last.then_some(&last.head), boot);
        }
    }

    /// Is that entry in a file?
    pub(super) fn has(&mut self, address: &Address) -> bool {
        let mut sequences = self.sequences.iter_mut().filter(|sequence| sequence.id == address.sequence);
        sequences.any(|sequence| sequence.has(&address.head))
    }

    /// Was that entry read from a journal in memory? It was if it is only there, or if the disk has a copy of it. Nothing
    /// is known of one that is nowhere any more: then what is on the disk is read, rather than lost.
    pub(super) fn was_in_memory(&mut self, last: &Address) -> bool {
        let is_last = |sequence: &&Sequence| sequence.id == last.sequence;
        let mut of_last =
            self.sequences.iter().filter(is_last).flat_map(|sequence| &sequence.walks).peekable();
        let is_only_there = of_last.peek().is_some() && of_last.all(|walk| walk.is_runtime);
        is_only_there || self.sequences.iter_mut().any(|sequence| sequence.has_copy(last))
    }

    /// How many sequences have entries that may be read.
    pub(super) fn width(&self) -> usize {
        self.sequences.iter().filter(|sequence| !sequence.walks.is_empty()).count()
    }

    /// What to wait for; call it before [`Stream::timeout`].
    pub(super) fn watch(&self) -> Option<&Watch> {
        let make = || Watch::new().inspect_err(|e| tracing::debug!("inotify: {e}")).ok();
        self.watch.get_or_init(make).as_ref()
    }

    /// Its descriptor is readable.
    pub(super) fn wake(&mut self) {
        if let Some(Some(watch)) = self.watch.get() {
            self.have_files_changed |= watch.clear(|name| self.files.is_known(name));
        }
    }

    /// When to look for files, if something is not watched, or is uncertain.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let watch = self.watch.get().and_then(Option::as_ref);
        if watch.is_some_and(Watch::is_new) {
            return Some(Duration::ZERO);
        }
        let is_watched = watch.is_some_and(|watch| !watch.is_partial());
        (!is_watched || self.files.is_in_doubt())
            .then(|| self.next_look.saturating_duration_since(Instant::now()))
    }
}
