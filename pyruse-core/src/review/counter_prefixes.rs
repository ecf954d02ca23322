//! P026: a counter that one step counts by network, and another one by address.

use std::collections::HashMap;

use super::check::LintPlugin;
use super::findings::Findings;
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::plugin::Fact;
use crate::plugin::fact::CounterChange;
use crate::prefixes::Prefixes;

static LINT: Lint = Lint {
    code: "P026",
    name: "counter-prefixes",
    severity: Severity::Warning,
    what: "Steps on one counter have different prefixes.",
    why: "the key of one step is `2001:db8:1:2::/64`, that of another one `2001:db8:1:2::3`: they never mean the same \
          count",
    instead: "Give all steps on the counter the same `prefix4` and `prefix6`. To count by address and by network, use \
              two counters.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "ssh": [
        {"filter": "filter_equals", "args": {"field": "_SYSTEMD_UNIT", "value": "ssh.service"}},
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Invalid user .* from (?P<thatIP>\\S+) port \\d+$"}},
        {"action": "action_counterRaise", "args": {"counter": "ssh", "for": "thatIP", "prefix6": 64, "keepSeconds": 600, "save": "n"}},
        {"filter": "filter_greaterOrEquals", "args": {"field": "n", "value": 5}},
        {"action": "action_email", "args": {"message": "{thatIP} fails again and again"}},
        <HERE>
    ]
}}"#,
        bad: r#"{"action": "action_counterReset", "args": {"counter": "ssh", "for": "thatIP", "graceSeconds": 60}}"#,
        good: r#"{"action": "action_counterReset", "args": {"counter": "ssh", "for": "thatIP", "prefix6": 64, "graceSeconds": 60}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    let counts = || {
        review.facts().filter_map(|(site, fact, span)| match fact {
            Fact::Counts { category, prefixes, change } => {
                Some((site, category.as_str(), *prefixes, change, span))
            }
            _ => None,
        })
    };
    // For each category: where it is raised first, and all prefixes with which it is raised.
    let mut raised: HashMap<&str, (usize, Vec<Prefixes>)> = HashMap::new();
    for (site, category, prefixes, change, _) in counts() {
        if matches!(change, CounterChange::Raises { .. }) {
            let (_, known) = raised.entry(category).or_insert((site, Vec::new()));
            if !known.contains(&prefixes) {
                known.push(prefixes);
            }
        }
    }
    for (site, category, prefixes, change, span) in counts() {
        let Some((first, known)) = raised.get(category) else { continue };
        let (what, matches) = match change {
            CounterChange::Raises { .. } => ("raised", known.first() == Some(&prefixes)),
            CounterChange::Lowers { .. } => ("lowered or reset", known.contains(&prefixes)),
            CounterChange::Reads { .. } => ("read", known.contains(&prefixes)),
        };
        if let (false, [other, ..]) = (matches, &**known) {
            let message = format!(
                "`{category}` is {what} for {} here, but {} raises it for {}",
                text(prefixes),
                review.step(*first),
                text(*other)
            );
            findings
                .add(span, review.place(site), message)
                .label("this key is never the same as the one there")
                .help("give both the same `prefix4` and `prefix6`, or use two counters");
        }
    }
}

/// Describes what a key is.
fn text(prefixes: Prefixes) -> String {
    if prefixes.are_full() {
        return "single addresses".into();
    }
    format!("networks (IPv4: {} bits, IPv6: {} bits)", prefixes.v4, prefixes.v6)
}
