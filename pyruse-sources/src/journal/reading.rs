//! How far the fields of the current entry are read.

/// How often reading an entry is tried before it is taken as it is.
pub(super) const TRIES: u32 = 3;

/// The progress within an entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// The number of fields that were returned.
    pub(super) given: u32,
    pub(super) is_started: bool,
    pub(super) tries: u32,
}
