//! `pyruse check`

use std::path::{Path, PathBuf};

use pyruse_core::config::Diagnostics;
use pyruse_core::plugin::Registry;
use pyruse_core::state::State;
use serde_json::json;

use crate::cli::Ending;
use crate::configuration;
use crate::daemon::load;

/// Loads and compiles the configuration; prints every error and warning with its place
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The configuration to check
    file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    let registry = Registry::linked().map_err(anyhow::Error::msg)?;
    let path = configuration::find(args.file.as_deref().or(config))?;
    let source = configuration::read(&path)?;
    let mut diagnostics = Diagnostics::default();
    let loaded = load(&source, &registry, &mut State::in_memory(), &mut diagnostics)?;
    let (errors, warnings) = diagnostics.counts();
    if args.json {
        let findings: Vec<_> = diagnostics.in_order().into_iter().map(|d| source.finding(d)).collect();
        let report =
            json!({"file": source.name, "errors": errors, "warnings": warnings, "findings": findings});
        super::json::print(&report)?;
    } else {
        configuration::show(&source, &diagnostics);
        let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let size = loaded.as_ref().map_or(String::new(), |(engine, _)| {
            let steps = engine.workflow.sites().len();
            format!("{}, {}; ", plural(engine.config.chains.len(), "chain"), plural(steps, "step"))
        });
        let verdict =
            format!("{}: {size}{}, {}", source.name, plural(errors, "error"), plural(warnings, "warning"));
        super::text::print_line(&verdict)?;
    }
    Ok(if errors == 0 { Ending::Good } else { Ending::Failed })
}
