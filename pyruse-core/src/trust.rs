//! Checks who can change a file that decides what Pyruse does: only root, and the user of this process, may.
//!
//! Each check takes the metadata of the opened file, so that the file cannot be replaced between the check and its use;
//! and what another user could do, for the message: `who could decide who is banned`.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::geteuid;

use crate::access::quoted;

/// Checks owner, mode and directory of a file.
pub fn check(path: &Path, found: &Metadata, danger: &str) -> Result<(), String> {
    check_owner(path, found, danger)?;
    check_writers(path, found, danger)
}

/// Checks that nobody but the owner can write a file, and that nobody else can replace it in its directory.
pub fn check_writers(path: &Path, found: &Metadata, danger: &str) -> Result<(), String> {
    check_mode(path, found, danger)?;
    let directory = path.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
    let Some(directory) = directory else { return Ok(()) };
    let Ok(found) = directory.metadata() else { return Ok(()) };
    check_owner(&directory, &found, danger)?;
    // In a sticky directory (/tmp) other users cannot replace our files.
    if found.mode() & 0o002 != 0 && found.mode() & 0o1000 == 0 {
        return Err(format!(
            "{} can be written by anybody, who could replace {} there; fix it with: chmod o-w {}",
            directory.display(),
            path.display(),
            quoted(&directory)
        ));
    }
    Ok(())
}

/// Checks that nobody but the owner can write a file.
pub fn check_mode(path: &Path, found: &Metadata, danger: &str) -> Result<(), String> {
    if found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(format!(
        "{} can be written by others (mode {:04o}), {danger}; fix it with: chmod go-w {}",
        path.display(),
        found.mode() & 0o7777,
        quoted(path)
    ))
}

fn check_owner(path: &Path, found: &Metadata, danger: &str) -> Result<(), String> {
    if found.uid() == 0 || found.uid() == geteuid().as_raw() {
        return Ok(());
    }
    Err(format!(
        "{} belongs to user {}, {danger}; fix it with: chown root {}",
        path.display(),
        found.uid(),
        quoted(path)
    ))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    #[test]
    fn a_file_that_another_user_can_change_or_replace_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("it's");
        fs::write(&path, "").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let checked = || check(&path, &path.metadata().unwrap(), "who could do harm");
        mode(&path, 0o644);
        assert_eq!(checked(), Ok(()));
        for writable in [0o664, 0o646] {
            mode(&path, writable);
            let why = checked().unwrap_err();
            let quoted = quoted(&path);
            assert!(why.contains(&format!("(mode 0{writable:o}), who could do harm; ")), "{why}");
            assert!(why.ends_with(&format!("chmod go-w {quoted}")), "{why}");
        }
        mode(&path, 0o644);
        mode(directory.path(), 0o1777);
        assert_eq!(checked(), Ok(()), "in a sticky directory, only the owner can replace it");
        mode(directory.path(), 0o777);
        assert!(checked().unwrap_err().contains("can be written by anybody"));
        mode(directory.path(), 0o755);
        // Only root can give files away.
        assert!(geteuid().is_root(), "this test needs root");
        for other in [path.as_path(), directory.path()] {
            chown(other, Some(54_321), None).unwrap();
            assert!(checked().unwrap_err().contains("belongs to user 54321, who could do harm"));
            chown(other, Some(0), None).unwrap();
        }
    }
}
