//! Imports the state files of the first Pyruse, once.
//!
//! The content of a file is committed together with a note that the file is imported; only then is the file renamed. So
//! a crash at any moment neither imports it twice nor skips it: a file with a note only needs its new name. A file that
//! cannot be understood is reported and left as it is, and nothing in it is imported.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use pyruse_cli::owner::Owner;
use pyruse_core::engine::Services;
use pyruse_core::state::{Changes, Handle, Resource, Row, State, StateError};
use pyruse_core::time::Timestamp;

/// The files that are imported, and may still have their old name.
#[derive(Default)]
struct Noted {
    files: BTreeSet<String>,
    changed: Vec<String>,
}

impl Resource for Noted {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let name = |(key, _): Row| String::from_utf8(key.into_vec()).map_err(|e| e.to_string());
        let files = rows.into_iter().map(name).collect::<Result<_, _>>()?;
        Ok(Noted { files, changed: Vec::new() })
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        for file in self.changed.drain(..) {
            if self.files.contains(&file) {
                changes.put(file.as_bytes(), *b"");
            } else {
                changes.delete(file.as_bytes());
            }
        }
    }

    /// The file's new name must not reach the disk before its content does.
    fn is_urgent(&self) -> bool {
        self.changed.iter().any(|file| self.files.contains(file))
    }
}

/// Files that are imported, and must be renamed when that is on the disk.
pub(super) struct Imports {
    noted: Handle<Noted>,
    directory: PathBuf,
    owner: Owner,
}

impl Imports {
    /// Imports all files that exist; the caller commits, and then calls [`Imports::rename_files`].
    pub(super) fn import(
        services: &mut Services,
        directory: &Path,
        owner: Owner,
        state: &mut State,
    ) -> Result<Imports, StateError> {
        let noted = state.open::<Noted>("imported")?;
        for file in services.former_files() {
            let path = directory.join(file);
            if state.get(noted).files.contains(file) || path.symlink_metadata().is_err() {
                continue;
            }
            match read(&path, owner)
                .and_then(|content| services.import(file, &content, state, Timestamp::now()))
            {
                Ok(what) => {
                    tracing::info!("{what} of the first Pyruse imported from {}", path.display());
                    let noted = state.get_mut(noted);
                    noted.files.insert(file.to_owned());
                    noted.changed.push(file.to_owned());
                }
                Err(why) => tracing::error!(
                    "{}: {why}; nothing in this file of the first Pyruse was imported, and it was not changed. Fix \
                     it and start again, or move it away",
                    path.display()
                ),
            }
        }
        Ok(Imports { noted, directory: directory.to_owned(), owner })
    }

    /// Renames the imported files. The notes are deleted with the next commit, when the new names are on the disk.
    pub(super) fn rename_files(self, state: &mut State) {
        let _as_owner = self.owner.enter();
        let noted = state.get_mut(self.noted);
        for file in std::mem::take(&mut noted.files) {
            let path = self.directory.join(&file);
            let gone = match std::fs::rename(&path, self.directory.join(format!("{file}.imported"))) {
                Ok(()) => self.sync(),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
                Err(e) => Err(e),
            };
            match gone {
                Ok(()) => noted.changed.push(file),
                Err(e) => {
                    tracing::warn!(
                        "{} was imported, but cannot be renamed: {e}; you may delete it",
                        path.display()
                    );
                    noted.files.insert(file);
                }
            }
        }
    }

    fn sync(&self) -> std::io::Result<()> {
        std::fs::File::open(&self.directory)?.sync_all()
    }
}

/// Reads a file. It must be a regular file that nobody else could have written, because its bans go to the firewall.
fn read(path: &Path, owner: Owner) -> Result<Vec<u8>, String> {
    let _as_owner = owner.enter();
    let metadata = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    owner.check_opened(path, &file)?;
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(|e| e.to_string())?;
    Ok(content)
}
