//! The fields of a decision's entry.

use pyruse_core::entry::{FieldTable, MemoryRecord, Origin, ValueType};
use pyruse_core::network::Network;
use pyruse_core::time::Timestamp;

use crate::crowdsec::decision::Decision;

/// What happened to a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It was made; with the number of seconds that it lasts from now.
    Added(u64),
    /// It has ended, or somebody has deleted it.
    Deleted,
}

/// An entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) change: Change,
    pub(super) decision: Decision,
}

impl Entry {
    pub(super) fn write_into(&self, record: &mut MemoryRecord) {
        let Decision { id, origin, scenario, scope, kind, value, duration: _ } = &self.decision;
        record.clear();
        record.realtime = self.at;
        record.cursor = Some(id.to_string());
        let (what, seconds) = match self.change {
            Change::Added(seconds) => ("added", Some(seconds)),
            Change::Deleted => ("deleted", None),
        };
        record.push("DECISION", what);
        record.push("DECISION_ID", id.to_string());
        record.push("DECISION_TYPE", kind.as_str());
        record.push("DECISION_SCOPE", scope.as_str());
        record.push("DECISION_VALUE", value.as_str());
        if let Some(net) = net(scope, value) {
            record.push("DECISION_IP", net.to_string());
        }
        if let Some(seconds) = seconds {
            record.push("DECISION_SECONDS", seconds.to_string());
        }
        record.push("DECISION_SCENARIO", scenario.as_str());
        record.push("DECISION_ORIGIN", origin.as_str());
        let lasts = seconds.map(|seconds| format!(" for {seconds} s")).unwrap_or_default();
        record.push("MESSAGE", format!("{what}: {kind} of {scope} {value}{lasts}: {scenario} ({origin})"));
    }
}

/// Returns the address or the network that a decision is about; `None`: it is about something else.
fn net(scope: &str, value: &str) -> Option<Network> {
    let is_net = scope.eq_ignore_ascii_case("ip") || scope.eq_ignore_ascii_case("range");
    is_net.then(|| Network::parse(value)).flatten()
}

/// What is known about the fields.
pub(super) struct DecisionFields;

const NAMES: [&str; 10] = [
    "DECISION",
    "DECISION_ID",
    "DECISION_IP",
    "DECISION_ORIGIN",
    "DECISION_SCENARIO",
    "DECISION_SCOPE",
    "DECISION_SECONDS",
    "DECISION_TYPE",
    "DECISION_VALUE",
    "MESSAGE",
];

impl FieldTable for DecisionFields {
    fn names(&self) -> Vec<&'static str> {
        NAMES.to_vec()
    }

    fn value_type(&self, name: &str) -> ValueType {
        match name {
            "DECISION_ID" | "DECISION_SECONDS" => ValueType::Integer,
            _ => ValueType::Text,
        }
    }

    fn may_hold(&self, name: &str) -> bool {
        NAMES.contains(&name)
    }

    fn origin(&self, _name: &str) -> Origin {
        Origin::Writer
    }

    // The API.
    fn has_one_writer(&self) -> bool {
        true
    }
}
