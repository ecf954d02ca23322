//! The command line: the list of commands, and their exit codes. Each command's arguments are in its own file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::command::run::Args as RunArgs;
use crate::ending::{Ending, WrongUsage};
use crate::{command, configuration, messages};

/// Follows the systemd journal, bans misbehaving addresses, and reports what is worth reading.
///
/// Every journal entry passes through a workflow of filters and actions, which is built once, from pyruse.json: bans in
/// nftables or ipset sets, counters with thresholds and grace periods, immediate mails, and one report per day. Without
/// a command, Pyruse follows the journal, as the service does.
///
/// Test new rules in this order: `check` finds errors, `explain` follows one entry, `replay` shows what the rules would
/// have done with past entries, `run --dry-run` what they would do now. Each command has more information in its
/// `--help`.
#[derive(Parser)]
#[command(name = "pyruse", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    /// The configuration; the default is $PYRUSE_EXTRA/pyruse.json, else /etc/pyruse/pyruse.json
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str =
    "Exit codes: 0 success, 1 failure or problems found, 2 wrong usage, 78 the configuration cannot be used.";

#[derive(Subcommand)]
enum Command {
    Run(RunArgs),
    Boot(command::boot::Args),
    Check(command::check::Args),
    Replay(command::replay::Args),
    Explain(command::explain::Args),
    Graph(command::graph::Args),
    Stats(command::stats::Args),
    #[command(subcommand)]
    Report(command::report::Command),
    #[command(subcommand)]
    Bans(command::bans::Command),
    #[command(subcommand)]
    Counters(command::counters::Command),
    #[command(subcommand)]
    Lists(command::lists::Command),
    #[command(subcommand)]
    Rules(command::rules::Command),
    #[command(subcommand)]
    Outbox(command::outbox::Command),
    #[command(subcommand)]
    Import(command::import::Command),
    Status(command::status::Args),
    Sources(command::sources::Args),
    Modules(command::modules::Args),
    Schema(command::schema::Args),
    #[command(hide = true)]
    Complete(command::complete::Args),
}

/// Runs the command line; returns the exit code of the process. `follow` implements `run`.
pub fn main(follow: fn(Option<&Path>, &RunArgs) -> anyhow::Result<Ending>) -> ExitCode {
    let cli = Cli::parse();
    let config = cli.config.as_deref();
    let result = match cli.command.unwrap_or_else(|| Command::Run(RunArgs::default())) {
        Command::Run(args) => follow(config, &args),
        Command::Boot(args) => command::boot::run(config, &args),
        Command::Check(args) => command::check::run(config, &args),
        Command::Replay(args) => command::replay::run(config, &args),
        Command::Explain(args) => command::explain::run(config, &args),
        Command::Stats(args) => command::stats::run(config, &args),
        Command::Graph(args) => command::graph::run(config, &args),
        Command::Report(command) => command::report::run(config, &command),
        Command::Bans(command) => command::bans::run(config, &command),
        Command::Counters(command) => command::counters::run(config, &command),
        Command::Lists(command) => command::lists::run(config, &command),
        Command::Rules(command) => command::rules::run(config, &command),
        Command::Outbox(command) => command::outbox::run(config, &command),
        Command::Import(command) => command::import::run(config, &command),
        Command::Status(args) => command::status::run(config, &args),
        Command::Sources(args) => command::sources::run(config, &args),
        Command::Modules(args) => command::modules::run(&args),
        Command::Schema(args) => command::schema::run(&args),
        Command::Complete(args) => command::complete::run(command_line, &args),
    };
    match result {
        Ok(ending) => ending.into(),
        Err(error) if messages::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(wrong) = error.downcast_ref::<WrongUsage>() {
                end_with_usage(wrong);
            }
            messages::fatal(&error);
            let unusable = error.is::<configuration::Unusable>();
            if unusable { Ending::BadConfiguration } else { Ending::Failed }.into()
        }
    }
}

/// Exits with the usage of that command.
fn end_with_usage(wrong: &WrongUsage) -> ! {
    let mut cli = Cli::command();
    cli.build();
    let command = cli.find_subcommand(wrong.command).cloned();
    command.unwrap_or(cli).error(ErrorKind::ValueValidation, wrong.what).exit()
}

/// Returns the command line as users see it: clap also lists hidden commands wherever it generates something.
pub(crate) fn command_line() -> clap::Command {
    let cli = Cli::command();
    let shown = |command: &&clap::Command| !command.is_hide_set();
    let mut visible = clap::Command::new("pyruse")
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
