//! The target of an operator's command: the daemon that has the state of a configuration, or that state itself.
//!
//! A daemon runs with the rules that it has read. If the file has an error since then, operators must still be able to
//! use the daemon, because they may be locked out. So the error is printed, and a running daemon is asked anyway.

use std::path::{Path, PathBuf};

use pyruse_core::config::{Config, Diagnostics};
use pyruse_core::plugin::Registry;
use tracing::Level;

use super::loaded::Loaded;
use crate::storage::{self, Holder};
use crate::{configuration, messages};

/// The directory of the state in a package.
const DEFAULT_STORAGE: &str = "/var/lib/pyruse";

/// The target of a command; see the module documentation.
pub(super) struct Target {
    /// The directory of the state.
    pub(super) directory: PathBuf,
    /// The configuration, or why it cannot be used.
    pub(super) loaded: anyhow::Result<Loaded>,
}

impl Target {
    /// For commands that only read.
    pub(super) fn open(config: Option<&Path>) -> anyhow::Result<Target> {
        Target::of(config, Loaded::open(config))
    }

    /// For commands that change something.
    pub(super) fn open_trusted(config: Option<&Path>) -> anyhow::Result<Target> {
        Target::of(config, Loaded::open_trusted(config))
    }

    fn of(config: Option<&Path>, loaded: anyhow::Result<Loaded>) -> anyhow::Result<Target> {
        let error = match loaded {
            Ok(loaded) => {
                let directory = loaded.config().storage.clone();
                return Ok(Target { directory, loaded: Ok(loaded) });
            }
            Err(error) => error,
        };
        let directory = storage_of(config).unwrap_or_else(|| DEFAULT_STORAGE.into());
        match storage::holder(&directory) {
            Ok(Some(Holder { pid, socket: Some(_) })) => {
                let note = format!(
                    "the daemon (process {pid}) still uses the configuration that it read before, and is \
                             asked"
                );
                messages::say(Level::WARN, &format!("pyruse: {error:#}; {note}"));
                Ok(Target { directory, loaded: Err(error) })
            }
            _ => Err(error),
        }
    }
}

/// Returns the storage that a configuration names, even if it has other errors.
fn storage_of(config: Option<&Path>) -> Option<PathBuf> {
    let source = configuration::read(&configuration::find(config).ok()?).ok()?;
    let registry = Registry::linked().ok()?;
    let keys: Vec<_> = registry.settings_keys().collect();
    Config::read(&source, &keys, &mut Diagnostics::default()).map(|config| config.storage)
}
