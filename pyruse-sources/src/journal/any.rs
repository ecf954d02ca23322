//! The reader of a journal: of its files as long as their formats are known, else libsystemd's.
//!
//! A file of a format that is not known may come at any time, after an upgrade of systemd. Then libsystemd reads on, from
//! the entry that was read last.

use pyruse_core::entry::Record;
use pyruse_core::losses::Losses;
use pyruse_core::plugin::{Begin, Begun, LeftOut, Next, Reader, Readiness, SourceError};
use pyruse_core::state::Position;

use super::direct::{self, FilesReader};
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
    Libsystemd(Box<Follower>),
}

impl Kind {
    fn open(settings: &JournalSettings) -> Result<Kind, SourceError> {
        match settings.reader {
            Some(ReaderKind::Libsystemd) => Kind::libsystemd(settings),
            Some(ReaderKind::Files) | None => Ok(Kind::Files(Box::new(FilesReader::open(settings)?))),
        }
    }

    fn libsystemd(settings: &JournalSettings) -> Result<Kind, SourceError> {
        Ok(Kind::Libsystemd(Box::new(Follower::open(settings).map_err(SourceError::of)?)))
    }

    fn get(&self) -> &dyn Reader {
        match self {
            Kind::Files(files) => &**files,
            Kind::Libsystemd(follower) => &**follower,
        }
    }

    fn get_mut(&mut self) -> &mut dyn Reader {
        match self {
            Kind::Files(files) => &mut **files,
            Kind::Libsystemd(follower) => &mut **follower,
        }
    }
}

impl AnyReader {
    pub(super) fn open(settings: &JournalSettings) -> Result<AnyReader, SourceError> {
        let mut reader = Kind::open(settings)?;
        if let Kind::Files(files) = &reader
            && let Some(unknown) = files.unknown()
        {
            tracing::warn!("{unknown}");
            reader = Kind::libsystemd(settings)?;
        }
        Ok(AnyReader { settings: settings.clone(), reader })
    }

    /// Returns whether there are entries; `None` if there is no journal at all.
    pub(super) fn has_entries(&mut self) -> Result<Option<bool>, SourceError> {
        match &mut self.reader {
            Kind::Files(files) => Ok(files.has_entries()),
            Kind::Libsystemd(follower) => follower.has_entries().map_err(SourceError::of),
        }
    }

    #[cfg(test)]
    pub(super) fn is_by_libsystemd(&self) -> bool {
        matches!(self.reader, Kind::Libsystemd(_))
    }

    /// Has libsystemd read on, if a file of an unknown format has come. Returns `true` if it does.
    fn fall_back(&mut self) -> bool {
        let Kind::Files(files) = &mut self.reader else { return false };
        let Some(unknown) = files.unknown() else { return false };
        let position = files.position();
        let opened = Kind::libsystemd(&self.settings).and_then(|mut other| {
            let begun = other.get_mut().resume(Begin::Behind(&position))?;
            Ok((other, begun))
        });
        let (mut other, begun) = match opened {
            Ok(opened) => opened,
            Err(e) => {
                // The files that are known are read; the other one is said to be left out.
                tracing::debug!("{unknown}: {e}");
                return false;
            }
        };
        let losses = other.get_mut().losses();
        *losses = std::mem::take(files.losses());
        losses.log_notice(unknown);
        if let Begun::Near(text) = begun {
            losses.log_notice(text);
        }
        self.reader = other;
        true
    }
}

impl Reader for AnyReader {
    fn resume(&mut self, begin: Begin<'_>) -> Result<Begun, SourceError> {
        self.reader.get_mut().resume(begin)
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        self.reader.get_mut().next()
    }

    fn record(&mut self) -> &mut dyn Record {
        self.reader.get_mut().record()
    }

    fn position(&mut self) -> Position {
        self.reader.get_mut().position()
    }

    fn find(&mut self, address: &str) -> Result<bool, SourceError> {
        self.reader.get_mut().find(address)
    }

    fn is_in_order(&self) -> bool {
        self.reader.get().is_in_order()
    }

    fn readiness(&self) -> Readiness<'_> {
        self.reader.get().readiness()
    }

    fn wake(&mut self, descriptor: usize) {
        self.reader.get_mut().wake(descriptor);
    }

    fn tend(&mut self, is_drained: bool) -> bool {
        self.fall_back() || self.reader.get_mut().tend(is_drained)
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
