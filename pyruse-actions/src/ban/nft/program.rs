//! Runs nft: each run is one transaction.

use std::time::Duration;

use pyruse_core::ban::{Command, Dialect, FoundSet, Order, OrderKind, SetNeeds, SetState};
use pyruse_core::plugin::Inspection;
use pyruse_core::program::{self, Failure};
use serde_json::Value;

use super::obstacle::{Obstacle, create, holds};

/// The kernel's limit for one argument is 128 KiB.
const ARGUMENT: usize = 100 * 1024;

/// What nft prints about a set, table, or element that does not exist.
const MISSING: &str = "No such file or directory";

/// What nft prints about a set that is full.
const FULL: &str = "Too many open files in system";

/// What nft prints about an element that overlaps with another one: before it asks the kernel, and after that.
const OVERLAPS: [&str; 3] =
    ["interval overlaps with an existing one", "conflicting intervals", "File exists"];

/// What nft prints about an element of an interval set that does not exist, before it asks the kernel.
const NO_ELEMENT: &str = "element does not exist";

/// What nft prints about a network for a set of single addresses.
const NOT_INTERVAL: &str = "You must add 'flags interval' to your set declaration";

/// A healthy `nft` takes milliseconds.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The program.
pub(super) struct NftProgram {
    pub(super) argv: Vec<String>,
}

impl Dialect for NftProgram {
    const MIN_BATCH: usize = 2;
    const MAX_BATCH_BYTES: usize = ARGUMENT;

    fn command(order: &Order) -> String {
        let Order { set, net, .. } = order;
        let add = |timeout: Option<u64>| match timeout {
            Some(seconds) => format!("add element {set} {{{net} timeout {seconds}s}}"),
            None => format!("add element {set} {{{net}}}"),
        };
        // Deleting a missing element fails, and would fail the whole transaction: so it is added first.
        let delete = || format!("{}; delete element {set} {{{net}}}", add(None));
        match order.kind {
            OrderKind::Ban { timeout } => add(timeout),
            // A repeated add would keep the old timeout. In one transaction, no observer sees a state between delete
            // and add.
            OrderKind::Renew { timeout } => format!("{}; {}", delete(), add(timeout)),
            OrderKind::Lift => delete(),
        }
    }

    fn run(&self, commands: &[&Command<'_>]) -> Result<(), Failure> {
        let texts: Vec<&str> = commands.iter().map(|command| command.text.as_str()).collect();
        let text = texts.join("; ");
        // nft repeats the whole command in its error. Without the command, equal errors are reported as one.
        let brief = |failure: Failure| match failure.message.split_once(&format!(" / {text}")) {
            Some((brief, _)) => Failure { message: brief.to_owned(), ..failure },
            None => failure,
        };
        let failure = match program::run(&self.argv, &[&text], b"", TIME_LIMIT) {
            Ok(()) => return Ok(()),
            Err(failure) => brief(failure),
        };
        // Nothing can be added to a full set, not even in order to delete it; nor where a wider element is.
        if let [Command { order: Order { kind: OrderKind::Lift, .. }, text, .. }] = commands
            && let Some((_, delete)) = text.split_once("; ")
            && (failure.message.contains(FULL) || overlaps(&failure.message))
        {
            return match program::run(&self.argv, &[delete], b"", TIME_LIMIT) {
                Err(failure) if ![MISSING, NO_ELEMENT].iter().any(|text| failure.message.contains(text)) => {
                    Err(failure)
                }
                _ => Ok(()),
            };
        }
        Err(failure)
    }

    fn remedy(command: &Command<'_>, words: &str) -> Option<String> {
        let obstacle = if words.contains(MISSING) && words.contains("Error: ") {
            Obstacle::Missing
        } else if words.contains(FULL) {
            Obstacle::Full
        } else if words.contains(NOT_INTERVAL) {
            Obstacle::NoNetworks
        } else if overlaps(words) {
            Obstacle::Overlap
        } else if words.contains("Invalid argument") && command.text.contains(" timeout ") {
            Obstacle::NoTimeouts
        } else {
            return None;
        };
        Some(obstacle.remedy(&command.order.set, command.order.net))
    }
}

fn overlaps(words: &str) -> bool {
    OVERLAPS.iter().any(|text| words.contains(text))
}

impl NftProgram {
    /// Asks for the set's whole table, which has the rules that use the set, but without elements. `is_needed` is
    /// false if bans work without the program.
    pub(super) fn inspect_set(
        &self,
        set: &str,
        needs: SetNeeds,
        is_needed: bool,
        inspection: &mut Inspection,
    ) -> SetState {
        let missing = || {
            let of_the_package = if set.starts_with("inet pyruse ") {
                "if it is one of the package's: systemctl start pyruse-nft-sets; else "
            } else {
                ""
            };
            SetState::Missing { help: format!("{of_the_package}create it with: {}", create(set, needs)) }
        };
        let words: Vec<&str> = set.split(' ').collect();
        let (table_family, table, name) = match words.as_slice() {
            [table_family, table, name] => (*table_family, *table, *name),
            [table, name] => ("ip", *table, *name),
            _ => return missing(),
        };
        let question = format!("list table {table_family} {table}");
        let ask = || program::ask(&self.argv, &["-j", "-t", &question], TIME_LIMIT);
        let answer = match inspection.once(&format!("nft {question}"), ask) {
            Ok(answer) => answer,
            Err(Failure { not_started: true, message, .. }) if is_needed => {
                return SetState::NoProgram { setting: "nftBan.nft", message };
            }
            Err(Failure { not_started: false, message, .. }) if message.contains(MISSING) => {
                return missing();
            }
            Err(Failure { message, .. }) => return SetState::Unknown(message),
        };
        let Ok(listing) = serde_json::from_slice::<Value>(&answer) else {
            return SetState::Unknown(format!("`{}` does not answer like nft", self.argv.join(" ")));
        };
        let items = listing["nftables"].as_array().map_or(&[][..], Vec::as_slice);
        let Some(found) = items.iter().map(|item| &item["set"]).find(|set| set["name"] == name) else {
            return missing();
        };
        let flags = found["flags"].as_array().map_or(&[][..], Vec::as_slice);
        let has_networks = flags.iter().any(|flag| flag == "interval");
        let reference = Value::String(format!("@{name}"));
        SetState::Found(FoundSet {
            holds: match &found["type"] {
                Value::String(one) => one.clone(),
                Value::Array(several) => {
                    several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" . ")
                }
                _ => "something else".to_owned(),
            },
            wanted: holds(needs.family),
            command: create(set, needs),
            has_timeouts: flags.iter().any(|flag| flag == "timeout"),
            own_timeout: found["timeout"].as_u64().filter(|seconds| *seconds > 0),
            has_networks,
            unusable: (has_networks && self.merges((set, [table_family, table, name]), inspection)).then(|| {
                "it has `auto-merge`, so nft merges elements that touch each other: the merged element has one \
                 time-out, and a ban in it cannot be removed"
                    .to_owned()
            }),
            is_used: items.iter().any(|item| holds_value(&item["rule"], &reference)),
        })
    }
}

impl NftProgram {
    /// Returns whether nft merges the elements of this set. Some versions of nft say so only in their text, not in JSON.
    fn merges(&self, (set, words): (&str, [&str; 3]), inspection: &mut Inspection) -> bool {
        let question = format!("list set {}", words.join(" "));
        let ask = || program::ask(&self.argv, &["-t", &question], TIME_LIMIT);
        let answer = inspection.once(&format!("nft {set} as text"), ask);
        answer
            .is_ok_and(|text| String::from_utf8_lossy(&text).lines().any(|line| line.trim() == "auto-merge"))
    }
}

fn holds_value(value: &Value, wanted: &Value) -> bool {
    value == wanted
        || match value {
            Value::Array(items) => items.iter().any(|item| holds_value(item, wanted)),
            Value::Object(members) => members.values().any(|item| holds_value(item, wanted)),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn a_ban_is_sent_with_its_remaining_time() {
        let text = |kind| {
            NftProgram::command(&Order { set: "ip a b".into(), net: IpAddr::from([1, 2, 3, 4]).into(), kind })
        };
        assert_eq!(text(OrderKind::Ban { timeout: Some(60) }), "add element ip a b {1.2.3.4 timeout 60s}");
        assert_eq!(text(OrderKind::Ban { timeout: None }), "add element ip a b {1.2.3.4}");
        assert_eq!(text(OrderKind::Lift), "add element ip a b {1.2.3.4}; delete element ip a b {1.2.3.4}");
        assert_eq!(
            text(OrderKind::Renew { timeout: Some(60) }),
            "add element ip a b {1.2.3.4}; delete element ip a b {1.2.3.4}; add element ip a b {1.2.3.4 timeout 60s}"
        );
    }
}
