//! `pyruse check`: reports the errors of a configuration, and what should be improved.
//!
//! A configuration without errors is also reviewed ([`review`]). With `--live`, the machine is checked, too, without
//! changing it.

mod explain;
mod live;

use std::path::{Path, PathBuf};

use pyruse_core::config::{Diagnostics, Severity};
use pyruse_core::engine::Plan;
use pyruse_core::plugin::{Inspection, Registry};
use pyruse_core::review;
use pyruse_core::state::Layout;
use serde_json::json;

use super::loaded::load;
use super::text::{folded, printable, terminal_columns};
use super::values;
use crate::configuration;
use crate::ending::Ending;

/// Loads, compiles and reviews the configuration; prints every finding with its place and a fix
///
/// All errors are printed in one run, each with its line, a caret, the chain and the step. A configuration without
/// errors is then reviewed: the review finds what can never run, what an attacker could forge, and what grows without
/// limit. Each such warning has a code, which `--explain` explains; a comment beside the step can allow it.
///
/// Nothing is started and nothing is changed. The exit code is 1 if there are errors; with --strict, also if there are
/// warnings.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "options of a command line, each on or off by itself")]
pub(crate) struct Args {
    /// The configuration to check
    file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Also exit with code 1 if there are warnings
    #[arg(long)]
    strict: bool,
    /// Also check, without changing anything, whether this machine has the sets, mail server, storage and journal
    #[arg(long)]
    live: bool,
    /// Print only the findings of the review, without the errors that `run` and a reload report themselves
    #[arg(long)]
    review: bool,
    /// Print the page of one kind of finding; without CODE, list all of them
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "", add = values::codes(),
        conflicts_with_all = ["file", "strict", "live", "review"])]
    explain: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  pyruse check
  pyruse check --strict --live new.json
  pyruse check --explain P007";

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    if let Some(code) = &args.explain {
        explain::run(code, args.json)?;
        return Ok(Ending::Good);
    }
    let registry = Registry::linked()?;
    let read = || {
        let path = configuration::find(args.file.as_deref().or(config))?;
        configuration::read(&path)
    };
    let source = match read() {
        Ok(source) => source,
        // `run` and a reload report that, too.
        Err(error) if args.review && error.is::<configuration::Unusable>() => {
            return Ok(Ending::BadConfiguration);
        }
        Err(error) => return Err(error),
    };
    let mut diagnostics = Diagnostics::default();
    let plan = load(&source, &registry, Layout::default(), &mut diagnostics)?;
    let at_load = diagnostics.clone();
    let mut shown = Vec::new();
    if let Some(engine) = plan.as_ref().map(Plan::engine) {
        review::review(&source, engine, &mut diagnostics);
        if args.live {
            let ours = |inspection: &mut Inspection| {
                live::inspect(&engine.config, source.names().map(Path::new), inspection);
            };
            shown = review::inspect(engine, ours, &mut diagnostics);
            review::apply_allows(&source, &engine.config, &mut diagnostics);
        }
    }
    let (errors, warnings) = diagnostics.counts();
    let notes = diagnostics.count(Severity::Note);
    if args.json {
        let findings = source.findings(&diagnostics);
        let included: Vec<_> = source.names().skip(1).collect();
        let mut report = json!({
            "file": source.name(), "included": included, "errors": errors, "warnings": warnings, "notes": notes,
            "findings": findings,
        });
        if args.live {
            report["shown"] = json!(shown);
        }
        super::json::print(&report)?;
    } else {
        if args.review {
            let known = at_load.in_order();
            diagnostics
                .retain(|found| !known.iter().any(|k| k.span == found.span && k.message == found.message));
        }
        configuration::show(&source, &diagnostics);
        for line in &shown {
            super::text::print_line(&folded(&printable(line), terminal_columns()))?;
        }
        let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let size = plan.as_ref().map_or(String::new(), |plan| {
            let engine = plan.engine();
            let steps = engine.workflow.sites().len();
            format!("{}, {}; ", plural(engine.config.chains.len(), "chain"), plural(steps, "step"))
        });
        let files = match source.names().count() - 1 {
            0 => source.name().to_owned(),
            more => format!("{} and {}", source.name(), plural(more, "included file")),
        };
        let mut verdict =
            format!("{files}: {size}{}, {}", plural(errors, "error"), plural(warnings, "warning"));
        if notes > 0 {
            verdict = format!("{verdict}, {}", plural(notes, "note"));
        }
        super::text::print_line(&folded(&verdict, terminal_columns()))?;
    }
    let is_good = errors == 0 && (warnings == 0 || !args.strict);
    Ok(if is_good { Ending::Good } else { Ending::Failed })
}
