//! A journal file (systemd.io/JOURNAL_FILE_FORMAT), to be changed by hand while others read it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The offset in the header of the entry array's position.
const ENTRY_ARRAY: u64 = 176;
/// The offset in the header of the incompatible flags, and the flag of the compact format.
const INCOMPATIBLE: u64 = 12;
const COMPACT: u32 = 1 << 4;

/// Within a DATA object.
pub const ENTRY_OFFSET: u64 = 40;
pub const N_ENTRIES: u64 = 56;

pub struct JournalFile {
    file: File,
    is_compact: bool,
}

impl JournalFile {
    pub fn open(path: &Path) -> JournalFile {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let mut file = JournalFile { file, is_compact: false };
        file.is_compact = file.u32(INCOMPATIBLE) & COMPACT != 0;
        file
    }

    pub fn u64(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, offset).unwrap();
        u64::from_le_bytes(bytes)
    }

    fn u32(&self, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        self.file.read_exact_at(&mut bytes, offset).unwrap();
        u32::from_le_bytes(bytes)
    }

    pub fn set(&self, offset: u64, value: u64) {
        self.file.write_all_at(&value.to_le_bytes(), offset).unwrap();
    }

    /// The size of the object at that offset.
    fn size(&self, object: u64) -> u64 {
        self.u64(object + 8)
    }

    /// The offsets of all entries.
    pub fn entries(&self) -> Vec<u64> {
        let item = if self.is_compact { 4 } else { 8 };
        let mut entries = Vec::new();
        let mut array = self.u64(ENTRY_ARRAY);
        while array != 0 {
            let items = (self.size(array) - 24) / item;
            let offsets = (0..items).map(|n| array + 24 + n * item);
            entries.extend(
                offsets
                    .map(|at| if self.is_compact { u64::from(self.u32(at)) } else { self.u64(at) })
                    .filter(|entry| *entry != 0),
            );
            array = self.u64(array + 16);
        }
        entries
    }

    /// The offset of the DATA object of the last entry whose payload begins with this.
    pub fn data_of_last(&self, start: &str) -> u64 {
        let entry = *self.entries().last().expect("an entry");
        let item = if self.is_compact { 4 } else { 16 };
        let payload = if self.is_compact { 72 } else { 64 };
        let items = (self.size(entry) - 64) / item;
        let data = (0..items).map(|n| entry + 64 + n * item);
        let mut data = data.map(|at| if self.is_compact { u64::from(self.u32(at)) } else { self.u64(at) });
        data.find(|data| {
            let mut bytes = vec![0; start.len()];
            self.file.read_exact_at(&mut bytes, data + payload).is_ok() && bytes == start.as_bytes()
        })
        .unwrap_or_else(|| panic!("no {start} in the last entry"))
    }
}
