//! The seeds of the fuzz target `journal`: small files in all formats, as systemd writes them.

use super::repack::repack;
use super::*;
use crate::journal::direct::unpack::Packing;

const START: u64 = 1_700_000_000_000_000;

/// The target puts zeros here, for the hash tables.
const HOLE_AT: usize = 300;

/// A few entries of all kinds, two boots.
fn few() -> Vec<u8> {
    let long = "Failed password for root from 192.0.2.1 port 50000 ssh2 ".repeat(20);
    let mut export = Vec::new();
    for n in 0..5 {
        let message = format!("Failed password for root from 192.0.2.{n} port {n} ssh2");
        let mut fields: Vec<(&str, &[u8])> =
            vec![("PRIORITY", b"6"), ("SYSLOG_IDENTIFIER", if n % 2 == 0 { b"sshd" } else { b"nginx" })];
        match n {
            1 => fields.extend([("TAG", b"one".as_slice()), ("TAG", b"two")]),
            2 => fields.push(("BINARY", b"a\nb\0c\xff\xfe")),
            3 => fields.push(("LONG", long.as_bytes())),
            _ => fields.push(("EMPTY", b"")),
        }
        fields.push(("MESSAGE", message.as_bytes()));
        export.extend(entry(START + n * 1000, u8::from(n > 2), &fields));
    }
    export
}

fn number(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
}

/// The input of the target that becomes this file.
fn input(bytes: &[u8]) -> Vec<u8> {
    // Offset and size of both tables.
    let tables = [104, 120].map(|at| number(bytes, at) + number(bytes, at + 8));
    let objects = tables.into_iter().max().unwrap().next_multiple_of(8);
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let hole = u32::try_from(objects - HOLE_AT).unwrap();
    [&hole.to_le_bytes(), &bytes[..HOLE_AT], &bytes[objects..used]].concat()
}

#[test]
#[ignore = "it writes into PYRUSE_CORPUS: make fuzz"]
fn seeds_of_the_fuzz_target_are_written() {
    let corpus = PathBuf::from(std::env::var_os("PYRUSE_CORPUS").unwrap()).join("journal");
    std::fs::create_dir_all(&corpus).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.journal");
    for (n, format) in FORMATS.into_iter().enumerate() {
        for packing in [Some(Packing::Zstd), Some(Packing::Lz4), Some(Packing::Xz), None] {
            make(format, &few(), &file);
            let mut bytes = std::fs::read(&file).unwrap();
            if packing != Some(Packing::Zstd) {
                let entries = offsets(&bytes, &file);
                repack(&mut bytes, &entries, packing);
            }
            let input = input(&bytes);
            // The target makes this of it.
            let hole = u32::from_le_bytes(input[..4].try_into().unwrap()) as usize;
            let mut made = input[4..4 + HOLE_AT].to_vec();
            made.resize(HOLE_AT + hole, 0);
            made.extend(&input[4 + HOLE_AT..]);
            made.resize(made.len() + 4096, 0);
            std::fs::write(&file, &made).unwrap();
            assert_eq!(by_us(&of_files(&[&file])).len(), 5, "{format:?}, {packing:?}");
            std::fs::write(corpus.join(format!("{n}-{packing:?}")), input).unwrap();
            std::fs::remove_file(&file).unwrap();
        }
    }
}
