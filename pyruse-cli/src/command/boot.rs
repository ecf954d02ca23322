//! `pyruse boot MODULE`: runs the module's boot step, then exits.
//!
//! The state is only read, so this works while a daemon runs.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use pyruse_core::config::nearest;
use pyruse_core::plugin::Registry;
use pyruse_core::time::Timestamp;

use super::loaded::Loaded;
use super::text::{counted, print_line};
use super::values;
use crate::ending::Ending;
use crate::storage;

/// How long a failing delivery is retried.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Puts back in force what a module has stored, e.g. `boot action_nftBan`, and exits
///
/// Use this before the service starts, or after the firewall was reloaded: bans in force are added again, each for its
/// remaining time. The state is only read, so a running daemon is not affected; `run` does the same at its start.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The module, such as `action_nftBan` or `action_ipsetBan`
    #[arg(add = values::modules_that_boot())]
    module: String,
}

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    let module = args.module.as_str();
    let registry = Registry::linked()?;
    let boots = || registry.services().filter(|service| service.boots).map(|service| service.name);
    if !boots().any(|name| name == module) {
        let hint =
            nearest(module, boots()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        bail!(
            "`{module}` has no boot step; modules that have one: {}{hint}",
            boots().collect::<Vec<_>>().join(", ")
        );
    }
    let loaded = Loaded::open_trusted(config)?;
    let directory = loaded.config().storage.clone();
    let Some(mut state) = storage::read(&directory)? else {
        tracing::info!("there is no state in {} yet: nothing to put back", directory.display());
        return Ok(Ending::Good);
    };
    let engine = loaded.plan.bind(&mut state)?;
    let mut services = engine.services.only(&[module]);
    services.boot(&mut state, Timestamp::now());
    match services.deliver(&mut state, DELIVERY_TIMEOUT)? {
        0 => {
            let put_back = services.overview(&state, Timestamp::now()).bans;
            print_line(&format!("{} put back", counted(put_back, "ban", "bans")))?;
            Ok(Ending::Good)
        }
        left => bail!("within {} s, {left} of the deliveries did not succeed", DELIVERY_TIMEOUT.as_secs()),
    }
}
