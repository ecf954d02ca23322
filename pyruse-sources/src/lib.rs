//! The built-in sources of Pyruse: the systemd journal, and recordings of it.
//!
//! To use them, a program names this crate, `use pyruse_sources as _;`, and its configuration names them:
//! `source_journal`, `source_recording`.

#![warn(missing_docs)]

mod journal;
mod recording;
