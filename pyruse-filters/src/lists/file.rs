//! The file of a list: one network per line, and comments.
//!
//! A user who can write the file decides who is banned, so it must belong to root or to the user that reads it, and nobody
//! else may write it. It is read whole or not at all: a line that is not a network refuses the file, because a list of
//! which a part is missing looks like one that was meant so.

use std::fmt::Write as _;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::OFlag;
use pyruse_core::access;
use pyruse_core::network::Network;
use pyruse_core::plugin::excerpt;
use pyruse_core::time::Timestamp;
use pyruse_core::trust;

/// The largest file, in bytes: more than a million networks.
pub(super) const MAX_BYTES: u64 = 32 << 20;

/// The most networks of a file.
pub(super) const MAX_NETWORKS: usize = 1_000_000;

/// The most characters of a line that can be a network, with room for a comment.
const LONGEST_NETWORK: usize = 64;

/// What distinguishes two states of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp([i64; 7]);

impl Stamp {
    fn of(found: &Metadata) -> Stamp {
        let number = |n: u64| i64::from_ne_bytes(n.to_ne_bytes());
        Stamp([
            number(found.dev()),
            number(found.ino()),
            number(found.size()),
            found.mtime(),
            found.mtime_nsec(),
            found.ctime(),
            found.ctime_nsec(),
        ])
    }

    /// Returns the stamp of the file at this path; `None` if it cannot be looked at, mostly because it is missing.
    pub(super) fn at(path: &Path) -> Option<Stamp> {
        path.metadata().ok().map(|found| Stamp::of(&found))
    }
}

/// The content of a file.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) networks: Arc<[Network]>,
    /// When the file was changed.
    pub(super) changed: Timestamp,
    pub(super) stamp: Stamp,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no such file.
    Missing(String),
    /// Anything else.
    Bad(String),
}

impl Refused {
    pub(super) fn why(&self) -> &str {
        let (Refused::Missing(why) | Refused::Bad(why)) = self;
        why
    }
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Content, Refused> {
    let failed = |e: &std::io::Error| {
        let why = access::failure(path, e);
        if e.kind() == ErrorKind::NotFound { Refused::Missing(why) } else { Refused::Bad(why) }
    };
    // A pipe without a writer must not stop us.
    let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|e| failed(&e))?;
    let found = file.metadata().map_err(|e| failed(&e))?;
    check(path, &found).map_err(Refused::Bad)?;
    let bytes = bytes_of(&file, path).map_err(|e| failed(&e))?.map_err(Refused::Bad)?;
    let after = file.metadata().map_err(|e| failed(&e))?;
    let stamp = Stamp::of(&found);
    if Stamp::of(&after) != stamp {
        return Err(Refused::Bad(format!("{} was changed while it was read", path.display())));
    }
    let networks = parse(&bytes).map_err(|why| Refused::Bad(format!("{}{why}", path.display())))?;
    let micros = found.mtime().saturating_mul(1_000_000).saturating_add(found.mtime_nsec() / 1000);
    Ok(Content { networks: networks.into(), changed: Timestamp(micros), stamp })
}

fn bytes_of(file: &File, path: &Path) -> std::io::Result<Result<Vec<u8>, String>> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 > MAX_BYTES { Err(too_large(path)) } else { Ok(bytes) })
}

fn too_large(path: &Path) -> String {
    format!("{} is larger than {} MiB, the most that a list reads", path.display(), MAX_BYTES >> 20)
}

/// Checks kind, size, owner and mode of an open file.
fn check(path: &Path, found: &Metadata) -> Result<(), String> {
    let shown = path.display();
    if !found.is_file() {
        return Err(format!("{shown} is not a regular file"));
    }
    if found.size() > MAX_BYTES {
        return Err(too_large(path));
    }
    trust::check(path, found, "who could decide who is banned")
}

/// Parses the lines. An error says which line, and how many others.
fn parse(bytes: &[u8]) -> Result<Vec<Network>, String> {
    let mut networks = Vec::new();
    let mut first_bad: Option<(usize, String)> = None;
    let mut bad = 0;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (n, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let end = line.iter().position(|byte| matches!(byte, b'#' | b';')).unwrap_or(line.len());
        let text = line[..end].trim_ascii();
        if text.is_empty() {
            continue;
        }
        let parsed = (text.len() <= LONGEST_NETWORK).then(|| std::str::from_utf8(text).ok()).flatten();
        match parsed.and_then(Network::parse) {
            Some(network) if network.bits() > 0 => {
                if networks.len() == MAX_NETWORKS {
                    return Err(format!(
                        " has more than {MAX_NETWORKS} networks, the most that a list reads"
                    ));
                }
                networks.push(network);
            }
            parsed => {
                bad += 1;
                first_bad.get_or_insert_with(|| {
                    let shown = excerpt(&String::from_utf8_lossy(&text[..text.len().min(400)]));
                    let what = if parsed.is_some() { "is every address" } else { "is not a network" };
                    (n + 1, format!("`{shown}` {what}"))
                });
            }
        }
    }
    let Some((line, what)) = first_bad else { return Ok(networks) };
    let mut why = format!(":{line}: {what}");
    if bad > 1 {
        let _ = write!(why, ", and {} further lines are not good", bad - 1);
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        let networks = parse(text.as_bytes())?;
        Ok(networks.iter().map(Network::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_line_has_a_network_and_a_comment() {
        let text = "\u{feff}# friends\r\n\r\n10.0.0.7/8 ; the office\r\n  192.0.2.1\t# home\n2001:db8::/32";
        assert_eq!(parsed(text), Ok("10.0.0.0/8 192.0.2.1 2001:db8::/32".to_owned()));
        assert_eq!(parsed("# nothing\n"), Ok(String::new()));
    }

    #[test]
    fn one_bad_line_refuses_the_file_and_many_make_one_short_error() {
        let bad = |text: &str| parsed(text).unwrap_err();
        assert_eq!(bad("10.0.0.1\nexample.org\n"), ":2: `example.org` is not a network");
        assert_eq!(bad("0.0.0.0/0\n"), ":1: `0.0.0.0/0` is every address");
        assert_eq!(bad("10.0.0.1 10.0.0.2\n"), ":1: `10.0.0.1 10.0.0.2` is not a network");
        assert_eq!(bad("\u{1b}[2J\n"), ":1: `\\u{1b}[2J` is not a network");
        assert_eq!(bad("10.0.0.1\0\n"), ":1: `10.0.0.1\\u{0}` is not a network");
        let thousands = "nonsense\n".repeat(5000);
        assert_eq!(bad(&thousands), ":1: `nonsense` is not a network, and 4999 further lines are not good");
        assert!(bad(&"x".repeat(1 << 20)).len() < 600);
        let many = "10.0.0.1\n".repeat(MAX_NETWORKS + 1);
        assert_eq!(bad(&many), " has more than 1000000 networks, the most that a list reads");
    }

    #[test]
    fn a_file_that_others_can_write_or_that_is_too_large_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list");
        let refused = || read(&path).map(|found| found.networks.len()).map_err(|e| e.why().to_owned());
        assert!(matches!(read(&path), Err(Refused::Missing(_))));
        fs::write(&path, "10.0.0.1\n").unwrap();
        let mode = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert_eq!(refused(), Ok(1));
        for writable in [0o664, 0o646] {
            mode(writable);
            let why = refused().unwrap_err();
            assert!(why.contains("can be written by others") && why.contains("chmod go-w"), "{why}");
        }
        mode(0o644);
        // A sparse file: nothing of it is read.
        File::options().write(true).open(&path).unwrap().set_len(1 << 30).unwrap();
        assert!(refused().unwrap_err().ends_with("is larger than 32 MiB, the most that a list reads"));
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(refused().unwrap_err().ends_with("is not a regular file"));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "10.0.0.1\n").unwrap();
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(54_321), None).unwrap();
            assert!(refused().unwrap_err().contains("belongs to user 54321"));
            std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        }
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(refused().unwrap_err().contains("can be written by anybody"));
    }
}
