//! The real logrotate, in every way in which it can be configured to move, copy, compress and name files.

use std::process::Command;
use std::time::SystemTime;

use super::*;

/// A rotation of `log` in the directory, with these directives.
fn logrotate(log: &Log, directives: &str) {
    // Files that were changed at the same time have no order, and names have seconds.
    let second = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let now = second();
    std::thread::sleep(Duration::from_millis(10));
    while directives.contains("dateext") && second() == now {
        std::thread::sleep(Duration::from_millis(10));
    }
    // The clock that logrotate asks may be one tick behind.
    std::thread::sleep(Duration::from_millis(20));
    let configuration = format!("{} {{\nrotate 9\n{directives}\n}}\n", log.path("log").display());
    fs::write(log.path("conf"), configuration).unwrap();
    let output = Command::new("/usr/sbin/logrotate")
        .args(["--force", "--state"])
        .args([log.path("state"), log.path("conf")])
        .output()
        .expect("logrotate is needed");
    assert!(output.status.success(), "{directives}: {:?}", String::from_utf8_lossy(&output.stderr));
}

/// Rotates while nobody reads, and while the file is followed.
fn is_read_once(directory: Option<&str>, method: &str, naming: &str) {
    let rotations = if naming.contains("dateext") { 1..=1 } else { 0..=3 };
    for rotations in rotations {
        let mut log = Log::new();
        let mut directives = format!("{method}\n{naming}\n");
        if let Some(directory) = directory {
            let other = log.path(directory);
            fs::create_dir(&other).unwrap();
            // A path beside is absolute.
            let named =
                if directory.starts_with("..") { other.display().to_string() } else { directory.into() };
            writeln!(directives, "olddir {named}").unwrap();
            log.args = json!({"paths": [log.path("log")], "rotated": named});
        }
        log.write(3);
        let mut reader = log.resume(Begin::Head);
        let mut found: Vec<_> =
            (0..2).filter_map(|_| next(&mut *reader)).map(|(message, _)| message).collect();
        let position = reader.position();
        drop(reader);
        for n in 0..rotations {
            logrotate(&log, &directives);
            log.write(n + 1);
        }
        let mut reader = log.resume(Begin::Behind(&position));
        found.extend(read(&mut *reader));
        let what = format!("{directory:?}, {rotations} rotations, {directives}");
        assert_eq!(found, lines(1..=log.written), "{what}");
        for _ in 0..=rotations % 2 {
            logrotate(&log, &directives);
            log.write(2);
            assert_eq!(read(&mut *reader), lines(log.written - 1..=log.written), "live: {what}");
        }
        assert_eq!(said(&mut *reader), [], "{what}");
        let position = reader.position();
        logrotate(&log, &directives);
        log.write(1);
        let mut reader = log.resume(Begin::Behind(&position));
        assert_eq!(read(&mut *reader), lines(log.written..=log.written), "{what}");
        assert_eq!(said(&mut *reader), [], "{what}");
        if let Some(directory) = directory.filter(|directory| directory.starts_with("..")) {
            fs::remove_dir_all(log.path(directory)).unwrap();
        }
    }
}

const METHODS: [&str; 2] = ["create", "copytruncate"];

#[test]
fn every_line_is_read_once_however_logrotate_is_configured() {
    for method in METHODS {
        for naming in ["", "compress", "compress\ndelaycompress"] {
            is_read_once(None, method, naming);
        }
        is_read_once(None, method, "dateext\ndateformat -%Y%m%d-%s\ncompress");
    }
}

#[test]
fn every_line_is_read_once_if_logrotate_moves_files_into_another_directory() {
    let beside = format!("../pyruse-olddir-{}", std::process::id());
    for directory in ["old", &beside] {
        for method in METHODS {
            for naming in ["", "compress", "compress\ndelaycompress", "dateext\ndateformat -%Y%m%d-%s"] {
                is_read_once(Some(directory), method, naming);
            }
        }
    }
}

#[test]
fn without_the_argument_a_file_that_was_moved_elsewhere_is_a_loss_that_is_counted() {
    let mut log = Log::new();
    fs::create_dir(log.path("old")).unwrap();
    log.write(3);
    let mut reader = log.resume(Begin::Head);
    assert!(next(&mut *reader).is_some());
    let position = reader.position();
    logrotate(&log, "create\nolddir old");
    log.write(1);
    let mut reader = log.resume(Begin::Behind(&position));
    assert_eq!(read(&mut *reader), lines(4..=4));
    assert_eq!(said(&mut *reader), [("gone".to_owned(), 54)]);
}
