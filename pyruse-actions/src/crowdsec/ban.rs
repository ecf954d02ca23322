//! `action_crowdsec`: bans by a decision of a Local API of CrowdSec, which all its bouncers carry out.
//!
//! A set is a scenario. An order is idempotent: the decisions that this machine has made for the address are looked up
//! first. So a ban that is put back, or delivered again after a failure, does not make a second decision; and a ban that
//! is renewed has a new decision before the old one is deleted, so that no bouncer lets the address in between.

use std::time::{Duration, Instant};

use pyruse_core::ban::{self, BanAction, Firewall, Order, OrderKind, SetNeeds, SetState};
use pyruse_core::courier::Outcome;
use pyruse_core::plugin::{Example, Expected, Inspection, ModuleSettings, Plugin, Severity, excerpt};

use super::alert::{alert, scenario};
use super::api::Failure;
use super::settings::CrowdsecSettings;
use super::watcher::Watcher;
use crate::http::inspect::denied;
use crate::http::pause::Pause;

/// The longest name of a set, in bytes.
const LONGEST_NAME: usize = 64;

/// The longest time that an API which cannot be reached is left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pyruse_core::ban_arguments! {
    banSeconds {}
    sets {
        /// The name of the set: letters, digits, `_`, `-` and `.`. The decisions have the scenario `pyruse/` with this
        /// name, such as `pyruse/ssh`.
        set: String,
    } => [set.clone(), set]
    prefixes {}
    allowSpecial {}
}

/// A Local API.
struct Crowdsec {
    settings: CrowdsecSettings,
    watcher: Watcher,
    pause: Pause,
}

impl Firewall for Crowdsec {
    const NAME: &'static str = "action_crowdsec";
    const DOC: &'static str =
        "Bans an address, or its network, by a decision of CrowdSec, for all its bouncers.";
    const SET_ARGUMENTS: [&'static str; 2] = ["set", "set"];
    const SET_HELP: &'static str =
        "write a short name, such as `ssh`; the top-level key `crowdsec` says where decisions are written";
    const BATCH: usize = 100;
    const EXAMPLE_SETTINGS: &'static str =
        r#"{"crowdsec": {"machine": "pyruse", "passwordFile": "/etc/pyruse/crowdsec.password"}}"#;
    type Args = Args;
    type Settings = CrowdsecSettings;

    fn new(settings: &CrowdsecSettings) -> Crowdsec {
        Crowdsec {
            settings: settings.clone(),
            watcher: Watcher::new(settings.clone()),
            pause: Pause::of_at_most(LONGEST_PAUSE),
        }
    }

    fn max_bans(settings: &CrowdsecSettings) -> u32 {
        settings.max_bans
    }

    fn set_name(text: &str) -> Result<String, String> {
        match set_error(text) {
            None => Ok(text.to_owned()),
            Some(why) => Err(format!("`{}` cannot be the name of a set: {why}", excerpt(text))),
        }
    }

    fn unknown_set(settings: &CrowdsecSettings, _set: &str) -> Option<String> {
        let is_missing = settings.machine.is_empty();
        is_missing.then(|| {
            let key = CrowdsecSettings::KEY;
            format!("the top-level key `{key}` is missing: it needs `machine` and `passwordFile`")
        })
    }

    fn deliver(&mut self, orders: &[Order]) -> Vec<Outcome> {
        if let Some((why, wait)) = self.pause.left(Instant::now()) {
            return vec![Outcome::RetryAfter(why, wait); orders.len()];
        }
        let mut delivery =
            Delivery { watcher: &mut self.watcher, failed: None, outcomes: Vec::new(), new: Vec::new() };
        for order in orders {
            let outcome = delivery.carry_out(order);
            delivery.outcomes.push(outcome);
        }
        delivery.write();
        let Delivery { failed, outcomes, .. } = delivery;
        match failed {
            Some(Failure::Away(why)) => {
                self.pause.begin(Instant::now(), &why);
            }
            _ => self.pause.end(),
        }
        outcomes
    }

    fn inspect_set(&self, set: &str, _: SetNeeds, inspection: &mut Inspection) -> Option<SetState> {
        let key = CrowdsecSettings::KEY;
        let logged_in = inspection.once(key, || {
            Watcher::new(self.settings.clone()).log_in().map_err(|failure| {
                let at = if matches!(failure, Failure::Denied(_)) { "passwordFile" } else { "url" };
                (at, failure.into_text())
            })
        });
        // Each set is looked at for both families, and there may be many.
        let mut is_new = false;
        inspection.once(&format!("{key} reported"), || is_new = true);
        if !is_new {
            return None;
        }
        if let Err((at, why)) = logged_in {
            let help = format!("bans wait until the API can be used, such as those in `{}`", scenario(set));
            inspection.setting(&format!("{key}.{at}"), Severity::Error, why, help);
        }
        if let Some((severity, message)) = denied(&self.settings.password_file, inspection) {
            let help = "bans wait until it can be read";
            inspection.setting(&format!("{key}.passwordFile"), severity, message, help);
        }
        None
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "a decision `pyruse/ssh`",
                args: r#"{"IP": "thatIP", "banSeconds": "4h", "set": "ssh"}"#,
                entry: &[("thatIP", "192.0.2.1")],
                expected: Expected::Effect(
                    r#"{"effect": "ban", "action": "action_crowdsec", "set": "ssh", "ip": "192.0.2.1", "seconds": 14400, "renewed": false}"#,
                ),
            },
            Example {
                title: "no address",
                args: r#"{"IP": "thatIP", "banSeconds": "4h", "set": "ssh"}"#,
                entry: &[("thatIP", "all")],
                expected: Expected::Error("`all` is not an IP address: nothing is banned"),
            },
        ]
    }
}

/// Returns why the text is not the name of a set.
fn set_error(set: &str) -> Option<String> {
    if set.is_empty() {
        Some("it is empty".into())
    } else if set.len() > LONGEST_NAME {
        Some(format!("it has {} bytes, but at most {LONGEST_NAME} are allowed", set.len()))
    } else if !set.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
        Some("only letters, digits, `_`, `-` and `.` are allowed".into())
    } else {
        None
    }
}

/// A batch of orders while it is carried out.
struct Delivery<'a> {
    watcher: &'a mut Watcher,
    /// Why no more can be asked.
    failed: Option<Failure>,
    outcomes: Vec<Outcome>,
    /// The alerts to write: all in one request. With each, the index of its order, and the decisions that it replaces.
    new: Vec<(serde_json::Value, usize, Vec<u64>)>,
}

impl Delivery<'_> {
    /// Carries out an order, or adds an alert for it to those that are written together.
    fn carry_out(&mut self, order: &Order) -> Outcome {
        if let Some(failure) = &self.failed {
            return outcome(failure.clone());
        }
        let mut active = match self.watcher.active(order) {
            Ok(active) => active,
            Err(failure) => return self.fail(failure),
        };
        if let OrderKind::Ban { timeout } | OrderKind::Renew { timeout } = order.kind {
            let Some(at) = active.iter().position(|decision| decision.fits(timeout)) else {
                let old = active.iter().map(|decision| decision.id).collect();
                self.new.push((alert(order, timeout), self.outcomes.len(), old));
                return Outcome::Retry("the decision is not written yet".into());
            };
            active.swap_remove(at);
        }
        self.delete(active.iter().map(|decision| decision.id))
    }

    /// Writes the new alerts, and deletes the decisions that they replace.
    fn write(&mut self) {
        let new = std::mem::take(&mut self.new);
        if new.is_empty() {
            return;
        }
        let (alerts, orders): (Vec<_>, Vec<_>) =
            new.into_iter().map(|(alert, index, old)| (alert, (index, old))).unzip();
        let written = match &self.failed {
            None => self.watcher.write(&alerts),
            Some(failure) => Err(failure.clone()),
        };
        for (index, old) in orders {
            self.outcomes[index] = match &written {
                Ok(()) => self.delete(old),
                Err(failure) => self.fail(failure.clone()),
            };
        }
    }

    fn delete(&mut self, ids: impl IntoIterator<Item = u64>) -> Outcome {
        for id in ids {
            if let Err(failure) = self.watcher.delete(id) {
                return self.fail(failure);
            }
        }
        Outcome::Done
    }

    fn fail(&mut self, failure: Failure) -> Outcome {
        if matches!(failure, Failure::Away(_) | Failure::Denied(_)) {
            self.failed = Some(failure.clone());
        }
        outcome(failure)
    }
}

fn outcome(failure: Failure) -> Outcome {
    match failure {
        Failure::Away(why) | Failure::Busy(why) => Outcome::Retry(why),
        Failure::Denied(why) | Failure::Other(why) => Outcome::Blocked(why),
    }
}

pyruse_core::inventory::submit!(Plugin::action::<BanAction<Crowdsec>>());
pyruse_core::inventory::submit!(ban::service::<Crowdsec>());
