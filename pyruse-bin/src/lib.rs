//! Pyruse as a program: the sources, the workflow, the daemon and the command line.
//!
//! A program with filters or actions of its own is a main of three lines: it names its plugin crates with
//! `use … as _;` and calls [`run`](run()).

#![warn(missing_docs)]

mod daemon;
mod run;

use std::process::ExitCode;

use pyruse_actions as _;
use pyruse_filters as _;
#[cfg(feature = "nats")]
use pyruse_nats as _;
use pyruse_sources as _;

/// Runs the command line; returns the exit code of the process.
pub fn run() -> ExitCode {
    pyruse_cli::main(run::run)
}
