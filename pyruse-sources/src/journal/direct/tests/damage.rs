//! Files that are damaged: no panic, bounded work, and what is not damaged is read.

use std::time::{Duration, Instant};

use pyruse_core::plugin::{Begin, SourceError};

use super::*;
use crate::journal::direct::unpack::Packing;

const START: u64 = 1_700_000_000_000_000;

struct Sample {
    directory: tempfile::TempDir,
    bytes: Vec<u8>,
    all: Vec<Read>,
}

impl Sample {
    fn new(format: &[(&str, &str)]) -> Sample {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.journal");
        make(format, &entries(60, START), &file);
        let settings = of_files(&[&file]);
        Sample { all: by_us(&settings), bytes: std::fs::read(&file).unwrap(), directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("x.journal")
    }

    /// What is read, and lost, of other bytes; `None` where the file is refused.
    fn read(&self, bytes: &[u8]) -> Option<(Vec<Read>, Lost)> {
        std::fs::write(self.file(), bytes).unwrap();
        let mut reader = FilesReader::open(&of_files(&[&self.file()])).ok()?;
        reader.resume(Begin::Head).unwrap();
        let read = rest(&mut reader);
        Some((read, losses(&mut reader)))
    }
}

/// Numbers that look random and are the same each time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn a_damaged_entry_is_skipped_and_counted_and_the_others_are_read() {
    for format in [FORMATS[0], FORMATS[3]] {
        let sample = Sample::new(format);
        let entries = offsets(&sample.bytes, &sample.file());
        for n in [0, 7, 30, 59] {
            let mut bytes = sample.bytes.clone();
            bytes[entries[n]..entries[n] + 24].fill(0);
            let (read, losses) = sample.read(&bytes).unwrap();
            let mut expected = sample.all.clone();
            expected.remove(n);
            assert_same(&read, &expected, &format!("without {n}"));
            assert_eq!(losses, [("damaged".to_owned(), 1)]);
        }
    }
}

#[test]
fn a_damaged_field_is_left_out_and_counted_and_the_others_are_read() {
    let sample = Sample::new(FORMATS[3]);
    let message = b"MESSAGE=Failed password for root from 192.0.2.9 port 9 ";
    let at = sample.bytes.windows(message.len()).position(|bytes| bytes == message).unwrap();
    // The object's type is before the payload.
    for (place, value) in [(0, 0), (0, 3), (1, 0xff), (8, 0), (15, 0xff)] {
        let mut bytes = sample.bytes.clone();
        bytes[at - 72 + place] = value;
        let (read, losses) = sample.read(&bytes).unwrap();
        let mut expected = sample.all.clone();
        if place < 15 {
            expected[9].fields.retain(|field| !field.starts_with(b"MESSAGE="));
            assert_eq!(losses, [("damagedFields".to_owned(), 1)], "{place}");
            assert_same(&read, &expected, &format!("{place} is {value}"));
        }
        assert_eq!(read.len(), 60);
    }
}

#[test]
fn whatever_the_bytes_are_reading_ends_soon() {
    let mut random = Random(88_172_645_463_325_252);
    for (format, packing) in [
        (FORMATS[0], Packing::Zstd),
        (FORMATS[3], Packing::Zstd),
        (FORMATS[1], Packing::Lz4),
        (FORMATS[2], Packing::Xz),
    ] {
        let mut sample = Sample::new(format);
        if packing != Packing::Zstd {
            let entries = offsets(&sample.bytes, &sample.file());
            repack::repack(&mut sample.bytes, &entries, Some(packing));
        }
        let used = sample.bytes.iter().rposition(|byte| *byte != 0).unwrap();
        let mut refused = 0;
        for round in 0..36 {
            let mut bytes = sample.bytes.clone();
            mutate(&mut bytes, used, round, &mut random);
            let start = Instant::now();
            refused += u32::from(sample.read(&bytes).is_none());
            assert!(start.elapsed() < Duration::from_secs(20), "{packing:?}, round {round}");
        }
        assert!(refused < 9, "most are read as far as they can be: {refused}");
    }
}

/// The samples that are mutated: small files of all kinds of entries, in different formats.
fn corpus() -> Vec<Sample> {
    let formats = [Some(Packing::Zstd), Some(Packing::Lz4), Some(Packing::Xz), None];
    let corpus = FORMATS.into_iter().zip(formats).map(|(format, packing)| {
        let mut sample = Sample::new(format);
        if packing != Some(Packing::Zstd) {
            let entries = offsets(&sample.bytes, &sample.file());
            repack::repack(&mut sample.bytes, &entries, packing);
        }
        sample
    });
    corpus.collect()
}

#[test]
#[ignore = "it takes minutes: make fuzz"]
fn campaign_whatever_the_bytes_are_before_and_during_reading_it_ends_soon() {
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(number("PYRUSE_FUZZ_SECONDS", 60));
    let seed = number("PYRUSE_FUZZ_SEED", u64::from(std::process::id()) << 32 | 0x9e37_79b9);
    println!("PYRUSE_FUZZ_SEED={seed}");
    let (mut random, corpus, mut rounds) = (Random(seed), corpus(), 0_usize);
    while Instant::now() < end {
        let sample = &corpus[random.below(corpus.len())];
        let used = sample.bytes.iter().rposition(|byte| *byte != 0).unwrap();
        let mut bytes = sample.bytes.clone();
        let start = Instant::now();
        std::fs::write(sample.file(), &bytes).unwrap();
        let mut reader = opened(&of_directory(sample.directory.path()), Begin::Head);
        for _ in 0..random.below(40) {
            if let Next::Record(time) = reader.next().unwrap() {
                read(&mut reader, time.0);
            }
        }
        for _ in 0..=random.below(3) {
            if bytes.len() > used {
                mutate(&mut bytes, used, random.below(6), &mut random);
            }
        }
        // In place: the same file is read on.
        std::fs::write(sample.file(), &bytes).unwrap();
        while let Next::Record(_) = reader.next().unwrap() {
            // Bytes that were read before and after may differ: this compares nothing.
            reader.record().cursor();
            reader.fields();
        }
        let position = reader.position();
        sample.read(&bytes);
        if let Ok(mut reader) = FilesReader::open(&of_directory(sample.directory.path())) {
            reader.resume(Begin::Behind(&position)).unwrap();
            rest(&mut reader);
        }
        assert!(start.elapsed() < Duration::from_secs(60), "round {rounds}");
        rounds += 1;
    }
    println!("{rounds} rounds");
}

/// Damages the used part of a file, in one of six ways.
fn mutate(bytes: &mut Vec<u8>, used: usize, way: usize, random: &mut Random) {
    match way % 6 {
        0 => (0..200).for_each(|_| bytes[random.below(used)] ^= 1 << random.below(8)),
        1 => bytes.truncate(random.below(used)),
        2 => {
            let (from, length) = (random.below(used), random.below(65_536));
            bytes[from..(from + length).min(used)].fill(0);
        }
        3 => {
            // Numbers of 64 bits, anywhere.
            for _ in 0..20 {
                let at = random.below(used / 8) * 8;
                let value = [0, 1, 8, at as u64, used as u64, 1 << 40, 1 << 60, u64::MAX][random.below(8)];
                bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
        4 => {
            // Numbers in the header.
            let at = 136 + random.below(8) * 8;
            let value = [0, 8, 1 << 40, 1 << 60, u64::MAX - 7][random.below(5)];
            bytes[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
        }
        _ => (208..used).for_each(|at| bytes[at] = random.below(256) as u8),
    }
}

#[test]
fn what_is_no_journal_file_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.journal");
    let mut header = vec![0_u8; 300];
    header[..8].copy_from_slice(b"LPKSHHRH");
    header[12] = 0x80;
    for (bytes, why) in [
        (&b""[..], "truncated"),
        (b"LPKSHHRH", "truncated"),
        (&[b'x'; 300], "damaged"),
        (&header, "does not support"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        match FilesReader::open(&of_files(&[&file])) {
            Ok(reader) => assert!(reader.left_out()[0].why.contains(why) && reader.unknown().is_some()),
            Err(SourceError(error)) => {
                assert!(error.contains(why) || error.contains("this is not a journal file"), "{error}");
            }
        }
        // In a directory, the others are read.
        let reader = FilesReader::open(&of_directory(directory.path())).unwrap();
        assert_eq!(reader.left_out().len(), 1);
    }
    assert!(FilesReader::open(&of_directory(directory.path())).unwrap().unknown().is_some());
}
