//! P006: a field that is compared with a value of a type that it never has.

use std::collections::HashMap;

use super::check::LintPlugin;
use super::findings::Findings;
use super::flow::{Exit, Track};
use super::subject::Review;
use crate::config::{Examples, Lint, Severity, SourceSpan};
use crate::entry::{Slot, ValueType};
use crate::plugin::Fact;
use crate::plugin::fact::{Literal, SavedAs, Test};

static LINT: Lint = Lint {
    code: "P006",
    name: "value-of-another-type",
    severity: Severity::Warning,
    what: "A field is compared with a value of a type that it never has.",
    why: "the number 3 and the text `\"3\"` are never equal, so the filter never passes",
    instead: "Write numbers without quotes for the journal's numeric fields (PRIORITY, _UID, _PID, EXIT_STATUS, …) \
              and for what counters save; write texts for everything else, even for digits that an expression took \
              from a message. Times can only be shown, in messages.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "errors": [
        <HERE>,
        {"action": "action_dailyReport", "args": {"level": "WARN", "message": "{MESSAGE}"}}
    ]
}}"#,
        bad: r#"{"filter": "filter_equals", "args": {"field": "PRIORITY", "value": "3"}}"#,
        good: r#"{"filter": "filter_equals", "args": {"field": "PRIORITY", "value": 3}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

/// A comparison: step, value, position.
type Asked<'a> = (usize, &'a Literal, &'a SourceSpan);

fn check(review: &Review<'_>, findings: &mut Findings) {
    let mut asked: HashMap<Slot, Vec<Asked<'_>>> = HashMap::new();
    for (site, fact, _) in review.facts() {
        match fact {
            Fact::Tests(slot, Test::OneOf { values, .. }) => {
                let values = values.iter().map(|(value, span)| (site, value, span));
                asked.entry(*slot).or_default().extend(values);
            }
            Fact::Tests(slot, Test::Bound(value, span)) => {
                asked.entry(*slot).or_default().push((site, value, span));
            }
            _ => {}
        }
    }
    let mut asked: Vec<(Slot, Vec<Asked<'_>>)> = asked.into_iter().collect();
    asked.sort_by_key(|(slot, _)| *slot);
    // Two tracks for each field: "it may be a number here", and "it may be text here".
    let mut numbers: HashMap<Slot, (Track, Track)> = HashMap::new();
    for (slot, _) in &asked {
        let name = review.name(*slot);
        let kind = review.tables().may_hold(name).then(|| review.tables().value_type(name));
        let track = |at_start| Track { at_start, changes: Vec::new() };
        numbers
            .insert(*slot, (track(kind == Some(ValueType::Integer)), track(kind == Some(ValueType::Text))));
    }
    for (site, fact, _) in review.facts() {
        let Fact::Saves(save) = fact else { continue };
        let Some((number, text)) = numbers.get_mut(&save.field) else { continue };
        for node in review.flow.nodes_of(site) {
            let set = |track: &mut Track, may_be: bool| {
                if may_be || save.surely {
                    track.changes.push((*node, Exit::Pass, may_be));
                }
            };
            set(number, save.content != SavedAs::Text);
            set(text, save.content != SavedAs::Number);
        }
    }
    let mut tracks = Vec::new();
    for (slot, _) in &asked {
        let (number, text) = numbers.remove(slot).unwrap_or_default();
        tracks.extend([number, text]);
    }
    // The two tracks of a field follow each other: the result of the first is kept for the second.
    let mut may_be_number: HashMap<usize, bool> = HashMap::new();
    review.flow.spread(&tracks, |n, here| {
        let (slot, asked) = &asked[n / 2];
        let holds = |site: usize| review.flow.nodes_of(site).iter().any(|node| here.holds(*node));
        if n % 2 == 0 {
            may_be_number = asked.iter().map(|(site, ..)| (*site, holds(*site))).collect();
            return;
        }
        for (site, value, span) in asked {
            let (number, text) = (may_be_number.get(site).copied().unwrap_or(false), holds(*site));
            let name = review.name(*slot);
            report(review, findings, (*site, value, span), name, (number, text));
        }
    });
}

fn report(
    review: &Review<'_>,
    findings: &mut Findings,
    (site, value, span): Asked<'_>,
    name: &str,
    (number, text): (bool, bool),
) {
    let is_time = review.tables().value_type(name) == ValueType::Time && !number && !text;
    let (message, help) = match (value, number, text) {
        _ if is_time => (
            format!("`{name}` is a time, which equals no value and cannot be compared"),
            "times can be shown in a message: `{__REALTIME_TIMESTAMP:%H:%M}`".to_owned(),
        ),
        (Literal::Text(text), true, false) => {
            let help = if text.trim().parse::<f64>().is_ok() {
                format!("write it without quotes: {}", text.trim())
            } else {
                "compare it with a number".to_owned()
            };
            (format!("`{name}` is a number here, which never equals a text"), help)
        }
        (Literal::Number(number), false, true) => (
            format!("`{name}` is text here, which never equals a number"),
            format!("write a text: \"{number}\""),
        ),
        _ => return,
    };
    let label = if matches!(value, Literal::Text(_)) { "this is a text" } else { "this is a number" };
    findings.add(span, review.place(site), message).label(label).help(help);
}
