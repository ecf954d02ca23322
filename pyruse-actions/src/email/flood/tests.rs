use pyruse_core::state::{Handle, State};
use pyruse_core::time::Now;

use super::held::SHOWN;
use super::hour::{BYTES, TEXTS};
use super::*;

const START: Timestamp = Timestamp(1_795_000_000_000_000);

fn after(seconds: u64) -> Timestamp {
    START.plus_seconds(seconds)
}

/// Admits a mail whose entry is read when it is written.
fn live(flood: &mut Flood, body: &str, at: Timestamp) -> Vec<Outgoing> {
    flood.admit("ban", body.to_owned(), at, 2, at)
}

fn subjects(mails: &[Outgoing]) -> Vec<&str> {
    mails.iter().map(|mail| mail.subject.as_str()).collect()
}

#[test]
fn held_texts_become_one_mail_when_the_hour_ends() {
    let mut flood = Flood::default();
    assert_eq!(subjects(&live(&mut flood, "a", after(0))), ["ban"]);
    assert_eq!(subjects(&live(&mut flood, "b", after(1))), ["ban"]);
    for (body, seconds) in [("c\nd", 10), ("x", 20), ("c\nd", 30), ("c\nd", 3599)] {
        assert_eq!(subjects(&live(&mut flood, body, after(seconds))), [""; 0]);
    }
    assert_eq!(flood.deadline(), Some(after(3600)));
    assert_eq!(subjects(&flood.end_hours(after(3599))), [""; 0]);
    let digest = flood.end_hours(after(3600));
    assert_eq!(subjects(&digest), ["ban (4 more)"]);
    assert_eq!(digest[0].date, after(3599));
    assert_eq!(flood.deadline(), None);
    assert_eq!(flood.end_hours(after(3600)).len(), 0);
    assert_eq!(subjects(&live(&mut flood, "a", after(3601))), ["ban"], "a new hour");
}

#[test]
fn a_digest_contains_each_text_once_with_its_count_and_times() {
    let mut hour = Hour::new(Begun { at: START, seen: START, sent: 60, digest: 0 }, START);
    for (body, seconds) in [("c\n\nonce, at noon:", 10), ("x", 20), ("c\n\nonce, at noon:", 30)] {
        hour.hold(Text::of(body), after(seconds));
    }
    hour.hold(Text::of(&format!("{}é", "y".repeat(SHOWN - 1))), after(40));
    let mail = hour.digest("ban", &TimeZone::UTC);
    assert_eq!(
        mail.body,
        format!(
            "4 more with the subject “ban”, the first at 2026-11-18 11:06:50+00:00, the last at \
             2026-11-18 11:07:20+00:00.\n\
             60 of this hour were sent individually before; these exceeded the limit.\n\
             \n\
             2 times, first at 2026-11-18 11:06:50+00:00, last at 2026-11-18 11:07:10+00:00:\n\
             \x20   c\n\
             \x20   \n\
             \x20   once, at noon:\n\
             \n\
             once, at 2026-11-18 11:07:00+00:00:\n\
             \x20   x\n\
             \n\
             once, at 2026-11-18 11:07:20+00:00:\n\
             \x20   {}\n\
             \x20   … and 2 bytes more\n",
            "y".repeat(SHOWN - 1)
        )
    );
}

#[test]
fn subjects_are_counted_apart_and_without_a_limit_all_are_single() {
    let mut flood = Flood::default();
    for n in 0..100 {
        assert_eq!(subjects(&flood.admit("free", n.to_string(), START, 0, START)), ["free"]);
    }
    for subject in ["a", "b", "a", "b"] {
        assert_eq!(subjects(&flood.admit(subject, String::new(), START, 2, START)), [subject]);
    }
    assert_eq!(subjects(&flood.admit("a", String::new(), START, 2, START)), [""; 0]);
    let digests = flood.end_hours(after(3600));
    assert_eq!(subjects(&digests), ["a (1 more)"], "where nothing is over there is no digest");
}

#[test]
fn old_entries_make_the_same_mails_as_those_that_are_read_at_once() {
    let times = [0, 1, 2, 3, 3599, 3600, 3601, 3602, 9000, 9001, 9002];
    let mails = |is_live: bool| {
        let mut flood = Flood::default();
        let mut mails = Vec::new();
        for (n, seconds) in (0..).zip(times) {
            let at = after(seconds);
            // The loop calls this when it has read all available entries.
            if is_live {
                mails.extend(flood.end_hours(at));
            }
            let seen = if is_live { at } else { after(9_999_990 + n) };
            mails.extend(flood.admit("ban", seconds.to_string(), at, 2, seen));
            if !is_live {
                assert_eq!(flood.deadline(), Some(seen), "it moves on");
            }
        }
        mails.extend(flood.end_hours(after(99_999_999)));
        mails.into_iter().map(|mail| (mail.subject, mail.body)).collect::<Vec<_>>()
    };
    let live = mails(true);
    assert_eq!(live, mails(false));
    let more = live.iter().filter(|(subject, _)| subject != "ban").map(|(subject, _)| subject.as_str());
    assert_eq!(more.collect::<Vec<_>>(), ["ban (3 more)", "ban (1 more)", "ban (1 more)"]);
}

#[test]
fn a_clock_that_was_wrong_delays_nothing_for_long() {
    // The entry is from the future.
    let mut flood = Flood::default();
    for _ in 0..3 {
        flood.admit("ban", String::new(), after(1_000_000), 2, START);
    }
    assert_eq!(subjects(&flood.end_hours(after(3600))), ["ban (1 more)"]);
    // The clock was ahead, and is set back.
    for _ in 0..3 {
        flood.admit("ban", String::new(), after(1_000_000), 2, after(1_000_000));
    }
    assert_eq!(flood.deadline(), Some(after(1_003_600)));
    flood.adjust(ClockStep { now: Now::at(START), by: -1_000_000_000_000 });
    assert_eq!(flood.deadline(), Some(after(3600)), "an hour from now at most");
    assert_eq!(
        subjects(&flood.admit("ban", String::new(), after(1), 2, after(1))),
        [""; 0],
        "it is the same hour"
    );
    assert_eq!(subjects(&flood.end_hours(after(3600))), ["ban (2 more)"]);
    // The same, of an hour that was stored.
    for _ in 0..3 {
        flood.admit("ban", String::new(), after(1_000_000), 2, after(1_000_000));
    }
    flood.adjust(ClockStep::loaded(Now::at(START)));
    assert_eq!(subjects(&flood.end_hours(after(3600))), ["ban (1 more)"]);
    // The clock was not set before, and now is.
    for n in 0..3 {
        flood.admit("ban", String::new(), Timestamp(n), 2, Timestamp(n));
    }
    flood.adjust(ClockStep { now: Now::at(START), by: START.0 - 2 });
    assert_eq!(subjects(&flood.end_hours(after(3598))), [""; 0]);
    assert_eq!(subjects(&flood.end_hours(after(3600))), ["ban (1 more)"]);
}

#[test]
fn too_many_texts_for_one_digest_make_two_and_none_is_lost() {
    let count = |mails: &[Outgoing]| -> u64 {
        let more = mails.iter().filter_map(|mail| mail.subject.strip_prefix("ban ("));
        more.map(|rest| rest.split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    for (texts, length) in [(12_000, 10), (3000, 60_000)] {
        let mut flood = Flood::default();
        let mut mails = Vec::new();
        for n in 0..texts {
            let body = format!("{}{n:06}", "x".repeat(length));
            mails.extend(flood.admit("ban", body, after(1), 1, after(1)));
        }
        assert!(mails.len() > 2, "{}", mails.len());
        mails.extend(flood.end_hours(after(3601)));
        assert_eq!(count(&mails), texts - 1);
        assert!(mails.iter().all(|mail| mail.body.len() < 2 * BYTES));
        assert_eq!(mails.iter().filter(|mail| mail.subject == "ban").count(), 1);
    }
}

#[test]
fn held_mails_survive_a_restart_and_are_sent_once() {
    // A loaded hour uses the wall clock.
    let start = Timestamp::now();
    let after = |seconds| start.plus_seconds(seconds);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let open = || {
        let mut state = State::open_file(&path).unwrap();
        let flood: Handle<Flood> = state.open("flood").unwrap();
        (state, flood)
    };
    for round in 0..20 {
        let (mut state, flood) = open();
        for n in 0..5 {
            let mails = live(state.get_mut(flood), &n.to_string(), after(round));
            assert_eq!(mails.len(), usize::from(round == 0 && n < 2));
        }
        state.commit().unwrap();
        // Not committed, so it never happened.
        live(state.get_mut(flood), "lost", after(round));
    }
    let (mut state, flood) = open();
    let digest = state.get_mut(flood).end_hours(after(3600));
    assert_eq!(subjects(&digest), ["ban (98 more)"]);
    let again = open();
    assert_eq!(again.0.get(again.1).deadline(), Some(after(3600)), "not before it is committed");
    state.commit().unwrap();
    let (mut state, flood) = open();
    assert_eq!(state.get(flood).deadline(), None);
    let mut rows = 0;
    state.scan(flood, |_, _| rows += 1).unwrap();
    assert_eq!(rows, 0);
}

#[test]
fn a_digest_that_is_sent_early_leaves_no_rows() {
    let mut state = State::in_memory();
    let flood: Handle<Flood> = state.open("flood").unwrap();
    for n in 0..=TEXTS + 10 {
        state.get_mut(flood).admit("ban", n.to_string(), after(1), 1, after(1));
        if n % 1000 == 0 {
            state.commit().unwrap();
        }
    }
    let mut rows = 0;
    state.scan(flood, |_, _| rows += 1).unwrap();
    assert_eq!(rows, 1 + 10, "the hour, and what came after the digest");
}
