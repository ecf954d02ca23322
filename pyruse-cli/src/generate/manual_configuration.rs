//! `pyruse.json(5)`: the form of the configuration, its top-level keys, and every module with its arguments.

use pyruse_core::config::ModuleKind;
use pyruse_core::plugin::{Plugin, Registry};
use roff::{Inline, bold, roman};

use super::lead::lead_to;
use super::page::Page;
use super::roff::Manual;
use crate::command::catalogue::{self, Member};

pub(super) fn page(registry: &Registry) -> Page {
    let mut page = Manual::new("pyruse.json", "5");
    page.name("pyruse.json", "what Pyruse does with the entries of the systemd journal");
    page.section("SYNOPSIS");
    page.prose("`$PYRUSE_EXTRA/pyruse.json`, `/etc/pyruse/pyruse.json`");
    page.section("DESCRIPTION");
    page.prose(FORM);
    page.verbatim(SKELETON);
    page.prose(PATH);
    page.subsection("Fields");
    page.prose(FIELDS);
    page.subsection("Templates");
    page.prose(TEMPLATES);
    page.subsection("Expressions");
    page.prose(EXPRESSIONS);
    page.section("TOP-LEVEL KEYS");
    for key in catalogue::top_keys(registry) {
        let default =
            key.default.as_ref().map(|default| format!(" Default: `{default}`.")).unwrap_or_default();
        page.item(term(key.key, &key.kind, false), &format!("{}{default}", key.description));
        members(&mut page, &key.members);
    }
    for (title, kind) in
        [("FILTERS", ModuleKind::Filter), ("ACTIONS", ModuleKind::Action), ("SOURCES", ModuleKind::Source)]
    {
        page.section(title);
        for plugin in registry.plugins().filter(|plugin| plugin.kind == kind) {
            module(&mut page, plugin);
        }
    }
    page.section("SEE ALSO");
    page.prose("`pyruse`(1), `pyruse-check`(1), `pyruse-modules`(1), `pyruse-schema`(1), `systemd.journal-fields`(7)");
    lead_to(&mut page, &["guide/README.md", "reference/configuration.md", "reference/modules.md"]);
    page.finish()
}

fn module(page: &mut Manual, plugin: &Plugin) {
    page.subsection(plugin.name);
    page.prose(plugin.doc);
    for argument in catalogue::arguments(plugin) {
        member(page, &argument);
    }
    if !plugin.example_settings.is_empty() {
        page.prose("The examples need these top-level keys:");
        page.verbatim(plugin.example_settings);
    }
    for example in (plugin.examples)() {
        page.prose(&format!("Example, {}:", example.title));
        let args = if example.args.is_empty() { "{}" } else { example.args };
        let step = format!("{{\"{}\": \"{}\", \"args\": {args}}}", plugin.kind.word(), plugin.name);
        if plugin.kind.is_step() {
            let (entry, outcome) = (catalogue::entry(&example), catalogue::outcome(&example));
            page.verbatim(&format!("{step}\n{entry}\n→ {outcome}"));
        } else {
            page.verbatim(&step);
        }
    }
    if !plugin.settings.is_empty() {
        let keys: Vec<String> = plugin.settings.iter().map(|key| format!("`{key}`")).collect();
        page.prose(&format!("Settings: {} (top-level keys, see above).", keys.join(", ")));
    }
}

fn members(page: &mut Manual, all: &[Member]) {
    if all.is_empty() {
        return;
    }
    page.indent();
    for one in all {
        member(page, one);
    }
    page.outdent();
}

fn member(page: &mut Manual, member: &Member) {
    let default =
        member.default.as_ref().map(|default| format!(" Default: `{default}`.")).unwrap_or_default();
    page.item(term(&member.name, &member.kind, member.required), &format!("{}{default}", member.description));
    members(page, &member.members);
}

fn term(name: &str, kind: &str, required: bool) -> Vec<Inline> {
    vec![bold(name), roman(format!(" ({kind}{})", if required { ", required" } else { "" }))]
}

pub(super) const FORM: &str = "One JSON object, in UTF-8. Comments (`//` and `/* */`) and trailing commas are \
                               allowed. The first of these files that exists is used: the one that `--config` names, \
                               `$PYRUSE_EXTRA/pyruse.json`, `/etc/pyruse/pyruse.json`.";

pub(super) const SKELETON: &str = r#"{
    "actions": {
        "a label": [
            {"filter": "NAME", "args": {…}, "then": "LABEL", "else": "LABEL"},
            {"action": "NAME", "args": {…}, "then": "LABEL"}
        ]
    }
}"#;

pub(super) const PATH: &str = "\
`args` may be omitted if a module needs none; `then` and `else` are always optional.

An entry starts at the first chain. After a filter that passes, it continues at the filter's `then`, or at the next step \
of its chain; after one that does not pass, at its `else`. If there is no such step or no `else`, it continues at the \
next top-level chain. After an action, it continues at the action's `then`, or at the next step; if there is none, the \
entry stops. A step with `then` is the last of its chain.

Top-level chains are entered one after the other, in the order of the file. A chain that an earlier one names in a \
`then` or `else` is a jump chain: entries do not enter it from above, and an entry that dangles there continues where \
the caller's top-level chain would.

A filter that fails with an error does not pass; at an error in an action, the entry stops. Both are logged, with the \
label of the chain and the number of the step, from 0.";

pub(super) const FIELDS: &str = "\
Arguments name fields of the journal (see `systemd.journal-fields`(7)), or fields that earlier steps have saved. \
`__REALTIME_TIMESTAMP`, `__MONOTONIC_TIMESTAMP` and `__CURSOR` are available, too. Fields that begin with `_` are set by \
journald itself; any user can write all others.

`PRIORITY`, `_UID`, `_PID`, `ERRNO` and similar fields are numbers; times are times; everything else is text. A \
comparison with a field that occurs several times holds if it holds for any of its values. A missing field never passes, \
unless the filter says otherwise.";

pub(super) const TEMPLATES: &str = "\
Messages are Python format strings: `{NAME}`, `{NAME:spec}`, `{NAME!r}`, with `{{` and `}}` for braces. Times accept a \
format of `strftime`: `{__REALTIME_TIMESTAMP:%H:%M}`. A missing field is printed as `None`.";

pub(super) const EXPRESSIONS: &str = "\
Expressions have the syntax of Python's `re`. In JSON, a backslash is written twice. The time of a regular expression is \
proportional to the text; look-around and back-references are run by another engine, with a limit.";
