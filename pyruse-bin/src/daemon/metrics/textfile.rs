//! The file for node_exporter's textfile collector.
//!
//! A thread writes it, because the disk may hang. It writes a temporary file beside it and renames that, so that a
//! reader, or a full disk, never sees half a file.

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Everybody may read it: node_exporter runs as another user.
const MODE: u32 = 0o644;

/// Writes the file; dropping it ends the thread.
pub(super) struct Textfile {
    texts: SyncSender<String>,
}

impl Textfile {
    pub(super) fn start(path: PathBuf) -> std::io::Result<Textfile> {
        let (texts, coming) = sync_channel(1);
        std::thread::Builder::new().name("metrics-file".into()).spawn(move || write_all(&path, &coming))?;
        Ok(Textfile { texts })
    }

    /// Has the thread write this text. If it is still writing, because the disk hangs, the text is dropped.
    pub(super) fn write(&self, text: String) {
        let _ = self.texts.try_send(text);
    }
}

fn write_all(path: &Path, texts: &Receiver<String>) {
    let mut failing = None;
    for text in texts {
        match write(path, text.as_bytes()) {
            Ok(()) if failing.take().is_some() => {
                tracing::info!("the metrics are written to {} again", path.display());
            }
            Ok(()) => {}
            Err(e) => {
                let why = e.to_string();
                // The same error comes each minute.
                if failing.as_ref() != Some(&why) {
                    tracing::warn!(
                        "the metrics cannot be written to {}, and are tried again each minute: {e}",
                        path.display()
                    );
                }
                failing = Some(why);
            }
        }
    }
}

/// Replaces the file. After an error, the old one is unchanged.
fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".new");
    let new = path.with_file_name(hidden);
    // One that a crash has left.
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let written = File::create_new(&new).and_then(|mut file| {
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.write_all(text)?;
        std::fs::rename(&new, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_and_everybody_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pyruse.prom");
        std::fs::write(directory.path().join(".pyruse.prom.new"), "left by a crash").unwrap();
        write(&path, b"one\n").unwrap();
        write(&path, b"two\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn if_something_else_is_in_its_place_nothing_is_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pyruse.prom");
        std::fs::create_dir(&path).unwrap();
        assert!(write(&path, b"one\n").is_err());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
