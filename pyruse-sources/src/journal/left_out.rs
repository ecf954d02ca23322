//! Files that libsystemd leaves out, without a word to its user, and why: as journalctl names them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use pyruse_core::plugin::LeftOut;
use systemd::journal::OpenFilesOptions;

use super::places::{Listed, list};
use super::settings::JournalSettings;

/// libsystemd opens no more files of a journal.
const FILES: usize = 7168;

/// We need some descriptors for other things.
const DESCRIPTORS: u64 = 64;

/// A file that is just being made is complete so soon.
const BEING_MADE: Duration = Duration::from_millis(200);

pub(super) fn left_out_file(file: &Path, why: String) -> LeftOut {
    let what = if file.is_dir() { "journal in" } else { "journal file" };
    let text = format!("the {what} {} is left out: {why}", file.display());
    LeftOut { file: file.to_owned(), why, text }
}

/// What is known of the files of a journal.
#[derive(Default)]
pub(super) struct Judge {
    /// Why libsystemd refused a file, and whether it did so twice: one that is just being made is not complete.
    refused: HashMap<PathBuf, (String, bool)>,
    /// Those that it has taken.
    taken: HashSet<PathBuf>,
    too_many: Option<LeftOut>,
}

impl Judge {
    /// Asks libsystemd about each file that it has not taken before. Gives those that are left out since the last time.
    pub(super) fn judge<'l>(&mut self, listed: impl Iterator<Item = &'l Listed>) -> Vec<LeftOut> {
        let paths: HashSet<&Path> =
            listed.filter(|listed| listed.in_scope).map(|listed| listed.path.as_path()).collect();
        self.taken.retain(|path| paths.contains(path.as_path()));
        let mut former = std::mem::take(&mut self.refused);
        let mut news = Vec::new();
        for path in &paths {
            if self.taken.contains(*path) {
                continue;
            }
            match refusal(path) {
                None => {
                    self.taken.insert((*path).to_owned());
                }
                Some(why) => {
                    let twice = former.remove(*path);
                    if twice.as_ref().is_some_and(|(_, is_told)| !is_told) {
                        news.push(left_out_file(path, why.clone()));
                    }
                    self.refused.insert((*path).to_owned(), (why, twice.is_some()));
                }
            }
        }
        let too_many = too_many(&paths);
        if let Some(left_out) = too_many.clone().filter(|_| self.too_many.is_none()) {
            news.push(left_out);
        }
        self.too_many = too_many;
        news
    }

    /// Is there a file that was refused once, and must be asked about again?
    pub(super) fn is_in_doubt(&self) -> bool {
        self.refused.values().any(|(_, twice)| !twice)
    }

    /// Has libsystemd refused that file?
    pub(super) fn has_refused(&self, path: &Path) -> bool {
        self.refused.contains_key(path)
    }

    /// All that are left out.
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        let refused = self.refused.iter().filter(|(_, (_, twice))| *twice);
        let mut all: Vec<_> = refused.map(|(file, (why, _))| left_out_file(file, why.clone())).collect();
        all.sort_unstable_by(|one, other| one.file.cmp(&other.file));
        all.extend(self.too_many.clone());
        all
    }
}

/// All files of a journal that are left out now.
pub(super) fn left_out(settings: &JournalSettings) -> Vec<LeftOut> {
    let mut judge = Judge::default();
    let files: Vec<_> = settings.files.iter().filter_map(|file| std::path::absolute(file).ok()).collect();
    judge.judge(list(settings, &files).iter());
    if judge.is_in_doubt() {
        std::thread::sleep(BEING_MADE);
        judge.judge(list(settings, &files).iter());
    }
    judge.left_out()
}

/// Why libsystemd does not open that file, if so.
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

/// Are there more files than can be opened?
fn too_many(paths: &HashSet<&Path>) -> Option<LeftOut> {
    let allowed = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    let allowed = usize::try_from(allowed.saturating_sub(DESCRIPTORS)).unwrap_or(usize::MAX);
    let most = FILES.min(allowed);
    let more = paths.len().checked_sub(most).filter(|more| *more > 0)?;
    let directory = paths.iter().next()?.parent()?.to_owned();
    let limit = if allowed < FILES { "the limit of open files" } else { "libsystemd" };
    let why = format!("as to {more} of its files: {limit} allows no more than {most}");
    Some(left_out_file(&directory, why))
}
