//! What the targets share: a source is opened on a file with these bytes, and everything in it is read.

use std::cell::RefCell;
use std::path::Path;

use pyruse_core::entry::{Buffers, EightBit, Fields, Slot};
use pyruse_core::jiff::tz::TimeZone;
use pyruse_core::plugin::{Begin, Next, Reader, Registry};
use pyruse_core::sources::ConfiguredSource;
use pyruse_sources as _;
use serde_json::Value;

/// Fields that a workflow wants; others are not looked at.
const WANTED: [&str; 8] =
    ["MESSAGE", "SYSLOG_IDENTIFIER", "PRIORITY", "REMOTE_ADDR", "STATUS", "TAG", "LONG", "request.ip"];

/// The most entries that are read. What is longer takes long for a good reason.
const ENTRIES: usize = 20_000;

thread_local! {
    /// Shared by all entries, as in the program.
    static WORKFLOW: RefCell<(Buffers, Vec<Slot>)> = RefCell::new({
        let mut fields = Fields::default();
        let slots = WANTED.iter().map(|name| fields.slot(name)).collect();
        (Buffers::new(fields, EightBit::default(), TimeZone::UTC), slots)
    });
}

/// A directory in memory, and a file in it.
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// Makes a directory that is removed at the end.
    #[must_use]
    pub fn new() -> Place {
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Place { directory: directory.expect("a directory for files is needed") }
    }

    /// The path of a file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }
}

impl Default for Place {
    fn default() -> Place {
        Place::new()
    }
}

/// Opens a source with these arguments; `None` if it is refused.
#[must_use]
pub fn open(module: &str, args: &Value) -> Option<Box<dyn Reader>> {
    let registry = Registry::linked().expect("all modules have different names");
    let source = ConfiguredSource::of(&registry, "fuzz", module, args).expect("the arguments are valid");
    source.source.open().ok()
}

/// Reads everything from there on; returns how many entries there were. `stop` is called after each with their number; if
/// it returns `true`, reading ends.
pub fn read(reader: &mut dyn Reader, begin: Begin<'_>, mut stop: impl FnMut(usize) -> bool) -> usize {
    if reader.resume(begin).is_err() {
        return 0;
    }
    let mut entries = 0;
    loop {
        match reader.next() {
            Ok(Next::Record(time)) => {
                let record = reader.record();
                assert_eq!(record.realtime(), time);
                WORKFLOW.with_borrow_mut(|(buffers, slots)| {
                    let mut entry = buffers.entry(record);
                    for slot in slots.iter() {
                        let _ = entry.text(*slot);
                    }
                });
                entries += 1;
                if entries >= ENTRIES || stop(entries) {
                    return entries;
                }
            }
            Ok(Next::Later(wait)) => assert!(wait.is_zero(), "a file that is read once is never waited for"),
            Ok(Next::End) | Err(_) => {
                reader.tend(true);
                return entries;
            }
        }
    }
}

/// Writes a file.
pub fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("there is room for a file");
}
