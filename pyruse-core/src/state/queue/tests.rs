use super::*;
use crate::time::Timestamp;

/// Returns what a store would hold after these changes.
fn stored(queue: &mut Queue) -> Vec<Row> {
    let mut pending = Vec::new();
    queue.changes(&mut Changes { resource: 0, pending: &mut pending });
    let mut rows = BTreeMap::new();
    for change in pending {
        match change.value {
            Some(value) => rows.insert(change.key, value),
            None => rows.remove(&change.key),
        };
    }
    rows.into_iter().collect()
}

#[test]
fn only_the_newest_message_of_a_key_is_delivered_after_a_crash_or_a_recall() {
    let now = Now::at(Timestamp::from_seconds(1_795_000_000));
    let mut queue = Queue::default();
    let old = queue.push(Some("key"), "old".into());
    queue.take_due(now, 9);
    queue.settle(old, Outcome::Retry("no".into()), now, Duration::from_secs(60));
    let later = now.plus(Duration::from_secs(60));
    assert_eq!(queue.take_due(later, 9).len(), 1);
    queue.push(Some("key"), "new".into());

    let mut loaded = Queue::load(stored(&mut queue)).unwrap();
    queue.recall();
    for queue in [&mut loaded, &mut queue] {
        let messages = queue.take_due(later, 9);
        assert_eq!(messages.iter().map(|message| &*message.payload).collect::<Vec<_>>(), ["new"]);
        queue.settle(messages[0].id, Outcome::Done, later, Duration::from_secs(60));
        assert_eq!((queue.pending(), queue.of_key("key")), (0, None));
    }
}

#[test]
fn a_try_that_fails_as_the_one_before_is_not_written_again() {
    let (wait, start) = (Duration::from_secs(1), Now::at(Timestamp::from_seconds(1_795_000_000)));
    let mut queue = Queue::default();
    let id = queue.push(None, "message".into());
    let mut written = Vec::new();
    for (n, error) in ["no", "no", "no", "never", "never"].into_iter().enumerate() {
        let now = start.plus(Duration::from_secs(10 * n as u64));
        assert_eq!(queue.take_due(now, 9).len(), 1);
        queue.settle(id, Outcome::Retry(error.into()), now, wait);
        written.push(stored(&mut queue).len());
    }
    assert_eq!(written, [1, 0, 0, 1, 0]);
    assert_eq!(queue.get(id).unwrap().tries, 5);
}

#[test]
fn a_waiting_or_given_up_message_is_due_at_once_after_retry() {
    let (wait, now) = (Duration::from_secs(1000), Now::at(Timestamp::from_seconds(1_795_000_000)));
    let mut queue = Queue::default();
    let ids = [queue.push(None, "waits".into()), queue.push(None, "given up".into())];
    assert!(ids.iter().all(|id| queue.retry(*id)), "before the first try");
    assert_eq!(queue.take_due(now, 9).len(), 2);
    assert!(!queue.retry(ids[0]), "its courier has it");
    queue.settle(ids[0], Outcome::Retry("no".into()), now, wait);
    queue.settle(ids[1], Outcome::GiveUp("never".into()), now, wait);
    assert!(queue.take_due(now, 9).is_empty());
    assert!(ids.iter().all(|id| queue.retry(*id)) && !queue.retry(7));
    let mut loaded = Queue::load(stored(&mut queue)).unwrap();
    for queue in [&mut queue, &mut loaded] {
        let messages = queue.take_due(now, 9);
        assert_eq!(
            messages.iter().map(|message| (message.id, message.tries)).collect::<Vec<_>>(),
            [(0, 1), (1, 1)]
        );
        assert_eq!((queue.pending(), queue.len()), (2, 2));
    }
}

#[test]
fn messages_that_wait_for_their_next_try_are_due_after_retry_now() {
    let now = Now::at(Timestamp::from_seconds(1_795_000_000));
    let mut queue = Queue::default();
    let [waits, given_up] = ["a", "b"].map(|payload| queue.push(None, payload.into()));
    queue.take_due(now, 9);
    queue.settle(waits, Outcome::Retry("no".into()), now, Duration::from_secs(60));
    queue.settle(given_up, Outcome::GiveUp("never".into()), now, Duration::from_secs(60));
    assert!(queue.take_due(now, 9).is_empty());
    queue.retry_now();
    let messages = queue.take_due(now, 9);
    assert_eq!(messages.iter().map(|message| message.id).collect::<Vec<_>>(), [waits]);
}

#[test]
fn messages_that_failed_one_by_one_are_retried_together_and_never_later_than_their_wait() {
    let longest = Duration::from_secs(60);
    let mut queue = Queue::default();
    let ids: Vec<u64> = (0..600).map(|n| queue.push(None, n.to_string())).collect();
    let mut now = Now::at(Timestamp::from_seconds(1_795_000_000));
    for _ in 0..7 {
        assert_eq!(queue.take_due(now, usize::MAX).len(), ids.len());
        for (n, id) in (0..).zip(&ids) {
            queue.settle(*id, Outcome::Retry("no".into()), now.plus(Duration::from_millis(100 * n)), longest);
        }
        now = now.plus(Duration::from_secs(60 + 60));
        assert!(queue.due.last().is_some_and(|(due, _)| *due <= now.steady));
    }
    let moments: BTreeSet<Steady> = queue.due.iter().map(|(due, _)| *due).collect();
    assert!(moments.len() <= 3, "{moments:?}");
}

const HOUR: Duration = Duration::from_secs(3600);

const START: Now = Now::at(Timestamp::from_seconds(1_795_000_000));

/// Returns the same moment, with the wall clock set to this time.
fn set(now: Now, wall: Timestamp) -> ClockStep {
    ClockStep { now: Now { wall, ..now }, by: wall.0 - now.wall.0 }
}

/// Makes a queue with a message that failed at [`START`] and waits for its longest wait.
fn waiting(longest: Duration) -> (Queue, u64) {
    let mut queue = Queue::default();
    let id = queue.push(None, "message".into());
    for _ in 0..10 {
        queue.retry(id);
        assert_eq!(queue.take_due(START, 9).len(), 1);
        queue.settle(id, Outcome::Retry("no".into()), START, longest);
    }
    // Its age is measured by the clock of this test, not by its own.
    queue.messages.get_mut(&id).unwrap().queued = START.steady;
    (queue, id)
}

#[test]
fn a_retry_waits_as_long_however_the_wall_clock_is_set_and_people_see_the_new_time() {
    let years = Duration::from_secs(56 * 365 * 86_400);
    for wall in [
        Timestamp(START.wall.0 - 3_600_000_000),
        Timestamp(START.wall.0 + 3_600_000_000),
        START.wall.plus(years),
        Timestamp::from_seconds(100),
    ] {
        let (mut queue, id) = waiting(Duration::from_secs(300));
        let step = set(START, wall);
        queue.adjust(step);
        let next = queue.get(id).unwrap().next_try().unwrap();
        assert!(next > wall && next <= wall.plus_seconds(300), "{next} at {wall}");
        assert_eq!(queue.get(id).unwrap().created, wall);
        assert!(queue.take_due(step.now, 9).is_empty());
        assert_eq!(queue.take_due(step.now.plus(Duration::from_secs(300)), 9).len(), 1, "{wall}");
    }
}

#[test]
fn after_a_restart_no_try_is_later_than_its_wait() {
    let longest = Duration::from_secs(300);
    let ahead = START.plus(Duration::from_secs(1_000_000_000));
    let mut queue = Queue::default();
    let id = queue.push(None, "message".into());
    for _ in 0..10 {
        queue.retry(id);
        queue.take_due(ahead, 9);
        queue.settle(id, Outcome::Retry("no".into()), ahead, longest);
    }
    queue.messages.get_mut(&id).unwrap().created = ahead.wall;
    queue.dirty.push(id);
    let mut rows = stored(&mut queue);
    // The form that an earlier version wrote.
    let old = format!(
        r#"{{"payload":"p","created":{at},"tries":10,"due":{at},"error":"no","status":"waiting"}}"#,
        at = ahead.wall.0
    );
    rows.push((99_u64.to_be_bytes().into(), old.into_bytes().into()));
    let mut loaded = Queue::load(rows).unwrap();
    loaded.adjust(ClockStep::loaded(START));
    for message in loaded.messages.values() {
        assert!(message.next_try().unwrap() <= START.wall.plus_seconds(600));
        assert_eq!(message.created, START.wall);
    }
    assert!(loaded.take_due(START, 9).is_empty());
    assert_eq!(loaded.take_due(START.plus(longest), 9).len(), 1);
    assert_eq!(loaded.take_due(START.plus(Duration::from_secs(600)), 9).len(), 1);
    // Time also passes while the program does not run.
    let mut later = Queue::load(stored(&mut queue)).unwrap();
    assert_eq!(later.len(), 0, "nothing new is written");
    later = Queue::load(vec![(
        0_u64.to_be_bytes().into(),
        serde_json::to_vec(queue.get(id).unwrap()).unwrap().into(),
    )])
    .unwrap();
    later.adjust(ClockStep::loaded(ahead.plus(HOUR)));
    assert_eq!(later.take_due(ahead.plus(HOUR), 9).len(), 1);
}

#[test]
fn a_message_is_as_old_as_the_time_in_which_it_was_tried() {
    let mut now = Now::at(Timestamp::from_seconds(100));
    let mut queue = Queue::default();
    let id = queue.push(None, "message".into());
    let tried = |queue: &mut Queue, now: Now| {
        queue.retry(id);
        let tried = queue.take_due(now, 1)[0].tried;
        queue.settle(id, Outcome::Retry("no".into()), now, HOUR);
        tried.as_secs()
    };
    assert_eq!(tried(&mut queue, now), 0);
    now = now.plus(2 * HOUR);
    assert_eq!(tried(&mut queue, now), 7200);
    // The clock is set by 56 years.
    let step = set(now, START.wall);
    queue.adjust(step);
    now = step.now.plus(HOUR);
    assert_eq!(tried(&mut queue, now), 10_800);
    // The program does not run for a year.
    let mut queue = Queue::load(stored(&mut queue)).unwrap();
    now = Now::at(START.wall.plus_seconds(365 * 86_400));
    queue.adjust(ClockStep::loaded(now));
    assert_eq!(tried(&mut queue, now), 10_800);
    assert_eq!(tried(&mut queue, now.plus(HOUR)), 14_400);
}

#[test]
fn a_message_that_is_postponed_has_not_failed_and_one_with_a_given_wait_waits_as_long() {
    let longest = Duration::from_secs(60);
    let mut queue = Queue::default();
    let [postponed, failed] = ["a", "b"].map(|payload| queue.push(None, payload.into()));
    stored(&mut queue);
    queue.take_due(START, 9);
    queue.settle(postponed, Outcome::Postpone(Duration::from_secs(20)), START, longest);
    queue.settle(failed, Outcome::RetryAfter("busy".into(), HOUR), START, longest);
    let states: Vec<_> = queue.messages().map(|(_, m)| (m.tries, m.error.as_deref(), m.status)).collect();
    let waiting = MessageStatus::Waiting;
    assert_eq!(states, [(0, None, waiting), (1, Some("busy"), waiting)]);
    assert_eq!(stored(&mut queue).len(), 1, "a postponed message is not written");
    let due = |queue: &mut Queue, seconds: u64| {
        let due = queue.take_due(START.plus(Duration::from_secs(seconds)), 9);
        due.into_iter().map(|message| message.id).collect::<Vec<_>>()
    };
    assert_eq!(due(&mut queue, 19), [] as [u64; 0]);
    assert_eq!(due(&mut queue, 20), [postponed]);
    assert_eq!(due(&mut queue, 3599), [] as [u64; 0]);
    assert_eq!(due(&mut queue, 3600), [failed]);
}

#[test]
fn a_bounded_queue_removes_only_what_was_given_up() {
    let mut queue = Queue::default();
    let ids: Vec<_> = ["a", "b", "c"].iter().map(|text| queue.push_bounded((*text).into(), 2)).collect();
    assert_eq!(ids, [Some(0), Some(1), None]);
    queue.take_due(START, 9);
    queue.settle(0, Outcome::Retry("no".into()), START, HOUR);
    queue.settle(1, Outcome::GiveUp("never".into()), START, HOUR);
    assert_eq!(queue.push_bounded("d".into(), 2), Some(2));
    assert_eq!(queue.push_bounded("e".into(), 2), None);
    assert_eq!(queue.messages().map(|(id, _)| id).collect::<Vec<_>>(), [0, 2]);
}

fn payloads(messages: &[DueMessage]) -> Vec<&str> {
    messages.iter().map(|message| &*message.payload).collect()
}

#[test]
fn in_order_no_message_overtakes_one_that_waits_or_is_being_delivered() {
    let (wait, now) = (Duration::from_secs(60), Now::at(Timestamp::from_seconds(1_795_000_000)));
    let mut queue = Queue::default();
    let first = queue.push(None, "1".into());
    let second = queue.push(None, "2".into());
    assert_eq!(payloads(&queue.take_in_order(now, 1)), ["1"]);
    assert!(queue.take_in_order(now, 9).is_empty() && queue.next_in_order().is_none(), "its courier has it");
    queue.settle(first, Outcome::RetryAfter("no".into(), wait), now, wait);
    queue.push(None, "3".into());
    assert!(queue.take_in_order(now, 9).is_empty(), "the first one waits");
    let later = now.plus(wait);
    assert_eq!(queue.next_in_order(), Some(later.steady));
    assert_eq!(payloads(&queue.take_in_order(later, 2)), ["1", "2"]);
    queue.settle(first, Outcome::GiveUp("never".into()), later, wait);
    queue.settle(second, Outcome::Done, later, wait);
    assert_eq!(payloads(&queue.take_in_order(later, 9)), ["3"], "one that was given up holds up nothing");
    assert_eq!((queue.next_due(), queue.pending()), (None, 1));
}

#[test]
fn over_a_limit_the_oldest_go_but_not_what_a_courier_has_nor_the_new_one() {
    let now = Now::at(Timestamp::from_seconds(1_795_000_000));
    let mut queue = Queue::default();
    let push =
        |queue: &mut Queue, payload: &str, limits| queue.push_over_oldest(None, payload.to_owned(), limits);
    assert_eq!(push(&mut queue, "held", (2, 100)), 0);
    queue.take_in_order(now, 1);
    assert_eq!(push(&mut queue, "old", (2, 100)), 0);
    assert_eq!(push(&mut queue, "new", (2, 100)), 1, "too many");
    let held: Vec<_> = queue.messages().map(|(_, message)| message.payload.clone()).collect();
    assert_eq!(held, ["held", "new"]);
    assert_eq!(push(&mut queue, "newer", (9, 9)), 1, "too many bytes");
    assert_eq!(push(&mut queue, "longer than all", (9, 9)), 1);
    queue.recall();
    let mut loaded = Queue::load(stored(&mut queue)).unwrap();
    let held: Vec<_> = loaded.messages().map(|(_, message)| message.payload.clone()).collect();
    assert_eq!(held, ["held", "longer than all"]);
    assert_eq!(
        push(&mut loaded, "last", (9, 8)),
        2,
        "after a start, the courier has none, and the bytes are known"
    );
    assert_eq!(loaded.bytes, 4);
}
