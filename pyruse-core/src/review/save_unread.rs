//! P016: an argument that asks to save into a field which no later step on any path reads.

use std::collections::HashMap;

use super::check::LintPlugin;
use super::findings::Findings;
use super::flow::{Exit, Use};
use super::subject::Review;
use crate::config::{Examples, Lint, Severity, SourceSpan};
use crate::entry::Slot;
use crate::plugin::Fact;

static LINT: Lint = Lint {
    code: "P016",
    name: "save-never-read",
    severity: Severity::Warning,
    what: "An argument saves into a field that no later step reads.",
    why: "either it is not needed, or a step that should read it has the wrong name",
    instead: "Remove the name, or read the field. In a list, you cannot leave out names before one that is read: \
              write those groups as `(?:…)`, or keep the names. Named groups in an expression are not reported, \
              because such a name also explains. Nor are values that are only sometimes saved in place of an earlier \
              value.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "disks": [
        <HERE>,
        {"action": "action_dailyReport", "args": {"level": "WARN", "message": "{disk} fails"}}
    ]
}}"#,
        bad: r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(ata\\d+): failed (.*)$", "save": ["disk", "what"]}}"#,
        good: r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(ata\\d+): failed", "save": ["disk"]}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    let mut asked: HashMap<Slot, Vec<(usize, &SourceSpan)>> = HashMap::new();
    for (site, fact, span) in review.facts() {
        if let Fact::Saves(save) = fact
            && save.asked
            && save.surely
        {
            asked.entry(save.field).or_default().push((site, span));
        }
    }
    let mut uses: HashMap<Slot, Use> = asked.keys().map(|slot| (*slot, Use::default())).collect();
    for (site, fact, _) in review.facts() {
        let nodes = review.flow.nodes_of(site);
        match fact {
            Fact::Reads(slot) | Fact::Notes(slot) => {
                if let Some(field) = uses.get_mut(slot) {
                    field.readers.extend(nodes);
                }
            }
            Fact::Saves(save) if save.surely => {
                if let Some(field) = uses.get_mut(&save.field) {
                    field.overwritten.extend(nodes.iter().map(|node| (*node, Exit::Pass)));
                }
            }
            _ => {}
        }
    }
    let mut asked: Vec<_> = asked.into_iter().collect();
    asked.sort_by_key(|(slot, _)| *slot);
    let uses: Vec<Use> = asked.iter().map(|(slot, _)| uses.remove(slot).unwrap_or_default()).collect();
    // For each step: the fields that it asks to save, in order, and whether a step reads them.
    let mut saves: HashMap<usize, Vec<(&SourceSpan, Slot, bool)>> = HashMap::new();
    review.flow.live(&uses, |n, is_live| {
        let (slot, asked) = &asked[n];
        for (site, span) in asked {
            let read = review.flow.nodes_of(*site).iter().any(|node| is_live(*node, Exit::Pass));
            saves.entry(*site).or_default().push((span, *slot, read));
        }
    });
    for (site, mut saves) in saves {
        saves.sort_by_key(|(span, ..)| span.start);
        let is_list = review.steps[site].args.as_ref().is_some_and(|args| {
            saves.iter().all(|(span, ..)| args.get("save").is_some_and(|save| save.span.start < span.start))
        });
        let needed = saves.iter().rposition(|(_, _, read)| *read).map_or(0, |last| last + 1);
        for (n, (span, slot, read)) in saves.into_iter().enumerate() {
            // In a list, names in front of one that is needed keep their place.
            if read || (is_list && n < needed) {
                continue;
            }
            let message = format!("`{}` is saved, but no later step reads it", review.name(slot));
            findings
                .add(span, review.place(site), message)
                .help("remove it, or read it; is the name the same in both places?");
        }
    }
}
