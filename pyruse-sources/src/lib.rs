//! The built-in sources of Pyruse: the systemd journal, and recordings of it.
//!
//! A program that wants them names this crate, `use pyruse_sources as _;`, and its configuration names them:
//! `source_journal`, `source_recording`.

#![warn(missing_docs)]

mod journal;
mod recording;
