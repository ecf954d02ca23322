//! The commands, a file for each, and the code that they share.

pub(crate) mod bans;
pub(crate) mod boot;
pub(crate) mod check;
pub(crate) mod complete;
pub(crate) mod counters;
pub(crate) mod explain;
pub(crate) mod graph;
pub(crate) mod import;
pub(crate) mod modules;
pub(crate) mod outbox;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod sources;
pub(crate) mod stats;
pub(crate) mod status;

pub(crate) mod catalogue;
mod feedback;
mod json;
mod listing;
pub(crate) mod lists;
pub(crate) mod loaded;
mod operate;
mod page;
mod paint;
pub(crate) mod past;
mod printer;
mod progress;
mod simulation;
mod summary;
mod table;
mod target;
pub(crate) mod text;
mod values;

pub(crate) use self::text::{columns_of, has_colours, printable};
