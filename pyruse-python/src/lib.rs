//! Python's regular expressions and format strings with Python's meaning, in bounded time.

#![warn(missing_docs)]

pub mod format;
pub mod re;
