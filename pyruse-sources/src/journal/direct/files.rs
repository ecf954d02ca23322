//! Which files of a journal are open, and which cannot be read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pyruse_core::access;
use pyruse_core::plugin::LeftOut;

use crate::journal::file::{Id, JournalFile};
use crate::journal::left_out::{CREATION_TIME, left_out_file};
use crate::journal::places::{self, Listed};
use crate::journal::settings::JournalSettings;
use crate::writable::writable;

use super::walk::Walk;

/// Why a file of a format that is not known here is not read.
const UNKNOWN: &str = "it uses a feature that this reader does not support; libsystemd may support it";

/// A file, whatever its name.
type Identity = (u64, u64);

/// Why a file cannot be read.
struct Refusal {
    why: String,
    identity: Option<Identity>,
    since: Instant,
    /// A file that is just being made is not complete: it is left out only if the same file cannot be read for some time.
    is_certain: bool,
}

type Refused = BTreeMap<PathBuf, Refusal>;

/// The largest number of times that the directories are read in one look.
const LISTINGS: usize = 5;

/// The most files that cannot be read and are named.
pub(super) const NAMED: usize = 100;

/// See the module.
pub(super) struct Files {
    settings: JournalSettings,
    /// Where the configuration names files.
    named: Vec<PathBuf>,
    /// What the names of files stood for when they were last looked at.
    known: HashMap<PathBuf, (Identity, Id)>,
    refused: Refused,
    /// Sequences whose numbers other files have, too: files that are not read, because of the configuration; and
    /// journals of users, which up to systemd 252 have identifiers of their own for the same numbers.
    shared: HashSet<Id>,
    /// Of journals by file: the sequences that are gone on with, and the largest number that was read of each.
    resumed: HashMap<Id, u64>,
    serial: u32,
}

/// The files that one journald writes in turn, by their directories.
#[derive(Default)]
struct Split(HashMap<PathBuf, (HashSet<Id>, bool)>);

impl Split {
    /// A file in that directory has that sequence, and is read or not.
    fn count(&mut self, directory: Option<&Path>, id: Id, is_read: bool) {
        if let Some(directory) = directory {
            let (ids, are_all_read) =
                self.0.entry(directory.to_owned()).or_insert_with(|| (HashSet::new(), true));
            ids.insert(id);
            *are_all_read &= is_read;
        }
    }

    /// See [`Files::shared`].
    fn shared(self) -> HashSet<Id> {
        let shared = self.0.into_values().filter(|(ids, are_all_read)| ids.len() > 1 || !are_all_read);
        shared.flat_map(|(ids, _)| ids).collect()
    }
}

/// What [`Files::look`] has found.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) new: Vec<Walk>,
    /// Files that are left out for certain, and were not before.
    pub(super) refused: Vec<LeftOut>,
    /// What to say of files that every user may write.
    pub(super) writable: Vec<String>,
}

impl Files {
    pub(super) fn new(settings: &JournalSettings) -> io::Result<Files> {
        let named = settings.files.iter().map(std::path::absolute).collect::<io::Result<_>>()?;
        Ok(Files {
            settings: settings.clone(),
            named,
            known: HashMap::new(),
            refused: BTreeMap::new(),
            shared: HashSet::new(),
            resumed: HashMap::new(),
            serial: 0,
        })
    }

    /// Looks for files that are not open yet. A rotation renames files: one that is renamed after the directory was read,
    /// and before it is opened, would not be seen until the next look, but what follows in the new file would be read. So
    /// the directory is read again, until nothing has changed.
    pub(super) fn look(&mut self) -> Changes {
        let former = std::mem::take(&mut self.refused);
        let mut changes = Changes::default();
        let mut listed = self.list();
        for _ in 0..LISTINGS {
            changes.refused.clear();
            self.open(&listed, &former, &mut changes);
            let after = self.list();
            if after == listed {
                break;
            }
            listed = after;
        }
        changes
    }

    fn list(&self) -> Vec<Listed> {
        let mut listed = places::list(&self.settings, &self.named);
        listed.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        listed
    }

    /// Opens those that are not open yet. `former` are those that were refused at the last look.
    fn open(&mut self, listed: &[Listed], former: &Refused, changes: &mut Changes) {
        let mut split = Split::default();
        self.refused.clear();
        let mut known = HashMap::new();
        for Listed { path, in_scope, is_split } in listed.iter().cloned() {
            let mut count = |path: &Path, id| split.count(path.parent().filter(|_| is_split), id, in_scope);
            if !in_scope {
                let Ok(JournalFile { header, .. }) = JournalFile::open(&path) else { continue };
                let follows =
                    self.resumed.get(&header.seqnum_id).is_some_and(|read| header.last_number > *read);
                if !(follows && self.named.iter().any(|file| places::is_archive_of(file, &path))) {
                    count(&path, header.seqnum_id);
                    continue;
                }
            }
            let metadata = std::fs::metadata(&path).ok();
            let identity = metadata.as_ref().map(|metadata| (metadata.dev(), metadata.ino()));
            if let Some((former, id)) = self.known.get(&path)
                && Some(former) == identity.as_ref()
            {
                count(&path, *id);
                known.insert(path, (*former, *id));
                continue;
            }
            self.serial = self.serial.wrapping_add(1);
            match open(&path, self.serial) {
                Ok(walk) => {
                    let id = walk.file.header.seqnum_id;
                    count(&path, id);
                    changes.writable.extend(metadata.and_then(|metadata| writable(&path, &metadata)));
                    known.insert(path, (walk.identity, id));
                    changes.new.push(walk);
                }
                // It was rotated or deleted since the directory was read.
                Err(None) => {}
                Err(Some(why)) => {
                    let former = former.get(&path).filter(|former| former.identity == identity);
                    let since = former.map_or_else(Instant::now, |former| former.since);
                    let is_certain = since.elapsed() >= CREATION_TIME;
                    if is_certain && former.is_none_or(|former| !former.is_certain) {
                        changes.refused.push(left_out_file(&path, why.clone()));
                    }
                    self.refused.insert(path, Refusal { why, identity, since, is_certain });
                }
            }
        }
        self.known = known;
        self.shared = split.shared();
    }

    /// Of a named file that was rotated since these numbers were read, the archived parts are read too.
    pub(super) fn resume(&mut self, read: HashMap<Id, u64>) {
        self.resumed = read;
    }

    /// All files are to be opened again.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Is a file of that name known?
    pub(super) fn is_known(&self, name: &Path) -> bool {
        self.known.keys().any(|path| path.file_name() == name.file_name())
    }

    /// Where the configuration names files, their paths.
    pub(super) fn named(&self) -> &[PathBuf] {
        &self.named
    }

    /// The sequences that have files.
    pub(super) fn sequences(&self) -> HashSet<Id> {
        self.known.values().map(|(_, id)| *id).collect()
    }

    /// A file of a format that is not known here, if there is one.
    pub(super) fn unknown(&self) -> Option<&Path> {
        self.refused.iter().find(|(_, refusal)| refusal.why == UNKNOWN).map(|(path, _)| path.as_path())
    }

    /// May numbers of that sequence be in files of other sequences, or in files that are not read?
    pub(super) fn is_shared(&self, sequence: Id) -> bool {
        self.shared.contains(&sequence)
    }

    /// Can a file not be read that may just be being made?
    pub(super) fn is_in_doubt(&self) -> bool {
        self.refused.values().any(|refusal| !refusal.is_certain)
    }

    /// The files that cannot be read; if there are too many, the first ones, and how many others there are.
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        let of = |(path, refusal): (&PathBuf, &Refusal)| left_out_file(path, refusal.why.clone());
        let mut left_out: Vec<_> = self.refused.iter().take(NAMED).map(of).collect();
        let others = self.refused.len() - left_out.len();
        let last = self.refused.keys().next_back().filter(|_| others > 0);
        left_out.extend(last.and_then(|last| last.parent()).map(|directory| {
            left_out_file(directory, format!("as to {others} more files, which cannot be read either"))
        }));
        left_out
    }
}

/// An error: why it cannot be read; `None` if it is gone.
fn open(path: &Path, serial: u32) -> Result<Walk, Option<String>> {
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound => None,
        io::ErrorKind::UnexpectedEof => Some("it is truncated".to_owned()),
        io::ErrorKind::InvalidData => Some("it is damaged".to_owned()),
        io::ErrorKind::InvalidInput => Some("it is not a regular file".to_owned()),
        _ => Some(access::failure(path, &e)),
    };
    let file = JournalFile::open(path).map_err(failed)?;
    if !file.header.is_known() {
        return Err(Some(UNKNOWN.to_owned()));
    }
    let mut walk = Walk::new(file, serial).map_err(failed)?;
    walk.is_runtime = path.starts_with(places::RUNTIME);
    Ok(walk)
}

/// All files of a journal that cannot be read now; `None` if one is of a format that is not known here.
pub(in crate::journal) fn left_out(settings: &JournalSettings) -> Option<Vec<LeftOut>> {
    let mut files = Files::new(settings).ok()?;
    files.look();
    if files.is_in_doubt() {
        std::thread::sleep(CREATION_TIME);
        files.look();
    }
    files.unknown().is_none().then(|| files.left_out())
}
