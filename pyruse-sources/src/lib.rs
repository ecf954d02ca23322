//! The built-in sources of Pyruse: the systemd journal, recordings of it, and log files.
//!
//! To use them, a program names this crate, `use pyruse_sources as _;`, and its configuration names them:
//! `source_journal`, `source_recording`, `source_file`.

#![warn(missing_docs)]

mod file;
mod journal;
mod plural;
mod recording;
mod writable;
