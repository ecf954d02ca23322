//! Access to the storage as the user who owns it.
//!
//! The packaged daemon has its own user, which owns the state; an administrator's command runs as root. If root opened
//! files there as root, new files would belong to root, and the daemon could not open them; and with a link, the daemon's
//! user could make root write elsewhere. So a root process opens them *as the owner of the directory*: with the
//! filesystem identity of this thread (setfsuid(2)). This identity decides what may be opened and who owns a new file,
//! and drops root's power to ignore permissions. Opened files stay usable, and no file of the state is opened later. So
//! the identity is taken only for opening. Programs that couriers run get root's whole identity, because they are
//! started on other threads, and because executing a program takes the effective user.
//!
//! The owner controls the files in the directory, so they are treated as data: addresses are parsed, names of sets are
//! checked before a firewall gets them, mails and numbers are only data. The configuration names programs, so it must be
//! root's: see [`configuration::read_trusted`](crate::configuration::read_trusted).

use std::fs::{File, Metadata};
use std::marker::PhantomData;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Uid, User, geteuid, setfsgid, setfsuid};

use pyruse_core::access::quoted;
use pyruse_core::trust;

use crate::configuration::DANGER;

/// The owner of a directory, if this process must take that user's identity to access its files.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    uid: Uid,
    gid: Gid,
    /// Whether files must be checked. Only root does; other users rely on the system's permissions.
    checked: bool,
}

impl Owner {
    /// Returns the owner of that directory. For root, it is an error if another user could change its files.
    pub fn of(directory: &Path) -> Result<Owner, String> {
        let found = directory.metadata().map_err(|e| format!("{}: {e}", directory.display()))?;
        let owner = Owner {
            uid: Uid::from_raw(found.uid()),
            gid: Gid::from_raw(found.gid()),
            checked: geteuid().is_root(),
        };
        if owner.checked {
            trust::check_writers(directory, &found, DANGER)?;
        }
        Ok(owner)
    }

    /// Returns the reason why a file in the directory could not be opened.
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

    /// Makes this thread access files as the owner, until the guard is dropped.
    pub fn enter(self) -> AsOwner {
        let changed = self.checked && !self.uid.is_root();
        // In this order: only root may take another group.
        let before = changed.then(|| {
            let group = setfsgid(self.gid);
            (setfsuid(self.uid), group)
        });
        AsOwner { before, thread: PhantomData }
    }

    /// Checks that a file in the directory belongs to the owner, and that no other user can write it.
    pub(crate) fn check_file(self, path: &Path) -> Result<(), String> {
        match path.metadata() {
            Ok(found) if self.checked => self.check_found(path, &found),
            _ => Ok(()),
        }
    }

    /// Does the same for an opened file.
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
        trust::check_mode(path, found, DANGER)
    }
}

/// While it exists, this thread accesses files as another user.
pub struct AsOwner {
    before: Option<(Uid, Gid)>,
    /// The identity belongs to this thread.
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
