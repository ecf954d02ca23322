//! What else may be in a directory of journal files, and odd times.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use nix::sys::stat::Mode;
use pyruse_core::plugin::Begin;
use pyruse_core::time::Timestamp;

use super::*;
use crate::journal::direct::files::Files;

const START: u64 = 1_700_000_000_000_000;

fn lines(count: u64, start: u64) -> Vec<u8> {
    (0..count).flat_map(|n| entry(start + n, 0, &[("MESSAGE", b"line")])).collect()
}

#[test]
fn ten_thousand_sockets_and_pipes_hinder_nothing_and_are_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(format!("{name}.journal"));
    for n in 0..5000 {
        // Their file stays when it is closed.
        UnixListener::bind(path(&format!("socket{n}"))).unwrap();
        nix::unistd::mkfifo(&path(&format!("pipe{n}")), Mode::S_IRWXU).unwrap();
    }
    make(&[], &lines(10, START), &path("system"));
    let settings = of_directory(directory.path());
    let mut reader = opened(&settings, Begin::Head);
    assert_eq!(rest(&mut reader).len(), 10);
    let left_out = reader.left_out();
    assert_eq!(left_out.len(), 101);
    assert!(left_out[..100].iter().all(|left_out| left_out.why == "it is not a regular file"));
    assert_eq!(left_out[100].file, directory.path());
    assert_eq!(left_out[100].why, "as to 9900 more files, which cannot be read either");
    // It is followed.
    make(&[], &lines(5, START + 1_000_000), &path("system"));
    assert_eq!(rest(&mut reader).len(), 5);
    assert_eq!(losses(&mut reader), []);
}

#[test]
fn links_are_followed_to_files_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    make(&[], &lines(10, START), &path("file.journal"));
    fs::rename(path("file.journal"), path("elsewhere")).unwrap();
    nix::unistd::mkfifo(&path("pipe"), Mode::S_IRWXU).unwrap();
    for (link, target) in [
        ("a", "elsewhere"),
        ("b", "elsewhere"),
        ("device", "/dev/zero"),
        ("tty", "/dev/tty"),
        ("loop", "loop.journal"),
        ("nothing", "nothing"),
        ("pipe", "pipe"),
        ("directory", "."),
    ] {
        symlink(target, path(&format!("{link}.journal"))).unwrap();
    }
    let mut reader = opened(&of_directory(directory.path()), Begin::Head);
    // Two names of one file are one file.
    assert_eq!(rest(&mut reader).len(), 10);
    let names: Vec<_> = reader
        .left_out()
        .iter()
        .map(|left_out| left_out.file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["device", "directory", "loop", "pipe", "tty"]);
    assert_eq!(losses(&mut reader), []);
}

#[test]
fn files_that_every_user_may_write_are_read_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for (name, start, mode) in [("system.journal", START, 0o640), ("open.journal", START + 100, 0o666)] {
        make(&[], &lines(3, start), &path(name));
        fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
    }
    let settings = of_directory(directory.path());
    let said = Files::new(&settings).unwrap().look().writable;
    let text = format!(
        "every user may write to {} (mode 0666): its entries prove nothing",
        path("open.journal").display()
    );
    assert_eq!(said, [text]);
    assert_eq!(by_us(&settings).len(), 6);
}

#[test]
fn entries_of_1970_and_2099_are_read_once_in_the_order_of_their_numbers() {
    const IN_2099: u64 = 4_070_908_800_000_000;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.journal");
    let times = [START, 1, IN_2099, START + 1, 999_999, IN_2099 + 1, START + 2];
    let export: Vec<_> = times.iter().flat_map(|time| entry(*time, 0, &[("MESSAGE", b"line")])).collect();
    make(&[], &export, &file);
    let settings = of_directory(directory.path());
    let all = by_us(&settings);
    let read: Vec<_> = all.iter().map(|read| u64::try_from(read.time).unwrap()).collect();
    assert_eq!(read, times);
    assert_same(&all, &by_libsystemd(&settings), "1970 and 2099");
    for split in 0..=all.len() {
        let mut reader = opened(&settings, Begin::Head);
        for expected in &all[..split] {
            assert_eq!(reader.next().unwrap(), Next::Record(Timestamp(expected.time)));
            reader.record();
        }
        let position = reader.position();
        assert_same(&rest(&mut opened(&settings, Begin::Behind(&position))), &all[split..], "the rest");
    }
}
