//! A page that is generated.

/// A file's name and what it holds.
pub(super) type Page = (String, Vec<u8>);
