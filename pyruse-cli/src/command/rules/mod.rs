//! `pyruse rules`: the rules that are installed with the program, and which of them a configuration uses.

pub(super) mod library;
mod trial;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use self::library::{Enabled, Library, Place, Rule};
use self::trial::Trial;
use super::listing::Listing;
use super::loaded::Loaded;
use super::table::Column;
use super::text::print_line;
use super::values;
use crate::configuration;
use crate::ending::Ending;

/// Shows, enables, disables and tests the rules that are installed with the program
///
/// The rules for a service are one file, which a configuration includes as it is: a link in `rules.d`, beside the
/// configuration, enables it. What differs between machines is a variable (`vars`), which the configuration can set.
#[derive(clap::Subcommand)]
#[command(after_long_help = EXAMPLES)]
pub(crate) enum Command {
    /// Lists all rules, and which are enabled
    List {
        #[command(flatten)]
        place: LibraryArg,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Prints a file of rules: its first lines say what it needs, and for which programs it was made
    Show {
        #[command(flatten)]
        place: LibraryArg,
        /// The rules
        #[arg(add = values::rules())]
        name: String,
    },
    /// Enables rules, if the configuration has no error with them; the daemon uses them after a reload
    Enable {
        #[command(flatten)]
        place: LibraryArg,
        /// The rules
        #[arg(required = true, add = values::rules())]
        names: Vec<String>,
    },
    /// Disables rules, if the configuration has no error without them; the daemon drops them after a reload
    Disable {
        #[command(flatten)]
        place: LibraryArg,
        /// The rules
        #[arg(required = true, add = values::rules())]
        names: Vec<String>,
    },
    /// Has rules process the entries that were recorded for them, and compares the effects with the expected ones
    Test {
        #[command(flatten)]
        place: LibraryArg,
        /// The rules; all without it
        #[arg(add = values::rules())]
        names: Vec<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

const EXAMPLES: &str = "\
Examples:
  pyruse rules list
  pyruse rules show sshd
  pyruse rules test sshd
  pyruse rules enable sshd && pyruse check --live && systemctl reload pyruse";

#[derive(clap::Args)]
pub(crate) struct LibraryArg {
    /// The directory of the rules, instead of the installed one
    #[arg(long, value_name = "DIR")]
    library: Option<PathBuf>,
}

pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Ending> {
    let library = |place: &LibraryArg| Library::find(place.library.as_deref());
    match command {
        Command::List { place, json } => list(config, &library(place), *json),
        Command::Show { place, name } => {
            for rule in library(place).named(std::slice::from_ref(name))? {
                print_line(rule.text()?.trim_end())?;
            }
            Ok(Ending::Good)
        }
        Command::Enable { place, names } => enable(config, &library(place).named(names)?),
        Command::Disable { place, names } => disable(config, &library(place).named(names)?),
        Command::Test { place, names, json } => test(&library(place).named(names)?, *json),
    }
}

/// A row of the list.
struct Listed {
    name: String,
    state: &'static str,
    summary: String,
}

fn list(config: Option<&Path>, library: &Library, json: bool) -> anyhow::Result<Ending> {
    // Without a configuration, nothing is enabled.
    let config = configuration::find(config).ok();
    let text = config.as_deref().and_then(|path| configuration::read(path).ok());
    let mut listed = Vec::new();
    for rule in library.rules()? {
        let is_used = text.as_ref().is_some_and(|text| text.names().any(|name| rule.is(Path::new(name))));
        let place = config.as_deref().map_or(Place::Nothing, |config| Enabled::beside(config).look(&rule));
        let state = match place {
            _ if is_used => "enabled",
            Place::Nothing => "-",
            Place::Link => "NOT INCLUDED",
            Place::Broken => "BROKEN LINK",
            Place::Other => "a file of its own",
        };
        listed.push(Listed { summary: rule.summary()?, name: rule.name, state });
    }
    let listing = Listing {
        key: "rules",
        none: "there are no rules",
        names: ("set of rules", "sets of rules"),
        columns: [Column::name("rules"), Column::name("state"), Column::text("for")],
        row: &|rule: &Listed| [rule.name.clone(), rule.state.to_owned(), rule.summary.clone()],
        object: |rule| json!({ "name": rule.name, "enabled": rule.state == "enabled", "state": rule.state, "for": rule.summary }),
    };
    listing.print(&listed, json)?;
    Ok(Ending::Good)
}

fn enable(config: Option<&Path>, rules: &[Rule]) -> anyhow::Result<Ending> {
    let config = configuration::find(config)?;
    let enabled = Enabled::beside(&config);
    if let Some(other) = rules.iter().find(|rule| enabled.look(rule) == Place::Other) {
        bail!(
            "{} is a file of its own, which stays: remove or rename it first",
            enabled.path(other).display()
        );
    }
    let is_new = |rule: &&Rule| matches!(enabled.look(rule), Place::Nothing | Place::Broken);
    let new: Vec<&Rule> = rules.iter().filter(is_new).collect();
    change(
        &config,
        &new,
        |rule| enabled.link(rule),
        |rule| enabled.unlink(rule),
        |loaded| {
            let is_included = |rule: &&&Rule| loaded.source.names().any(|name| rule.is(Path::new(name)));
            match new.iter().find(|rule| !is_included(rule)) {
                None => Ok(()),
                Some(rule) => bail!(
                    "{} does not include {}: it needs the line \"include\": [\"rules.d/*.json\"]",
                    config.display(),
                    enabled.path(rule).display()
                ),
            }
        },
    )?;
    for rule in rules {
        let state = if new.iter().any(|new| new.name == rule.name) { "enabled" } else { "enabled already" };
        print_line(&format!("{}: {state}", rule.name))?;
    }
    hint(new.is_empty())
}

fn disable(config: Option<&Path>, rules: &[Rule]) -> anyhow::Result<Ending> {
    let config = configuration::find(config)?;
    let enabled = Enabled::beside(&config);
    if let Some(other) = rules.iter().find(|rule| enabled.look(rule) == Place::Other) {
        bail!("{} is a file of its own: remove it by hand", enabled.path(other).display());
    }
    let is_link = |rule: &&Rule| matches!(enabled.look(rule), Place::Link | Place::Broken);
    let old: Vec<&Rule> = rules.iter().filter(is_link).collect();
    change(&config, &old, |rule| enabled.unlink(rule), |rule| enabled.link(rule), |_| Ok(()))?;
    for rule in rules {
        let state = if old.iter().any(|old| old.name == rule.name) { "disabled" } else { "was not enabled" };
        print_line(&format!("{}: {state}", rule.name))?;
    }
    hint(old.is_empty())
}

/// Changes something for each of these rules, and takes all of it back if the configuration cannot be used then.
fn change(
    config: &Path,
    rules: &[&Rule],
    make: impl Fn(&Rule) -> anyhow::Result<()>,
    undo: impl Fn(&Rule) -> anyhow::Result<()>,
    is_good: impl Fn(&Loaded) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut done = Vec::new();
    let mut changed = Ok(());
    for rule in rules {
        changed = make(rule);
        if changed.is_err() {
            break;
        }
        done.push(rule);
    }
    let changed = changed.and_then(|()| Loaded::open_trusted(Some(config))).and_then(|loaded| {
        is_good(&loaded)?;
        configuration::show(&loaded.source, &loaded.diagnostics);
        Ok(())
    });
    if changed.is_err() {
        for rule in done {
            undo(rule).with_context(|| format!("taking back what was changed for {}", rule.name))?;
        }
    }
    changed.context("nothing is changed")
}

fn hint(is_unchanged: bool) -> anyhow::Result<Ending> {
    if !is_unchanged {
        print_line("now: pyruse check --live && systemctl reload pyruse")?;
    }
    Ok(Ending::Good)
}

fn test(rules: &[Rule], json: bool) -> anyhow::Result<Ending> {
    let mut trials = Vec::new();
    for rule in rules {
        trials.push(Trial::of(rule)?);
    }
    let listing = Listing {
        key: "rules",
        none: "there are no rules",
        names: ("set of rules", "sets of rules"),
        columns: [
            Column::name("rules"),
            Column::number("entries"),
            Column::number("effects"),
            Column::text("result"),
        ],
        row: &|trial: &Trial| {
            let result = trial.difference.as_ref().map_or("good".to_owned(), |why| format!("BAD: {why}"));
            [trial.name.clone(), trial.entries.to_string(), trial.effects.to_string(), result]
        },
        object: |trial| -> Value { trial.as_json() },
    };
    listing.print(&trials, json)?;
    let is_good = trials.iter().all(|trial| trial.difference.is_none());
    Ok(if is_good { Ending::Good } else { Ending::Failed })
}
