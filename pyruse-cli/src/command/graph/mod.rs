//! `pyruse graph`: draws the compiled workflow.
//!
//! It draws the linked graph, not the text of the file; [`picture::Picture`] is the common form, which each format
//! draws.

mod dot;
mod layout;
mod mermaid;
mod picture;
mod svg;

use std::io::Write as _;
use std::path::Path;

use clap::ValueEnum;

use self::picture::Picture;
use super::json;
use super::loaded::Loaded;
use crate::configuration;
use crate::ending::Ending;

/// Draws the workflow: chains, their steps, and where each exit leads
///
/// Each chain is a box with its steps as rows. Top-level chains are numbered, in the order in which entries reach them.
/// Chains that no entry can reach are marked. For chains that are used in many places, the name is written there,
/// instead of a long line.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The output format
    #[arg(long, value_enum, default_value_t = Format::Mermaid, value_name = "FORMAT")]
    format: Format,
    /// Print the chains, steps and exits as one JSON object instead
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For web sites that draw it: GitHub, GitLab, many wikis
    Mermaid,
    /// For Graphviz
    Dot,
    /// A picture for browsers, without any other program; light or dark as the browser's setting
    Svg,
}

const EXAMPLES: &str = "\
Examples:
  pyruse graph --format svg > rules.svg
  pyruse graph --format dot | dot -Tpdf > rules.pdf";

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    let loaded = Loaded::open(config)?;
    configuration::show(&loaded.source, &loaded.diagnostics);
    let picture = Picture::of(loaded.source.name(), loaded.config(), &loaded.plan.engine().workflow);
    let mut out = std::io::stdout().lock();
    if args.json {
        json::write_line(&mut out, &picture)?;
        return Ok(Ending::Good);
    }
    let drawn = match args.format {
        Format::Mermaid => mermaid::draw(&picture),
        Format::Dot => dot::draw(&picture),
        Format::Svg => svg::draw(&picture),
    };
    out.write_all(drawn.as_bytes())?;
    Ok(Ending::Good)
}
