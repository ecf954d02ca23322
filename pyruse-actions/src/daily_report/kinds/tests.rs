//! Tests of shapes, of the index, and of its bounds.

use std::collections::BTreeMap;

use pyruse_core::state::{Handle, State};
use pyruse_core::time::Timestamp;

use super::index::{MAX_JOINED, MAX_KINDS};
use super::shape::MAX_WORDS;
use super::{Kind, Kinds};
use crate::daily_report::{Line, LineOrigin, ReportLevel};

/// A line of root's, written by this program.
fn line(identifier: &str, seconds: i64, message: &str) -> Line {
    let origin = LineOrigin { owner: "0".into(), identifier: identifier.into(), host: "server".into() };
    Line {
        origin,
        priority: Some(6),
        ..Line::of(ReportLevel::Warn, Timestamp::from_seconds(seconds), message)
    }
}

fn kinds_of(messages: &[&str]) -> Kinds {
    let mut kinds = Kinds::default();
    for (n, message) in (0..).zip(messages) {
        kinds.add(&line("app", n, message));
    }
    kinds
}

/// The shapes of the kinds, with their counts.
fn shapes(kinds: &Kinds) -> BTreeMap<String, u64> {
    kinds.iter().map(|kind| (kind.shape(), kind.count)).collect()
}

fn shape(message: &str) -> String {
    kinds_of(&[message]).iter().next().unwrap().shape()
}

/// The values of the only kind, by the names of their masks.
fn values(kind: &Kind) -> Vec<(&str, Vec<(&str, u64)>)> {
    kind.values.frequent().map(|of| (of.mask.name(), of.values)).collect()
}

#[test]
fn whatever_varies_is_masked_and_the_rest_stays() {
    for (message, expected) in [
        (
            "Failed password for invalid user bob from 192.0.2.7 port 4022 ssh2",
            "Failed password for invalid user <user> from <address> port <number> ssh<number>",
        ),
        (
            "Failed password for root from 2001:db8::7 port 1",
            "Failed password for <user> from <address> port <number>",
        ),
        (
            "pam_unix(sshd:session): session opened for user alice(uid=1000) by bob(uid=0)",
            "pam_unix(sshd:session): session opened for user <user>(uid=<number>) by <user>(uid=<number>)",
        ),
        (
            "client @0x7f21bc00 198.51.100.4#4711 (mail.example.com): query (cache) 'example.com/ANY/IN' denied",
            "client @<id> <address>#<number> (<host>): query (cache) '<text>' denied",
        ),
        (
            r#"open() "/var/www/html/wp-login.php" failed (2: No such file or directory), client: 192.0.2.1, server: _, request: "GET /wp-login.php HTTP/1.1""#,
            r#"open() "<path>" failed (<number>: No such file or directory), client: <address>, server: _, request: "<text>""#,
        ),
        (
            "md/raid1:md0: Disk failure on sdb1, disabling device.",
            "md/raid<number>:md<number>: Disk failure on sdb<number>, disabling device.",
        ),
        (
            "new user: name=toor, UID=0, GID=0, home=/root, shell=/bin/sh",
            "new user: name=toor, UID=<number>, GID=<number>, home=/<path>, shell=/bin/<path>",
        ),
        ("Device: /dev/sdb [SAT], 8 unreadable", "Device: /dev/<path> [SAT], <number> unreadable"),
        ("at 2026-11-18T11:06:40.123Z took 12.5ms", "at <number>T<number>Z took <number>ms"),
        ("id 6fa459ea-ee8a-3ca4-894e-db77e160355e commit 5fd924625f6a done", "id <id> commit <id> done"),
        (
            "to=<bob@example.org>, relay=mx1.example.org[192.0.2.9]:25",
            "to=<<user>@<host>>, relay=<host>[<address>]:<number>",
        ),
        ("certbot.service: Failed with result 'exit-code'.", "certbot.service: Failed with result '<text>'."),
        ("it's the user's fault, isn't it", "it's the user's fault, isn't it"),
        ("wlan: 00:1a:2b:3c:4d:5e associated", "wlan: <id> associated"),
        ("see https://example.org/a/b?c=1 now", "see https://<host>/a/<path> now"),
        ("user accounts were checked", "user accounts were checked"),
        ("listening on [::]:22", "listening on [::]:<number>"),
        ("std::vector deadbeef 1.2.3 facade", "std::vector deadbeef <number> facade"),
        ("tab\tand\u{1} control", "tab and control"),
        ("naïve 日本 über 7", "naïve 日本 über <number>"),
        ("an open \" quote", "an open \" quote"),
        ("", ""),
    ] {
        assert_eq!(shape(message), expected);
    }
}

#[test]
fn no_line_breaks_the_scanner() {
    // Each piece at each place of the limit, so that every kind of token is cut there.
    let pieces =
        ["1.2.3.4", "::1", "\"a b\"", "'é'", "/é/é", "a@b.example", "user=é", "user é from", "0x1", "é1"];
    let mut kinds = Kinds::default();
    for piece in pieces {
        for length in 490..515 {
            let message =
                format!("{} {piece}{piece} {piece}", "é".repeat(length / 2) + &"x".repeat(length % 2));
            kinds.add(&line("app", 0, &message));
            kinds.add(&line("app", 0, &piece[piece.ceil_char_boundary(1)..]));
        }
    }
    kinds.add(&line("app", 0, &"x ".repeat(40_000)));
    assert!(kinds.iter().all(|kind| kind.example.len() <= 512));
}

#[test]
fn a_kind_says_how_often_when_and_which_values() {
    let kinds = kinds_of(&[
        "Failed password for root from 192.0.2.1 port 1",
        "Failed password for root from 192.0.2.2 port 22",
        "Failed password for bin from 192.0.2.1 port 333",
    ]);
    let kind = kinds.iter().next().unwrap();
    assert_eq!((kinds.iter().count(), kind.count), (1, 3));
    assert_eq!((kind.first, kind.last), (Timestamp(0), Timestamp::from_seconds(2)));
    assert_eq!(kind.example, "Failed password for root from 192.0.2.1 port 1");
    assert_eq!(
        values(kind),
        [
            ("address", vec![("192.0.2.1", 2), ("192.0.2.2", 1)]),
            ("user", vec![("root", 2), ("bin", 1)]),
            ("machine", vec![("server", 3)]),
        ]
    );
}

#[test]
fn four_lines_that_differ_in_one_word_are_one_kind_and_so_are_later_ones() {
    let kinds = kinds_of(&["job of alice is done", "job of bob is done", "job of carol is done"]);
    assert_eq!(kinds.iter().count(), 3);
    let kinds = kinds_of(&[
        "job of alice is done",
        "job of bob is done",
        "job of bob is done",
        "job of carol is done",
        "job of dave is done",
        "job of eve is done",
    ]);
    assert_eq!(shapes(&kinds), BTreeMap::from([("job of <word> is done".to_owned(), 6)]));
    let kind = kinds.iter().next().unwrap();
    assert_eq!(
        values(kind)[0],
        ("word", vec![("bob", 2), ("alice", 1), ("carol", 1), ("dave", 1), ("eve", 1)])
    );
    assert_eq!((kind.first, kind.last), (Timestamp(0), Timestamp::from_seconds(5)));
}

#[test]
fn a_line_of_other_words_is_never_joined() {
    let noise = ["a", "b", "c", "d", "e"].map(|name| format!("state of {name} is fine"));
    let mut messages: Vec<&str> = noise.iter().map(String::as_str).collect();
    // It differs in another word; in two words; in a word that reports trouble; in the number of words.
    let rare =
        ["state of f is gone", "size of f is fine", "state of failed-disk is fine", "state of f is fine now"];
    messages.extend(rare);
    let shapes = shapes(&kinds_of(&messages));
    assert_eq!(shapes.len(), 5, "{shapes:?}");
    assert!(rare.iter().all(|message| shapes.get(*message) == Some(&1)), "{shapes:?}");
    // The first two words are no variables, and neither is another priority.
    let first = ["Started", "Stopped", "Reloaded", "Paused", "Resumed"].map(|verb| format!("x {verb} unit"));
    assert_eq!(kinds_of(&first.each_ref().map(String::as_str)).iter().count(), 5);
    let mut kinds = kinds_of(&["job of alice is done"]);
    kinds.add(&Line { priority: Some(2), ..line("app", 0, "job of alice is done") });
    kinds.add(&line("other", 0, "job of alice is done"));
    assert_eq!(kinds.iter().count(), 3);
}

#[test]
fn two_words_can_be_variables() {
    let names = ["ann", "ben", "cat", "dan", "eve"];
    let messages: Vec<String> =
        names.iter().flat_map(|a| names.map(|b| format!("mail of {a} for {b} sent"))).collect();
    let kinds = kinds_of(&messages.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(shapes(&kinds), BTreeMap::from([("mail of <word> for <word> sent".to_owned(), 25)]));
}

/// A state with kinds in a file, and the same state opened again.
fn reopened(work: impl Fn(&mut State, Handle<Kinds>)) -> [Vec<(String, u64)>; 2] {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.sqlite");
    let listed = |state: &State, kinds: Handle<Kinds>| {
        let kinds = state.get(kinds);
        let mut all: Vec<(String, u64)> =
            kinds.iter().map(|kind| (format!("{} {:?}", kind.shape(), kind.values), kind.count)).collect();
        all.extend(kinds.removed().iter().map(|(name, removed)| (format!("{name:?}"), removed.count)));
        all.sort();
        all
    };
    let mut state = State::open_file(&path).unwrap();
    let kinds = state.open("kinds").unwrap();
    work(&mut state, kinds);
    state.commit().unwrap();
    let before = listed(&state, kinds);
    drop(state);
    let mut state = State::open_file(&path).unwrap();
    let kinds = state.open("kinds").unwrap();
    [before, listed(&state, kinds)]
}

#[test]
fn stored_kinds_are_the_same_and_go_on_joining() {
    let work = |state: &mut State, kinds: Handle<Kinds>| {
        for round in 0..6 {
            for (n, name) in (0..).zip(["ann", "ben", "cat", "dan", "eve"]) {
                state.get_mut(kinds).add(&line("app", n, &format!("job {round}x of {name} is done")));
                state.get_mut(kinds).add(&line("app", n, &format!("round {round} of {name}{name}")));
                state.get_mut(kinds).add(&line(name, n, "done"));
                if n == round {
                    state.commit().unwrap();
                }
            }
            if round == 2 {
                state.get_mut(kinds).clear();
            }
        }
    };
    let [before, after] = reopened(work);
    assert_eq!(before, after);
    assert_eq!(before.len(), 7, "{before:?}");
    let mut all = State::in_memory();
    let kinds = all.open::<Kinds>("kinds").unwrap();
    for name in ["ann", "ben", "cat"] {
        all.get_mut(kinds).add(&line("app", 0, &format!("job of {name} is done")));
    }
    let mut rows = Vec::new();
    all.scan(kinds, |key, value| rows.push((key.into(), value.into()))).unwrap();
    let mut loaded = <Kinds as pyruse_core::state::Resource>::load(rows).unwrap();
    loaded.add(&line("app", 0, "job of dan is done"));
    assert_eq!(shapes(&loaded), BTreeMap::from([("job of <word> is done".to_owned(), 4)]));
}

fn letters(n: i64) -> String {
    n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

#[test]
fn an_origin_has_a_bounded_number_of_sets_of_variables() {
    // Four lines vary in their third word, four others in their fourth, and so on.
    let lines = (2..MAX_WORDS).flat_map(|variable| {
        (0..4).map(move |n| {
            let own = letters(i64::try_from(variable).unwrap());
            let words = (0..MAX_WORDS).map(|at| if at == variable { letters(n) } else { own.clone() });
            words.collect::<Vec<_>>().join(" ")
        })
    });
    let lines: Vec<String> = lines.collect();
    let [before, after] = reopened(|state, handle| {
        for message in &lines {
            state.get_mut(handle).add(&line("app", 0, message));
        }
    });
    assert_eq!(before, after);
    let joined = before.iter().filter(|(_, count)| *count == 4).count();
    assert_eq!((joined, before.len()), (MAX_JOINED, lines.len() - 3 * MAX_JOINED));
}

#[test]
fn a_writer_of_ever_new_shapes_pushes_out_nobody_else_and_its_lines_are_counted() {
    let work = |state: &mut State, handle: Handle<Kinds>| {
        let kinds = state.get_mut(handle);
        kinds.add(&line("mdadm", 0, "Fail event detected on md device"));
        // A local user invents identifiers; a remote one fills the lines of a service of root's.
        for n in 0..50_000 {
            let mut by_user = line(&letters(n), n, "evil");
            by_user.origin.owner = "1000".into();
            kinds.add(&by_user);
            kinds.add(&line("nginx", n, &letters(n).repeat(3)));
        }
        kinds.add(&line("kernel", 60_000, "Disk failure"));
        let urgent = Line { priority: Some(1), ..line("nginx", 60_000, "worker died of an attack") };
        kinds.add(&urgent);
        for n in 0..10_000 {
            kinds.add(&line("nginx", n, &letters(n).repeat(4)));
        }
    };
    let [before, after] = reopened(work);
    assert_eq!(before, after);
    for important in ["Fail event detected", "Disk failure", "worker died"] {
        assert!(before.iter().any(|(shape, _)| shape.starts_with(important)), "{important}");
    }
    assert!(before.len() <= MAX_KINDS + 201, "{}", before.len());
    assert_eq!(before.iter().map(|(_, count)| count).sum::<u64>(), 110_003);
}
