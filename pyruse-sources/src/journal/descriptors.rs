//! Raises the limit of open files for the files of a journal, and for log files.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files as far as possible. A reader has a descriptor for every file of the journal, and there
/// may be more than the usual 1,024. libsystemd skips files that it cannot open, without an error.
pub(crate) fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(e) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::debug!("raising the limit of open files: {e}");
    }
}
