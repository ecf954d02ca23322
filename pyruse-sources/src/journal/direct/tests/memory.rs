//! A journal in memory, which journald copies to the disk: what was read is not read again, and nothing else is taken for
//! a copy.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use pyruse_core::plugin::Begin;
use pyruse_core::state::Position;

use super::*;
use crate::journal::direct::place::Memory;

const START: u64 = 1_700_000_000_000_000;

/// The directories of a namespace, whose files the test writes.
struct Namespace {
    name: String,
    run: PathBuf,
    var: PathBuf,
}

impl Namespace {
    fn new() -> Namespace {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pyrmemory{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let machine = fs::read_to_string("/etc/machine-id").unwrap();
        let directory = |root: &str| Path::new(root).join(format!("{}.{name}", machine.trim()));
        let (run, var) = (directory("/run/log/journal"), directory("/var/log/journal"));
        fs::create_dir_all(&run).unwrap();
        fs::create_dir_all(&var).unwrap();
        Namespace { name, run, var }
    }

    fn opened(&self, begin: Begin<'_>) -> FilesReader {
        let namespace = Some(self.name.clone());
        opened(&JournalSettings { namespace, ..JournalSettings::default() }, begin)
    }

    fn resumed(&self, position: &Position) -> Vec<String> {
        messages(&mut self.opened(Begin::Behind(position)))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        for directory in [&self.run, &self.var] {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

/// Lines of this boot.
fn lines(text: &str, numbers: std::ops::Range<u64>) -> Vec<u8> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().replace('-', "");
    let line = |n| entry(START + n * 1000, 0, &[("MESSAGE", format!("{text} {n}").as_bytes())]);
    let export = String::from_utf8(numbers.flat_map(line).collect()).unwrap();
    export.replace(&format!("{:032x}", 1), &boot).into_bytes()
}

/// The rest of them.
fn messages(reader: &mut FilesReader) -> Vec<String> {
    let message = |read: Read| {
        let message = read.fields.iter().find_map(|field| field.strip_prefix(b"MESSAGE=")).unwrap();
        String::from_utf8(message.to_vec()).unwrap()
    };
    rest(reader).into_iter().map(message).collect()
}

fn expected(text: &str, numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|n| format!("{text} {n}")).collect()
}

/// The same position, as former versions have stored it.
fn former(position: &Position) -> Position {
    let place = super::super::Place::read(&position.place).unwrap();
    let sequences = place.sequences.iter().map(|(id, numbers)| (*id, numbers));
    let bytes = super::super::Place::stored(place.last.as_ref(), Memory::Unknown, sequences);
    assert_eq!((bytes[0], position.place[0]), (1, 2));
    Position { place: bytes, time: position.time }
}

#[test]
fn entries_of_this_boot_are_no_copies_because_the_sequence_that_was_read_last_is_gone() {
    let journal = Namespace::new();
    make(&[], &lines("system", 100..110), &journal.var.join("system.journal"));
    make(&[], &lines("other", 200..203), &journal.var.join("user-999.journal"));
    let mut reader = journal.opened(Begin::Head);
    assert_eq!(messages(&mut reader).len(), 13);
    let position = reader.position();
    // The file of the last sequence is deleted, and others come late.
    fs::remove_file(journal.var.join("user-999.journal")).unwrap();
    make(&[], &lines("user", 0..10), &journal.var.join("user-1000.journal"));
    make(&[], &lines("user", 110..120), &journal.var.join("user-1001.journal"));
    let unread = [expected("user", 0..10), expected("user", 110..120)].concat();
    assert_eq!(journal.resumed(&position), unread);
    assert_eq!(journal.resumed(&former(&position)), unread);
}

#[test]
fn what_was_copied_to_the_disk_while_nothing_was_read_is_not_read_again() {
    let journal = Namespace::new();
    let system = journal.run.join("system.journal");
    make(&[], &lines("line", 0..10), &system);
    let mut reader = journal.opened(Begin::Head);
    assert_eq!(messages(&mut reader), expected("line", 0..10));
    let position = reader.position();
    drop(reader);
    // It is copied, and is still there; then it is removed.
    make(&[], &lines("line", 0..15), &journal.var.join("system.journal"));
    assert_eq!(journal.resumed(&position), expected("line", 10..15));
    assert_eq!(journal.resumed(&former(&position)), expected("line", 10..15));
    fs::remove_file(&system).unwrap();
    assert_eq!(journal.resumed(&position), expected("line", 10..15));
    assert_eq!(journal.resumed(&former(&position)), expected("line", 10..15));
}

#[test]
fn copies_are_known_after_an_entry_of_the_disk_was_read() {
    let journal = Namespace::new();
    make(&[], &lines("line", 0..10), &journal.run.join("system.journal"));
    make(&[], &lines("user", 10..12), &journal.var.join("user-1000.journal"));
    let mut reader = journal.opened(Begin::Head);
    assert_eq!(messages(&mut reader).len(), 12);
    let mut position = reader.position();
    drop(reader);
    fs::remove_file(journal.run.join("system.journal")).unwrap();
    // They are copied one after the other.
    for copied in [3, 6, 10] {
        let _ = fs::remove_file(journal.var.join("system.journal"));
        make(&[], &lines("line", 0..copied), &journal.var.join("system.journal"));
        let mut reader = journal.opened(Begin::Behind(&position));
        assert_eq!(messages(&mut reader), [""; 0], "{copied} are copied");
        position = reader.position();
    }
    make(&[], &lines("line", 20..25), &journal.var.join("system.journal"));
    assert_eq!(journal.resumed(&position), expected("line", 20..25));
}

/// Since systemd 254, the files in memory and on the disk are one sequence.
#[test]
fn copies_with_other_numbers_of_the_same_sequence_are_not_read_again() {
    let journal = Namespace::new();
    let [run, var] = [&journal.run, &journal.var].map(|directory| directory.join("system.journal"));
    make(&[], &lines("line", 0..10), &run);
    let mut reader = journal.opened(Begin::Head);
    assert_eq!(messages(&mut reader), expected("line", 0..10));
    let position = reader.position();
    drop(reader);
    // These ten have the numbers that were read; then come the copies.
    let other = (0..10).flat_map(|n| entry(START - 1_000_000 + n, 3, &[("MESSAGE", b"placeholder")]));
    make(&[], &[other.collect(), lines("line", 0..15)].concat(), &var);
    let sequence = fs::read(&run).unwrap()[72..88].to_vec();
    let mut bytes = fs::read(&var).unwrap();
    bytes[72..88].copy_from_slice(&sequence);
    fs::write(&var, bytes).unwrap();
    for is_gone in [false, true] {
        if is_gone {
            fs::remove_file(&run).unwrap();
        }
        assert_eq!(journal.resumed(&position), expected("line", 10..15), "{is_gone}");
        assert_eq!(journal.resumed(&former(&position)), expected("line", 10..15), "{is_gone}");
    }
}
