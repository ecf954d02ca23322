//! Generates `docs/lints.md` from the lints themselves.

use std::fmt::Write as _;

use super::check::lints;
use crate::config::{Examples, Lint, Severity};

const HEAD: &str = "\
# What `pyruse check` finds

<!-- Made from pyruse-core/src/review: change the texts there. -->

A configuration that can be used may still not do what was meant. `pyruse check` reads it as a colleague would, and tells
what it finds with a code, its place, why it matters, and what to write instead. Errors and warnings should be mended; notes
are worth knowing. The exit code is 1 if there are errors; with `--strict` also if there are warnings.

Where a finding is not right, a comment allows it, with the reason, on a line of the step or right above it:

```json
// allow P012: these addresses are ours, and were stolen
{\"action\": \"action_nftBan\", \"args\": {\"IP\": \"thatIP\", \"nftSetIPv4\": \"ip filter ban\", \"nftSetIPv6\": \"ip6 filter ban\"}}
```

A comment that allows what is not found is told too ([P004](#p004)). P101 and above are what `pyruse check --live` finds:
it asks this machine, without changing it, whether what the configuration depends on is there.

";

/// Returns the page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| code | name | is | finds |\n|---|---|---|---|\n");
    for lint in lints() {
        let Lint { code, name, what, .. } = lint;
        let _ = writeln!(
            page,
            "| [{code}](#{}) | {name} | {} | {what} |",
            code.to_lowercase(),
            word(lint.severity)
        );
    }
    for lint in lints() {
        let Lint { code, name, what, why, instead, .. } = lint;
        let _ = write!(
            page,
            "\n## {code}\n\n**{name}** ({}). {what}\n\n*Why it matters:* {why}.\n\n*Instead:* {instead}\n",
            word(lint.severity),
        );
        if let Examples::Rules { bad, good } = lint.examples {
            let _ = write!(page, "\nTold:\n\n```json\n{bad}\n```\n\nNot told:\n\n```json\n{good}\n```\n");
        }
    }
    page
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
