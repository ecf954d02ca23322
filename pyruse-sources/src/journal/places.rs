//! Lists the directories and files of a journal, and detects that they were replaced.
//!
//! libsystemd detects new files in the directories that it watches, and new directories of machines in /var/log/journal
//! and /run/log/journal. It does not detect that one of these two, or the directory of a *namespace*, is created later,
//! nor that a directory is removed and created again, nor that a file in `files` is rotated: it would never return an
//! entry again. So the reader checks whether directories and files are those that it has opened: for the machine's own
//! journal when [`Arrivals`](super::arrivals::Arrivals) wakes it, else from time to time.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::settings::JournalSettings;

/// The directories that journald keeps journals in.
pub(super) const ROOTS: [&str; 2] = ["/var/log/journal", RUNTIME];

/// The directory of journals in memory.
pub(super) const RUNTIME: &str = "/run/log/journal";

/// The identities of a journal's directories, or of the files in `files`: device and inode.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Directories(Vec<(u64, u64)>);

impl Directories {
    /// Returns them as they are now.
    pub(super) fn of(settings: &JournalSettings) -> Directories {
        let named = if !settings.files.is_empty() {
            settings.files.clone()
        } else if let Some(directory) = &settings.directory {
            vec![directory.clone()]
        } else if settings.namespace.is_some() {
            subdirectories(settings)
        } else {
            ROOTS.iter().map(PathBuf::from).collect()
        };
        let identity = |path: &PathBuf| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        let mut found: Vec<_> = named.iter().filter_map(identity).collect();
        found.sort_unstable();
        Directories(found)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A file of the journal, or one in the same directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) path: PathBuf,
    /// Whether it is read.
    pub(super) in_scope: bool,
    /// Whether it is one of the files that one journald writes with a common sequence of numbers.
    pub(super) is_split: bool,
}

/// Returns all files in the directories of a journal. `files`: the files that are read, if the settings have `files`.
pub(super) fn list(settings: &JournalSettings, files: &[PathBuf]) -> Vec<Listed> {
    let directories = directories_of(settings, files);
    let only_system = settings.reads_only_the_system();
    let mut listed = Vec::new();
    for entry in directories.iter().flat_map(std::fs::read_dir).flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if !(name.ends_with(".journal") || name.ends_with(".journal~")) {
            continue;
        }
        let is_system = is_of("system", &name);
        let is_split = is_system || name.starts_with("user-");
        let in_scope = if files.is_empty() { is_system || !only_system } else { files.contains(&path) };
        listed.push(Listed { path, in_scope, is_split });
    }
    listed
}

/// Returns the files of a journal that are read.
pub(super) fn files_read(settings: &JournalSettings) -> Vec<PathBuf> {
    let files: Vec<_> = settings.files.iter().filter_map(|file| std::path::absolute(file).ok()).collect();
    let listed = list(settings, &files).into_iter();
    listed.filter(|listed| listed.in_scope).map(|listed| listed.path).collect()
}

/// Returns `true` if this is the journal's active file, or one that was archived or found damaged.
pub(super) fn is_of(journal: &str, name: &str) -> bool {
    name.strip_prefix(journal).is_some_and(|rest| rest.starts_with('@') || rest.starts_with(".journal"))
}

/// Returns the directories of a journal, and those in which a namespace's directories may be created.
pub(super) fn directories(settings: &JournalSettings) -> Vec<PathBuf> {
    let files: Vec<_> = settings.files.iter().filter_map(|file| std::path::absolute(file).ok()).collect();
    let mut directories = directories_of(settings, &files);
    if settings.namespace.is_some() {
        directories.extend(ROOTS.iter().map(PathBuf::from));
    }
    directories
}

fn directories_of(settings: &JournalSettings, files: &[PathBuf]) -> Vec<PathBuf> {
    if !files.is_empty() {
        let mut parents: Vec<_> = files.iter().filter_map(|file| file.parent()).map(Path::to_owned).collect();
        parents.sort_unstable();
        parents.dedup();
        parents
    } else if let Some(directory) = &settings.directory {
        let mut all = vec![directory.clone()];
        all.extend(machines(directory, None));
        all
    } else {
        subdirectories(settings)
    }
}

/// Returns `true` if `other` is an archive of `file`, made by rotation.
pub(super) fn is_archive_of(file: &Path, other: &Path) -> bool {
    let stem = file.file_name().and_then(|name| name.to_str()?.strip_suffix(".journal"));
    let name = other.file_name().and_then(|name| name.to_str());
    file.parent() == other.parent()
        && stem
            .zip(name)
            .is_some_and(|(stem, name)| name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('@')))
}

/// Returns the directories of the machine's journal, or of a namespace.
fn subdirectories(settings: &JournalSettings) -> Vec<PathBuf> {
    let namespace = settings.namespace.as_deref();
    let mut all: Vec<_> = ROOTS.iter().flat_map(|root| machines(Path::new(root), namespace)).collect();
    if namespace.is_none() {
        all.extend(ROOTS.iter().map(PathBuf::from));
    }
    all
}

/// Returns the directories of machines in this one: 32 hexadecimal digits; and a dot and the namespace, if there is one.
fn machines(root: &Path, namespace: Option<&str>) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let is_machine = |name: &str| {
        let (id, found) = name.split_once('.').map_or((name, None), |(id, found)| (id, Some(found)));
        found == namespace && id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    entries
        .filter(|entry| is_machine(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect()
}
