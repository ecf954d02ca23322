//! Runs ipset. A few orders are one process each. Many orders are one `ipset restore`, which reads commands from its
//! input. Commands that fail there are run one by one.

use std::fmt::Write as _;
use std::time::Duration;

use pyruse_core::ban::{Command, Dialect, FoundSet, Order, OrderKind, SetNeeds, SetState};
use pyruse_core::operation::Family;
use pyruse_core::plugin::Inspection;
use pyruse_core::program::{self, Failure};

/// A healthy `ipset` takes milliseconds.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The option that makes a repeated `add` renew the element instead of failing.
pub(super) const EXIST: &str = "-exist";

/// The option that suppresses errors.
pub(super) const QUIET: &str = "-quiet";

/// What ipset prints about a set that does not exist.
const NO_SUCH: &str = "does not exist";

/// Returns the name of a family as ipset writes it.
fn family_name(family: Family) -> &'static str {
    match family {
        Family::V4 => "inet",
        Family::V6 => "inet6",
    }
}

/// Returns the command that makes a set.
fn create(set: &str, needs: SetNeeds) -> String {
    let kind = if needs.networks { "hash:net" } else { "hash:ip" };
    format!("ipset create {set} {kind} family {} timeout 0", family_name(needs.family))
}

/// The program.
pub(super) struct IpsetProgram {
    pub(super) argv: Vec<String>,
}

impl Dialect for IpsetProgram {
    const MIN_BATCH: usize = 17;
    const MAX_BATCH_BYTES: usize = usize::MAX;

    /// With `-exist`, an existing element gets the new timeout without being absent for a moment. Without a timeout, it
    /// stays for ever.
    fn command(order: &Order) -> String {
        let Order { set, net, .. } = order;
        match order.kind {
            OrderKind::Lift => format!("del {set} {net}"),
            OrderKind::Ban { timeout: Some(seconds) } | OrderKind::Renew { timeout: Some(seconds) } => {
                format!("add {set} {net} timeout {seconds}")
            }
            OrderKind::Ban { timeout: None } | OrderKind::Renew { timeout: None } => {
                format!("add {set} {net}")
            }
        }
    }

    fn run(&self, commands: &[&Command<'_>]) -> Result<(), Failure> {
        if let [alone] = commands {
            let words: Vec<&str> = alone.text.split(' ').collect();
            let first = program::run(&self.argv, &words, b"", TIME_LIMIT);
            return first.or_else(|failure| self.run_again(words, failure));
        }
        let mut input = String::new();
        for command in commands {
            let _ = writeln!(input, "{} {EXIST}", command.text);
        }
        program::run(&self.argv, &["restore"], input.as_bytes(), TIME_LIMIT)
    }

    fn remedy(command: &Command<'_>, words: &str) -> Option<String> {
        let Order { set, net, .. } = command.order;
        let needs = SetNeeds { family: Family::of(net.first()), networks: !net.is_single() };
        words
            .contains("The set with the given name does not exist")
            .then(|| format!("create it with: {}", create(set, needs)))
    }
}

impl IpsetProgram {
    /// Asks for the header of the set, without its elements, in the output format that all versions have.
    pub(super) fn inspect_set(&self, set: &str, needs: SetNeeds, inspection: &mut Inspection) -> SetState {
        let ask = || program::ask(&self.loud(), &["list", set, "-t"], TIME_LIMIT);
        let answer = match inspection.once(&format!("ipset {set}"), ask) {
            Ok(answer) => answer,
            Err(Failure { not_started: true, message, .. }) => {
                return SetState::NoProgram { setting: "ipsetBan.ipset", message };
            }
            Err(Failure { message, .. }) if message.contains(NO_SUCH) => {
                return SetState::Missing { help: format!("create it with: {}", create(set, needs)) };
            }
            Err(Failure { message, .. }) => return SetState::Unknown(message),
        };
        let answer = String::from_utf8_lossy(&answer);
        let line = |name: &str| {
            answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let (Some(kind), Some(header)) = (line("Type"), line("Header")) else {
            return SetState::Unknown(format!("`{}` does not answer like ipset", self.argv.join(" ")));
        };
        let word = |name: &str| {
            let mut words = header.split(' ').skip_while(|word| *word != name);
            words.nth(1)
        };
        let has_networks = kind == "hash:net";
        // It also holds single addresses.
        let kind = if has_networks { "hash:ip" } else { kind };
        SetState::Found(FoundSet {
            holds: format!("{kind} of {}", word("family").unwrap_or("inet")),
            wanted: match needs.family {
                Family::V4 => "hash:ip of inet",
                Family::V6 => "hash:ip of inet6",
            },
            command: create(set, needs),
            has_timeouts: word("timeout").is_some(),
            own_timeout: word("timeout").and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0),
            has_networks,
            unusable: None,
            is_used: line("References") != Some("0"),
        })
    }

    /// Returns the command without the option that suppresses errors.
    fn loud(&self) -> Vec<String> {
        self.argv.iter().filter(|word| *word != QUIET).cloned().collect()
    }

    /// Runs a single failed command once more where that can help: with `-exist`, for a configuration that does not
    /// have it, and without `-quiet`, because the operator needs the error.
    fn run_again(&self, mut words: Vec<&str>, failure: Failure) -> Result<(), Failure> {
        let loud = self.loud();
        let renews = self.argv.iter().any(|word| [EXIST, "--exist", "-!"].contains(&word.as_str()));
        if failure.timed_out || (renews && loud.len() == self.argv.len()) {
            return Err(failure);
        }
        if !renews {
            words.push(EXIST);
        }
        program::run(&loud, &words, b"", TIME_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn a_ban_is_sent_with_its_remaining_time() {
        let text = |kind| {
            IpsetProgram::command(&Order { set: "a".into(), net: IpAddr::from([1, 2, 3, 4]).into(), kind })
        };
        assert_eq!(text(OrderKind::Ban { timeout: Some(60) }), "add a 1.2.3.4 timeout 60");
        assert_eq!(text(OrderKind::Renew { timeout: Some(61) }), "add a 1.2.3.4 timeout 61");
        assert_eq!(text(OrderKind::Ban { timeout: None }), "add a 1.2.3.4");
        assert_eq!(text(OrderKind::Lift), "del a 1.2.3.4");
    }
}
