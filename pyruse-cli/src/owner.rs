//! Whose the storage is, and touching it as that user.
//!
//! The daemon of the package is a user of its own, and the state belongs to it; an administrator's command is root. Were
//! root to open files there as root, they could end up as root's, so that the daemon cannot open them any more; and
//! whoever is that user could, by a link, make root write elsewhere. So a root process opens them *as the owner of the
//! directory*: with the filesystem identity of this thread (setfsuid(2)), which decides what may be opened and whose a
//! new file is, and which loses root's power to pass over permissions. What has been opened stays open, and no file of
//! the state is opened later; so the identity is put on for opening only. Programs that couriers run get all of root's
//! identity, from other threads and since executing a program takes it from the effective user.
//!
//! What stands in the directory is its owner's word, and is taken as data: addresses that are parsed and names of sets
//! that are checked before a firewall is told, mails, numbers. The configuration names programs, so that must be
//! root's: see [`configuration::read_trusted`](crate::configuration::read_trusted).

use std::fs::{File, Metadata};
use std::marker::PhantomData;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Uid, User, geteuid, setfsgid, setfsuid};

use pyruse_core::access::quoted;

/// The owner of a directory, where it is we who must become him to touch what is in it.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    uid: Uid,
    gid: Gid,
    /// We are root: all others are taken at their own word, and the system's.
    checked: bool,
}

impl Owner {
    /// The owner of that directory. As root, it is refused if anybody else could change what is in it.
    pub fn of(directory: &Path) -> Result<Owner, String> {
        let found = directory.metadata().map_err(|e| format!("{}: {e}", directory.display()))?;
        let owner = Owner {
            uid: Uid::from_raw(found.uid()),
            gid: Gid::from_raw(found.gid()),
            checked: geteuid().is_root(),
        };
        if owner.checked {
            crate::configuration::check_writers(directory, &found)?;
        }
        Ok(owner)
    }

    /// What a person needs to know who was not allowed to open what is in the directory.
    pub(crate) fn why_denied(self) -> String {
        let name = match User::from_uid(self.uid) {
            Ok(Some(user)) => user.name,
            _ => self.uid.to_string(),
        };
        match (self.checked, self.uid.is_root()) {
            (true, true) => String::new(),
            (true, false) => {
                format!(
                    " to the user {name}, who owns the directory; does a file there belong to another user, or is it \
                     a link to elsewhere?"
                )
            }
            (false, true) => "; only root may do this".into(),
            (false, false) => format!("; only root and the user {name} may do this"),
        }
    }

    /// This thread touches files as the owner until the guard goes.
    pub fn enter(self) -> AsOwner {
        let changed = self.checked && !self.uid.is_root();
        // In this order: only root may take another group.
        let before = changed.then(|| {
            let group = setfsgid(self.gid);
            (setfsuid(self.uid), group)
        });
        AsOwner { before, thread: PhantomData }
    }

    /// A file in the directory must be its owner's, and nobody else's to write.
    pub(crate) fn check_file(self, path: &Path) -> Result<(), String> {
        match path.metadata() {
            Ok(found) if self.checked => self.check_found(path, &found),
            _ => Ok(()),
        }
    }

    /// The same of what has been opened.
    pub fn check_opened(self, path: &Path, file: &File) -> Result<(), String> {
        let found = file.metadata().map_err(|e| e.to_string())?;
        if self.checked { self.check_found(path, &found) } else { Ok(()) }
    }

    fn check_found(self, path: &Path, found: &Metadata) -> Result<(), String> {
        if found.uid() != self.uid.as_raw() {
            return Err(format!(
                "{} belongs to user {}, but its directory to user {}; fix it with: chown -hR {}:{} {}",
                path.display(),
                found.uid(),
                self.uid,
                self.uid,
                self.gid,
                quoted(path.parent().unwrap_or(path))
            ));
        }
        crate::configuration::check_mode(path, found)
    }
}

/// While it is there, this thread touches files as another user.
pub struct AsOwner {
    before: Option<(Uid, Gid)>,
    /// The identity is this thread's.
    thread: PhantomData<*const ()>,
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        if let Some((user, group)) = self.before {
            setfsuid(user);
            setfsgid(group);
        }
    }
}
