//! The manual pages of the program and its commands: one page for each, with a group's commands on the group's page.

use std::fmt::Write as _;

use clap::{Arg, Command};
use pyruse_core::plugin::Registry;
use roff::{Inline, bold, italic, roman};

use super::lead::{doc, lead_to};
use super::manual_configuration;
use super::page::Page;
use super::roff::Manual;

/// Returns all pages.
pub(super) fn pages(program: &Command, registry: &Registry) -> Vec<Page> {
    let mut pages = vec![program_page(program), manual_configuration::page(registry)];
    pages.extend(shown(program).map(|command| command_page(program, command)));
    pages
}

/// The pages of `docs` with more information, and their subjects.
const DOCS: &[(&str, &str)] = &[
    ("getting-started.md", "From installation to the first ban, step by step."),
    ("guide/README.md", "How to write rules: workflow, counting, bans, expressions, messages, testing."),
    ("lints.md", "All findings of `check`. `pyruse check --explain CODE` shows one of them."),
    ("operating.md", "State, backup, upgrade, troubleshooting by symptom, monitoring."),
    ("reference/configuration.md", "Every key of the configuration."),
    ("reference/modules.md", "Every filter and action, with examples."),
    ("reference/effects.md", "The output of `replay --json` and `run --dry-run --json`."),
    ("from-fail2ban.md", "Migrating from fail2ban."),
    ("from-other-tools.md", "Migrating from CrowdSec, reaction, sshguard, DenyHosts, epylog, logwatch."),
    ("from-the-first-pyruse.md", "Migrating from the first Pyruse."),
];

/// Returns the pages about a command.
fn docs_of(command: &str) -> &'static [&'static str] {
    match command {
        "check" => &["lints.md", "guide/testing.md"],
        "import" => &["from-fail2ban.md", "from-other-tools.md"],
        "rules" => &["guide/files.md"],
        "replay" | "run" => &["guide/testing.md", "reference/effects.md", "operating.md"],
        "explain" | "stats" => &["guide/testing.md"],
        "graph" => &["guide/workflow.md"],
        "bans" | "boot" => &["guide/bans.md", "operating.md"],
        "counters" => &["guide/counting.md"],
        "report" => &["guide/messages.md"],
        "modules" => &["reference/modules.md"],
        "schema" => &["reference/configuration.md"],
        _ => &["operating.md"],
    }
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

fn program_page(program: &Command) -> Page {
    let mut page = Manual::new("pyruse", "1");
    page.name("pyruse", &sentence_part(&about(program)));
    page.section("SYNOPSIS");
    page.usage(&usage(program));
    page.section("DESCRIPTION");
    page.prose(&long_about(program));
    page.section("COMMANDS");
    for command in shown(program) {
        let name = format!("pyruse-{}", command.get_name());
        page.item(vec![bold(name), roman("(1)")], &full_stop(&about(command)));
    }
    options(&mut page, "OPTIONS", program);
    page.section("EXIT STATUS");
    page.item(vec![bold("0")], "Good.");
    page.item(vec![bold("1")], "The command failed, or found problems.");
    page.item(vec![bold("2")], "Wrong usage.");
    page.item(vec![bold("78")], "The configuration cannot be used.");
    page.section("ENVIRONMENT");
    page.item(
        vec![bold("PYRUSE_EXTRA")],
        "A directory whose `pyruse.json` is the configuration, unless `--config` names one.",
    );
    page.item(vec![bold("TZ")], "The time zone in which times are shown and the report is due.");
    page.item(vec![bold("NO_COLOR")], "If it is not empty, output has no colours.");
    page.item(
        vec![bold("COLUMNS")],
        "The output width, instead of the terminal's; without a terminal it is 80.",
    );
    page.section("FILES");
    page.item(vec![italic("/etc/pyruse/pyruse.json")], "The configuration; see `pyruse.json`(5).");
    page.item(
        vec![italic("/var/lib/pyruse")],
        "The state: counters, bans, pending mails, and the position in the journal (`storage` in the configuration).",
    );
    page.section("DOCUMENTATION");
    for (name, about) in DOCS {
        page.item(vec![italic(doc(name))], about);
    }
    page.section("SEE ALSO");
    page.prose("`pyruse.json`(5), `journalctl`(1), `systemd.journal-fields`(7), `nft`(8), `ipset`(8)");
    page.finish()
}

fn command_page(program: &Command, command: &Command) -> Page {
    let title = format!("pyruse-{}", command.get_name());
    let mut page = Manual::new(&title, "1");
    page.name(&title, &sentence_part(&about(command)));
    page.section("SYNOPSIS");
    let subcommands: Vec<&Command> = shown(command).collect();
    if subcommands.is_empty() {
        page.usage(&usage(command));
    } else {
        let usages: Vec<String> = subcommands.iter().map(|sub| usage(sub)).collect();
        page.usage(&usages.join("\n"));
    }
    page.section("DESCRIPTION");
    page.prose(&long_about(command));
    if !subcommands.is_empty() {
        page.section("COMMANDS");
        for sub in &subcommands {
            page.subsection(&format!("{} {}", command.get_name(), sub.get_name()));
            page.prose(&long_about(sub));
            for arg in arguments(sub).filter(|arg| !arg.is_global_set()) {
                argument(&mut page, arg);
            }
            if let Some(after) = after(sub) {
                page.prose(&after);
            }
        }
    }
    options(&mut page, "OPTIONS", command);
    if let Some(after) = after(command) {
        if let Some(examples) = after.strip_prefix("Examples:\n") {
            page.section("EXAMPLES");
            page.prose(examples);
        } else {
            page.section("NOTES");
            page.prose(&after);
        }
    }
    page.section("SEE ALSO");
    let others = shown(program).filter(|other| other.get_name() != command.get_name());
    let others: Vec<String> = others.map(|other| format!("`pyruse-{}`(1)", other.get_name())).collect();
    page.prose(&format!("`pyruse`(1), `pyruse.json`(5), {}", others.join(", ")));
    lead_to(&mut page, docs_of(command.get_name()));
    page.finish()
}

/// Adds the options; those of a group are on the group's page only.
fn options(page: &mut Manual, title: &str, command: &Command) {
    let arguments: Vec<&Arg> = arguments(command).collect();
    if !arguments.is_empty() {
        page.section(title);
        for arg in arguments {
            argument(page, arg);
        }
    }
}

fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let known = |arg: &&Arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    command.get_arguments().filter(known)
}

fn argument(page: &mut Manual, arg: &Arg) {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = full_stop(&help);
    let values: Vec<_> = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
    if !values.is_empty() && arg.get_action().takes_values() {
        text.push_str("\n\n");
        for value in values {
            let help = value
                .get_help()
                .map(|help| format!(": {}", full_stop(&help.to_string())))
                .unwrap_or_default();
            let _ = writeln!(text, "- `{}`{help}", value.get_name());
        }
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        let _ = write!(text, "\n\nDefault: `{}`.", defaults.join(" "));
    }
    page.item(term(arg), &text);
}

/// Returns the term of an argument: `--since T`, `FILE`.
fn term(arg: &Arg) -> Vec<Inline> {
    let mut term = Vec::new();
    if let Some(short) = arg.get_short() {
        term.extend([bold(format!("-{short}")), roman(", ")]);
    }
    if let Some(long) = arg.get_long() {
        term.push(bold(format!("--{long}")));
    }
    if arg.is_positional() || arg.get_action().takes_values() {
        if !arg.is_positional() {
            term.push(roman(" "));
        }
        let id = arg.get_id().as_str().to_uppercase();
        let names = arg.get_value_names().map_or(id, |names| names.join(" "));
        term.push(italic(names));
        if arg.get_num_args().is_some_and(|number| number.max_values() > 1) {
            term.push(roman("..."));
        }
    }
    term
}

/// Returns the usage as clap prints it, without the leading word.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.trim_start_matches("Usage:").trim().to_owned()
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn long_about(command: &Command) -> String {
    let long = command.get_long_about().map(ToString::to_string);
    let text = long.unwrap_or_else(|| about(command));
    // clap's first paragraph is a headline without a full stop.
    match text.split_once("\n\n") {
        Some((first, rest)) => format!("{}\n\n{rest}", full_stop(first)),
        None => full_stop(&text),
    }
}

fn after(command: &Command) -> Option<String> {
    command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string)
}

fn full_stop(text: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() || text.ends_with(['.', '?', '!', ':']) { text.to_owned() } else { format!("{text}.") }
}

/// Converts a sentence for the line of NAME: small first letter, no full stop.
fn sentence_part(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
