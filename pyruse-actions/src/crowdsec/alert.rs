//! Alerts: a decision is written as a part of one, and found by it.

use pyruse_core::ban::Order;
use pyruse_core::network::Network;
use pyruse_core::serde::Deserialize;
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use super::decision::Decision;
use super::{SCENARIO, duration};

/// The type of all decisions of Pyruse.
const TYPE: &str = "ban";

/// The origin of decisions that are made by programs which read logs. `cscli decisions list` of CrowdSec 1.4 shows only
/// those of this origin and its own.
const ORIGIN: &str = "crowdsec";

/// A ban without end has this duration: a hundred years, in hours. The API knows no other form.
const FOR_EVER: u64 = 100 * 8760;

/// By how much the end of a decision may differ from that of the ban, in seconds: it is rounded, and the API counts from
/// when it gets it.
const TOLERANCE: f64 = 5.0;

/// Returns the scenario of the decisions of a set.
pub(super) fn scenario(set: &str) -> String {
    format!("{SCENARIO}{set}")
}

/// Returns the scope of the network in the API's words.
fn scope(net: Network) -> &'static str {
    if net.is_single() { "Ip" } else { "Range" }
}

/// Returns an alert with a decision that bans for so many seconds; `None`: for ever.
pub(super) fn alert(order: &Order, timeout: Option<u64>) -> Value {
    let (scenario, scope, value) = (scenario(&order.set), scope(order.net), order.net.to_string());
    let now = Timestamp::now().to_string();
    let duration = timeout.map_or_else(|| format!("{FOR_EVER}h"), |seconds| format!("{seconds}s"));
    let mut source = json!({"scope": scope, "value": value});
    source[if order.net.is_single() { "ip" } else { "range" }] = json!(value);
    json!({
        "scenario": scenario,
        "scenario_hash": "",
        "scenario_version": "",
        "message": format!("{scenario}: Pyruse bans {value}"),
        "events_count": 1,
        "start_at": now,
        "stop_at": now,
        "capacity": 0,
        "leakspeed": "0",
        "simulated": false,
        "events": [],
        "source": source,
        "decisions": [{
            "duration": duration,
            "origin": ORIGIN,
            "scenario": scenario,
            "scope": scope,
            "type": TYPE,
            "value": value,
        }],
    })
}

/// Returns the path that finds the alerts of an order's address in its set.
pub(super) fn path(order: &Order) -> String {
    format!(
        "/v1/alerts?scope={}&value={}&scenario={}&has_active_decision=true",
        scope(order.net),
        order.net,
        scenario(&order.set)
    )
}

/// An alert, as the API gives it.
#[derive(Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Alert {
    #[serde(default)]
    machine_id: String,
    /// `null` if there are none.
    #[serde(default)]
    decisions: Option<Vec<Decision>>,
}

/// A decision for an order's address that is in force.
pub(super) struct Active {
    pub(super) id: u64,
    /// The time left, in seconds.
    left: f64,
}

impl Active {
    /// Returns `true` if it is what a ban of so many seconds needs.
    pub(super) fn fits(&self, timeout: Option<u64>) -> bool {
        match timeout {
            #[expect(clippy::cast_precision_loss, reason = "within the tolerance")]
            Some(seconds) => (self.left - seconds as f64).abs() <= TOLERANCE,
            // It gets shorter, but is never made again while anybody remembers it.
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            None => self.left > (FOR_EVER * 3600 / 2) as f64,
        }
    }
}

/// Returns the decisions that this machine has made for an order's address.
pub(super) fn active(alerts: Vec<Alert>, machine: &str, order: &Order) -> Vec<Active> {
    let (scenario, value) = (scenario(&order.set), order.net.to_string());
    let own = alerts.into_iter().filter(|alert| alert.machine_id == machine);
    let all = own.flat_map(|alert| alert.decisions.unwrap_or_default());
    let wanted = all.filter(|it| it.kind == TYPE && it.scenario == scenario && it.value == value);
    let active = wanted.filter_map(|it| Some(Active { id: it.id, left: duration::parse(&it.duration)? }));
    active.filter(|it| it.left > 0.0).collect()
}
