//! A page that is generated.

/// A file's path in the repository, and what it holds.
pub type Page = (String, String);
