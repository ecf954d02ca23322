//! Operations: an operator's requests to Pyruse and their answers, about bans, counters, deliveries, and the overall
//! status.
//!
//! An [`Operation`] goes to [`Services::operate`](crate::engine::Services::operate) where the state is: in a daemon
//! that got a request from outside, or in a command that holds the state itself. The modules answer through their
//! *keepers* ([`BanKeeper`], [`CounterKeeper`]). What all modules share (which set is meant, what an address is, near
//! names for wrong ones) is done here, once. Nothing here commits: the caller returns the answer to a change only when
//! the commit that holds it has succeeded.

mod counts;
mod keeper;
mod list;
mod lists;
mod operate;
mod outbox;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use self::counts::{Counts, QueueCount, SetCount};
pub use self::keeper::{BanKeeper, BanSet, CounterKeeper, Family, HeldBan, ListKeeper};
pub use self::list::{ListHit, ListPart, PartOrigin};
use crate::network::Network;
use crate::state::MessageStatus;
use crate::time::Timestamp;

/// A request of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Operation {
    /// Lists all bans in force.
    ListBans,
    /// Bans an address or a network, as an action would.
    AddBan {
        /// The address, or the network. Earlier versions know only addresses.
        #[serde(rename = "ip")]
        net: Network,
        /// The set; may be omitted if the configuration names exactly one for that family of addresses.
        set: Option<String>,
        /// The duration in seconds from now; 0 means for ever.
        seconds: u64,
        /// Whether to ban an address that no single remote host has; see [`special`](crate::address::special).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        allow_special: bool,
    },
    /// Lifts bans of an address or a network. Those of networks that contain it, and of what it contains, stay.
    RemoveBan {
        /// The address, or the network. Earlier versions know only addresses.
        #[serde(rename = "ip")]
        net: Network,
        /// The set; `None` means all sets in which it is banned.
        set: Option<String>,
    },
    /// Lifts all bans in a set.
    RemoveBans {
        /// The set.
        set: String,
    },
    /// Lists the counts.
    ListCounters {
        /// Only in this category.
        category: Option<String>,
    },
    /// Forgets the count of a key.
    ResetCounter {
        /// The category.
        category: String,
        /// The key.
        key: String,
    },
    /// Lists deliveries that wait, are on their way, or were given up.
    ListOutbox,
    /// Returns those of these deliveries that are still to be made.
    ShowDeliveries {
        /// Their identities.
        ids: Vec<String>,
    },
    /// Tries a delivery at once, even one that was given up.
    RetryDelivery {
        /// Its identity.
        id: String,
    },
    /// Gives a delivery up for good.
    DropDelivery {
        /// Its identity.
        id: String,
    },
    /// Describes the named lists, part by part.
    ShowLists {
        /// Only this one.
        list: Option<String>,
    },
    /// Says which named lists contain an address.
    TestLists {
        /// The address.
        ip: IpAddr,
    },
    /// Adds a network to a named list for some time.
    AllowInList {
        /// The network.
        network: Network,
        /// The list; may be omitted if the configuration has exactly one.
        list: Option<String>,
        /// For this many seconds from now.
        seconds: u64,
    },
    /// Removes a network that an operator has added to named lists.
    RemoveFromLists {
        /// The network.
        network: Network,
        /// The list; `None` means all lists that have it.
        list: Option<String>,
    },
    /// Sends the report as of now.
    SendReport,
    /// Returns the overall status.
    Overview,
}

impl Operation {
    /// Returns `true` if it changes the state, so that its answer must wait for a commit.
    pub fn changes(&self) -> bool {
        !matches!(
            self,
            Operation::ListBans
                | Operation::ListCounters { .. }
                | Operation::ListOutbox
                | Operation::ShowDeliveries { .. }
                | Operation::ShowLists { .. }
                | Operation::TestLists { .. }
                | Operation::Overview
        )
    }
}

/// The answer to an operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Answer {
    /// Bans: in force, added, or lifted.
    Bans(Vec<Ban>),
    /// Counts, current or just forgotten.
    Counters(Vec<CounterValue>),
    /// Deliveries.
    Deliveries(Vec<Delivery>),
    /// Parts of named lists: all of them, or those that were added or removed.
    ListParts(Vec<ListPart>),
    /// For each named list, whether it contains an address.
    ListHits(Vec<ListHit>),
    /// The report is queued.
    Report {
        /// Whether there was anything to report.
        anything: bool,
    },
    /// The overall status.
    Overview(Overview),
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The module that makes such bans.
    pub module: String,
    /// The set.
    pub set: String,
    /// The address, or the network.
    pub net: Network,
    /// When it began, if that is known.
    pub since: Option<Timestamp>,
    /// When it ends; `None` means never.
    pub until: Option<Timestamp>,
    /// The reason, if it is known.
    #[serde(default)]
    pub reason: Option<BanReason>,
    /// Which ban of that address it is, if its bans become longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
    /// The wider ban in the same set that the firewall has instead, until that one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Network>,
    /// The delivery to the firewall that is still to be made for it.
    pub delivery: Option<Delivery>,
}

/// Why an address is banned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "camelCase")]
#[non_exhaustive]
pub enum BanReason {
    /// A rule bans it.
    Rule {
        /// The chain of the step that bans.
        chain: Box<str>,
        /// The counter that led to the ban, if one was raised for the entry; of several, the last one that counts the
        /// banned address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counter: Option<Box<str>>,
        /// The count that the counter had reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
    },
    /// An operator bans it.
    Operator,
}

impl fmt::Display for BanReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BanReason::Rule { chain, counter: Some(counter), count: Some(count) } => {
                write!(f, "counter `{counter}` at {count}, chain `{chain}`")
            }
            BanReason::Rule { chain, .. } => write!(f, "chain `{chain}`"),
            BanReason::Operator => f.write_str("by hand"),
        }
    }
}

/// The count of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterValue {
    /// The category.
    pub category: String,
    /// The key.
    pub key: String,
    /// The count.
    pub count: u64,
    /// Whether it may be more: distinct values are counted up to a bound.
    #[serde(default)]
    pub is_least: bool,
    /// The end of the grace period, during which nothing is counted.
    pub grace: Option<Timestamp>,
    /// When the count will reach 0 if nothing is added; `None`: never, or it is 0 now.
    pub ends: Option<Timestamp>,
}

/// A message to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its identity: the module's name, without `action_`, and its number in that module's queue: `nftBan:12`.
    pub id: String,
    /// The module.
    pub module: String,
    /// Its status.
    pub status: DeliveryStatus,
    /// When it was queued.
    pub queued: Timestamp,
    /// How many tries have failed.
    pub tries: u32,
    /// When the next try is due; `None`: at once, or there is no next try.
    pub next: Option<Timestamp>,
    /// Why the last try failed.
    pub error: Option<String>,
    /// A short description.
    pub what: String,
}

/// The status of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum DeliveryStatus {
    /// It waits for its first try or the next.
    Waiting,
    /// It is being delivered.
    #[serde(rename = "away")]
    InProgress,
    /// It was given up, and is kept for inspection.
    GivenUp,
}

impl From<MessageStatus> for DeliveryStatus {
    fn from(status: MessageStatus) -> DeliveryStatus {
        match status {
            MessageStatus::Waiting => DeliveryStatus::Waiting,
            MessageStatus::InProgress => DeliveryStatus::InProgress,
            MessageStatus::GivenUp => DeliveryStatus::GivenUp,
        }
    }
}

/// The overall status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// Bans in force.
    pub bans: u64,
    /// Keys that have a count or a grace period.
    pub counters: u64,
    /// Deliveries that wait or are on their way.
    pub waiting: u64,
    /// Deliveries that were given up.
    pub given_up: u64,
    /// The report, if a module makes one.
    pub report: Option<ReportStatus>,
    /// The parts of the named lists.
    #[serde(default)]
    pub lists: Vec<ListPart>,
}

/// When reports are due, and what will be news in the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportStatus {
    /// When the last one was due.
    pub last: Option<Timestamp>,
    /// When the next one is due; `None`: nothing would be recorded for it.
    pub next: Option<Timestamp>,
    /// Sentences about what is not as usual: programs that fell silent, rules that no longer do anything.
    #[serde(default)]
    pub news: Vec<String>,
}

/// The reason why an operation is refused, as text for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{0}")]
pub struct Refusal(pub String);

impl Refusal {
    fn new(why: impl Into<String>) -> Refusal {
        Refusal(why.into())
    }
}
