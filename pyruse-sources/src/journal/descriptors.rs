//! Enough descriptors for the files of a journal.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A reader holds a descriptor for every file of the journal, and there may be more than the usual 1,024. What libsystemd
/// cannot open, it leaves out without a word.
pub(super) fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(e) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::debug!("raising the limit of open files: {e}");
    }
}
