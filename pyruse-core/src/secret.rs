//! Secrets are in files, never in the configuration: their first line is the secret.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Returns the first line of the file. `what` is what it is called in errors.
pub fn read(file: &Path, what: &str) -> Result<String, String> {
    let name = file.display();
    let text = fs::read(file).map_err(|e| format!("{name}: {e}"))?;
    let text = String::from_utf8(text).map_err(|_| format!("{name} is not UTF-8"))?;
    match text.lines().next() {
        Some(secret) if !secret.is_empty() => Ok(secret.to_owned()),
        _ => Err(format!("{name}: its first line, which is the {what}, is empty")),
    }
}

/// Returns a warning if users other than the owner and the group can read the file.
pub fn exposure(file: &Path, what: &str) -> Option<String> {
    let is_exposed = fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o007 != 0);
    is_exposed
        .then(|| format!("every user of this machine can read the {what}: `chmod o-rwx {}`", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_first_line_without_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        for text in ["a b\n", "a b", "a b\r\nnot this\n"] {
            fs::write(&file, text).unwrap();
            assert_eq!(read(&file, "password").as_deref(), Ok("a b"), "{text:?}");
        }
        for text in ["", "\n", "\nnot this"] {
            fs::write(&file, text).unwrap();
            assert!(read(&file, "password").unwrap_err().contains("the password, is empty"), "{text:?}");
        }
    }

    #[test]
    fn a_file_that_everybody_can_read_is_exposed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        fs::write(&file, "a").unwrap();
        for (mode, exposed) in [(0o600, false), (0o640, false), (0o644, true), (0o602, true)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(exposure(&file, "token").is_some(), exposed, "{mode:o}");
        }
    }
}
