//! The command line of Pyruse: what an operator types, and what commands and daemon share.
//!
//! [`main`] parses the command line and runs one command. The daemon is not here, and no module is linked here: the
//! program that calls [`main`] links the modules and says what `run` does.
//!
//! Commands and daemon share the configuration ([`configuration`], [`Loaded`]), the state's directory with its lock
//! ([`storage`], [`owner`]), and the control protocol ([`request`], [`control`]).

#![warn(missing_docs)]

mod cli;
mod command;
pub mod configuration;
pub mod control;
mod ending;
pub mod generate;
mod messages;
pub mod owner;
pub mod request;
pub mod storage;
mod when;

pub use self::cli::main;
pub use self::command::loaded::{Loaded, load};
pub use self::command::past::MAY_NOT_READ;
pub use self::command::run::{Args as RunArgs, DryRun};
pub use self::ending::Ending;

// Tests read the documentation of modules.
#[cfg(test)]
use {pyruse_actions as _, pyruse_filters as _, pyruse_sources as _};
