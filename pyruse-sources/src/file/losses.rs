//! What can be lost when log files are read.

use pyruse_core::losses::LossKind;

use crate::plural::plural;

/// Bytes that are known to have been there.
pub(super) static GONE: LossKind = LossKind {
    name: "gone",
    text: |count, range| {
        format!(
            "{count} {} of log files, written {range}, {} lost: deleted, truncated or overwritten before {} read",
            plural(count, "byte", "bytes"),
            plural(count, "is", "are"),
            plural(count, "it was", "they were"),
        )
    },
};

/// Files that were read in part, and are nowhere to be found.
pub(super) static GONE_FILES: LossKind = LossKind {
    name: "goneFiles",
    text: |count, range| {
        format!(
            "{count} log {}, read in part, {} gone: what was written {range} may be lost",
            plural(count, "file", "files"),
            plural(count, "is", "are"),
        )
    },
};

/// Lines, or entries of several lines, that are too long.
pub(super) static CUT: LossKind = LossKind {
    name: "cut",
    text: |count, range| {
        format!(
            "{count} {} of log files, written {range}, {} cut: longer than 64 KiB",
            plural(count, "entry", "entries"),
            plural(count, "was", "were"),
        )
    },
};

/// Lines that do not have the configured format.
pub(super) static UNPARSED: LossKind = LossKind {
    name: "unparsed",
    text: |count, range| {
        format!(
            "{count} {} of log files, written {range}, {} not of the configured format: the whole line is the MESSAGE",
            plural(count, "line", "lines"),
            plural(count, "is", "are"),
        )
    },
};

/// Lines whose date is in the future.
pub(super) static FUTURE: LossKind = LossKind {
    name: "future",
    text: |count, range| {
        format!(
            "{count} {} of log files, read {range}, {} a date in the future, and {} as written then: is the time zone \
             another one (argument `zone`)?",
            plural(count, "line", "lines"),
            plural(count, "has", "have"),
            plural(count, "counts", "count"),
        )
    },
};

/// Compressed files that are damaged.
pub(super) static DAMAGED: LossKind = LossKind {
    name: "damaged",
    text: |count, range| {
        format!(
            "{count} compressed log {}, read {range}, {} damaged: the rest is lost",
            plural(count, "file", "files"),
            plural(count, "is", "are"),
        )
    },
};
