//! What all followed paths of a source use.

use std::io;
use std::path::Path;

use pyruse_core::losses::Losses;

use super::directories::Directories;
use super::refused::Refused;
use super::settings::Settings;
use super::siblings::{self, Sibling};
use super::watch::Watch;

/// See the module.
pub(super) struct Shared<'a> {
    pub(super) settings: &'a Settings,
    pub(super) watch: &'a mut Watch,
    pub(super) directories: &'a mut Directories,
    pub(super) losses: &'a mut Losses,
    pub(super) refused: &'a mut Refused,
    /// How many bytes may still be read before others have their turn.
    pub(super) budget: usize,
}

impl Shared<'_> {
    /// The rotated files of a log file, and those of some inodes: see [`siblings::list`].
    pub(super) fn siblings(&mut self, path: &Path, inodes: &[u64]) -> io::Result<Vec<Sibling>> {
        let listed = siblings::list(self.directories, path, self.settings.rotated.as_deref(), inodes)?;
        for (directory, why) in self.directories.take_cut() {
            self.refused.note(&directory, why, self.losses);
        }
        Ok(listed)
    }
}
