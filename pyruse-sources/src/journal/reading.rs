//! How far the current entry is read.

/// How often an entry that cannot be read is tried, before it is taken as it is.
pub(super) const TRIES: u32 = 3;

/// How far the fields of an entry are read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// The number of fields that were given.
    pub(super) given: u32,
    pub(super) is_started: bool,
    pub(super) tries: u32,
}
