//! Many files: which of them are read, and how many are open.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt;

use pyruse_core::plugin::Begin;

use super::*;
use crate::journal::settings::Scope;

const START: u64 = 1_700_000_000_000_000;

/// A file that can be written again as one of another sequence, with other numbers.
struct Sample {
    bytes: Vec<u8>,
    entries: Vec<usize>,
}

impl Sample {
    fn new(count: u64) -> Sample {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.journal");
        let export: Vec<_> = (0..count).flat_map(|n| entry(START + n, 0, &[("MESSAGE", b"line")])).collect();
        make(&[], &export, &file);
        let bytes = std::fs::read(&file).unwrap();
        Sample { entries: offsets(&bytes, &file), bytes }
    }

    /// Writes it as an archived file of that sequence, whose numbers begin behind `after`.
    fn write(&self, path: &Path, sequence: u64, after: u64) {
        let mut bytes = self.bytes.clone();
        let mut put = |at: usize, number: u64| bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        put(24, (sequence << 32) + after);
        put(72, sequence);
        for (n, entry) in (1..).zip(&self.entries) {
            put(entry + 16, after + n);
            // Entries that are the same in every other way are copies.
            put(entry + 24, START + sequence * 1000 + after + n);
            put(entry + 56, (sequence << 32) + after + n);
        }
        put(160, after + self.entries.len() as u64);
        put(168, after + 1);
        bytes[16] = 2;
        // Most of a file is zeros.
        let file = std::fs::File::create(path).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        for (at, page) in (0..).step_by(4096).zip(bytes.chunks(4096)) {
            if page.iter().any(|byte| *byte != 0) {
                file.write_all_at(page, at).unwrap();
            }
        }
    }
}

/// How many files of that directory this process has open.
fn open_files(directory: &Path) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let paths = descriptors.filter_map(|descriptor| std::fs::read_link(descriptor.path()).ok());
    paths.filter(|path| path.starts_with(directory)).count()
}

#[test]
fn a_thousand_files_of_a_hundred_sequences_are_read_once_and_let_go() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::new(3);
    for n in 0..1000 {
        sample.write(&directory.path().join(format!("remote-{n}.journal")), n % 100 + 1, n / 100 * 3);
    }
    let settings = of_directory(directory.path());
    let mut reader = opened(&settings, Begin::Head);
    let mut all = BTreeSet::new();
    for _ in 0..3000 {
        assert!(matches!(reader.next().unwrap(), Next::Record(_)));
        all.extend(reader.record().cursor());
    }
    assert_eq!(reader.next().unwrap(), Next::End);
    assert_eq!(all.len(), 3000);
    assert_eq!(losses(&mut reader), []);
    assert_eq!(open_files(directory.path()), 0);
    // After a restart, too.
    let position = reader.position();
    let mut reader = opened(&settings, Begin::Behind(&position));
    assert_eq!(reader.next().unwrap(), Next::End);
    assert_eq!(open_files(directory.path()), 0);
}

#[test]
fn the_files_that_are_read_are_those_of_libsystemd() {
    let directory = tempfile::tempdir().unwrap();
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap();
    let machine = machine.trim();
    let other = "0123456789abcdef0123456789abcdef";
    for name in [machine, other, "remote", &format!("{machine}.space")] {
        std::fs::create_dir(directory.path().join(name)).unwrap();
    }
    let sample = Sample::new(2);
    let names = [
        "system.journal",
        "system@00000000000000000000000000000001-0000000000000001-0006608b015f3000.journal",
        "system@0006608b015f3000-1234567890123456.journal~",
        "system.journal~",
        "systemd.journal",
        "system2@x.journal",
        "user-1000.journal",
        "user-1000@x.journal",
        "remote-host.journal",
        "anything.journal",
        ".journal",
        ".hidden.journal",
        "x.journal.zst",
        "x.journal2",
        "journal",
        "x.JOURNAL",
    ];
    let mut sequence = 0;
    for place in ["", machine, other, "remote", &format!("{machine}.space")] {
        for name in names {
            sequence += 1;
            sample.write(&directory.path().join(place).join(name), sequence, 0);
        }
    }
    let path = |name: &str| directory.path().join(name);
    sample.write(&path("elsewhere"), 1000, 0);
    std::os::unix::fs::symlink(path("elsewhere"), path("link.journal")).unwrap();
    std::os::unix::fs::symlink(path("nowhere"), path("dangling.journal")).unwrap();
    std::fs::create_dir(path("directory.journal")).unwrap();
    assert!(Command::new("mkfifo").arg(path("fifo.journal")).status().unwrap().success());
    let read = |all: Vec<Read>| all.into_iter().filter_map(|read| read.cursor).collect::<BTreeSet<_>>();
    for scope in [None, Some(Scope::System), Some(Scope::All)] {
        let settings = JournalSettings { scope, ..of_directory(directory.path()) };
        let theirs = read(by_libsystemd(&settings));
        assert!(theirs.len() >= 8, "{scope:?}: {}", theirs.len());
        assert_eq!(read(by_us(&settings)), theirs, "{scope:?}");
    }
}
