//! `pyruse import`: what other programs are configured to do becomes rules and lists.

mod addresses;
mod fail2ban;
mod output;

use std::path::Path;

use self::addresses::Form;
use crate::ending::Ending;

/// Takes over what another program is configured to do
///
/// What it writes is for reading first: nothing is used before you name it in the configuration. No file is overwritten.
#[derive(clap::Subcommand)]
#[command(after_long_help = EXAMPLES)]
pub(crate) enum Command {
    Fail2ban(fail2ban::Args),
    #[command(name = "fail2ban-bans")]
    Fail2banBans(fail2ban::bans::Args),
    /// Makes a file for a list of the addresses in hosts.deny or hosts.allow
    #[command(name = "hosts.deny")]
    HostsDeny(addresses::Args),
    /// Makes a file for a list of a column of a CSV file
    Csv(addresses::CsvArgs),
    /// Makes a file for a list of all addresses and networks in a text
    Text(addresses::Args),
}

const EXAMPLES: &str = "\
Examples:
  pyruse import fail2ban --dry-run
  pyruse import fail2ban --output /etc/pyruse/import
  pyruse import fail2ban-bans
  pyruse import hosts.deny /etc/hosts.deny --output /etc/pyruse/denied.txt
  pyruse import csv --column ip offenders.csv
  pyruse import text /var/db/sshguard/blacklist.db";

pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Ending> {
    match command {
        Command::Fail2ban(args) => fail2ban::run(args),
        Command::Fail2banBans(args) => fail2ban::bans::run(config, args),
        Command::HostsDeny(args) => addresses::run(args, &Form::HostsDeny),
        Command::Csv(args) => args.run(),
        Command::Text(args) => addresses::run(args, &Form::Text),
    }
}
