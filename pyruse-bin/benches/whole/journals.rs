//! The journal that everything is measured on: of the tests' generator, in files as journald leaves them behind.
//!
//! It is made of parts that follow one another in time, the last of which ends now: so its bans are in force, and more
//! or less of it can be read.

use std::fs;
use std::path::{Path, PathBuf};

use pyruse_core::time::Timestamp;

use crate::common::make_journal;
use crate::generator::{Entry, Mix, START, journal};

/// A piece of the journal.
pub struct Part {
    pub entries: u64,
    /// In order.
    pub files: Vec<PathBuf>,
    /// The time of its first entry …
    pub first: Timestamp,
    /// … and of its last one, which no other has.
    pub last: Timestamp,
}

/// Makes a part that ends at `end`.
pub fn make(directory: &Path, entries: u64, seed: u64, end: Timestamp) -> Part {
    let times = || journal(Mix::Server, entries, seed).map(|entry| time(&entry));
    let (first, last) = (times().next().unwrap(), times().last().unwrap());
    let shift = end.0.unsigned_abs() - last;
    let mut export = Vec::new();
    for (n, mut entry) in (1..).zip(journal(Mix::Server, entries, seed)) {
        let t = time(&entry) + shift - u64::from(n < entries);
        for (name, value) in &mut entry.fields {
            match name.as_str() {
                "__REALTIME_TIMESTAMP" => *value = t.to_string().into(),
                // All parts are of one boot.
                "__MONOTONIC_TIMESTAMP" => *value = (t - START / 2).to_string().into(),
                "_SOURCE_REALTIME_TIMESTAMP" => *value = (t - 40).to_string().into(),
                _ => {}
            }
        }
        entry.export(&mut export);
    }
    fs::create_dir_all(directory).unwrap();
    make_journal(&export, &directory.join("system.journal"));
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let first = Timestamp(i64::try_from(first + shift - 1).unwrap());
    Part { entries, files, first, last: end }
}

fn time(entry: &Entry) -> u64 {
    let (_, value) = entry.fields.iter().find(|(name, _)| name == "__REALTIME_TIMESTAMP").unwrap();
    std::str::from_utf8(value).unwrap().parse().unwrap()
}
