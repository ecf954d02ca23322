//! Finds the files that libsystemd skips without an error, and the reason, in the words of journalctl.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use pyruse_core::plugin::LeftOut;
use systemd::journal::OpenFilesOptions;

use super::places::{Listed, list};
use super::settings::JournalSettings;

/// The maximum number of files of a journal that libsystemd opens.
const MAX_FILES: usize = 7168;

/// The number of descriptors that are needed for other things.
const OTHER_DESCRIPTORS: u64 = 64;

/// How long it takes at most to create a file.
pub(super) const CREATION_TIME: Duration = Duration::from_millis(200);

pub(super) fn left_out_file(file: &Path, why: String) -> LeftOut {
    let what = if file.is_dir() { "journal in" } else { "journal file" };
    let text = format!("the {what} {} is left out: {why}", file.display());
    LeftOut { file: file.to_owned(), why, text }
}

/// The files of a journal that libsystemd accepts and refuses.
#[derive(Default)]
pub(super) struct RefusedFiles {
    /// Why libsystemd refused a file, and whether it did so twice: a file that is being created is not complete.
    refused: HashMap<PathBuf, (String, bool)>,
    /// The files that it has accepted.
    accepted: HashSet<PathBuf>,
    too_many: Option<LeftOut>,
}

impl RefusedFiles {
    /// Tries each file that was not accepted before. Returns the files that are left out since the last call.
    pub(super) fn update<'l>(&mut self, listed: impl Iterator<Item = &'l Listed>) -> Vec<LeftOut> {
        let paths: HashSet<&Path> =
            listed.filter(|listed| listed.in_scope).map(|listed| listed.path.as_path()).collect();
        self.accepted.retain(|path| paths.contains(path.as_path()));
        let mut former = std::mem::take(&mut self.refused);
        let mut new = Vec::new();
        for path in &paths {
            if self.accepted.contains(*path) {
                continue;
            }
            match refusal(path) {
                None => {
                    self.accepted.insert((*path).to_owned());
                }
                Some(why) => {
                    let twice = former.remove(*path);
                    if twice.as_ref().is_some_and(|(_, is_reported)| !is_reported) {
                        new.push(left_out_file(path, why.clone()));
                    }
                    self.refused.insert((*path).to_owned(), (why, twice.is_some()));
                }
            }
        }
        let too_many = too_many(&paths);
        if let Some(left_out) = too_many.clone().filter(|_| self.too_many.is_none()) {
            new.push(left_out);
        }
        self.too_many = too_many;
        new
    }

    /// Returns `true` if a file was refused only once, and must be tried again.
    pub(super) fn must_ask_again(&self) -> bool {
        self.refused.values().any(|(_, twice)| !twice)
    }

    /// Returns `true` if libsystemd has refused the file.
    pub(super) fn has_refused(&self, path: &Path) -> bool {
        self.refused.contains_key(path)
    }

    /// Returns all files that are left out.
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        let refused = self.refused.iter().filter(|(_, (_, twice))| *twice);
        let mut all: Vec<_> = refused.map(|(file, (why, _))| left_out_file(file, why.clone())).collect();
        all.sort_unstable_by(|one, other| one.file.cmp(&other.file));
        all.extend(self.too_many.clone());
        all
    }
}

/// Returns all files of a journal that are left out now.
pub(super) fn left_out(settings: &JournalSettings) -> Vec<LeftOut> {
    let mut files = RefusedFiles::default();
    let paths: Vec<_> = settings.files.iter().filter_map(|file| std::path::absolute(file).ok()).collect();
    files.update(list(settings, &paths).iter());
    if files.must_ask_again() {
        std::thread::sleep(CREATION_TIME);
        files.update(list(settings, &paths).iter());
    }
    files.left_out()
}

/// Returns why libsystemd does not open the file, if it does not.
fn refusal(path: &Path) -> Option<String> {
    let opened = OpenFilesOptions::default().open_files([path.to_string_lossy().into_owned()]);
    let error = opened.err()?;
    let error = Errno::from_raw(error.raw_os_error().unwrap_or_default());
    Some(match error {
        // It was rotated or deleted since the directory was read.
        Errno::ENOENT => return None,
        Errno::EACCES | Errno::EPERM => "permission denied".to_owned(),
        Errno::EBADFD | Errno::EISDIR => "it is not a regular file".to_owned(),
        Errno::ENODATA => "it is truncated".to_owned(),
        Errno::EBADMSG => "it is damaged".to_owned(),
        Errno::EPROTONOSUPPORT => {
            "it uses a feature that this version of libsystemd does not support".to_owned()
        }
        other => other.desc().to_owned(),
    })
}

/// Returns a report if there are more files than can be opened.
fn too_many(paths: &HashSet<&Path>) -> Option<LeftOut> {
    let allowed = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    let allowed = usize::try_from(allowed.saturating_sub(OTHER_DESCRIPTORS)).unwrap_or(usize::MAX);
    let most = MAX_FILES.min(allowed);
    let more = paths.len().checked_sub(most).filter(|more| *more > 0)?;
    let directory = paths.iter().next()?.parent()?.to_owned();
    let limit = if allowed < MAX_FILES { "the limit of open files" } else { "libsystemd" };
    let why = format!("as to {more} of its files: {limit} allows no more than {most}");
    Some(left_out_file(&directory, why))
}
