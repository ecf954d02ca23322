//! Files that strangers may write.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What to say if anybody may write to the file.
pub(crate) fn writable(path: &Path, metadata: &Metadata) -> Option<String> {
    let mode = metadata.mode() & 0o7777;
    (mode & 0o002 != 0).then(|| {
        format!("every user may write to {} (mode {mode:04o}): its entries prove nothing", path.display())
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_what_every_user_may_write_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("log");
        fs::write(&file, "x").unwrap();
        for (mode, is_said) in [(0o640, false), (0o664, false), (0o666, true), (0o642, true)] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            let text = writable(&file, &fs::metadata(&file).unwrap());
            assert_eq!(text.is_some(), is_said, "{mode:o}");
            assert!(text.is_none_or(|text| text.contains(&format!("log (mode {mode:04o})"))));
        }
    }
}
