//! P005: a field that is read, but that the journal does not have and no step on any path there saves.

use std::collections::HashMap;

use super::check::LintPlugin;
use super::findings::Findings;
use super::flow::{Exit, Track};
use super::subject::Review;
use crate::config::{Examples, Lint, Severity, SourceSpan, nearest};
use crate::entry::Slot;
use crate::plugin::Fact;

static LINT: Lint = Lint {
    code: "P005",
    name: "unknown-field",
    severity: Severity::Warning,
    what: "A step reads a field that the journal does not have, and that no step saves on any path to it.",
    why: "a missing field never passes a filter, stops an action, and is `None` in a message",
    instead: "Write the name as it is saved (case matters: `thatIP` is not `thatIp`), or as in \
              systemd.journal-fields(7). Fields of your own programs are assumed to exist if their names are in \
              capitals, as the journal requires; names that begin with `_` are journald's.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "disks": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(?P<thatDisk>ata\\d+): failed command"}},
        <HERE>
    ]
}}"#,
        bad: r#"{"action": "action_dailyReport", "args": {"level": "WARN", "message": "{thatdisk} fails"}}"#,
        good: r#"{"action": "action_dailyReport", "args": {"level": "WARN", "message": "{thatDisk} fails"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

type Reads<'a> = Vec<(usize, &'a SourceSpan)>;

fn check(review: &Review<'_>, findings: &mut Findings) {
    let mut reads: HashMap<Slot, Reads<'_>> = HashMap::new();
    let mut saved: HashMap<Slot, Vec<usize>> = HashMap::new();
    for (site, fact, span) in review.facts() {
        match fact {
            Fact::Reads(slot) if !review.tables().may_hold(review.name(*slot)) => {
                reads.entry(*slot).or_default().push((site, span));
            }
            Fact::Saves(save) => saved.entry(save.field).or_default().push(site),
            _ => {}
        }
    }
    let mut fields: Vec<(Slot, Reads<'_>)> = reads.into_iter().collect();
    fields.sort_by_key(|(slot, _)| *slot);
    let mut names: Vec<&str> = review.tables().names().collect();
    names.extend(saved.keys().map(|slot| review.name(*slot)));
    names.sort_unstable();
    let changes = |slot: &Slot| {
        let sites = saved.get(slot).into_iter().flatten();
        sites.flat_map(|site| review.flow.nodes_of(*site)).map(|node| (*node, Exit::Pass, true)).collect()
    };
    let tracks: Vec<Track> =
        fields.iter().map(|(slot, _)| Track { at_start: false, changes: changes(slot) }).collect();
    review.flow.spread(&tracks, |n, saved_here| {
        let (slot, reads) = &fields[n];
        let name = review.name(*slot);
        for (site, span) in reads {
            if review.flow.nodes_of(*site).iter().any(|node| saved_here.holds(*node)) {
                continue;
            }
            let is_full = findings.is_full();
            let finding = if saved.contains_key(slot) {
                let message = format!("`{name}` is not set yet: no step saves it on any path to this one");
                findings.add(span, review.place(*site), message).label("read here, saved elsewhere")
            } else {
                let message =
                    format!("there is no field `{name}`: the journal does not have it, and no step saves it");
                findings.add(span, review.place(*site), message)
            };
            if saved.contains_key(slot) {
                finding.help("put the step that saves it before this one");
            } else {
                finding.help("save it with a step before this one, or write the name of an existing field");
                // The same name in other capitals is nearest.
                let twin = || names.iter().find(|known| known.eq_ignore_ascii_case(name)).copied();
                let near = || twin().or_else(|| nearest(name, names.iter().copied()));
                if let Some(near) = (!is_full).then(near).flatten() {
                    finding.help(format!("did you mean `{near}`?"));
                }
            }
        }
    });
}
