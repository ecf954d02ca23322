//! Defines what a lint is, and the three lints that loading a configuration reports.
//!
//! A lint is a kind of finding: its code, its texts and its examples. The other lints, and the checks that find them,
//! are in [`crate::review`].

mod chain_never_runs;
mod key_unknown;
mod step_never_runs;

use serde::Serialize;

pub(crate) use self::chain_never_runs::LINT as CHAIN_NEVER_RUNS;
pub(crate) use self::key_unknown::LINT as KEY_UNKNOWN;
pub(crate) use self::step_never_runs::LINT as STEP_NEVER_RUNS;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but something in it was probably not meant, or does harm.
    Warning,
    /// The finding is worth knowing.
    Note,
}

impl Severity {
    /// Returns `error`, `warning` or `note`.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// A kind of finding.
#[derive(Debug)]
pub struct Lint {
    /// The code, e.g. `P001`.
    pub code: &'static str,
    /// A name for people to read.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it finds, in one sentence.
    pub what: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What to write instead.
    pub instead: &'static str,
    /// What it finds, and what it does not find.
    pub examples: Examples,
}

/// Examples of a lint.
#[derive(Clone, Copy, Debug)]
pub enum Examples {
    /// A configuration, and two texts for the place in it that says [`Examples::HERE`]: with the first it has exactly
    /// this finding, with the second it has none.
    Rules {
        /// What both examples share.
        rules: &'static str,
        /// What the lint finds.
        bad: &'static str,
        /// How to correct it.
        good: &'static str,
    },
    /// There are none: the lint is about the machine, not about the text alone.
    OfMachine,
}

impl Examples {
    /// The place where two examples differ.
    pub const HERE: &'static str = "<HERE>";

    /// Returns the configuration with the finding and the one without it.
    pub fn rules(self) -> Option<[String; 2]> {
        match self {
            Examples::Rules { rules, bad, good } => {
                Some([bad, good].map(|text| rules.replace(Self::HERE, text)))
            }
            Examples::OfMachine => None,
        }
    }
}

impl Lint {
    /// Returns the path of the page that explains the lint.
    pub fn page(&self) -> String {
        format!("docs/lints.md#{}", self.code.to_lowercase())
    }

    /// Returns the command that shows the same explanation on a terminal.
    pub(crate) fn explained_by(&self) -> String {
        format!("pyruse check --explain {}", self.code)
    }
}
