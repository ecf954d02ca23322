//! `pyruse import`: what other programs are configured to do becomes rules and lists.

mod fail2ban;
mod output;

use crate::ending::Ending;

/// Takes over the configuration of another program
///
/// What it writes is for reading first: nothing is used before you include it in the configuration.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Fail2ban(fail2ban::Args),
}

pub(crate) fn run(command: &Command) -> anyhow::Result<Ending> {
    match command {
        Command::Fail2ban(args) => fail2ban::run(args),
    }
}
