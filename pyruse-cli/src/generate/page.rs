//! A generated page.

/// A file's path in the repository, and its content.
pub type Page = (String, String);
