//! The checks of `check --live` for the configuration file and the storage; steps, services and sources have their own.

use std::fs::OpenOptions;
use std::path::Path;

use nix::unistd::{AccessFlags, access};
use pyruse_core::access::Account;
use pyruse_core::config::Config;
use pyruse_core::plugin::{Inspection, Severity};

use crate::owner::Owner;
use crate::storage;

/// Runs the checks; `files` are the paths of the configuration's files.
pub(super) fn inspect<'f>(
    config: &Config,
    files: impl Iterator<Item = &'f Path>,
    inspection: &mut Inspection,
) {
    // These findings are about a file as a whole.
    for (severity, message, help) in files.filter_map(|file| readable(file, &config.storage).err()) {
        inspection.setting("", severity, message, help);
    }
    if let Err((severity, message, help)) = storage(&config.storage) {
        inspection.setting("storage", severity, message, help);
    }
}

/// A problem, and what to do about it.
type Wrong = (Severity, String, &'static str);

type Found = Result<(), Wrong>;

const OWNER: &str = "its owner should be the user that runs Pyruse; you may be another user";

/// Checks whether the user that runs Pyruse can read the configuration.
fn readable(file: &Path, storage: &Path) -> Found {
    let Some(account) = Account::of_service(storage) else { return Ok(()) };
    let Some(obstacle) = account.obstacle(file) else { return Ok(()) };
    let severity = if obstacle.may_be_passed() { Severity::Warning } else { Severity::Error };
    Err((
        severity,
        account.denied_with_fix(file, &obstacle),
        "that user owns the storage, so Pyruse runs as it, and must be able to read this",
    ))
}

/// Checks whether the state can be written there.
fn storage(directory: &Path) -> Found {
    let shown = directory.display();
    let mut there = directory;
    while !there.exists() {
        match there.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => there = parent,
            // A relative path is created in the current directory.
            _ => {
                there = Path::new(".");
                break;
            }
        }
    }
    if !there.is_dir() {
        let message =
            format!("the storage directory {shown} cannot be used: {} is not a directory", there.display());
        return Err((Severity::Error, message, "name a directory, or remove the file in its place"));
    }
    if let Err(e) = access(there, AccessFlags::W_OK | AccessFlags::X_OK) {
        let what = if there == directory { "written" } else { "made" };
        let message = format!("the storage directory {shown} cannot be {what}: {}", e.desc());
        return Err((Severity::Error, message, OWNER));
    }
    if !directory.exists() {
        return Ok(());
    }
    let owner = Owner::of(directory)
        .map_err(|message| (Severity::Error, message, "otherwise Pyruse does not start"))?;
    let file = storage::file(directory);
    match storage::read(directory) {
        Err(e) => {
            let help = if storage::is_loss(&e) {
                "Pyruse works without it, and loses everything when it stops"
            } else {
                "Pyruse does not start with it"
            };
            Err((Severity::Error, format!("{e:#}"), help))
        }
        Ok(None) => Ok(()),
        Ok(Some(_)) => {
            let _as_owner = owner.enter();
            OpenOptions::new().write(true).open(&file).map(drop).map_err(|e| {
                let message = format!("the state {} cannot be written: {e}", file.display());
                (Severity::Error, message, OWNER)
            })
        }
    }
}
