//! The page about an import: jail by jail, what is the same, what differs, and what could not come over.

use std::fmt::Write as _;

use pyruse_core::text::printable;

use super::rules::Rules;

/// What became of a jail.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) jail: String,
    /// The rules and the name of their file; or why there are none.
    pub(super) rules: Result<(Rules, String), String>,
    /// Findings that its rules have in fail2ban, too.
    pub(super) allowed: Vec<String>,
}

/// How well a jail came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    /// Nothing but what the page says about all jails.
    Same,
    /// Something is different.
    Different,
    /// A part of it could not come over.
    InPart,
    /// There are no rules for it.
    Not,
}

impl Outcome {
    pub(super) fn grade(&self) -> Grade {
        match &self.rules {
            Err(_) => Grade::Not,
            Ok((rules, _)) if !rules.lacks.is_empty() => Grade::InPart,
            Ok((rules, _)) if !rules.notes.is_empty() => Grade::Different,
            Ok(_) => Grade::Same,
        }
    }
}

impl Grade {
    pub(super) fn word(self) -> &'static str {
        match self {
            Grade::Same => "the same",
            Grade::Different => "with differences",
            Grade::InPart => "in part",
            Grade::Not => "not",
        }
    }
}

/// Returns the page. `problems` are about no jail in particular.
pub(super) fn page(from: &str, directory: &str, outcomes: &[Outcome], problems: &[String]) -> String {
    let mut out = format!("# Imported from fail2ban\n\nThe jails of `{}` as rules of Pyruse.\n", code(from));
    out += &usage(directory);
    out += ABOUT_ALL;
    if !problems.is_empty() {
        out += "\n## What could not be read\n\n";
        list(&mut out, problems);
    }
    out += "\n## The jails\n\n| jail | came over |\n|---|---|\n";
    for outcome in outcomes {
        let _ = writeln!(out, "| `{}` | {} |", code(&outcome.jail), outcome.grade().word());
    }
    for outcome in outcomes {
        let _ = writeln!(out, "\n### {}\n", code(&outcome.jail));
        match &outcome.rules {
            Err(why) => {
                let _ = writeln!(out, "It could not come over: {}.", sentence(why));
            }
            Ok((rules, file)) => {
                let _ = writeln!(out, "[{file}]({file})");
                section(&mut out, "Different:", &rules.notes);
                section(&mut out, "Could not come over:", &rules.lacks);
                section(
                    &mut out,
                    "As in fail2ban, but look at it (`pyruse check --explain CODE`):",
                    &outcome.allowed,
                );
            }
        }
    }
    out
}

fn usage(directory: &str) -> String {
    let directory = code(directory);
    format!(
        "
| file | is |
|---|---|
| `jails/*.json` | the rules of a jail each |
| `fail2ban.json` | includes them, with the lists and log files that they use |
| `pyruse.json` | a whole configuration: includes `fail2ban.json`, reads the journal, and says who gets mails |
| `fail2ban.nft` | the sets for bans, and what happens to the packets of banned addresses |

1. Check the rules, and see what they would have done:

   ```console
   $ pyruse --config {directory}/pyruse.json check
   # pyruse --config {directory}/pyruse.json replay --since '1 week ago'
   ```

2. Create the sets. Append `fail2ban.nft` to the ruleset of the package (or load it with your own firewall):

   ```console
   # test -e /etc/pyruse/bans.nft || cp /usr/share/pyruse/bans.nft /etc/pyruse/
   # cat {directory}/fail2ban.nft >> /etc/pyruse/bans.nft
   # systemctl reload pyruse-nft-sets
   ```

3. Use the rules: include them in `/etc/pyruse/pyruse.json` with `\"include\": [\"{directory}/fail2ban.json\"]`.
   Then run `pyruse check --live` and `systemctl reload pyruse`.

4. Take over the bans in force: `pyruse import fail2ban-bans`. After some days: `systemctl disable --now fail2ban`.
"
    )
}

const ABOUT_ALL: &str = "
## Different for all jails

- *findtime* is exact here. fail2ban estimates it: it may ban a little earlier or later.
- *Lines while an address is banned* are not counted, for `bantime` (the first one, if bans grow), but an hour at most;
  also if you lift the ban before. After that, such lines renew the ban. fail2ban does not renew it.
- *An entry of the journal with several lines* is one text. `^` and `$` do not match at its inner lines.
- *A name of a host* in place of an address bans nobody: names are not resolved (`usedns`).
- *Sessions* (`<F-MLFID>`): lines with the same identity are joined by `action_remember`. A session is forgotten after
  `findtime`, but at least ten minutes.
- *Addresses that no remote host has* (loopback, multicast and the like) are never banned.
- *Ports* are those of this machine's `/etc/services`, as numbers.
- *The action of a ban* is a set of nftables, whichever packet filter fail2ban uses.
";

fn section(out: &mut String, title: &str, items: &[String]) {
    if !items.is_empty() {
        let _ = writeln!(out, "\n{title}\n");
        list(out, items);
    }
}

fn list(out: &mut String, items: &[String]) {
    for item in items {
        let _ = writeln!(out, "- {}", sentence(item));
    }
}

/// On one line, without characters that a terminal executes.
fn sentence(text: &str) -> String {
    printable(text).replace('\n', " ")
}

/// The same, for a text between back-quotes or in a title.
fn code(text: &str) -> String {
    sentence(text).replace(['`', '|'], "'")
}
