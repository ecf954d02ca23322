//! Any bytes as a log file, in any format, with `time: auto`: reading ends, never panics, and gives each line once.
//!
//! The first byte of an input is the format, and how the file is compressed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pyruse_core::plugin::Begin;
use pyruse_fuzz::{Place, open, read, write};
use serde_json::json;

const FORMATS: [&str; 5] = ["text", "syslog", "json", "docker", "access"];
const ENDINGS: [&str; 4] = ["", "", ".gz", ".zst"];

thread_local! {
    static PLACE: Place = Place::new();
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let format = FORMATS[usize::from(*first) % FORMATS.len()];
    let ending = ENDINGS[usize::from(*first) / FORMATS.len() % ENDINGS.len()];
    PLACE.with(|place| {
        let path = place.path(&format!("log{ending}"));
        write(&path, bytes);
        let args = json!({"paths": [path], "format": format, "zone": "Europe/Paris", "once": true, "literal": true});
        let Some(mut reader) = open("source_file", &args) else { return };
        let entries = read(&mut *reader, Begin::Head, |_| false);
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
        if ending.is_empty() && format != "docker" {
            assert_eq!(entries, lines, "{format}");
        }
    });
});
