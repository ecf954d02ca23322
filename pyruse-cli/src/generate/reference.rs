//! The pages of `docs/reference`, in Markdown: modules, configuration, commands, effects.
//!
//! They say what the program says of itself, and are kept beside the code, so that they can be read where the code is
//! read. A test keeps them fresh.

use std::fmt::Write as _;

use clap::Command;
use pyruse_core::config::ModuleKind;
use pyruse_core::effect::Effect;
use pyruse_core::plugin::{Expected, Plugin, Registry};
use serde_json::Value;

use super::manual_configuration::{EXPRESSIONS, FIELDS, FORM, SKELETON, TEMPLATES, WAY};
use super::page::Page;
use crate::command::catalogue::{self, Member};

/// All pages.
pub(super) fn pages(program: &Command, registry: &Registry) -> Vec<Page> {
    let page = |name: &str, content: String| (format!("docs/reference/{name}"), content);
    vec![
        page("modules.md", modules(registry)),
        page("configuration.md", configuration(registry)),
        page("commands.md", commands(program)),
        page("effects.md", effects(registry)),
    ]
}

fn head(title: &str, words: &str) -> String {
    format!(
        "# {title}\n\n<!-- Made by `make reference` from the program's own words: change those, not this. -->\n\n{words}\n"
    )
}

fn modules(registry: &Registry) -> String {
    let mut out = head(
        "Modules",
        "The filters, actions and sources of the program as it is shipped. `pyruse modules` shows those of yours, with the ones that you \
         have linked into it.",
    );
    for (title, kind) in
        [("Filters", ModuleKind::Filter), ("Actions", ModuleKind::Action), ("Sources", ModuleKind::Source)]
    {
        let of_kind = || registry.plugins().filter(move |plugin| plugin.kind == kind);
        let _ = writeln!(out, "\n## {title}\n\n| name | does |\n|---|---|");
        for plugin in of_kind() {
            let _ = writeln!(
                out,
                "| [`{0}`](#{1}) | {2} |",
                plugin.name,
                plugin.name.to_lowercase(),
                cell(plugin.doc)
            );
        }
        for plugin in of_kind() {
            write_module(&mut out, plugin);
        }
    }
    out
}

fn write_module(out: &mut String, plugin: &Plugin) {
    let _ = writeln!(out, "\n### {}\n\n{}\n", plugin.name, plugin.doc);
    let arguments = catalogue::arguments(plugin);
    if arguments.is_empty() {
        let _ = writeln!(out, "It takes no arguments.");
    }
    write_members(out, &arguments, 0);
    for example in (plugin.examples)() {
        let args = if example.args.is_empty() { "{}" } else { example.args };
        let (kind, name) = (plugin.kind.word(), plugin.name);
        let _ = write!(
            out,
            "\nExample, {}:\n\n```text\n{{\"{kind}\": \"{name}\", \"args\": {args}}}\n",
            example.title
        );
        if plugin.kind.is_step() {
            let (entry, outcome) = (catalogue::entry(&example), catalogue::outcome(&example));
            let _ = writeln!(out, "entry: {entry}\n→ {outcome}");
        }
        out.push_str("```\n");
    }
    if !plugin.settings.is_empty() {
        let keys: Vec<String> = plugin
            .settings
            .iter()
            .map(|key| format!("[`{key}`](configuration.md#{})", key.to_lowercase()))
            .collect();
        let _ = writeln!(out, "\nTop-level settings: {}.", keys.join(", "));
    }
}

/// A list, with what objects hold as lists within.
fn write_members(out: &mut String, members: &[Member], depth: usize) {
    for member in members {
        let required = if member.required { ", required" } else { "" };
        let default =
            member.default.as_ref().map(|default| format!(" Default: `{default}`.")).unwrap_or_default();
        let indent = " ".repeat(depth * 2);
        let Member { name, kind, description, .. } = member;
        let _ = writeln!(out, "{indent}- `{name}` ({kind}{required}): {description}{default}");
        write_members(out, &member.members, depth + 1);
    }
}

fn configuration(registry: &Registry) -> String {
    let mut out = head(
        "Configuration",
        "The form of `pyruse.json`. `pyruse check` says what is wrong with one; `pyruse schema` writes a JSON Schema of it, for \
         editors.",
    );
    let _ = writeln!(out, "\n{FORM}\n\n```text\n{SKELETON}\n```\n\n{WAY}");
    for (title, text) in [("Fields", FIELDS), ("Templates", TEMPLATES), ("Expressions", EXPRESSIONS)] {
        let _ = writeln!(out, "\n## {title}\n\n{text}");
    }
    let _ = writeln!(out, "\n## Top-level keys");
    for key in catalogue::top_keys(registry) {
        let default =
            key.default.as_ref().map(|default| format!(" Default: `{default}`.")).unwrap_or_default();
        let _ = writeln!(
            out,
            "\n### {}\n\n{} ({}).{default}",
            key.key,
            key.description.trim_end_matches('.'),
            key.kind
        );
        if !key.members.is_empty() {
            out.push('\n');
            write_members(&mut out, &key.members, 0);
        }
    }
    out
}

fn commands(program: &Command) -> String {
    let mut out = head(
        "Commands",
        "What `pyruse --help` says, of every command. Exit codes: 0 good, 1 failed or found problems, 2 wrong usage, 78 the \
         configuration cannot be used.",
    );
    let mut waiting: Vec<(Command, usize)> = vec![(program.clone(), 2)];
    while let Some((mut command, level)) = waiting.pop() {
        let name = command.get_bin_name().unwrap_or("pyruse").to_owned();
        // As wide as a page shows code without scrolling.
        let help = command.clone().term_width(96).render_long_help().to_string();
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        let _ = writeln!(out, "\n{:#<level$} {name}\n\n```text\n{}\n```", "", help.join("\n").trim_end());
        command.build();
        let subcommands =
            command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set());
        let subcommands: Vec<_> = subcommands.cloned().map(|sub| (sub, level + 1)).collect();
        waiting.extend(subcommands.into_iter().rev());
    }
    out
}

fn effects(registry: &Registry) -> String {
    let mut out = head(
        "Effects",
        "What `pyruse replay --json` and `pyruse run --dry-run --json` print: one JSON object a line, in the order in which it \
         would have happened.\n\nEvery line has these keys first:\n\n\
         - `effect`: its kind, one of those below.\n\
         - `at`: the time of the entry (RFC 3339, UTC, microseconds).\n\
         - `cursor`: the address of the entry in its journal, or null.\n\
         - `chain`, `step`: the step that did it; steps are counted from 0.\n\n\
         The keys that follow depend on the kind.",
    );
    let schema = Effect::schema();
    for kind in schema["oneOf"].as_array().into_iter().flatten() {
        let name = kind["properties"]["effect"]["const"].as_str().unwrap_or_default();
        let description = kind["description"].as_str().unwrap_or_default();
        let _ = writeln!(out, "\n## {name}\n\n{description}\n");
        let members = catalogue::members(kind, &schema);
        let members: Vec<Member> = members.into_iter().filter(|member| member.name != "effect").collect();
        for member in &members {
            let _ = writeln!(out, "- `{}` ({}): {}", member.name, member.kind, member.description);
        }
        for plugin in registry.plugins() {
            let examples = (plugin.examples)();
            let effect = examples.iter().find_map(|example| match example.expected {
                Expected::Effect(effect) => Some(effect),
                _ => None,
            });
            let effect = effect.filter(|effect| {
                serde_json::from_str::<Value>(effect).is_ok_and(|effect| effect["effect"] == name)
            });
            if let Some(effect) = effect {
                let _ = writeln!(out, "\nFrom `{}`:\n\n```json\n{effect}\n```", plugin.name);
            }
        }
    }
    out
}

/// In a table, a bar would be the end of the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
