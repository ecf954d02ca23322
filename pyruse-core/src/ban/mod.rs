//! Bans, for authors of firewalls.
//!
//! A ban is an address or a network in a set of a firewall, until an absolute time. What is the same for all firewalls is here: the
//! action and its checks, the state, renewals, reasons, deliveries and their retries, what an operator may ask, and
//! what `check --live` reports. What differs is a [`Firewall`]: how its sets are named, how a batch of orders is
//! delivered, and how a set is looked at. A firewall with its arguments and settings is one file; the one of this crate's
//! test `third_firewall` is made for being copied. It ends with:
//!
//! ```ignore
//! pyruse_core::inventory::submit!(Plugin::action::<BanAction<MyFirewall>>());
//! pyruse_core::inventory::submit!(SettingsPlugin::of::<MySettings>());
//! pyruse_core::inventory::submit!(ban::service::<MyFirewall>());
//! ```
//!
//! A ban is recorded in the state, so that it can be put back, and queued for the courier. The firewall gets the
//! *parsed* address, or its network, never text from an entry. The kernel or the program behind the firewall expires the elements
//! of a set by itself, because each order has the time that is left; or [`Firewall::EXPIRES`] says that it does not, and an
//! order lifts each ban when it ends.
//!
//! A firewall that is changed by a program delivers with a [`BatchRunner`], which finds the bad elements of a batch.

mod action;
mod arguments;
mod batch;
mod configured;
mod courier;
mod duration;
mod ends;
mod firewall;
mod held;
mod import;
mod inspect;
mod keeper;
mod lifts;
mod nesting;
mod offences;
mod order;
mod overlaps;
mod service;
mod set_state;
mod store;
#[cfg(test)]
mod tests;
mod wakes;

pub use self::action::BanAction;
pub use self::batch::{BatchRunner, Command, Dialect};
pub use self::configured::{MAX_BANS, check_settings};
pub use self::duration::BanSeconds;
pub use self::firewall::{BanArgs, Firewall};
pub use self::order::{Order, OrderKind};
pub use self::service::service;
pub use self::set_state::{FoundSet, SetNeeds, SetState};
