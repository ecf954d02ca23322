//! CrowdSec: `action_crowdsec` writes bans into a Local API as decisions, and `source_crowdsec` reads decisions from one.
//!
//! Both are in this crate, because they share the client, and that is the one of `action_http`.
//!
//! All decisions of Pyruse have scenarios that begin with [`SCENARIO`]. So the source can leave them out: otherwise, a ban
//! that is written here would come back as an entry, and be made again.

mod alert;
mod api;
mod ban;
mod decision;
mod duration;
mod settings;
mod source;
mod watcher;

/// What the scenario of every decision of Pyruse begins with; the name of the set follows.
pub(super) const SCENARIO: &str = "pyruse/";
