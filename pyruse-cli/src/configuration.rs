//! Finds the configuration file, and checks whether it can be trusted.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use pyruse_core::config::{ConfigText, Diagnostics};
use tracing::Level;

use crate::command::{columns_of, has_colours};
use crate::messages;
use pyruse_core::trust;

const DEFAULT: &str = "/etc/pyruse/pyruse.json";

/// Returns the file to use: the first that exists of `--config`, `$PYRUSE_EXTRA/pyruse.json`,
/// `/etc/pyruse/pyruse.json`.
///
/// The current directory is not searched: a daemon of root must not read a file that anybody could have put in /tmp.
pub(crate) fn find(explicit: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = explicit {
        return Ok(path.to_owned());
    }
    // An empty text would mean the current directory.
    let extra = std::env::var_os("PYRUSE_EXTRA").filter(|directory| !directory.is_empty());
    let extra = extra.map(|directory| Path::new(&directory).join("pyruse.json"));
    let candidates: Vec<PathBuf> = extra.into_iter().chain([DEFAULT.into()]).collect();
    // A dangling link, or a file that we may not access, exists: reading it reports the error.
    let is_there =
        |path: &Path| !matches!(path.symlink_metadata(), Err(e) if e.kind() == ErrorKind::NotFound);
    if let Some(found) = candidates.iter().find(|path| is_there(path)) {
        return Ok(found.clone());
    }
    let looked: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
    Err(unusable(format!(
        "there is no configuration: looked for {}; name one with --config",
        looked.join(", ")
    )))
}

/// Reads the file, and those that it includes.
pub(crate) fn read(path: &Path) -> anyhow::Result<ConfigText> {
    read_if(path, |_, _| Ok(()))
}

/// Reads the files for a program that acts, and may be root: only if no other user can have written them.
pub fn read_trusted(path: &Path) -> anyhow::Result<ConfigText> {
    read_if(path, check_trust)
}

/// Whether an opened file can be trusted, or why not.
type Trust = fn(&Path, &Metadata) -> Result<(), String>;

fn read_if(path: &Path, trust: Trust) -> anyhow::Result<ConfigText> {
    let text = text_of(path, trust).map_err(unusable)?;
    let mut config = ConfigText::new(path.display().to_string(), text);
    config.read_included(|path| text_of(path, trust));
    Ok(config)
}

/// Reads the text of a file. An error names the file.
fn text_of(path: &Path, trust: Trust) -> Result<String, String> {
    let failed = |e: std::io::Error| pyruse_core::access::failure(path, &e);
    let mut file = File::open(path).map_err(failed)?;
    trust(path, &file.metadata().map_err(failed)?)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].split(|b| *b == b'\n').count();
        format!("{}:{line}: this is not UTF-8", path.display())
    })?;
    // Some editors write a byte order mark, which is not part of the text.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The configuration cannot be used, or not be found: another start will not help, so there is an exit code for this.
#[derive(Debug)]
pub(crate) struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn unusable(why: String) -> anyhow::Error {
    anyhow::Error::msg(Unusable(why))
}

/// Prints findings.
pub fn show(source: &ConfigText, diagnostics: &Diagnostics) {
    if !diagnostics.is_empty() {
        let level = if diagnostics.counts().0 > 0 { Level::ERROR } else { Level::WARN };
        let stderr = std::io::stderr();
        let drawn = source.draw_within(columns_of(&stderr), diagnostics, has_colours(&stderr));
        messages::say(level, drawn.strip_suffix('\n').unwrap_or(&drawn));
    }
}

/// Prints why a configuration cannot be used; returns the error that is left to report.
pub(crate) fn refuse(source: &ConfigText, diagnostics: &Diagnostics) -> anyhow::Error {
    show(source, diagnostics);
    let (errors, _) = diagnostics.counts();
    let plural = if errors == 1 { "" } else { "s" };
    unusable(format!("{}: {errors} error{plural}; it cannot be used", source.name()))
}

/// What another user could do who can change a file that root uses.
pub(crate) const DANGER: &str = "who could make root do anything through it";

/// If we run as root, other users who can write the file could run programs as root.
fn check_trust(path: &Path, found: &Metadata) -> Result<(), String> {
    if nix::unistd::geteuid().is_root() { trust::check(path, found, DANGER) } else { Ok(()) }
}
