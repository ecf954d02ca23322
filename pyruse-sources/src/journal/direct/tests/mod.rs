//! The reader of files against libsystemd, on files that systemd's own programs have written.

mod damage;
mod differential;
mod directory;
mod fallback;
mod live;
mod many;
mod memory;
mod repack;
mod sealed;
mod seeds;
mod sequences;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pyruse_core::entry::{Buffers, EightBit, FIELD_LIMIT, Fields, Record, Slot, Value};
use pyruse_core::plugin::{Begin, Next, Reader};

use super::reader::FilesReader;
use super::unpack::Unpacker;
use crate::journal::file::JournalFile;
use crate::journal::open::OpenJournal;
use crate::journal::raw;
use crate::journal::settings::JournalSettings;

/// Each kind of loss, and how often.
type Lost = Vec<(String, u64)>;

/// An entry as a reader gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Read {
    time: i64,
    monotonic: Option<i64>,
    cursor: Option<String>,
    fields: Vec<Vec<u8>>,
}

/// The formats of files that this machine's systemd can write.
const FORMATS: [&[(&str, &str)]; 4] = [
    &[("SYSTEMD_JOURNAL_COMPACT", "0"), ("SYSTEMD_JOURNAL_KEYED_HASH", "0")],
    &[("SYSTEMD_JOURNAL_COMPACT", "0"), ("SYSTEMD_JOURNAL_KEYED_HASH", "1")],
    &[("SYSTEMD_JOURNAL_COMPACT", "1"), ("SYSTEMD_JOURNAL_KEYED_HASH", "0")],
    &[("SYSTEMD_JOURNAL_COMPACT", "1"), ("SYSTEMD_JOURNAL_KEYED_HASH", "1")],
];

/// A writer of a journal file, which takes the export format.
struct Writer(Child);

impl Writer {
    fn start(environment: &[(&str, &str)], file: &Path) -> Writer {
        let child = Command::new("/lib/systemd/systemd-journal-remote")
            .envs(environment.iter().copied())
            .arg(format!("--output={}", file.display()))
            .arg("-")
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("systemd-journal-remote is needed");
        Writer(child)
    }

    fn write(&mut self, export: &[u8]) {
        let input = self.0.stdin.as_mut().unwrap();
        input.write_all(export).unwrap();
        input.flush().unwrap();
    }

    fn finish(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

/// Makes a journal file.
fn make(environment: &[(&str, &str)], export: &[u8], file: &Path) {
    let mut writer = Writer::start(environment, file);
    writer.write(export);
    writer.finish();
}

/// An entry in the export format: a field with a line feed has a length.
fn entry(micros: u64, boot: u8, fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut export = String::new();
    let _ = write!(
        export,
        "__REALTIME_TIMESTAMP={micros}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID={:032x}\n",
        micros % 1_000_000_000,
        u128::from(boot) + 1
    );
    let mut export = export.into_bytes();
    for (name, value) in fields {
        export.extend(name.as_bytes());
        if value.contains(&b'\n') || std::str::from_utf8(value).is_err() {
            export.push(b'\n');
            export.extend((value.len() as u64).to_le_bytes());
        } else {
            export.push(b'=');
        }
        export.extend(*value);
        export.push(b'\n');
    }
    export.push(b'\n');
    export
}

/// Entries of all kinds: repeated fields, binary and huge values, values that are compressed, two boots.
fn entries(count: u64, start: u64) -> Vec<u8> {
    let long =
        (0..200_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 7).to_be_bytes()).collect::<Vec<_>>();
    let mut export = Vec::new();
    for n in 0..count {
        let message = format!("Failed password for root from 192.0.2.{} port {n} ssh2", n % 250);
        let repeated = format!("text {} ", n % 7).repeat(40 + n as usize % 100);
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("PRIORITY", b"6"),
            ("SYSLOG_IDENTIFIER", if n % 3 == 0 { b"sshd" } else { b"nginx" }),
            ("_SYSTEMD_UNIT", b"ssh.service"),
            ("_UID", b"0"),
        ];
        match n % 10 {
            1 => fields.extend([("TAG", b"one".as_slice()), ("TAG", b"two"), ("TAG", b"three")]),
            2 => fields.push(("BINARY", b"a\nb\0c\xff\xfe")),
            3 => fields.push(("LONG", repeated.as_bytes())),
            4 => fields.push(("EMPTY", b"")),
            5 => fields.push(("RANDOM", &long[..1000 + n as usize * 8])),
            6 if n < 40 => fields.push(("HUGE", &long[n as usize..70_000 + n as usize * 17_000])),
            _ => {}
        }
        let zeros = vec![b'0'; 3 << 20];
        if n == 8 {
            fields.push(("ZEROS", &zeros));
        }
        fields.push(("MESSAGE", message.as_bytes()));
        export.extend(entry(start + n * 1000, u8::from(n * 2 > count), &fields));
    }
    export
}

/// The offset of each entry.
fn offsets(bytes: &[u8], file: &Path) -> Vec<usize> {
    let file = JournalFile::open(file).unwrap();
    let (pieces, item) = (file.pieces(), file.item() as usize);
    (0..pieces.count)
        .map(|n| {
            let (at, _) = pieces.place(n, item as u64).unwrap();
            let bytes = &bytes[at as usize..][..item];
            bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
        })
        .collect()
}

fn of_files(files: &[&Path]) -> JournalSettings {
    JournalSettings { files: files.iter().map(PathBuf::from).collect(), ..JournalSettings::default() }
}

fn of_directory(directory: &Path) -> JournalSettings {
    JournalSettings { directory: Some(directory.to_owned()), ..JournalSettings::default() }
}

/// A field as far as it is used.
fn cut(field: &[u8]) -> Vec<u8> {
    let name = field.iter().position(|byte| *byte == b'=').map_or(0, |name| name + 1);
    field[..field.len().min(name + FIELD_LIMIT)].to_vec()
}

/// What libsystemd reads.
fn by_libsystemd(settings: &JournalSettings) -> Vec<Read> {
    let mut journal = OpenJournal::open(settings).unwrap();
    journal.seek_head().unwrap();
    let mut all = Vec::new();
    while let Next::Record(time) = journal.poll() {
        let (monotonic, cursor) = (journal.monotonic(), journal.cursor());
        let mut fields = Vec::new();
        journal.journal.restart_data();
        while let Some(field) = raw::next_field(&mut journal.journal, &mut 0).unwrap() {
            fields.push(cut(field));
        }
        all.push(Read { time: time.0, monotonic, cursor, fields });
    }
    all
}

/// The rest of what a reader gives.
fn rest(reader: &mut FilesReader) -> Vec<Read> {
    let mut all = Vec::new();
    while let Next::Record(time) = reader.next().unwrap() {
        all.push(read(reader, time.0));
    }
    all
}

fn read(reader: &mut FilesReader, time: i64) -> Read {
    let record = reader.record();
    assert_eq!(record.realtime().0, time);
    let (monotonic, cursor) = (record.monotonic(), record.cursor());
    let fields = reader.fields();
    assert_given(reader, &fields);
    Read { time, monotonic, cursor, fields }
}

impl FilesReader {
    /// The fields of the current entry, as they are in the file.
    fn fields(&mut self) -> Vec<Vec<u8>> {
        let (mut fields, mut unpacker) = (Vec::new(), Unpacker::default());
        let walk = self.walk().unwrap();
        let _ = walk.load();
        let mut n = 0;
        while let Some(at) = walk.item(n) {
            n += 1;
            fields.extend(walk.payload(at, &mut unpacker).map(cut));
        }
        walk.rewind();
        fields
    }
}

/// The names of fields that workflows want. Others are not.
const WANTED: [&str; 9] =
    ["MESSAGE", "SYSLOG_IDENTIFIER", "_UID", "TAG", "BINARY", "LONG", "EMPTY", "HUGE", "PAIR"];

thread_local! {
    /// Shared by all entries, as in the program: so most values are known.
    static WORKFLOW: RefCell<(Buffers, Vec<Slot>)> = RefCell::new({
        let mut fields = Fields::default();
        let slots = WANTED.iter().map(|name| fields.slot(name)).collect();
        (Buffers::new(fields, EightBit::default(), pyruse_core::jiff::tz::TimeZone::UTC), slots)
    });
}

/// A workflow must get the values of these fields.
fn assert_given(reader: &mut FilesReader, fields: &[Vec<u8>]) {
    WORKFLOW.with_borrow_mut(|(buffers, slots)| {
        let mut entry = buffers.entry(reader);
        for (slot, name) in slots.iter().zip(WANTED) {
            let mut given = Vec::new();
            let mut take = |value: Value<'_>| {
                let Value::Text(text) = value else { panic!("{name} is {value:?}") };
                given.push(text.to_owned());
                Ok(false)
            };
            entry.any(*slot, &mut take).unwrap();
            let values =
                fields.iter().filter_map(|field| field.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
            let expected: Vec<_> = values
                .map(|value| {
                    let text = std::str::from_utf8(value).map(str::to_owned);
                    text.unwrap_or_else(|_| EightBit::default().decode(value).into_owned())
                })
                .collect();
            assert!(given == expected, "{name} is {given:?} instead of {expected:?}");
        }
    });
}

/// As in a daemon, which waits for more.
fn opened(settings: &JournalSettings, begin: Begin<'_>) -> FilesReader {
    let mut reader = FilesReader::open(settings).unwrap();
    let _ = reader.readiness();
    reader.resume(begin).unwrap();
    reader
}

/// What is read without libsystemd.
fn by_us(settings: &JournalSettings) -> Vec<Read> {
    rest(&mut opened(settings, Begin::Head))
}

/// Each loss, and how often.
fn losses(reader: &mut FilesReader) -> Lost {
    reader.tend(true);
    reader.losses().totals().into_iter().map(|total| (total.kind, total.count)).collect()
}

/// Compares entry by entry, so that a difference can be read.
fn assert_same(ours: &[Read], theirs: &[Read], what: &str) {
    for (n, (our, their)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(our.cursor, their.cursor, "{what}: cursor of entry {n}");
        assert_eq!((our.time, our.monotonic), (their.time, their.monotonic), "{what}: times of entry {n}");
        assert_eq!(our.fields.len(), their.fields.len(), "{what}: fields of entry {n}");
        for (field, other) in our.fields.iter().zip(&their.fields) {
            let (start, length) = (String::from_utf8_lossy(&other[..other.len().min(40)]), other.len());
            assert!(field == other, "{what}: entry {n}: {start} ({length}, {} bytes)", field.len());
        }
    }
    assert_eq!(ours.len(), theirs.len(), "{what}: number of entries");
}
