//! The argument `by`: how many ticks an entry is.

use std::num::IntErrorKind;

use pyruse_core::entry::Slot;
use pyruse_core::plugin::{Act, Compile, Invalid, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

/// Each tick is a row of the state, so a line must not cause an unlimited number of them.
const MOST_AT_ONCE: u64 = 1000;

/// A number, or the field that has it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    crate = "pyruse_core::serde",
    untagged,
    expecting = "expected a number of ticks, or the name of a field that has it"
)]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) enum ByArg {
    /// A number of ticks.
    Number(u64),
    /// The name of a field.
    Field(String),
}

/// How many ticks an entry is.
#[derive(Clone, Copy)]
pub(super) enum By {
    Number(u64),
    Field(Slot),
}

impl By {
    /// Compiles the argument; absent, it is 1.
    pub(super) fn new(arg: Option<ByArg>, cx: &mut Compile<'_>) -> Result<By, Invalid> {
        match arg {
            None => Ok(By::Number(1)),
            Some(ByArg::Number(number @ 1..=MOST_AT_ONCE)) => Ok(By::Number(number)),
            Some(ByArg::Number(_)) => Err(
                cx.error("by", format!("`by` is a number from 1 to {MOST_AT_ONCE}, or the name of a field"))
            ),
            Some(ByArg::Field(name)) => Ok(By::Field(cx.reads_at("by", &name))),
        }
    }

    /// Returns the number of ticks for the entry; without the field, it is 1.
    pub(super) fn ticks(self, run: &mut Act<'_, '_>) -> Result<u64, StepError> {
        let field = match self {
            By::Number(number) => return Ok(number),
            By::Field(field) => field,
        };
        let Some(text) = run.entry.text(field) else { return Ok(1) };
        match text.parse::<u64>() {
            Ok(ticks) if ticks > 0 => Ok(ticks.min(MOST_AT_ONCE)),
            Err(e) if *e.kind() == IntErrorKind::PosOverflow => Ok(MOST_AT_ONCE),
            _ => {
                let shown: String = text.chars().take(40).collect();
                Err(StepError::new(format!("`by`: `{shown}` is not a number of ticks: nothing is counted")))
            }
        }
    }
}
