//! Lines of `action_log` that come back as entries, as they would through the journal.
//!
//! A recorded journal holds the lines that were written then; these are the lines that the configuration at hand would
//! write. They come right after the entry that caused them, in the order of their writing, and what they cause comes
//! after all of them: as journald would have it.
//!
//! In the journal, a line that logs itself goes round for ever, and somebody would notice. Here it is cut off.

use std::collections::VecDeque;

use pyruse_core::entry::{Entry, MemoryRecord, Slot};
use pyruse_core::level::Level;
use pyruse_core::workflow::Workflow;

/// A line of a line of a line … of an entry.
const DEPTH_LIMIT: u32 = 16;

/// All lines that one entry causes, directly or not.
const LINES_LIMIT: u32 = 1000;

/// Fields of the causing entry that are the line's too: they tell of the machine.
const INHERITED: &[&str] = &["_BOOT_ID", "_HOSTNAME", "_MACHINE_ID", "__MONOTONIC_TIMESTAMP"];

/// What journald would add to a line of the daemon, and what the line is the same in always.
const FIXED: &[(&str, &str)] = &[
    ("SYSLOG_IDENTIFIER", "pyruse"),
    ("_COMM", "pyruse"),
    ("_EXE", "/usr/bin/pyruse"),
    ("_GID", "0"),
    ("_SYSTEMD_UNIT", "pyruse.service"),
    ("_TRANSPORT", "journal"),
    ("_UID", "0"),
];

/// The lines that have been written and not yet been read.
pub(crate) struct Feedback {
    inherited: Vec<(&'static str, Slot)>,
    waiting: VecDeque<(u32, MemoryRecord)>,
    /// How far the entry that runs is from one that was read.
    depth: u32,
    lines: u32,
    told: bool,
}

impl Feedback {
    pub(crate) fn new(workflow: &Workflow) -> Feedback {
        let slot = |name: &&'static str| Some((*name, workflow.fields().find(name)?));
        Feedback {
            inherited: INHERITED.iter().filter_map(slot).collect(),
            waiting: VecDeque::new(),
            depth: 0,
            lines: 0,
            told: false,
        }
    }

    /// Begins with an entry that was read.
    pub(crate) fn begin(&mut self) {
        self.waiting.clear();
        (self.depth, self.lines, self.told) = (0, 0, false);
    }

    /// The next line to read.
    pub(crate) fn next(&mut self) -> Option<MemoryRecord> {
        let (depth, record) = self.waiting.pop_front()?;
        self.depth = depth;
        Some(record)
    }

    /// Takes a line that the entry has caused. Says once for an entry that was read if there are too many.
    pub(crate) fn write(&mut self, entry: &mut Entry<'_>, level: Level, message: &str) -> Result<(), String> {
        if self.depth == DEPTH_LIMIT || self.lines == LINES_LIMIT {
            if std::mem::replace(&mut self.told, true) {
                return Ok(());
            }
            let why = if self.depth == DEPTH_LIMIT {
                format!("it is line {} of a series caused by one entry", DEPTH_LIMIT + 1)
            } else {
                format!("one entry has caused {LINES_LIMIT} lines")
            };
            return Err(format!("this line is not read as an entry: {why}"));
        }
        self.lines += 1;
        let mut record = MemoryRecord::at(entry.time());
        for (name, value) in FIXED {
            record.push(*name, *value);
        }
        record.push("_SOURCE_REALTIME_TIMESTAMP", entry.time().0.to_string());
        record.push("PRIORITY", level.number().to_string());
        record.push("MESSAGE", message);
        for (name, slot) in &self.inherited {
            if let Some(value) = entry.text(*slot) {
                record.push(*name, value);
            }
        }
        self.waiting.push_back((self.depth + 1, record));
        Ok(())
    }
}
