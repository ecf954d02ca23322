//! Why a file cannot be read, in words that a person can act on: who is not let in, by which mode of what, and how to
//! mend it. "Permission denied" alone does not say that it is the service's user who may not, while root may.

use std::ffi::CString;
use std::fs::Metadata;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, getgrouplist, getgroups};

/// Users below belong to the system: a service is not to be run as root instead.
const FIRST_PERSON: u32 = 1000;

/// Somebody who wants to read.
#[derive(Clone, Debug)]
pub struct Reader {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    name: String,
}

impl Reader {
    /// This process.
    fn us() -> Reader {
        let (uid, gid) = (geteuid(), getegid());
        Reader { uid, gid, groups: getgroups().unwrap_or_default(), name: user_name(uid) }
    }

    /// That user, as a service of theirs would be.
    pub(crate) fn of(uid: Uid) -> Option<Reader> {
        let user = User::from_uid(uid).ok()??;
        let groups =
            CString::new(user.name.as_str()).ok().and_then(|name| getgrouplist(&name, user.gid).ok());
        Some(Reader { uid, gid: user.gid, groups: groups.unwrap_or_default(), name: user.name })
    }

    /// The user that runs Pyruse, who owns the storage; `None` if that is root, or if nobody is known to.
    pub fn of_service(storage: &Path) -> Option<Reader> {
        let owner = storage.metadata().ok().map(|found| Uid::from_raw(found.uid()));
        owner.filter(|uid| !uid.is_root()).and_then(Reader::of)
    }

    /// Does the mode let this user do that (4: read, 1: enter)?
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

    /// What keeps this user from reading the file, by the modes of the file and of the directories above it.
    pub fn obstacle(&self, path: &Path) -> Option<Obstacle> {
        // Behind links: it is the file's own place that counts.
        let real = path.canonicalize().or_else(|_| std::path::absolute(path)).ok()?;
        let mut way: Vec<&Path> = real.ancestors().collect();
        way.reverse();
        way.into_iter().find_map(|part| {
            let found = part.metadata().ok()?;
            let what = if found.is_dir() { 1 } else { 4 };
            (!self.may(&found, what)).then(|| Obstacle { path: part.to_owned(), found })
        })
    }

    /// The same in words: who, and what.
    pub fn denied(&self, path: &Path, Obstacle { path: at, found }: &Obstacle) -> String {
        let owner =
            format!("{}:{}", user_name(Uid::from_raw(found.uid())), group_name(Gid::from_raw(found.gid())));
        let mode = found.mode() & 0o7777;
        let at_fault = if found.is_dir() {
            format!("the directory {} belongs to {owner} and has mode {mode:04o}", at.display())
        } else {
            format!("it belongs to {owner} and has mode {mode:04o}")
        };
        format!("user {} cannot read {}: {at_fault}", self.name, path.display())
    }

    /// The same, and how to mend it.
    pub fn complain(&self, path: &Path, obstacle: &Obstacle) -> String {
        let Obstacle { path: at, found } = obstacle;
        let mode = found.mode() & 0o7777;
        let group = group_name(self.gid);
        let allowed = mode | if found.is_dir() { 0o050 } else { 0o040 };
        let mend = format!("chgrp {group} {at} && chmod {allowed:o} {at}", at = quoted(at));
        let as_root = if self.uid.as_raw() >= FIRST_PERSON { "run this as root, or " } else { "" };
        format!("{}; {as_root}give the group {group} access with: {mend}", self.denied(path, obstacle))
    }
}

/// What keeps a user from reading a file.
pub struct Obstacle {
    path: PathBuf,
    found: Metadata,
}

impl Obstacle {
    /// May an access control list, which the mode does not show, let the user in all the same?
    pub fn may_be_passed(&self) -> bool {
        // A list's mask stands in the place of the group's bits.
        self.found.mode() & if self.found.is_dir() { 0o010 } else { 0o040 } != 0
    }
}

/// The error of opening that file to read it, in words.
pub fn failure(path: &Path, error: &Error) -> String {
    if error.kind() != ErrorKind::PermissionDenied {
        return format!("{}: {error}", path.display());
    }
    let us = Reader::us();
    match us.obstacle(path) {
        Some(obstacle) => us.complain(path, &obstacle),
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
/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A user who is nobody's friend.
    fn stranger() -> Reader {
        let id = 54_321;
        Reader { uid: Uid::from_raw(id), gid: Gid::from_raw(id), groups: Vec::new(), name: "stranger".into() }
    }

    #[test]
    fn the_first_thing_on_the_way_that_does_not_let_a_user_in_is_told() {
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
        let ours = Reader { groups: vec![getegid()], ..stranger() };
        mode(&inner, 0o710);
        mode(&file, 0o640);
        assert!(ours.obstacle(&file).is_none());
        // An owner without the right in the mode gains nothing from the rights of others.
        let owner = Reader { uid: Uid::from_raw(fs::metadata(&file).unwrap().uid()), ..stranger() };
        mode(&file, 0o044);
        assert!(owner.uid.is_root() || owner.obstacle(&file).is_some());
    }

    #[test]
    fn a_complaint_says_who_what_and_how_to_mend_it() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let file = directory.path().canonicalize().unwrap().join("it's");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let stranger = stranger();
        let said = stranger.complain(&file, &stranger.obstacle(&file).unwrap());
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
