//! The reader of a journal: of its files as long as their formats are known, else libsystemd's.
//!
//! A file of a format that is not known may come at any time, after an upgrade of systemd. Then libsystemd reads on, from
//! the entry that was read last, until no such file is left ([`super::fallback`]).

use pyruse_core::entry::Record;
use pyruse_core::losses::Losses;
use pyruse_core::plugin::{Begin, Begun, LeftOut, Next, Reader, Readiness, SourceError};
use pyruse_core::state::Position;

use super::direct::{self, FilesReader};
use super::fallback::Fallback;
use super::follow::Follower;
use super::left_out;
use super::settings::{JournalSettings, ReaderKind};

/// All files of a journal that its reader leaves out now.
pub(super) fn left_out(settings: &JournalSettings) -> Vec<LeftOut> {
    let by_us = match settings.reader {
        Some(ReaderKind::Libsystemd) => None,
        Some(ReaderKind::Files) | None => direct::left_out(settings),
    };
    by_us.unwrap_or_else(|| left_out::left_out(settings))
}

/// See the module.
pub(super) struct AnyReader {
    settings: JournalSettings,
    reader: Kind,
}

enum Kind {
    Files(Box<FilesReader>),
    /// With the reason, unless the configuration says so.
    Libsystemd(Box<Follower>, Option<Box<Fallback>>),
}

impl Kind {
    fn open(settings: &JournalSettings) -> Result<Kind, SourceError> {
        match settings.reader {
            Some(ReaderKind::Libsystemd) => Kind::libsystemd(settings, None),
            Some(ReaderKind::Files) | None => Ok(Kind::Files(Box::new(FilesReader::open(settings)?))),
        }
    }

    fn libsystemd(settings: &JournalSettings, fallback: Option<Box<Fallback>>) -> Result<Kind, SourceError> {
        let follower = Follower::open(settings).map_err(SourceError::of)?;
        Ok(Kind::Libsystemd(Box::new(follower), fallback))
    }

    fn get(&self) -> &dyn Reader {
        match self {
            Kind::Files(files) => &**files,
            Kind::Libsystemd(follower, _) => &**follower,
        }
    }

    fn get_mut(&mut self) -> &mut dyn Reader {
        match self {
            Kind::Files(files) => &mut **files,
            Kind::Libsystemd(follower, _) => &mut **follower,
        }
    }
}

impl AnyReader {
    pub(super) fn open(settings: &JournalSettings) -> Result<AnyReader, SourceError> {
        let mut reader = Kind::open(settings)?;
        if let Kind::Files(files) = &reader
            && let Some(fallback) = Fallback::of(files, settings)
        {
            tracing::warn!("{}", fallback.reason());
            reader = Kind::libsystemd(settings, Some(fallback))?;
        }
        Ok(AnyReader { settings: settings.clone(), reader })
    }

    /// Returns whether there are entries; `None` if there is no journal at all.
    pub(super) fn has_entries(&mut self) -> Result<Option<bool>, SourceError> {
        match &mut self.reader {
            Kind::Files(files) => Ok(files.has_entries()),
            Kind::Libsystemd(follower, _) => follower.has_entries().map_err(SourceError::of),
        }
    }

    #[cfg(test)]
    pub(super) fn is_by_libsystemd(&self) -> bool {
        matches!(self.reader, Kind::Libsystemd(..))
    }

    /// Has libsystemd read on, if a file of an unknown format has come. Returns `true` if it does.
    fn fall_back(&mut self) -> bool {
        let Kind::Files(files) = &mut self.reader else { return false };
        let Some(mut fallback) = Fallback::of(files, &self.settings) else { return false };
        let (reason, position) = (fallback.reason(), files.position());
        fallback.begin(&position);
        let opened = Kind::libsystemd(&self.settings, Some(fallback)).and_then(|mut other| {
            let begun = other.get_mut().resume(Begin::Behind(&position))?;
            Ok((other, begun))
        });
        let (other, begun) = match opened {
            Ok(opened) => opened,
            Err(e) => {
                // The files that are known are read; the other one is said to be left out.
                tracing::debug!("{reason}: {e}");
                return false;
            }
        };
        self.exchange(other, reason, begun);
        true
    }

    /// Has our own reader read on, if no file of an unknown format is left. Returns `true` if it does.
    fn come_back(&mut self) -> bool {
        let Kind::Libsystemd(follower, Some(fallback)) = &mut self.reader else { return false };
        if !fallback.may_end() {
            return false;
        }
        let opened = FilesReader::open(&self.settings);
        let Ok(mut files) = opened.inspect_err(|e| tracing::debug!("opening the files again: {e}")) else {
            fallback.go_on(None);
            return false;
        };
        if let Some(other) = files.unknown() {
            fallback.go_on(Some(other.to_owned()));
            return false;
        }
        fallback.pass(follower.passed());
        let (is_exact, position) = (fallback.is_noting(), fallback.position(follower.position()));
        let Ok(begun) = files.resume(Begin::Behind(&position)) else { return false };
        // Where the numbers are known, the entry that was read last may be gone with its file: what is missing is
        // counted by number.
        let begun = if is_exact { Begun::Exactly } else { begun };
        let text =
            "no journal file of an unknown format is left: the journal is read without libsystemd again";
        self.exchange(Kind::Files(Box::new(files)), text.to_owned(), begun);
        true
    }

    fn exchange(&mut self, mut other: Kind, why: String, begun: Begun) {
        let losses = other.get_mut().losses();
        *losses = std::mem::take(self.losses());
        losses.log_notice(why);
        if let Begun::Near(text) = begun {
            losses.log_notice(text);
        }
        self.reader = other;
    }

    /// What libsystemd reads instead of our own reader begins there, too.
    fn begin_fallback(&mut self, begin: Begin<'_>) {
        let Kind::Libsystemd(_, Some(fallback)) = &mut self.reader else { return };
        fallback.forget();
        let position = FilesReader::open(&self.settings).and_then(|mut files| {
            files.resume(begin)?;
            Ok(files.position())
        });
        match position {
            Ok(position) => fallback.begin(&position),
            Err(e) => tracing::debug!("opening the files that are known: {e}"),
        }
    }
}

impl Reader for AnyReader {
    fn resume(&mut self, begin: Begin<'_>) -> Result<Begun, SourceError> {
        let resumed = self.reader.get_mut().resume(begin)?;
        self.begin_fallback(begin);
        Ok(resumed)
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        let Kind::Libsystemd(follower, Some(fallback)) = &mut self.reader else {
            return self.reader.get_mut().next();
        };
        loop {
            let next = follower.next()?;
            if !(matches!(next, Next::Record(_)) && fallback.is_noting() && fallback.find(follower.cursor()))
            {
                return Ok(next);
            }
            // So it counts as read.
            follower.record();
        }
    }

    fn record(&mut self) -> &mut dyn Record {
        if let Kind::Libsystemd(follower, Some(fallback)) = &mut self.reader
            && fallback.is_noting()
        {
            let time = follower.record().realtime();
            fallback.note(time, follower.losses());
        }
        self.reader.get_mut().record()
    }

    fn position(&mut self) -> Position {
        match &mut self.reader {
            Kind::Libsystemd(follower, Some(fallback)) => {
                fallback.pass(follower.passed());
                fallback.position(follower.position())
            }
            reader => reader.get_mut().position(),
        }
    }

    fn find(&mut self, address: &str) -> Result<bool, SourceError> {
        if let Kind::Libsystemd(_, Some(fallback)) = &mut self.reader {
            fallback.forget();
        }
        self.reader.get_mut().find(address)
    }

    fn is_in_order(&self) -> bool {
        self.reader.get().is_in_order()
    }

    fn readiness(&self) -> Readiness<'_> {
        let mut readiness = self.reader.get().readiness();
        if let Kind::Libsystemd(_, Some(fallback)) = &self.reader {
            readiness.timeout = [readiness.timeout, fallback.timeout()].into_iter().flatten().min();
        }
        readiness
    }

    fn wake(&mut self, descriptor: usize) {
        if let Kind::Libsystemd(_, Some(fallback)) = &mut self.reader {
            fallback.note_change();
        }
        self.reader.get_mut().wake(descriptor);
    }

    fn tend(&mut self, is_drained: bool) -> bool {
        self.fall_back() || (is_drained && self.come_back()) || self.reader.get_mut().tend(is_drained)
    }

    fn is_missing(&self) -> bool {
        self.reader.get().is_missing()
    }

    fn left_out(&self) -> Vec<LeftOut> {
        self.reader.get().left_out()
    }

    fn losses(&mut self) -> &mut Losses {
        self.reader.get_mut().losses()
    }
}
