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
    page.prose(WAY);
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

pub(super) const FORM: &str = "\
One JSON object, in UTF-8. Comments (`//` and `/* */`) and trailing commas are taken. The first of these files that \
exists is used: the one that `--config` names, `$PYRUSE_EXTRA/pyruse.json`, `/etc/pyruse/pyruse.json`.

What must be there is `actions`: chains of steps, each chain with a label. A step is a filter or an action:";

pub(super) const SKELETON: &str = r#"{
    "actions": {
        "a label": [
            {"filter": "NAME", "args": {…}, "then": "LABEL", "else": "LABEL"},
            {"action": "NAME", "args": {…}, "then": "LABEL"}
        ]
    }
}"#;

pub(super) const WAY: &str = "\
`args` may be missing where a module needs none; `then` and `else` may always be missing.

An entry comes in at the first chain. A filter that passes leads to its `then`, or to the next step of its chain; one \
that does not pass leads to its `else`. Where there is no such step or no `else`, the way goes on at the next top-level \
chain. An action leads to its `then`, or to the next step; where there is none, the way of the entry ends. A step with \
`then` is the last of its chain.

Top-level chains are entered one after the other, in the order of the file. A chain that an earlier one names in a \
`then` or `else` is a jump chain: it is passed over from above, and where it is left open, the way goes on where that of \
its caller would.

A filter that fails with an error has not passed; an error in an action ends the way of the entry. Both are logged, with \
the label of the chain and the number of the step, from 0.";

pub(super) const FIELDS: &str = "\
Arguments name fields of the journal (see `systemd.journal-fields`(7)), or what earlier steps have saved. \
`__REALTIME_TIMESTAMP`, `__MONOTONIC_TIMESTAMP` and `__CURSOR` are there too. Fields that begin with `_` are set by \
journald itself; all others can be written by any user.

`PRIORITY`, `_UID`, `_PID`, `ERRNO` and the like are numbers; times are times; all else is text. A comparison with a \
field that occurs several times holds if any of its values does. A field that is missing never passes, unless the \
filter says otherwise.";

pub(super) const TEMPLATES: &str = "\
Messages are format strings as Python has them: `{NAME}`, `{NAME:spec}`, `{NAME!r}`, with `{{` and `}}` for braces. \
Times take a format of `strftime`: `{__REALTIME_TIMESTAMP:%H:%M}`. A missing field is printed as `None`.";

pub(super) const EXPRESSIONS: &str = "\
Expressions have the syntax of Python's `re`. In JSON, a backslash is written twice. Those that are regular take time in \
proportion to the text; look-around and back-references are run by another engine, with a limit.";
