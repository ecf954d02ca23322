//! `pyruse modules`: lists the linked filters, actions and sources, with their documentation.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::bail;
use pyruse_core::config::{ModuleKind, nearest};
use pyruse_core::plugin::{Plugin, Registry};
use serde_json::json;

use super::catalogue::{self, Member};
use super::json;
use super::page::TextPage;
use super::text::{columns, fitted, printable, terminal_columns, wrapped};
use super::values;
use crate::ending::Ending;

/// Lists the filters, actions and sources of this program; with a name, prints everything about that one
///
/// The list contains all linked modules, including those of custom crates. With NAME: what it does, its arguments with
/// types and defaults, examples with their outcome, the top-level settings that it reads, and the file that registered
/// it.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The filter or action to print everything about
    #[arg(add = values::modules())]
    name: Option<String>,
    /// Print JSON: one object per module
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  pyruse modules
  pyruse modules filter_pcre
  pyruse modules --json | jq -r .name";

pub(crate) fn run(args: &Args) -> anyhow::Result<Ending> {
    let registry = Registry::linked()?;
    let mut out = std::io::stdout().lock();
    match &args.name {
        Some(name) => {
            let plugin = find(&registry, name)?;
            if args.json {
                json::write_line(&mut out, &catalogue::as_json(plugin, &registry))?;
            } else {
                out.write_all(page(plugin, &registry, terminal_columns()).as_bytes())?;
            }
        }
        None if args.json => {
            for plugin in in_order(&registry) {
                let line = json!({
                    "name": plugin.name,
                    "kind": plugin.kind.word(),
                    "description": plugin.doc,
                    "file": plugin.file,
                });
                json::write_line(&mut out, &line)?;
            }
        }
        None => out.write_all(list(&registry, terminal_columns()).as_bytes())?,
    }
    Ok(Ending::Good)
}

/// Returns filters first, as in a chain.
pub(crate) fn in_order(registry: &Registry) -> impl Iterator<Item = &'static Plugin> {
    let of = |kind| registry.plugins().filter(move |plugin| plugin.kind == kind);
    ModuleKind::ALL.into_iter().flat_map(of)
}

fn find(registry: &Registry, name: &str) -> anyhow::Result<&'static Plugin> {
    if let Some(plugin) = registry.plugins().find(|plugin| plugin.name == name) {
        return Ok(plugin);
    }
    let names = || registry.plugins().map(|plugin| plugin.name);
    // People often write `pcre` for `filter_pcre`.
    let is_short =
        |full: &&str| full.split_once('_').is_some_and(|(_, short)| short.eq_ignore_ascii_case(name));
    let near = names().find(is_short).or_else(|| nearest(name, names()));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    bail!(
        "there is no filter, action or source `{}`{hint} (`pyruse modules` lists all of them)",
        printable(name)
    );
}

/// Returns one line for each module.
fn list(registry: &Registry, width: usize) -> String {
    let room = in_order(registry).map(|plugin| columns(plugin.name)).max().unwrap_or(0);
    let mut out = String::new();
    for kind in ModuleKind::ALL {
        let gap = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{gap}{}s", kind.word());
        for plugin in in_order(registry).filter(|plugin| plugin.kind == kind) {
            let indent = room + 4;
            let mut lines = wrapped(plugin.doc, width.saturating_sub(indent)).into_iter();
            let first = lines.next().unwrap_or_default();
            let _ = writeln!(out, "  {}  {first}", fitted(plugin.name, room));
            for line in lines {
                let _ = writeln!(out, "{:indent$}{line}", "");
            }
        }
    }
    out
}

/// Returns everything about one module.
fn page(plugin: &Plugin, registry: &Registry, width: usize) -> String {
    let mut page = TextPage::new(plugin.name, width);
    page.prose(plugin.doc, 2);
    let arguments = catalogue::arguments(plugin);
    if arguments.is_empty() {
        page.title("It has no arguments.");
    } else {
        page.title("Arguments");
        page.members(&arguments, 2);
    }
    page.title("Examples");
    if !plugin.example_settings.is_empty() {
        page.prose(&format!("with the top-level keys {}", plugin.example_settings), 2);
    }
    for example in (plugin.examples)() {
        page.prose(&format!("{}:", example.title), 2);
        let args = if example.args.is_empty() { "{}" } else { example.args };
        page.prose(&format!("\"args\": {args}"), 6);
        if plugin.kind.is_step() {
            page.prose(&format!("entry: {}", catalogue::entry(&example)), 6);
            page.prose(&format!("→ {}", catalogue::outcome(&example)), 6);
        }
    }
    for settings in plugin.settings.iter().filter_map(|key| catalogue::settings(registry, key)) {
        page.title(&format!("Top-level key `{}`", settings.key));
        page.prose(&settings.description, 2);
        page.members(&settings.members, 2);
    }
    page.title(&format!("Registered by {}", plugin.file));
    page.out
}

/// Writes the members of an object, with nested members below them.
trait Members {
    fn members(&mut self, members: &[Member], indent: usize);
}

impl Members for TextPage {
    fn members(&mut self, members: &[Member], indent: usize) {
        for member in members {
            let required = if member.required { ", required" } else { "" };
            self.prose(&format!("{} ({}{required})", member.name, member.kind), indent);
            let default =
                member.default.as_ref().map(|default| format!(" Default: {default}.")).unwrap_or_default();
            self.prose(&format!("{}{default}", member.description), indent + 4);
            self.members(&member.members, indent + 4);
        }
    }
}
