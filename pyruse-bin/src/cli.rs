//! The command line: what can be asked, and with which code the answer ends.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use pyruse_core::time::Timestamp;

use crate::{command, configuration, journal, messages, when};

/// How a command ended, as its exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// 0
    Good,
    /// 1: it failed, or found problems.
    Failed,
    /// 78 (`EX_CONFIG`): the configuration cannot be used.
    BadConfiguration,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> ExitCode {
        match ending {
            Ending::Good => ExitCode::SUCCESS,
            Ending::Failed => ExitCode::FAILURE,
            Ending::BadConfiguration => ExitCode::from(78),
        }
    }
}

/// Reads the systemd journal, bans who misbehaves, and reports what deserves reading.
#[derive(Parser)]
#[command(name = "pyruse", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    /// The configuration; by default $PYRUSE_EXTRA/pyruse.json, else /etc/pyruse/pyruse.json
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str =
    "Exit codes: 0 good, 1 failed or found problems, 2 wrong usage, 78 the configuration cannot be used.";

#[derive(Subcommand)]
enum Command {
    /// Follows the journal (what happens without a command)
    Run(RunArgs),
    /// Puts back what a module had in force, e.g. `boot action_nftBan`, and exits
    Boot {
        /// The module
        module: String,
    },
    /// Loads and compiles the configuration; prints every error and warning with its place
    Check {
        /// The configuration to check
        file: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Shows what this configuration would have done with past entries
    Replay(ReplayArgs),
    /// The daily report as it stands now
    #[command(subcommand)]
    Report(ReportCommand),
}

#[derive(Subcommand)]
enum ReportCommand {
    /// Prints it
    Show {
        /// Print the HTML form
        #[arg(long)]
        html: bool,
    },
    /// Sends it at once; what it tells is forgotten then
    Send,
}

#[derive(clap::Args, Default)]
pub(crate) struct RunArgs {
    /// Read and decide, but write no state and deliver nothing: print the effects
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// With --dry-run: print effects as JSON, one object a line
    #[arg(long, requires = "dry_run")]
    pub(crate) json: bool,
    /// Where to begin at the first start, or with --dry-run: `2026-11-18 11:00`, `yesterday`, `2h ago`, `@1795000000`
    #[arg(long, value_name = "T", value_parser = when::parse)]
    pub(crate) since: Option<Timestamp>,
}

#[derive(clap::Args)]
pub(crate) struct ReplayArgs {
    /// Read the journal files of this directory
    #[arg(long, value_name = "DIR", group = "source")]
    pub(crate) directory: Option<PathBuf>,
    /// Read these journal files
    #[arg(long, value_name = "F", num_args = 1.., group = "source")]
    pub(crate) file: Vec<PathBuf>,
    /// Read what `journalctl -o export` or `journalctl -o json --all` wrote, from this file or standard input (`-`)
    #[arg(long, value_name = "F", group = "source")]
    pub(crate) input: Option<PathBuf>,
    /// Skip entries before that time
    #[arg(long, value_name = "T", value_parser = when::parse)]
    pub(crate) since: Option<Timestamp>,
    /// Stop at entries after that time
    #[arg(long, value_name = "T", value_parser = when::parse)]
    pub(crate) until: Option<Timestamp>,
    /// Print effects as JSON, one object a line, instead of a summary
    #[arg(long)]
    pub(crate) json: bool,
    /// Let lines of action_log come back as entries; a recorded journal already holds those that were written then
    #[arg(long)]
    pub(crate) feedback: bool,
}

impl ReplayArgs {
    /// What the parser cannot see.
    fn check(&self) {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since > until
        {
            let mut cli = Cli::command();
            cli.build();
            let message = "--since is later than --until: there is nothing between them";
            // Its own usage is shown, not that of the whole program.
            let replay = cli.find_subcommand("replay").cloned();
            replay.unwrap_or(cli).error(ErrorKind::ValueValidation, message).exit();
        }
    }
}

pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    journal::raise_descriptor_limit();
    let config = cli.config.as_deref();
    let result = match cli.command.unwrap_or_else(|| Command::Run(RunArgs::default())) {
        Command::Run(args) => command::run::run(config, &args),
        Command::Boot { module } => command::boot::run(config, &module),
        Command::Check { file, json } => command::check::run(file.as_deref().or(config), json),
        Command::Report(ReportCommand::Show { html }) => command::report::show(config, html),
        Command::Report(ReportCommand::Send) => command::report::send(config),
        Command::Replay(args) => {
            args.check();
            command::replay::run(config, &args)
        }
    };
    match result {
        Ok(ending) => ending.into(),
        Err(error) if messages::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            messages::fatal(&error);
            let unusable = error.is::<configuration::Unusable>();
            if unusable { Ending::BadConfiguration } else { Ending::Failed }.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
