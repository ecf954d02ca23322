//! The kinds of losses when the journal is read.

use pyruse_core::losses::LossKind;

use crate::plural::plural;

/// Entries that were deleted, or whose file was damaged, before they were read.
pub(super) static MISSING: LossKind =
    LossKind { name: "missing", text: |count, range| missing("", count, range) };

/// The same, if some of the missing numbers may belong to entries that are excluded.
pub(super) static MISSING_AT_MOST: LossKind =
    LossKind { name: "missingAtMost", text: |count, range| missing("up to ", count, range) };

fn missing(at_most: &str, count: u64, range: &str) -> String {
    format!(
        "{at_most}{count} {} written {range} {} lost: deleted, or in a damaged file, before {} read",
        plural(count, "entry", "entries"),
        plural(count, "is", "are"),
        plural(count, "it was", "they were"),
    )
}

/// Entries that are in the files, but that libsystemd did not return.
pub(super) static PASSED_OVER: LossKind = LossKind {
    name: "passedOver",
    text: |count, range| {
        format!(
            "{count} {} of the journal, noticed {range}, {} skipped by libsystemd: damaged, or added behind the \
             current position",
            plural(count, "entry", "entries"),
            plural(count, "is", "are"),
        )
    },
};

/// Entries that were read with fields missing.
pub(super) static PARTIAL: LossKind = LossKind {
    name: "partial",
    text: |count, range| {
        format!(
            "{count} {} written {range} {} read without all fields: the journal did not return them",
            plural(count, "entry", "entries"),
            plural(count, "was", "were"),
        )
    },
};

/// Fields that libsystemd cannot read: too large, or compressed in a way that it does not support.
pub(super) static UNREADABLE: LossKind = LossKind {
    name: "unreadable",
    text: |count, range| {
        format!(
            "{count} {} of entries written {range} {} left out: too large, or compressed in a way that libsystemd \
             does not support",
            plural(count, "field", "fields"),
            plural(count, "is", "are"),
        )
    },
};

/// Entries that are damaged in their file.
pub(super) static DAMAGED: LossKind = LossKind {
    name: "damaged",
    text: |count, range| {
        format!(
            "{count} {} of the journal, written {range}, {} damaged and cannot be read",
            plural(count, "entry", "entries"),
            plural(count, "is", "are"),
        )
    },
};

/// Fields that are damaged in their file.
pub(super) static DAMAGED_FIELDS: LossKind = LossKind {
    name: "damagedFields",
    text: |count, range| {
        format!(
            "{count} {} of entries written {range} {} damaged and left out",
            plural(count, "field", "fields"),
            plural(count, "is", "are"),
        )
    },
};

/// Entries that are missing and would not be read if their file came later, because too many parts are missing.
pub(super) static GIVEN_UP: LossKind = LossKind {
    name: "givenUp",
    text: |count, range| {
        format!(
            "{count} missing {}, before those written {range}, would not be read if the file were found later: too many \
             parts of the journal are missing",
            plural(count, "entry", "entries"),
        )
    },
};

/// Positions that are only the time of an entry, because it was deleted while it was read.
pub(super) static GUESSED: LossKind = LossKind {
    name: "guessed",
    text: |count, range| {
        format!(
            "{count} {} written {range} {} deleted while being read: reading resumes by time, and others of the same \
             microsecond may be lost",
            plural(count, "entry", "entries"),
            plural(count, "was", "were"),
        )
    },
};
