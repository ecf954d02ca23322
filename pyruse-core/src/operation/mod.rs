//! What an operator asks of a Pyruse, and what he is told: bans, counters, deliveries, and how things stand.
//!
//! An [`Operation`] goes to [`Services::operate`](crate::engine::Services::operate), wherever the state is: in a daemon
//! that was asked from outside, or in a command that holds the state itself. The modules answer through their
//! *keepers* ([`BanKeeper`], [`CounterKeeper`]): what is common to all of them (which set is meant, what an address is,
//! near names for wrong ones) is done here, once. Nothing here commits: whoever asks tells an answer to a change
//! only when the commit that holds it has succeeded.

mod keeper;
mod operate;
mod outbox;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use self::keeper::{BanKeeper, BanSet, CounterKeeper, Family, HeldBan};
use crate::state::MessageStatus;
use crate::time::Timestamp;

/// What an operator asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Operation {
    /// All bans in force.
    ListBans,
    /// Bans an address, as an action would.
    AddBan {
        /// The address.
        ip: IpAddr,
        /// The set; may be left out where the configuration names just one for that family of addresses.
        set: Option<String>,
        /// For how many seconds from now; 0: for ever.
        seconds: u64,
        /// Also if it is an address that no single remote host has, see [`special`](crate::address::special).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        allow_special: bool,
    },
    /// Lifts bans of an address.
    RemoveBan {
        /// The address.
        ip: IpAddr,
        /// The set; else all in which it is banned.
        set: Option<String>,
    },
    /// What is counted.
    ListCounters {
        /// Only in this category.
        category: Option<String>,
    },
    /// Forgets what is counted for a key.
    ResetCounter {
        /// The category.
        category: String,
        /// The key.
        key: String,
    },
    /// Deliveries that wait, are on their way, or were given up.
    ListOutbox,
    /// Those of these deliveries that are still to be made.
    ShowDeliveries {
        /// Their identities.
        ids: Vec<String>,
    },
    /// Tries a delivery at once, also one that was given up.
    RetryDelivery {
        /// Its identity.
        id: String,
    },
    /// Gives a delivery up for good.
    DropDelivery {
        /// Its identity.
        id: String,
    },
    /// Sends the report as it stands now.
    SendReport,
    /// How things stand.
    Overview,
}

impl Operation {
    /// Does it change the state, so that its answer must wait for a commit?
    pub fn changes(&self) -> bool {
        !matches!(
            self,
            Operation::ListBans
                | Operation::ListCounters { .. }
                | Operation::ListOutbox
                | Operation::ShowDeliveries { .. }
                | Operation::Overview
        )
    }
}

/// What an operator is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Answer {
    /// Bans: in force, made, or lifted.
    Bans(Vec<Ban>),
    /// What is counted, or was.
    Counters(Vec<Count>),
    /// Deliveries.
    Deliveries(Vec<Delivery>),
    /// The report is queued.
    Report {
        /// Was there anything to tell?
        anything: bool,
    },
    /// How things stand.
    Overview(Overview),
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The module that makes such bans.
    pub module: String,
    /// The set.
    pub set: String,
    /// The address.
    pub ip: IpAddr,
    /// Since when; not known of all.
    pub since: Option<Timestamp>,
    /// Until when; none: for ever.
    pub until: Option<Timestamp>,
    /// Why, if that is known.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// What the firewall still has to be told of it.
    pub delivery: Option<Delivery>,
}

/// Why an address is banned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "camelCase")]
#[non_exhaustive]
pub enum Reason {
    /// A rule bans it.
    Rule {
        /// The chain whose step does.
        chain: Box<str>,
        /// The counter that led to it, if one was raised on the entry's way: of several, the last one that counts the
        /// banned address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counter: Option<Box<str>>,
        /// What that counter had come to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
    },
    /// An operator bans it.
    Operator,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Rule { chain, counter: Some(counter), count: Some(count) } => {
                write!(f, "counter `{counter}` at {count}, chain `{chain}`")
            }
            Reason::Rule { chain, .. } => write!(f, "chain `{chain}`"),
            Reason::Operator => f.write_str("by hand"),
        }
    }
}

/// What is counted for a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The category.
    pub category: String,
    /// The key.
    pub key: String,
    /// The count.
    pub count: u64,
    /// Until when nothing is counted.
    pub grace: Option<Timestamp>,
    /// When the count will be 0, if nothing is added; none: never, or it is.
    pub ends: Option<Timestamp>,
}

/// A message that is to be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its identity: the module's name, without `action_`, and its number in that module's queue: `nftBan:12`.
    pub id: String,
    /// The module.
    pub module: String,
    /// Where it is on its way.
    pub status: DeliveryStatus,
    /// When it was queued.
    pub queued: Timestamp,
    /// How many tries have failed.
    pub tries: u32,
    /// When the next try is due; none: at once, or there is none.
    pub next: Option<Timestamp>,
    /// Why the last try failed.
    pub error: Option<String>,
    /// What it is, in a few words.
    pub what: String,
}

/// Where a delivery is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum DeliveryStatus {
    /// It waits for its first try or the next.
    Waiting,
    /// It is being delivered.
    Away,
    /// It was given up, and stays to be looked at.
    GivenUp,
}

impl From<MessageStatus> for DeliveryStatus {
    fn from(status: MessageStatus) -> DeliveryStatus {
        match status {
            MessageStatus::Waiting => DeliveryStatus::Waiting,
            MessageStatus::Away => DeliveryStatus::Away,
            MessageStatus::GivenUp => DeliveryStatus::GivenUp,
        }
    }
}

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// Bans in force.
    pub bans: u64,
    /// Keys for which something is counted, or not counted for a while.
    pub counters: u64,
    /// Deliveries that wait or are on their way.
    pub waiting: u64,
    /// Deliveries that were given up.
    pub given_up: u64,
    /// The report's times, where a module makes one.
    pub report: Option<ReportTimes>,
}

/// When reports are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportTimes {
    /// When the last one was due.
    pub last: Option<Timestamp>,
    /// When the next one is; none: nothing would be recorded for it.
    pub next: Option<Timestamp>,
}

/// Why an operation is not done, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{0}")]
pub struct Refusal(pub String);

impl Refusal {
    fn new(why: impl Into<String>) -> Refusal {
        Refusal(why.into())
    }
}
