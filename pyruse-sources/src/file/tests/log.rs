//! A log file of a test, how it is written and rotated, and how it is read.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pyruse_core::entry::{Buffers, EightBit, Fields};
use pyruse_core::jiff::tz::TimeZone;
use pyruse_core::plugin::{Begin, Next, Reader, Registry};
use pyruse_core::serde_json::{Value, json};
use pyruse_core::sources::ConfiguredSource;
use pyruse_core::time::Timestamp;

use super::super::input::tests::gzip;

/// A directory with a log file, which is written and rotated; and its reader.
pub(super) struct Log {
    pub(super) directory: tempfile::TempDir,
    pub(super) written: usize,
    pub(super) args: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rotation {
    Rename,
    Copy,
}

impl Log {
    pub(super) fn new() -> Log {
        Log { directory: tempfile::tempdir().unwrap(), written: 0, args: json!({}) }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn append(&self, name: &str, text: &str) {
        let file = File::options().append(true).create(true).open(self.path(name));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Writes this many further lines.
    pub(super) fn write(&mut self, lines: usize) {
        for _ in 0..lines {
            self.written += 1;
            self.append("log", &format!("2026-11-18 12:06:40 line {}\n", self.written));
        }
    }

    /// As logrotate does it: log.1, log.2.gz, and so on.
    pub(super) fn rotate(&self, rotation: Rotation, compress: bool) {
        // Files that were changed at the same time have no order.
        std::thread::sleep(Duration::from_millis(10));
        for n in (1..9).rev() {
            for ending in ["", ".gz"] {
                let from = self.path(&format!("log.{n}{ending}"));
                if from.exists() {
                    fs::rename(from, self.path(&format!("log.{}{ending}", n + 1))).unwrap();
                }
            }
        }
        if compress && self.path("log.2").exists() {
            self.compress("log.2");
        }
        match rotation {
            Rotation::Rename => {
                fs::rename(self.path("log"), self.path("log.1")).unwrap();
                File::create(self.path("log")).unwrap();
            }
            Rotation::Copy => {
                fs::copy(self.path("log"), self.path("log.1")).unwrap();
                File::options().write(true).open(self.path("log")).unwrap().set_len(0).unwrap();
            }
        }
    }

    /// As gzip does it: the compressed file has the time of the other.
    pub(super) fn compress(&self, name: &str) {
        let packed = self.path(&format!("{name}.gz"));
        fs::write(&packed, gzip(&fs::read(self.path(name)).unwrap())).unwrap();
        let changed = fs::metadata(self.path(name)).unwrap().modified().unwrap();
        File::options().write(true).open(packed).unwrap().set_modified(changed).unwrap();
        fs::remove_file(self.path(name)).unwrap();
    }

    pub(super) fn open(&self) -> Box<dyn Reader> {
        let mut args = self.args.clone();
        if args.get("paths").is_none() {
            args["paths"] = json!([self.path("log")]);
        }
        let registry = Registry::linked().unwrap();
        ConfiguredSource::of(&registry, "test", "source_file", &args).unwrap().source.open().unwrap()
    }

    pub(super) fn resume(&self, begin: Begin<'_>) -> Box<dyn Reader> {
        let mut reader = self.open();
        reader.resume(begin).unwrap();
        reader
    }
}

/// The next message and its time; `None` at the end.
pub(super) fn next(reader: &mut dyn Reader) -> Option<(String, Timestamp)> {
    let start = Instant::now();
    loop {
        reader.wake(0);
        match reader.next().unwrap() {
            Next::Record(time) => {
                let mut fields = Fields::default();
                let message = fields.slot("MESSAGE");
                let mut buffers = Buffers::new(fields, EightBit::default(), TimeZone::UTC);
                let mut entry = buffers.entry(reader.record());
                return Some((entry.text(message).unwrap().to_owned(), time));
            }
            Next::End => return None,
            Next::Later(wait) => std::thread::sleep(wait.min(Duration::from_millis(20))),
        }
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}

pub(super) fn read(reader: &mut dyn Reader) -> Vec<String> {
    std::iter::from_fn(|| next(reader).map(|(message, _)| message)).collect()
}

pub(super) fn lines(range: std::ops::RangeInclusive<usize>) -> Vec<String> {
    range.map(|n| format!("line {n}")).collect()
}

pub(super) fn said(reader: &mut dyn Reader) -> Vec<(String, u64)> {
    reader.losses().totals().into_iter().map(|total| (total.kind, total.count)).collect()
}

/// Reads until these lines come.
pub(super) fn read_until(reader: &mut dyn Reader, expected: &[&str]) {
    let until = Instant::now() + Duration::from_secs(60);
    let mut found = Vec::new();
    while found != expected {
        assert!(Instant::now() < until, "{found:?} instead of {expected:?}");
        found.extend(read(reader));
        std::thread::sleep(Duration::from_millis(20));
    }
}
