//! Makes entries of lines: mostly one of each; sometimes one of several.

use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pyruse_core::time::Timestamp;

use super::date::{Dates, Style};
use super::entry::LogEntry;
use super::format::{DateOf, Form, Parsed, parse};
use super::identity::changed;
use super::lines::Lines;
use super::losses::{CUT, FUTURE, UNPARSED};
use super::settings::Settings;
use super::shared::Shared;

/// An entry has at most this many lines.
const LINES_LIMIT: u32 = 1000;

/// If the first lines of a file have no date, that is said.
const UNDATED: u32 = 20;

/// A line that is read when it is written, and whose date is so old, has a wrong date.
const LATE: Duration = Duration::from_secs(15 * 60);

/// After this number of them in sequence, a notice is logged.
const BEHIND: u32 = 10;

/// The result of taking a line.
pub(super) enum Taken {
    /// An entry is complete; it ends before this offset.
    Entry(u64),
    /// Another line may continue it.
    Open,
}

/// See the module.
pub(super) struct Assembly {
    path: PathBuf,
    pub(super) entry: LogEntry,
    dates: Dates,
    /// A further piece of an entry.
    piece: LogEntry,
    /// The part that has the entry which another line may continue, and the number of its lines.
    open: Option<(usize, u32)>,
    last_time: Option<Timestamp>,
    undated: u32,
    /// Whether the end of the file was reached, so that lines are read as they are written.
    is_live: bool,
    /// How many lines in sequence were old when they were written.
    behind: u32,
}

impl Assembly {
    pub(super) fn new(path: &Path, settings: &Settings) -> Assembly {
        let name = path.as_os_str().as_bytes().to_vec();
        Assembly {
            path: path.to_owned(),
            entry: LogEntry::new(settings.constant.clone(), name),
            dates: Dates::new(settings.style.clone(), settings.zone.clone()),
            piece: LogEntry::default(),
            open: None,
            last_time: None,
            undated: 0,
            is_live: false,
            behind: 0,
        }
    }

    /// Begins with another file.
    pub(super) fn begin(&mut self, metadata: &Metadata, is_final: bool) {
        self.is_live = false;
        self.entry.set_owner(metadata.uid());
        self.dates.begin(is_final.then(|| Timestamp(changed(metadata) / 1000)));
    }

    /// Begins with a file that was replaced, and was changed last at this time, in nanoseconds.
    pub(super) fn begin_old(&mut self, changed: i64) {
        self.is_live = false;
        self.dates.begin(Some(Timestamp(changed / 1000)));
    }

    /// The time of the last entry.
    pub(super) fn last_time(&self) -> Option<Timestamp> {
        self.last_time
    }

    /// The part with the entry that another line may continue.
    pub(super) fn open_part(&self) -> Option<usize> {
        self.open.map(|(part, _)| part)
    }

    /// That entry is read again.
    pub(super) fn forget(&mut self) {
        self.open = None;
    }

    /// No line continues that entry. Returns the offset behind it.
    pub(super) fn finish(&mut self, lines: &Lines) -> u64 {
        self.open = None;
        lines.offset()
    }

    /// Takes the line that was found in a part.
    pub(super) fn take(&mut self, part: usize, lines: &mut Lines, shared: &mut Shared<'_>) -> Taken {
        let settings = shared.settings;
        if let Some((_, count)) = self.open {
            if !self.continues(lines, settings) {
                self.open = None;
                return Taken::Entry(lines.offset());
            }
            let (fits, is_last) = self.append(lines, settings);
            let is_full = !fits || lines.is_cut() || count >= LINES_LIMIT;
            if is_full {
                shared.losses.note(&CUT, 1, self.entry.time(), self.entry.time());
            }
            lines.consume();
            if is_full || is_last {
                return Taken::Entry(self.finish(lines));
            }
            self.open = Some((part, count + 1));
            return Taken::Open;
        }
        let time_field = settings.time_field.as_deref();
        let parsed = parse(settings.form, time_field, lines.line(), &mut self.entry, &mut self.dates);
        self.note(parsed, lines.is_cut(), shared);
        let is_cut = lines.is_cut();
        lines.consume();
        if !is_cut && (parsed.is_open || settings.first_line.is_some()) {
            self.open = Some((part, 1));
            return Taken::Open;
        }
        Taken::Entry(lines.offset())
    }

    /// Counts what is unusual.
    fn note(&mut self, parsed: Parsed, is_cut: bool, shared: &mut Shared<'_>) {
        let time = self.entry.time();
        self.last_time = Some(time);
        if is_cut {
            shared.losses.note(&CUT, 1, time, time);
        }
        if parsed.is_odd {
            shared.losses.note(&UNPARSED, 1, time, time);
        }
        if self.is_live && parsed.date == DateOf::Past {
            self.check_zone(time, shared);
        }
        if parsed.date == DateOf::Future {
            shared.losses.note(&FUTURE, 1, time, time);
        }
        if parsed.date == DateOf::None && shared.settings.style != Style::Arrival && !self.dates.has_found {
            self.undated = self.undated.saturating_add(1);
            if self.undated == UNDATED {
                self.say_undated(shared);
            }
        }
    }

    /// A date that is behind the clock when its line is written is one of another zone: all bans would be over before
    /// they begin.
    fn check_zone(&mut self, time: Timestamp, shared: &mut Shared<'_>) {
        let late = time.until(Timestamp::now());
        if late < LATE {
            self.behind = 0;
        } else {
            self.behind = self.behind.saturating_add(1);
        }
        if self.behind == BEHIND {
            let minutes = late.as_secs() / 60;
            shared.losses.log_notice(format!(
                "{}: the dates of new lines are {}h {}m behind the clock: is their time zone another one (argument \
                 `zone`)?",
                self.path.display(),
                minutes / 60,
                minutes % 60
            ));
        }
    }

    fn say_undated(&mut self, shared: &mut Shared<'_>) {
        self.undated = UNDATED + 1;
        shared.losses.log_notice(format!(
            "{}: no date was found in its lines: entries count as written when they are read (arguments `time`, \
             `time_field`)",
            self.path.display()
        ));
    }

    /// The end of the file is reached.
    pub(super) fn at_end(&mut self, shared: &mut Shared<'_>) {
        self.is_live = true;
        if self.undated > 0 && self.undated < UNDATED && !self.dates.has_found {
            self.say_undated(shared);
        }
    }

    /// Does the line that was found continue the entry?
    fn continues(&mut self, lines: &Lines, settings: &Settings) -> bool {
        if settings.form == Form::Docker {
            let parsed = parse(settings.form, None, lines.line(), &mut self.piece, &mut self.dates);
            return !parsed.is_odd && self.piece.has_same("STREAM", &self.entry);
        }
        let text = String::from_utf8_lossy(lines.line());
        // An expression that takes too long has not found anything.
        settings.first_line.as_ref().is_some_and(|first| !first.is_match(&text).unwrap_or(false))
    }

    /// Appends that line. Returns whether it fits, and whether the entry is complete.
    fn append(&mut self, lines: &Lines, settings: &Settings) -> (bool, bool) {
        if settings.form == Form::Docker {
            let parsed = parse(settings.form, None, lines.line(), &mut self.piece, &mut self.dates);
            return (self.entry.append([self.piece.message(), b""]), !parsed.is_open);
        }
        (self.entry.append([b"\n", lines.line()]), false)
    }
}
