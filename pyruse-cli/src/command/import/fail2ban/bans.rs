//! `pyruse import fail2ban-bans`: the bans that fail2ban has in force become bans of Pyruse, for the time that is left.
//!
//! The sets are those of the imported rules, so these must be in use. A jail whose sets the configuration does not name
//! is reported, and the others come over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pyruse_core::operation::Operation;
use pyruse_core::seconds::LONGEST;
use pyruse_core::time::Timestamp;

use super::database;
use super::firewall::TABLE;
use super::identifier;
use crate::command::operate;
use crate::command::target::Target;
use crate::command::text::{counted, grouped, print_line, printable};
use crate::ending::Ending;

/// How long bans are delivered to the firewall without a daemon; after that they stay queued.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// Bans the addresses that fail2ban has banned, for the time that is left
///
/// The bans are added to the sets of the rules that `pyruse import fail2ban` has written, which must be in use. fail2ban
/// may run, and its database is not changed. Running this twice is harmless.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The database of fail2ban
    #[arg(value_name = "FILE", default_value = "/var/lib/fail2ban/fail2ban.sqlite3")]
    database: PathBuf,
    /// Print the bans, and add none
    #[arg(long)]
    dry_run: bool,
}

const EXAMPLES: &str = "\
Examples:
  pyruse import fail2ban-bans --dry-run
  pyruse import fail2ban-bans";

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    let now = Timestamp::now().0 / 1_000_000;
    let bans = database::read(&args.database, now).map_err(anyhow::Error::msg)?;
    let mut operations = Vec::new();
    for ban in &bans.in_force {
        let family = if ban.address.first().is_ipv4() { '4' } else { '6' };
        let set = format!("{TABLE} {}{family}", identifier(&ban.jail));
        if args.dry_run {
            let left = if ban.left == 0 { "for ever".into() } else { format!("for {} s", ban.left) };
            print_line(&printable(&format!("{} in {set} {left}", ban.address)))?;
        }
        let seconds = ban.left.min(LONGEST);
        operations.push(Operation::AddBan {
            net: ban.address,
            set: Some(set),
            seconds,
            allow_special: false,
        });
    }
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    let mut added = 0;
    if !args.dry_run && !operations.is_empty() {
        let results = operate::change_all(Target::open_trusted(config)?, &operations, DELIVERY_TIMEOUT)?;
        for (result, ban) in results.into_iter().zip(&bans.in_force) {
            match result {
                Ok(()) => added += 1,
                Err(why) => *failures.entry(format!("{}: {why}", ban.jail)).or_default() += 1,
            }
        }
    }
    for (why, times) in &failures {
        print_line(&printable(&format!("{why} ({})", counted(*times as u64, "ban", "bans"))))?;
    }
    print_line(&format!(
        "{} in force: {} added; {} ended before, {} of no address",
        counted(bans.in_force.len() as u64, "ban", "bans"),
        grouped(added),
        grouped(bans.ended as u64),
        grouped(bans.unusable as u64)
    ))?;
    Ok(if failures.is_empty() { Ending::Good } else { Ending::Failed })
}
