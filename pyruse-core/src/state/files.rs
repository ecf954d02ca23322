//! Files beside the state, and paths that cannot hold a file.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Returns the path of the file beside `path` that has the same name with `end` appended.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Returns the reason why a path that will be opened cannot hold a file; `None` if it is a regular file, or does not
/// exist yet. To read a FIFO would wait for ever, and to open a dangling link would follow it.
pub fn irregular(path: &Path) -> Option<String> {
    let entry = path.symlink_metadata().ok()?;
    match path.metadata() {
        Ok(found) if found.is_file() => None,
        Ok(found) => {
            let kind = found.file_type();
            let what = match () {
                () if kind.is_dir() => "a directory",
                () if kind.is_fifo() => "a FIFO",
                () if kind.is_socket() => "a socket",
                () => "a device",
            };
            Some(format!("{} is {what}, not a regular file; move it away", path.display()))
        }
        Err(e) if e.kind() == ErrorKind::NotFound && entry.is_symlink() => Some(format!(
            "{} is a link to {}, which does not exist; remove it, or mount its target",
            path.display(),
            std::fs::read_link(path).unwrap_or_default().display()
        )),
        // The attempt to open it will report the reason.
        Err(_) => None,
    }
}
