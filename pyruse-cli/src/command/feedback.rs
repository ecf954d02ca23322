//! Runs lines of `action_log` as entries, as if they had gone through the journal.
//!
//! A recorded journal contains the lines that were written then; these are the lines that the present configuration
//! would write. They follow directly after the entry that caused them, in the order of writing, and lines that they
//! cause follow after all of them, as with journald.
//!
//! In the journal, a line that logs itself is repeated for ever, and somebody would notice. Here the series is cut off.

use std::collections::VecDeque;

use pyruse_core::entry::{Entry, MemoryRecord, Slot};
use pyruse_core::level::Level;
use pyruse_core::workflow::Workflow;

/// The longest series of lines where each causes the next.
const DEPTH_LIMIT: u32 = 16;

/// The maximum number of lines that one entry causes, directly or not.
const LINES_LIMIT: u32 = 1000;

/// The fields that a line takes from the causing entry: they describe the machine.
const INHERITED: &[&str] = &["_BOOT_ID", "_HOSTNAME", "_MACHINE_ID", "__MONOTONIC_TIMESTAMP"];

/// The fields that journald would add to a line of the daemon, and fields with a constant value.
const FIXED: &[(&str, &str)] = &[
    ("SYSLOG_IDENTIFIER", "pyruse"),
    ("_COMM", "pyruse"),
    ("_EXE", "/usr/bin/pyruse"),
    ("_GID", "0"),
    ("_SYSTEMD_UNIT", "pyruse.service"),
    ("_TRANSPORT", "journal"),
    ("_UID", "0"),
];

/// The lines that were written and not read yet.
pub(crate) struct Feedback {
    inherited: Vec<(&'static str, Slot)>,
    waiting: VecDeque<(u32, MemoryRecord)>,
    /// The position of the current entry in its series.
    depth: u32,
    lines: u32,
    is_limit_reported: bool,
}

impl Feedback {
    pub(crate) fn new(workflow: &Workflow) -> Feedback {
        let slot = |name: &&'static str| Some((*name, workflow.fields().find(name)?));
        Feedback {
            inherited: INHERITED.iter().filter_map(slot).collect(),
            waiting: VecDeque::new(),
            depth: 0,
            lines: 0,
            is_limit_reported: false,
        }
    }

    /// Begins with an entry of the source.
    pub(crate) fn begin(&mut self) {
        self.waiting.clear();
        (self.depth, self.lines, self.is_limit_reported) = (0, 0, false);
    }

    /// Returns the next line to read.
    pub(crate) fn next(&mut self) -> Option<MemoryRecord> {
        let (depth, record) = self.waiting.pop_front()?;
        self.depth = depth;
        Some(record)
    }

    /// Adds a line that the entry has caused. If there are too many, returns an error, once per entry of the source.
    pub(crate) fn write(&mut self, entry: &mut Entry<'_>, level: Level, message: &str) -> Result<(), String> {
        if self.depth == DEPTH_LIMIT || self.lines == LINES_LIMIT {
            if std::mem::replace(&mut self.is_limit_reported, true) {
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
