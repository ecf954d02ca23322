//! Tests of the formats.

use std::io::Cursor;

use pyruse_core::entry::MemoryRecord;

use super::format::Format;
use super::intake::{ENTRY_LIMIT, FIELD_COST};

/// The fields of all entries, in the order in which they are given out.
pub(super) type Entries = Vec<Vec<(String, Vec<u8>)>>;

pub(super) fn field(name: &str, value: &[u8]) -> (String, Vec<u8>) {
    (name.to_owned(), value.to_vec())
}

/// All entries up to the end or the first error, and that error.
pub(super) fn read(bytes: &[u8]) -> (Entries, Option<String>) {
    let mut entries = Vec::new();
    let mut read = || {
        let mut recording = Format::detect(Box::new(Cursor::new(bytes.to_vec())), "test".into())?;
        let mut record = MemoryRecord::default();
        while recording.next(&mut record)? {
            let fields = record.fields().map(|(n, v)| (String::from_utf8_lossy(n).into_owned(), v.to_vec()));
            entries.push(fields.collect());
        }
        assert_eq!(recording.offset(), bytes.len() as u64);
        Ok::<(), anyhow::Error>(())
    };
    let error = read().err().map(|error| format!("{error:#}"));
    (entries, error)
}

#[test]
fn the_first_byte_that_is_not_blank_tells_the_format() {
    for input in [
        "A=1\n\nA=2\n",
        "\n \t\r\nA=1\n\n\n\nA=2",
        "{\"A\":\"1\"}\n{\"A\":\"2\"}",
        "\n \r\n\t{\"A\":1}\n\n{\"A\":2}\n",
    ] {
        let (entries, error) = read(input.as_bytes());
        assert_eq!(
            (entries, error),
            (vec![vec![field("A", b"1")], vec![field("A", b"2")]], None),
            "{input:?}"
        );
    }
    for input in ["", "\n", "\n\n \n"] {
        assert_eq!(read(input.as_bytes()), (vec![], None), "{input:?}");
    }
}

#[test]
fn input_that_is_not_a_recording_is_an_error_with_advice() {
    let neither = "this is neither the journal export format (`journalctl -o export`) nor one JSON object per line \
                   (`journalctl -o json --all`); if it is a log file, read it with `--file F --format text` (or \
                   `syslog`, `json`, `docker`, `access`)";
    let packed = |with: &str| {
        format!("test: this is compressed: decompress it first, `{with} FILE | pyruse … --input -`")
    };
    for (input, message) in [
        (b"\n[1]".as_slice(), format!("test: line 2: {neither}")),
        (
            b"192.0.2.1 - - [18/Nov/2026:12:06:40 +0100] \"GET / HTTP/1.1\" 200 5\n",
            format!("test: line 1: {neither}"),
        ),
        (b"Nov 18 12:06:40 server sshd[7]: Connection closed\n", format!("test: line 1: {neither}")),
        (b"time=2026-11-18 level=info msg=started\n", format!("test: line 1: {neither}")),
        (b"nothing of the kind", format!("test: line 1: {neither}")),
        (b"=\n", format!("test: line 1: {neither}")),
        (b"\x1f\x8b\x08", packed("zcat")),
        (b"\x28\xb5\x2f\xfd\0", packed("zstdcat")),
        (b"LPKSHHRH\0\0", "test: this is a journal file: read it with --file".to_owned()),
    ] {
        assert_eq!(read(input).1, Some(message), "{input:?}");
    }
}

#[test]
fn a_long_first_line_is_read_whole() {
    let input = format!("A={}\n\n", "x".repeat(1000));
    assert_eq!(read(input.as_bytes()), (vec![vec![field("A", "x".repeat(1000).as_bytes())]], None));
}

#[test]
fn an_entry_with_millions_of_fields_is_read_in_part() {
    let mut input = "{\"A\":[".to_owned();
    input.push_str(&"\"\",".repeat(1_200_000));
    input.push_str("\"\"]}\n{\"B\":\"1\"}\n");
    let (entries, error) = read(input.as_bytes());
    assert_eq!((entries[0].len(), error), (ENTRY_LIMIT / (FIELD_COST + 1), None));
    assert_eq!(entries[1], [field("B", b"1")]);
}

proptest::proptest! {
    #[test]
    fn whatever_the_bytes_are_they_are_read_or_refused(
        start in "(A=1\n)?(B\n)?|\\{\"A\": ?(\\[[0-9,\\[\\]\"]{0,9}|\"x\\\\u00)?",
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80),
        pieces in proptest::collection::vec(
            proptest::sample::select(vec!["\n", "A", "=", "{", "}", "[", "]", "\"", ":", ",", "\\u12", "\0\0\0\0\0\0\0", "\u{3}"]),
            0..20,
        ),
    ) {
        read(&[start.as_bytes(), pieces.concat().as_bytes(), &bytes].concat());
    }
}
