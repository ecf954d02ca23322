//! `pyruse generate`: what is packaged beside the program, made from the same source as its help.
//!
//! The command line (clap's definitions) and the modules' own words go in; manual pages, completions and the pages of
//! `docs/reference` come out. Nothing of it is written by hand twice, so nothing of it can be out of date.

mod completions;
mod lead;
mod man;
mod manual_configuration;
mod page;
mod reference;
mod roff;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Command, ValueEnum};
use pyruse_core::plugin::Registry;

use self::page::Page;
use crate::ending::Ending;

/// Writes manual pages, completions or reference pages into a directory
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to write
    what: What,
    /// Where to; made if it is not there
    directory: PathBuf,
    /// Where the pages of docs will be installed; manual pages lead there
    #[arg(long, default_value = "/usr/share/doc/pyruse/docs")]
    docs: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// pyruse.1, one page for each command, pyruse.json.5
    Man,
    /// For bash (`pyruse.bash`), zsh (`_pyruse`) and fish (`pyruse.fish`)
    Completions,
    /// The pages of docs/reference
    Reference,
}

/// `cli` is the whole command line.
pub(crate) fn run(cli: &Command, args: &Args) -> anyhow::Result<Ending> {
    let registry = Registry::linked().map_err(anyhow::Error::msg)?;
    let pages = match args.what {
        What::Man => man::pages(&visible(cli), &registry, &args.docs),
        What::Completions => completions::scripts(),
        What::Reference => reference::pages(&visible(cli), &registry),
    };
    write(&args.directory, &pages)?;
    Ok(Ending::Good)
}

fn write(directory: &Path, pages: &[Page]) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    for (name, content) in pages {
        let path = directory.join(name);
        fs::write(&path, content).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// The command line as users see it: clap lists hidden commands wherever it generates something.
pub(super) fn visible(cli: &Command) -> Command {
    let shown = |command: &&Command| !command.is_hide_set();
    let mut visible = Command::new("pyruse")
        .version(env!("CARGO_PKG_VERSION"))
        .args(cli.get_arguments().cloned())
        .subcommands(cli.get_subcommands().filter(shown).cloned());
    if let Some(about) = cli.get_about() {
        visible = visible.about(about.clone());
    }
    if let Some(about) = cli.get_long_about() {
        visible = visible.long_about(about.clone());
    }
    if let Some(after) = cli.get_after_long_help().or(cli.get_after_help()) {
        visible = visible.after_help(after.clone());
    }
    visible.build();
    visible
}
