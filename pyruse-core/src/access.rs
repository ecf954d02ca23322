//! Explains why a file cannot be read: which user, which mode of which file or directory, and how to fix it. "Permission
//! denied" alone does not say that it is the service's user who lacks access, while root has it.

use std::ffi::CString;
use std::fs::Metadata;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, getgrouplist, getgroups};

/// User ids below this one belong to the system: such a user is not advised to run Pyruse as root instead.
const FIRST_HUMAN_UID: u32 = 1000;

/// A user account, with its groups.
#[derive(Clone, Debug)]
pub struct Account {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    name: String,
}

impl Account {
    /// Returns the account of this process.
    fn us() -> Account {
        let (uid, gid) = (geteuid(), getegid());
        Account { uid, gid, groups: getgroups().unwrap_or_default(), name: user_name(uid) }
    }

    /// Returns the account of this user, with the groups that a service of it would have; `None` if there is no such user.
    pub(crate) fn of(uid: Uid) -> Option<Account> {
        let user = User::from_uid(uid).ok()??;
        let groups =
            CString::new(user.name.as_str()).ok().and_then(|name| getgrouplist(&name, user.gid).ok());
        Some(Account { uid, gid: user.gid, groups: groups.unwrap_or_default(), name: user.name })
    }

    /// Returns the account that runs Pyruse, which owns the storage; `None` if it is root or not known.
    pub fn of_service(storage: &Path) -> Option<Account> {
        let owner = storage.metadata().ok().map(|found| Uid::from_raw(found.uid()));
        owner.filter(|uid| !uid.is_root()).and_then(Account::of)
    }

    /// Returns `true` if the mode permits this to the user (4: read, 1: enter).
    fn may(&self, found: &Metadata, what: u32) -> bool {
        let bits = if found.uid() == self.uid.as_raw() {
            found.mode() >> 6
        } else if found.gid() == self.gid.as_raw()
            || self.groups.iter().any(|gid| gid.as_raw() == found.gid())
        {
            found.mode() >> 3
        } else {
            found.mode()
        };
        self.uid.is_root() || bits & what == what
    }

    /// Returns the first directory above the file, or the file itself, whose mode denies this user access.
    pub fn obstacle(&self, path: &Path) -> Option<Obstacle> {
        // Links are resolved: the modes of the real path count.
        let real = path.canonicalize().or_else(|_| std::path::absolute(path)).ok()?;
        let mut parts: Vec<&Path> = real.ancestors().collect();
        parts.reverse();
        parts.into_iter().find_map(|part| {
            let found = part.metadata().ok()?;
            let what = if found.is_dir() { 1 } else { 4 };
            (!self.may(&found, what)).then(|| Obstacle { path: part.to_owned(), found })
        })
    }

    /// Describes an obstacle for people: which user cannot read the file, and why.
    pub fn denied(&self, path: &Path, Obstacle { path: at, found }: &Obstacle) -> String {
        let owner =
            format!("{}:{}", user_name(Uid::from_raw(found.uid())), group_name(Gid::from_raw(found.gid())));
        let mode = found.mode() & 0o7777;
        let cause = if found.is_dir() {
            format!("the directory {} belongs to {owner} and has mode {mode:04o}", at.display())
        } else {
            format!("it belongs to {owner} and has mode {mode:04o}")
        };
        format!("user {} cannot read {}: {cause}", self.name, path.display())
    }

    /// Describes an obstacle, and says how to give access.
    pub fn denied_with_fix(&self, path: &Path, obstacle: &Obstacle) -> String {
        let Obstacle { path: at, found } = obstacle;
        let mode = found.mode() & 0o7777;
        let group = group_name(self.gid);
        let allowed = mode | if found.is_dir() { 0o050 } else { 0o040 };
        let fix = format!("chgrp {group} {at} && chmod {allowed:o} {at}", at = quoted(at));
        let as_root = if self.uid.as_raw() >= FIRST_HUMAN_UID { "run this as root, or " } else { "" };
        format!("{}; {as_root}give the group {group} access with: {fix}", self.denied(path, obstacle))
    }
}

/// A file or directory whose mode denies a user access.
pub struct Obstacle {
    path: PathBuf,
    found: Metadata,
}

impl Obstacle {
    /// Returns `true` if an access control list, which the mode does not show, may give access in spite of the mode.
    pub fn may_be_passed(&self) -> bool {
        // If there is a list, its mask is in the group's bits.
        self.found.mode() & if self.found.is_dir() { 0o010 } else { 0o040 } != 0
    }
}

/// Describes the error of opening a file for reading.
pub fn failure(path: &Path, error: &Error) -> String {
    if error.kind() != ErrorKind::PermissionDenied {
        return format!("{}: {error}", path.display());
    }
    let us = Account::us();
    match us.obstacle(path) {
        Some(obstacle) => us.denied_with_fix(path, &obstacle),
        None => format!(
            "user {} cannot read {} although its mode allows it: check its access control list (getfacl), and the \
             sandbox of the unit",
            us.name,
            path.display()
        ),
    }
}

fn user_name(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}

fn group_name(gid: Gid) -> String {
    match Group::from_gid(gid) {
        Ok(Some(group)) => group.name,
        _ => gid.to_string(),
    }
}

// For the command line.
#[doc(hidden)]
/// Quotes a path for a shell.
pub fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A user who owns nothing and is in no group.
    fn stranger() -> Account {
        let id = 54_321;
        Account {
            uid: Uid::from_raw(id),
            gid: Gid::from_raw(id),
            groups: Vec::new(),
            name: "stranger".into(),
        }
    }

    #[test]
    fn the_obstacle_is_the_first_part_of_the_path_that_denies_access() {
        let directory = tempfile::tempdir().unwrap();
        let (inner, file) = (directory.path().join("inner"), directory.path().join("inner/file"));
        fs::create_dir(&inner).unwrap();
        fs::write(&file, "").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        for (path, bits) in [(directory.path(), 0o755), (&inner, 0o755), (&file, 0o644)] {
            mode(path, bits);
        }
        let obstacle = || stranger().obstacle(&file).map(|obstacle| obstacle.path);
        assert_eq!(obstacle(), None);
        mode(&file, 0o600);
        assert_eq!(obstacle(), Some(file.canonicalize().unwrap()));
        mode(&inner, 0o700);
        assert_eq!(obstacle(), Some(inner.canonicalize().unwrap()));
        let ours = Account { groups: vec![getegid()], ..stranger() };
        mode(&inner, 0o710);
        mode(&file, 0o640);
        assert!(ours.obstacle(&file).is_none());
        // An owner without the right in the mode gains nothing from the rights of others.
        let owner = Account { uid: Uid::from_raw(fs::metadata(&file).unwrap().uid()), ..stranger() };
        mode(&file, 0o044);
        assert!(owner.uid.is_root() || owner.obstacle(&file).is_some());
    }

    #[test]
    fn the_message_says_who_is_denied_what_and_how_to_fix_it() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let file = directory.path().canonicalize().unwrap().join("it's");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let stranger = stranger();
        let said = stranger.denied_with_fix(&file, &stranger.obstacle(&file).unwrap());
        let (shown, us, group) = (file.display(), user_name(geteuid()), group_name(getegid()));
        let quoted = quoted(&file);
        assert_eq!(
            said,
            format!(
                "user stranger cannot read {shown}: it belongs to {us}:{group} and has mode 0600; run this as root, or \
                 give the group 54321 access with: chgrp 54321 {quoted} && chmod 640 {quoted}"
            )
        );
    }
}
