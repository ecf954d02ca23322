//! Where the files of a journal are, and whether that is still so.
//!
//! libsystemd notices new files in directories that it watches, and new directories of the machine's own journal. It
//! does not notice the directory of a *namespace* that comes later, nor a directory that is removed and made again: a
//! reader would be deaf from then on. So for these two, the reader looks from time to time whether they are the ones
//! that it has opened.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::JournalSettings;

/// The directories of a journal, by device and inode.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Directories(Vec<(u64, u64)>);

impl Directories {
    /// As they are now; `None` where libsystemd itself notices every change.
    pub(super) fn of(settings: &JournalSettings) -> Option<Directories> {
        let identity = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        if let Some(namespace) = &settings.namespace {
            let ending = format!(".{namespace}");
            let roots = ["/var/log/journal", "/run/log/journal"].into_iter();
            let entries = roots.flat_map(|root| std::fs::read_dir(root).into_iter().flatten().flatten());
            let named = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(&ending));
            let mut found: Vec<_> = named.filter_map(|entry| identity(&entry.path())).collect();
            found.sort_unstable();
            return Some(Directories(found));
        }
        let directory = settings.directory.as_deref()?;
        Some(Directories(identity(directory).into_iter().collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
