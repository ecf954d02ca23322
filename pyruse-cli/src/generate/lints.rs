//! Generates `docs/lints.md` from the lints themselves.

use std::fmt::Write as _;

use pyruse_core::config::Lint;
use pyruse_core::review::lints;

const HEAD: &str = "\
# What `pyruse check` finds

<!-- Generated from pyruse-core/src/review: change the texts there. -->

A configuration without errors may still not do what you meant. `pyruse check` reviews it, and reports each finding with a
code, its place, why it matters, and how to fix it. Fix errors and warnings; notes are useful to know. The exit code is 1 if
there are errors; with `--strict` also if there are warnings.

If a finding does not apply, allow it with a comment that gives the reason, on a line of the step or directly above it:

```json
// allow P012: these addresses are ours, and were stolen
{\"action\": \"action_nftBan\", \"args\": {\"IP\": \"thatIP\", \"nftSetIPv4\": \"ip filter ban\", \"nftSetIPv6\": \"ip6 filter ban\"}}
```

A comment that allows a finding which does not exist is reported, too ([P004](#p004)). P101 and above are findings of
`pyruse check --live`: it checks, without changing anything, whether this machine has what the configuration needs.

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
            lint.severity.word()
        );
    }
    for lint in lints() {
        let Lint { code, name, what, why, instead, .. } = lint;
        let _ = write!(
            page,
            "\n## {code}\n\n**{name}** ({}). {what}\n\n*Why it matters:* {why}.\n\n*Instead:* {instead}\n",
            lint.severity.word(),
        );
        if let Some([bad, good]) = lint.examples.rules() {
            let _ =
                write!(page, "\nReported:\n\n```json\n{bad}\n```\n\nNot reported:\n\n```json\n{good}\n```\n");
        }
    }
    page
}
