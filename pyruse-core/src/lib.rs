//! The engine of Pyruse.
//!
//! One sentence: *a record comes out of the journal, becomes an entry with numbered slots, rides a graph that was
//! compiled once, leaves changes and messages behind, and all of that is committed together with the place where we
//! stopped reading.* The modules, in that order:
//!
//! - [`entry`]: records, and entries with lazily read fields;
//! - [`config`]: the configuration file, with positions and complaints;
//! - [`plugin`]: what a filter, an action and a service are, and which are linked;
//! - [`workflow`]: the compiler, and the loop that an entry rides;
//! - [`pattern`] and [`template`]: Python's expressions and format strings, which users wrote their rules in;
//! - [`state`]: maps, logs and queues, durable together;
//! - [`courier`]: who carries messages to the world;
//! - [`effect`]: what a workflow does, as data;
//! - [`operation`]: what an operator asks of all that, and is told;
//! - [`engine`]: all of that put together, for whoever runs it;
//! - [`review`]: what is better mended in a configuration, though it can be used.
//!
//! The core knows nothing of the journal, of any concrete filter or action, or of the process that it runs in.

#![warn(missing_docs)]

pub mod address;
pub mod config;
pub mod courier;
pub mod effect;
pub mod engine;
pub mod entry;
pub mod frozen;
pub mod operation;
pub mod pattern;
pub mod plugin;
pub mod review;
pub mod state;
pub mod template;
pub mod time;
pub mod workflow;

// What a plugin's derives and registrations need, so that a plugin crate depends on this crate alone.
pub use inventory;
pub use jiff;
pub use schemars;
pub use serde;
pub use serde_json;
