//! One file for each command.

pub(crate) mod boot;
pub(crate) mod check;
pub(crate) mod replay;
pub(crate) mod run;
mod tally;
