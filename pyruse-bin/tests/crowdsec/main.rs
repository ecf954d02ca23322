//! CrowdSec, both ways, with its real Local API.

#[path = "../common/mod.rs"]
mod common;
mod input;
mod lapi;
mod output;
