//! Kills at random moments while operators add networks to lists and remove them: what was answered is there, what was
//! not answered is there or not, and nothing else is.
//!
//! `PYRUSE_KILLS` and `PYRUSE_KILL_SEED` are as in the other campaigns.

mod common;
mod kills;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Journald, Site};
use kills::{Random, kills, seed};
use serde_json::{Value, json};

/// The networks that were added by hand.
fn added(site: &Site) -> BTreeSet<String> {
    let output = site.pyruse(None, &["lists", "show", "--json"]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let parts = shown["parts"].as_array().unwrap().iter();
    parts.filter_map(|part| Some(part["origin"]["operator"].as_str()?.to_owned())).collect()
}

/// What an operator has done until `ends`: additions and removals that were answered, and the one that was not.
fn operate(
    site: &Site,
    round: usize,
    mut present: Vec<String>,
    ends: &AtomicBool,
) -> (Vec<(bool, String)>, Option<String>) {
    let mut done = Vec::new();
    for n in 0..1000 {
        if ends.load(Ordering::Relaxed) {
            break;
        }
        // Every third time, one of those that are there is removed.
        let removed = if n % 3 == 2 { present.pop() } else { None };
        let adds = removed.is_none();
        let network = removed.unwrap_or_else(|| format!("2001:db8:{:x}:{:x}::/64", round + 1, n + 1));
        let args: &[&str] =
            if adds { &["lists", "allow", &network, "--for", "1d"] } else { &["lists", "remove", &network] };
        if !site.pyruse(None, args).status.success() {
            return (done, Some(network));
        }
        done.push((adds, network));
    }
    (done, None)
}

#[test]
fn what_was_answered_survives_kills_at_random_moments() {
    let (journald, site) = (Journald::start(), Site::new());
    let rules = json!({"a": [
        {"filter": "filter_inList", "args": {"field": "MESSAGE", "list": "friends"}},
        {"action": "action_noop"},
    ]});
    site.configure_with(&journald, &rules, &json!({"lists": {"friends": {"nets": ["203.0.113.0/24"]}}}));
    let mut random = Random::new(seed("lists"));
    // What is certainly there, and what may be, because nobody has answered.
    let (mut certain, mut open): (BTreeSet<String>, Option<String>) = (BTreeSet::new(), None);
    let mut answers = 0;
    for round in 0..=kills() {
        let pyruse = site.start(None);
        let found = added(&site);
        assert!(found.is_superset(&certain), "{round}: lost: {:?}", certain.difference(&found));
        let mut unknown = found.difference(&certain).filter(|network| Some(*network) != open.as_ref());
        assert_eq!(unknown.next(), None, "{round}: nobody has added it");
        let (ends, present) = (AtomicBool::new(false), found.iter().cloned().collect());
        let (done, unanswered) = std::thread::scope(|scope| {
            let operator = scope.spawn(|| operate(&site, round, present, &ends));
            std::thread::sleep(random.moment_of_work());
            pyruse.kill();
            ends.store(true, Ordering::Relaxed);
            operator.join().unwrap()
        });
        answers += done.len();
        certain = found;
        for (adds, network) in done {
            if adds {
                certain.insert(network);
            } else {
                certain.remove(&network);
            }
        }
        if let Some(network) = &unanswered {
            certain.remove(network);
        }
        open = unanswered;
    }
    println!("{answers} answers");
    assert!(answers > 0, "no operator was ever answered");
}
