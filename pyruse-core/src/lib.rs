//! The engine of Pyruse.
//!
//! In one sentence: *a record comes from a source, becomes an entry with numbered slots, passes through a graph that was
//! compiled once, leaves changes and messages behind, and all of that is committed together with the positions where
//! reading stopped.* The modules, in that order:
//!
//! - [`entry`]: records, and entries with lazily read fields;
//! - [`config`]: the configuration file, with positions and diagnostics;
//! - [`plugin`]: defines filters, actions, sources and services, and finds those that are linked;
//! - [`sources`] and [`losses`]: the sources that are read, and what they could not give;
//! - [`workflow`]: the compiler, and the loop that an entry runs through;
//! - [`pattern`] and [`template`]: Python's expressions and format strings, in which users wrote their rules;
//! - [`state`]: maps, logs and queues, durable together;
//! - [`courier`]: delivers messages to the outside world;
//! - [`ban`]: bans in the sets of any firewall;
//! - [`program`]: runs another program, for couriers;
//! - [`effect`]: what a workflow does, as data;
//! - [`operation`]: the requests of an operator, and the answers;
//! - [`engine`]: all of these put together;
//! - [`pump`]: the engine at work, with its state and its couriers;
//! - [`review`]: finds what you should correct in a configuration that can be used.
//!
//! The core knows nothing about any concrete source, filter or action, not even the journal, or about the process that
//! it runs in.
//!
//! There are two reasons to depend on this crate: to write a filter, an action or a source (begin with [`plugin`]), or
//! to run Pyruse's rules in your own program. The latter, without a file and without couriers, looks like this:
//!
//! ```
//! use pyruse_core::config::{Diagnostics, ConfigText};
//! use pyruse_core::effect::Effect;
//! use pyruse_core::engine::Engine;
//! use pyruse_core::entry::{Entry, Fields, MemoryRecord};
//! use pyruse_core::plugin::Registry;
//! use pyruse_core::state::State;
//! use pyruse_core::time::Timestamp;
//! use pyruse_core::workflow::{Observer, Site};
//! # mod action_announce {
//! #     use pyruse_core::effect::Effect;
//! #     use pyruse_core::level::Level;
//! #     use pyruse_core::plugin::*;
//! #     #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #     struct Args {
//! #         /// The text.
//! #         message: String,
//! #     }
//! #     struct Announce(Message);
//! #     impl Module for Announce {
//! #         const NAME: &'static str = "action_announce";
//! #         const DOC: &'static str = "Announces a text.";
//! #         type Args = Args;
//! #         fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
//! #             Ok(Announce(cx.message("message", &args.message)?))
//! #         }
//! #         fn examples() -> Vec<Example> {
//! #             Vec::new()
//! #         }
//! #     }
//! #     impl Action for Announce {
//! #         fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
//! #             let mut message = String::new();
//! #             self.0.render(run.entry, &mut message)?;
//! #             run.effect(|| Effect::Log { level: Level::Info, message });
//! #             Ok(())
//! #         }
//! #     }
//! #     pyruse_core::inventory::submit!(Plugin::action::<Announce>());
//! # }
//!
//! /// Notes what the workflow does.
//! #[derive(Default)]
//! struct Noted(Vec<String>);
//!
//! impl Observer for Noted {
//!     const EFFECTS: bool = true;
//!
//!     fn effect(&mut self, site: &Site, entry: &mut Entry<'_>, effect: &Effect) {
//!         if let Effect::Log { message, .. } = effect {
//!             self.0.push(format!("{} {}: {message}", entry.time(), site.chain));
//!         }
//!     }
//! }
//!
//! // The modules that are linked; here it is one, `action_announce`. The built-in ones want
//! // to be named: `use pyruse_filters as _;`, `use pyruse_actions as _;`.
//! let registry = Registry::linked()?;
//! let text = r#"{"actions": {"all": [
//!     {"action": "action_announce", "args": {"message": "{USER} {MESSAGE}"}}
//! ]}}"#;
//! let source = ConfigText::new("pyruse.json", text);
//!
//! // Everything that is remembered: counters, bans, what waits for delivery.
//! // `State::open_file` keeps it.
//! let mut state = State::in_memory();
//! let (fields, mut diagnostics) = (Fields::default(), Diagnostics::default());
//! let engine = Engine::load(&source, &registry, fields, &mut state, &mut diagnostics)?;
//! let Some(mut engine) = engine else { panic!("{}", source.draw(&diagnostics, false)) };
//!
//! let mut noted = Noted::default();
//! let mut record = MemoryRecord::at(Timestamp::from_seconds(1_795_000_000))
//!     .with("USER", "alice")
//!     .with("MESSAGE", "is here");
//! engine.run(&mut record, &mut state, &mut noted);
//! assert_eq!(noted.0, ["2026-11-18T11:06:40.000000Z all: alice is here"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With a state file and couriers, the order of work matters: use a [`pump`]. The repository's `examples/embed` is a
//! whole program, and `docs/embedders.md` explains it; `docs/plugin-authors.md` leads from `cargo new` to a running
//! Pyruse with a filter of your own.
//!
//! # Other crates in this interface
//!
//! `serde`, `schemars`, `inventory` and `serde_json` are re-exported, because derives, registrations and effects need
//! them; `jiff` is re-exported, because it converts points in time to calendar times. They are a part of the interface
//! on purpose: a new incompatible version of one of them makes a new incompatible version of this crate. [`pattern`]
//! and [`template`] re-export a part of `pyruse-python`, which has the version of this crate. No other crate appears in
//! the interface.

#![warn(missing_docs)]

pub mod access;
pub mod address;
pub mod ban;
pub mod config;
pub mod courier;
mod deliver;
pub mod effect;
pub mod engine;
pub mod entry;
mod frozen;
pub mod level;
pub mod losses;
pub mod network;
pub mod operation;
pub mod pattern;
pub mod plugin;
pub mod prefixes;
pub mod program;
pub mod pump;
pub mod review;
pub mod seconds;
// For plugin crates that log in somewhere.
pub mod secret;
mod services;
pub mod sources;
pub mod state;
pub mod template;
// For the output of the commands, the report and the log.
#[doc(hidden)]
pub mod text;
// For the log of the daemon.
#[doc(hidden)]
pub mod throttle;
pub mod time;
pub mod trust;
pub mod workflow;

// Plugins' derives and registrations need these; so a plugin crate depends on this crate alone.
pub use inventory;
pub use jiff;
pub use schemars;
pub use serde;
pub use serde_json;
