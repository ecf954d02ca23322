//! journald makes an entry visible before all of its fields can be read. These tests stop it between the two, by hand.

mod common;

use std::collections::BTreeSet;

use common::journal_file::{ENTRY_OFFSET, JournalFile, N_ENTRIES};
use common::{Journald, Running, Site, wait_for};
use serde_json::json;

/// What the program logs when it waits, in verbose mode.
const WAITS: &str = "an entry is incomplete";

/// What it says when it has waited in vain.
const TAKEN: &str = "was read without all fields";

/// Mails every line of `prog` or of priority 3.
fn rules() -> serde_json::Value {
    json!({"all": [
        {"filter": "filter_equals", "args": {"field": "PRIORITY", "value": 3}},
        {"action": "action_email", "args": {"message": "<{SYSLOG_IDENTIFIER}|{MESSAGE}>"}},
    ]})
}

/// A field that is new in the file: where its link is, and the value that the link had.
struct Unlinked {
    file: JournalFile,
    offset: u64,
    value: u64,
}

impl Unlinked {
    /// Writes an entry while the program is stopped, and takes back one of the two stores that link a field of it.
    fn write(journald: &Journald, pyruse: &Running, message: &str, field: &str, store: u64) -> Unlinked {
        pyruse.signal("-STOP");
        let before = journald.count();
        journald.line(&format!("only {message}"), 3, message);
        wait_for("the entry", || (journald.count() > before).then_some(()));
        let file = JournalFile::open(&journald.directory().join("system.journal"));
        let offset = file.data_of_last(&format!("{field}=")) + store;
        let value = file.u64(offset);
        assert_ne!(value, 0);
        file.set(offset, 0);
        pyruse.signal("-CONT");
        Unlinked { file, offset, value }
    }

    fn finish(&self) {
        self.file.set(self.offset, self.value);
    }
}

fn begin(journald: &Journald, site: &Site) -> Running {
    // The reader of files needs nothing of an entry that journald writes later.
    let journal = json!({"namespace": journald.namespace, "reader": "libsystemd"});
    site.configure_with(journald, &rules(), &json!({"debug": true, "journal": journal}));
    let pyruse = site.start(None);
    journald.line("prog", 3, "one");
    wait_for("the first mail", || site.mails().pop());
    pyruse
}

fn waits(site: &Site, times: usize) {
    wait_for("the program to wait", || (site.log().matches(WAITS).count() >= times).then_some(()));
}

/// The texts of all mails, when this many have arrived. A mail may be delivered twice after a crash.
fn texts(site: &Site, count: usize) -> Vec<String> {
    let text = |mail: &String| {
        let (_, body) = mail.split_once("\n\n").unwrap();
        body.split_once('<').unwrap().1.split_once('>').unwrap().0.replace("=\n", "")
    };
    wait_for("the mails", || {
        let texts: BTreeSet<String> = site.mails().iter().map(text).collect();
        (texts.len() >= count).then(|| texts.into_iter().collect())
    })
}

#[test]
fn an_entry_is_returned_when_journald_has_completed_it() {
    let (journald, site) = (Journald::start(), Site::new());
    let pyruse = begin(&journald, &site);
    let cases = [("MESSAGE", N_ENTRIES), ("MESSAGE", ENTRY_OFFSET), ("SYSLOG_IDENTIFIER", N_ENTRIES)];
    for (n, (field, store)) in cases.into_iter().enumerate() {
        let entry = Unlinked::write(&journald, &pyruse, &format!("number {n}"), field, store);
        waits(&site, n + 1);
        assert_eq!(site.mails().len(), n + 1, "{field} {store}: given out too early");
        entry.finish();
        texts(&site, n + 2);
    }
    assert!(pyruse.terminate().success());
    assert_eq!(
        texts(&site, 4),
        ["only number 0|number 0", "only number 1|number 1", "only number 2|number 2", "prog|one"]
    );
    assert!(!site.log().contains(TAKEN), "{}", site.log());
}

#[test]
fn an_entry_that_is_never_completed_is_returned_as_it_is_and_that_is_logged() {
    let (journald, site) = (Journald::start(), Site::new());
    let pyruse = begin(&journald, &site);
    Unlinked::write(&journald, &pyruse, "two", "MESSAGE", N_ENTRIES);
    journald.line("prog", 3, "three");
    assert_eq!(texts(&site, 3), ["only two|None", "prog|one", "prog|three"]);
    assert_eq!(site.log().matches(TAKEN).count(), 1, "{}", site.log());
    assert!(pyruse.terminate().success());
}

#[test]
fn an_incomplete_entry_is_read_once_after_a_crash() {
    let (journald, site) = (Journald::start(), Site::new());
    let pyruse = begin(&journald, &site);
    let entry = Unlinked::write(&journald, &pyruse, "two", "MESSAGE", N_ENTRIES);
    waits(&site, 1);
    pyruse.kill();
    entry.finish();
    let pyruse = site.start(None);
    journald.line("prog", 3, "three");
    assert_eq!(texts(&site, 3), ["only two|two", "prog|one", "prog|three"]);
    assert!(pyruse.terminate().success());
    assert!(site.log().contains("stopped after 2 entries"), "{}", site.log());
}

#[test]
fn entries_of_every_form_pass_the_check_at_once() {
    let (journald, site) = (Journald::start(), Site::new());
    let pyruse = begin(&journald, &site);
    // journald compresses from 512 bytes on, and stores a repeated field once.
    let lengths = [1, 11, 12, 13, 511, 512, 5000, 70_000, 90_000];
    for (n, length) in lengths.into_iter().enumerate() {
        let compressible = "x".repeat(length);
        let random: Vec<u8> =
            (0..length).flat_map(|at| (at * at * 7 + at / 3).to_le_bytes()).take(length).collect();
        journald.write(&[
            ("PRIORITY", b"6"),
            ("MESSAGE", compressible.as_bytes()),
            ("RANDOM", &random),
            ("BINARY", b"\0\x01\n\xff"),
            ("EMPTY", b""),
            ("TWICE", b"again"),
            ("TWICE", b"again"),
            ("TWICE", b"other"),
            ("THRICE", format!("and again {n}").as_bytes()),
            ("THRICE", format!("and again {n}").as_bytes()),
            ("THRICE", format!("and again {n}").as_bytes()),
        ]);
    }
    // Many fields.
    let names: Vec<String> = (0..200).map(|n| format!("FIELD_{n}")).collect();
    let fields: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"value".as_slice())).collect();
    journald.write(&fields);
    journald.line("prog", 3, "last");
    assert_eq!(texts(&site, 2), ["prog|last", "prog|one"]);
    assert!(pyruse.terminate().success());
    let log = site.log();
    assert!(!log.contains(WAITS) && !log.contains(TAKEN), "{log}");
    assert_eq!(journald.count(), lengths.len() + 4);
}

#[test]
fn the_last_entry_of_a_past_journal_is_checked_too_and_replay_says_that_it_lacks_fields() {
    for (keyed, compact) in [("1", "1"), ("1", "0"), ("0", "1"), ("0", "0")] {
        let form = [("SYSTEMD_JOURNAL_KEYED_HASH", keyed), ("SYSTEMD_JOURNAL_COMPACT", compact)];
        last_of_a_past_journal(&form);
    }
}

fn last_of_a_past_journal(form: &[(&str, &str)]) {
    let site = Site::new();
    let path = site.path("past.journal");
    let journal = json!({"files": [path], "reader": "libsystemd"});
    site.configure_for("none", &rules(), &json!({"journal": journal}));
    let entry = |time: u64, message: &str| {
        format!("__REALTIME_TIMESTAMP={time}\nPRIORITY=3\nSYSLOG_IDENTIFIER=prog\nMESSAGE={message}\n\n")
    };
    let export = entry(1_795_000_000_000_000, "one") + &entry(1_795_000_005_000_000, "two");
    common::make_journal_with(form, export.as_bytes(), &path);
    let file = JournalFile::open(&path);
    let replay = || {
        let output = site.pyruse(None, &["replay", "--json", "--since", "@0"]);
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (out.matches("prog|").count(), out.contains("prog|two"), err.contains(TAKEN), err)
    };
    let (mails, whole, logged, err) = replay();
    assert_eq!((mails, whole, logged), (2, true, false), "{form:?}: {err}");
    file.set(file.data_of_last("MESSAGE=") + N_ENTRIES, 0);
    let (mails, whole, logged, err) = replay();
    assert_eq!((mails, whole, logged), (2, false, true), "{form:?}: {err}");
}
