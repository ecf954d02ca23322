//! One file for each command, and what they share.

pub(crate) mod boot;
pub(crate) mod check;
mod deliver;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod modules;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod run;

mod catalogue;
mod feedback;
mod json;
mod loaded;
mod paint;
mod past;
mod printer;
mod progress;
mod rehearsal;
mod summary;
mod text;
