//! Programs that the configuration names: which may be run, and how.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use pyruse_core::access::quoted;
use pyruse_core::plugin::excerpt;
use pyruse_core::program::{Failure, run_with};
use pyruse_core::trust;

/// Where programs find others.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The time limit of a program, if the configuration does not say it, in seconds.
pub(crate) const TIMEOUT: u64 = 30;

/// Returns why the program must not be run, and what to do. What does not exist may be installed later.
pub(crate) fn check(name: &str) -> Result<(), String> {
    let path = Path::new(name);
    if !path.is_absolute() || name.contains(['{', '}', '\0']) {
        return Err(format!(
            "`{}` is not the absolute path of a program; write `/usr/sbin/ufw`, for example: values can be in the \
             arguments only",
            excerpt(name)
        ));
    }
    let Ok(found) = fs::metadata(path) else { return Ok(()) };
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Err(format!("{name} is not executable; fix it with: chmod +x {}", quoted(path)));
    }
    trust::check(path, &found, "who could run anything through it")
}

/// Returns what to report if the program is not on this machine.
pub(crate) fn missing(name: &str) -> Option<String> {
    (!Path::new(name).exists()).then(|| format!("{name} does not exist on this machine"))
}

/// Runs a program with this environment, and a `PATH`.
pub(crate) fn run(argv: &[String], env: Vec<(String, String)>, limit: Duration) -> Result<(), Failure> {
    let mut all = vec![("PATH".to_owned(), PATH.to_owned())];
    all.extend(env);
    run_with(argv, &all, limit)
}
