//! The built-in actions, with their couriers. To link them, write `use pyruse_actions as _;`.

#![warn(missing_docs)]

mod ban;
mod counter;
mod crowdsec;
mod daily_report;
mod dnat;
mod email;
mod http;
mod log;
mod memory;
mod noop;
mod program;
mod run;
mod set;
mod text;
mod unique;
