use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use super::couriers::BLOCKED_WAIT;
use super::*;
use crate::state::{Queue, State};
use crate::time::Now;

struct Notes(&'static str, Sender<&'static str>);

impl Deliver for Notes {
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
        self.1.send(self.0).unwrap();
        vec![Outcome::Done; messages.len()]
    }
}

/// Gives up every message.
struct Refuses;

impl Deliver for Refuses {
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
        messages.iter().map(|_| Outcome::GiveUp("no".to_owned())).collect()
    }
}

#[test]
fn the_same_failure_is_logged_once_and_counted() {
    let mut state = State::in_memory();
    let queue = state.open::<Queue>("mail").unwrap();
    for _ in 0..30_000 {
        state.get_mut(queue).push(None, String::new());
    }
    let mut couriers = Couriers::new(Arc::new(|| ()));
    couriers.start(queue, Courier::new("mail", Refuses).batch(1).inline()).unwrap();
    let now = Now::read();
    let lines = Arc::new(AtomicUsize::new(0));
    tracing::subscriber::with_default(CountsLines(lines.clone()), || {
        while couriers.dispatch(&mut state, now) {}
        let given_up = couriers.workers[0].failures.throttle.unlogged(&true);
        assert_eq!((lines.load(Ordering::Relaxed), given_up), (1, 29_999));
        // The number is logged without another failure.
        assert!(couriers.deadline(&state).is_some());
        couriers.stop(&mut state, Duration::ZERO);
    });
    assert_eq!(lines.load(Ordering::Relaxed), 2);
}

#[test]
fn a_blocked_message_waits_longer_and_longer_up_to_an_hour() {
    struct Blocks;
    impl Deliver for Blocks {
        fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
            messages.iter().map(|_| Outcome::Blocked("no".to_owned())).collect()
        }
    }
    let mut state = State::in_memory();
    let queue = state.open::<Queue>("mail").unwrap();
    state.get_mut(queue).push(None, String::new());
    let mut couriers = Couriers::new(Arc::new(|| ()));
    let courier = Courier::new("mail", Blocks).longest_wait(Duration::from_secs(1)).inline();
    couriers.start(queue, courier).unwrap();
    let mut now = Now::read();
    let mut waits = Vec::new();
    for _ in 0..20 {
        assert!(couriers.dispatch(&mut state, now));
        let due = state.get(queue).next_due().unwrap();
        let wait = now.steady.until(due);
        waits.push(wait);
        now = now.plus(wait);
    }
    let longest = *waits.last().unwrap();
    assert!(longest >= BLOCKED_WAIT / 3 && longest <= BLOCKED_WAIT, "{waits:?}");
}

/// Counts what is logged.
struct CountsLines(Arc<AtomicUsize>);

impl tracing::Subscriber for CountsLines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn couriers_that_run_ahead_are_dispatched_before_earlier_ones() {
    let (notes, order) = channel();
    let mut state = State::in_memory();
    let mut couriers = Couriers::new(Arc::new(|| ()));
    for (name, ahead) in [("mail", false), ("ban", true), ("log", false)] {
        let queue = state.open::<Queue>(name).unwrap();
        state.get_mut(queue).push(None, name.to_owned());
        let courier = Courier::new(name, Notes(name, notes.clone())).inline();
        couriers.start(queue, if ahead { courier.ahead() } else { courier }).unwrap();
    }
    assert!(couriers.dispatch(&mut state, Now::read()));
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["ban", "mail", "log"]);
    assert!(!couriers.dispatch(&mut state, Now::read()));
}
