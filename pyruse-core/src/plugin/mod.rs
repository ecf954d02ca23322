//! Defines filters, actions and sources, for authors of modules.
//!
//! A module is a type that is compiled once from its arguments ([`Module`]) and then run for each entry ([`Filter`],
//! [`Action`]), or opened to read entries ([`Source`], [`Reader`]). Compiling resolves every name to a number and never
//! acts on the world; running looks nothing up. A module registers itself with
//! `inventory::submit!(Plugin::filter::<MyFilter>())`.
//!
//! A first filter:
//!
//! ```
//! use pyruse_core::entry::{Entry, Slot};
//! use pyruse_core::plugin::{Compile, Example, Expected, Filter, Invalid, Module};
//! use pyruse_core::plugin::{Plugin, StepError};
//! use pyruse_core::schemars::JsonSchema;
//! use pyruse_core::serde::Deserialize;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
//! #[schemars(crate = "pyruse_core::schemars")]
//! struct Args {
//!     /// The field.
//!     field: String,
//!     /// The longest text that passes, in bytes.
//!     bytes: usize,
//! }
//!
//! struct AtMost { field: Slot, bytes: usize }
//!
//! impl Module for AtMost {
//!     const NAME: &'static str = "filter_atMost";
//!     const DOC: &'static str = "Passes when the text in the field is not too long.";
//!     type Args = Args;
//!
//!     fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
//!         if args.bytes == 0 {
//!             return Err(cx.error("bytes", "this would let nothing pass"));
//!         }
//!         Ok(AtMost { field: cx.reads(&args.field), bytes: args.bytes })
//!     }
//!
//!     fn examples() -> Vec<Example> {
//!         let args = r#"{"field": "MESSAGE", "bytes": 3}"#;
//!         let entry = &[("MESSAGE", "abcd")];
//!         vec![Example { title: "too long", args, entry, expected: Expected::Fails }]
//!     }
//! }
//!
//! impl Filter for AtMost {
//!     fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
//!         let short = entry.find_text(self.field, |text| Ok(text.len() <= self.bytes))?;
//!         Ok(short.is_some())
//!     }
//! }
//!
//! pyruse_core::inventory::submit!(Plugin::filter::<AtMost>());
//!
//! // What a test says:
//! let registry = pyruse_core::plugin::Registry::linked()?;
//! assert!(pyruse_core::plugin::run_examples(&registry).is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The main program must *name* the crate of a module (`use my_crate as _;`). If it does not, the crate is not linked,
//! and its modules are missing.

mod compile;
mod example;
mod facet;
pub mod fact;
mod inspect;
mod registry;
mod run_examples;
mod service;
mod settings;
mod setup;
mod source;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use self::compile::{Compile, Invalid, Message};
pub use self::example::{Example, Expected};
pub use self::facet::{EntryWatcher, Gate, Importer, KeptReport, Remark, ReportForm, Reporter};
pub use self::fact::{Fact, Stated};
pub use self::inspect::Inspection;
pub(crate) use self::inspect::{LiveFinding, Subject};
pub(crate) use self::registry::Compiled;
pub use self::registry::{DuplicateName, Plugin, Registry, SettingsPlugin};
pub use self::run_examples::run_examples;
pub use self::service::{Service, ServicePlugin, Start, WakeLoop};
pub use self::settings::{ModuleSettings, Settings};
pub(crate) use self::setup::{OnBind, Setup};
pub use self::source::{
    Begin, Begun, Excluded, LeftOut, Next, Reader, Readiness, Source, SourceError, SourceModule,
};

pub use crate::config::Severity;
use crate::effect::Effect;
pub use crate::entry::StepError;
use crate::entry::{Entry, Slot};
use crate::pattern::Pattern;
use crate::state::State;

/// A filter, ready to run: a switch point.
pub trait Filter: Send {
    /// Returns whether the entry passes. An error counts as "no", and is reported.
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError>;

    /// Returns its predicate, if it does nothing but answer it: similar filters can then be answered together.
    fn predicate(&self) -> Option<Predicate<'_>> {
        None
    }

    /// Returns the only thing that its answer depends on, if it does nothing but answer: the values of this field. Then
    /// its answers are remembered for values that come together again and again.
    fn depends_on(&self) -> Option<Slot> {
        match self.predicate()? {
            Predicate::Equals { field, .. } => Some(field),
            Predicate::Finds { .. } => None,
        }
    }
}

/// A filter's predicate about one field.
#[derive(Debug)]
#[non_exhaustive]
pub enum Predicate<'f> {
    /// Is the field one of these? The filter passes exactly if one element of the field is, and does nothing else.
    Equals {
        /// The field.
        field: Slot,
        /// Texts.
        texts: Vec<&'f str>,
        /// Integers.
        integers: Vec<i64>,
        /// Whether it also passes if the field is missing.
        missing: bool,
    },
    /// Is one of these found in the field? If none is found in any element of the field, the filter does not pass,
    /// returns no error, and changes nothing.
    Finds {
        /// The field.
        field: Slot,
        /// The expressions.
        patterns: Vec<&'f Pattern>,
    },
}

impl<'f> Predicate<'f> {
    /// Returns `true` if both can be answered together.
    pub(crate) fn is_like(&self, other: &Predicate<'_>) -> bool {
        match (self, other) {
            (Predicate::Equals { field: a, .. }, Predicate::Equals { field: b, .. })
            | (Predicate::Finds { field: a, .. }, Predicate::Finds { field: b, .. }) => a == b,
            _ => false,
        }
    }

    pub(crate) fn patterns(&self) -> &[&'f Pattern] {
        match self {
            Predicate::Finds { patterns, .. } => patterns,
            Predicate::Equals { .. } => &[],
        }
    }
}

/// An action, ready to run.
pub trait Action: Send {
    /// Acts on the entry and the state. An error stops this entry, and is reported.
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError>;

    /// Checks, without changing anything, whether this action can do its work: for `check --live`.
    fn inspect(&self, _inspection: &mut Inspection) {}

    /// Returns `true` if it does nothing for any entry. Such an action skips even the check for our own diagnostics.
    fn is_inert(&self) -> bool {
        false
    }
}

/// What an action can use: the entry, the durable state, and a way to report its effects.
pub struct Act<'a, 'r> {
    /// The entry.
    pub entry: &'a mut Entry<'r>,
    /// The state; a module opens its parts when it is compiled, and holds handles to them.
    pub state: &'a mut State,
    pub(crate) effects: Option<&'a mut Vec<Effect>>,
}

impl Act<'_, '_> {
    /// Reports what the action does to the observers (`replay`, `run --dry-run`); free of cost if there are none.
    pub fn effect(&mut self, effect: impl FnOnce() -> Effect) {
        if let Some(effects) = self.effects.as_deref_mut() {
            effects.push(effect());
        }
    }
}

/// A kind of filter, action or source: its name, its arguments, and how they become a [`Filter`], an [`Action`] or a
/// [`Source`].
pub trait Module: Sized + 'static {
    /// The name in the configuration, `filter_…`, `action_…` or `source_…`.
    const NAME: &'static str;
    /// One sentence that says when an entry passes, what the action does, or what the source reads.
    const DOC: &'static str;
    /// The top-level keys that it or its service reads: shown beside its arguments.
    const SETTINGS: &'static [&'static str] = &[];
    /// The top-level keys that its examples need, as a JSON object; empty if they need none.
    const EXAMPLE_SETTINGS: &'static str = "";
    /// The arguments; their doc comments are the reference.
    type Args: DeserializeOwned + JsonSchema;
    /// Compiles the arguments.
    fn compile(args: Self::Args, cx: &mut Compile<'_>) -> Result<Self, Invalid>;
    /// Arguments, an entry, and the outcome: shown to users and run by a test.
    fn examples() -> Vec<Example>;
}

/// A module without arguments.
#[derive(serde::Deserialize, JsonSchema)]
pub struct NoArgs {}

/// Returns the start of a text, for a message that must stay short and on one line whatever an entry holds.
pub fn excerpt(text: &str) -> String {
    const LIMIT: usize = 100;
    let mut excerpt = String::new();
    for c in text.chars().take(LIMIT) {
        if crate::text::is_hidden(c) {
            excerpt.extend(c.escape_default());
        } else {
            excerpt.push(c);
        }
    }
    if text.chars().nth(LIMIT).is_some() {
        excerpt.push('…');
    }
    excerpt
}
