//! Couriers: they deliver messages to the outside world, outside the reading loop.
//!
//! A service has one courier for its queue. [`Couriers`] hands it batches, one at a time, and records the outcome of
//! each message in the queue. A courier with a thread may wait as long as it must; an inline courier runs in the loop
//! right after a commit and must never wait.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use crate::state::Outcome;
use crate::state::{Handle, Letter, Queue, State};
use crate::throttle::Throttle;
use crate::time::{Now, Steady};

/// At most this many different failures of one courier are logged per window; the rest are only counted. If a set is
/// missing from the firewall, every ban fails: this must not fill the log.
const LOGGED: u32 = 5;

/// The longest wait between two tries of a message that is [`Outcome::Blocked`].
const BLOCKED_WAIT: Duration = Duration::from_secs(3600);

/// Delivers messages.
pub trait Deliver: Send {
    /// Delivers a batch; returns one outcome for each letter, in the same order.
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome>;
}

/// Where a courier runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// On its own thread; it may wait.
    Thread,
    /// In the loop, after a commit; it must not wait.
    Inline,
}

/// A courier and its settings.
#[non_exhaustive]
pub struct Courier {
    /// Its name, for messages to people.
    pub name: &'static str,
    /// The largest batch it gets; 100 by default.
    pub batch: usize,
    /// The longest wait between two tries. The wait doubles, from one second up to this; the default is one minute.
    pub longest_wait: Duration,
    /// Where it runs; on its own thread by default.
    pub place: Place,
    /// Whether it runs before the others and does not wait for the disk. This is for messages that protect, and whose
    /// effect a power cut undoes anyway. The default is no.
    pub ahead: bool,
    /// The code that delivers.
    pub deliver: Box<dyn Deliver>,
}

impl Courier {
    /// Makes a courier on a thread, with default settings.
    pub fn new(name: &'static str, deliver: impl Deliver + 'static) -> Courier {
        let longest_wait = Duration::from_secs(60);
        let place = Place::Thread;
        Courier { name, batch: 100, longest_wait, place, ahead: false, deliver: Box::new(deliver) }
    }

    /// Sets the largest batch.
    #[must_use]
    pub fn batch(self, batch: usize) -> Courier {
        Courier { batch, ..self }
    }

    /// Sets the longest wait between two tries.
    #[must_use]
    pub fn longest_wait(self, longest_wait: Duration) -> Courier {
        Courier { longest_wait, ..self }
    }

    /// Runs it before the others, and before its messages are safely on the disk.
    #[must_use]
    pub fn ahead(self) -> Courier {
        Courier { ahead: true, ..self }
    }

    /// Runs it in the loop: it must not wait.
    #[must_use]
    pub fn inline(self) -> Courier {
        Courier { place: Place::Inline, ..self }
    }
}

/// For callers that already have it in a box.
impl<D: Deliver + ?Sized> Deliver for Box<D> {
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        (**self).deliver(letters)
    }
}

enum Runner {
    Thread { jobs: Option<Sender<Job>>, thread: Option<JoinHandle<()>>, busy: bool },
    Inline(Box<dyn Deliver>),
}

/// A job for a courier's thread.
enum Job {
    Deliver(Vec<Letter>),
    /// Use this implementation for all later batches.
    Replace(Box<dyn Deliver>),
}

struct Post {
    queue: Handle<Queue>,
    batch: usize,
    longest_wait: Duration,
    ahead: bool,
    failures: Failures,
    runner: Runner,
}

struct Reply {
    post: usize,
    outcomes: Vec<(u64, Outcome)>,
}

/// All couriers of one Pyruse.
pub struct Couriers {
    posts: Vec<Post>,
    replies: Receiver<Reply>,
    sender: Sender<Reply>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Couriers {
    /// Makes an empty set of couriers. `wake` is called, from any thread, when a reply waits for [`Couriers::collect`].
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> Couriers {
        let (sender, replies) = channel();
        Couriers { posts: Vec::new(), replies, sender, wake }
    }

    /// Starts a courier for a queue. If the queue already has one, it is replaced when its current batch is done: no
    /// message is delivered twice, and no older message overtakes a newer one.
    pub fn employ(&mut self, queue: Handle<Queue>, courier: Courier) -> std::io::Result<()> {
        if let Some(post) = self.posts.iter_mut().find(|post| post.queue == queue) {
            (post.batch, post.longest_wait) = (courier.batch, courier.longest_wait);
            post.ahead = courier.ahead;
            match &mut post.runner {
                Runner::Inline(deliver) => *deliver = courier.deliver,
                Runner::Thread { jobs, .. } => {
                    if let Some(jobs) = jobs {
                        // The thread ends only when this sender is dropped.
                        let _ = jobs.send(Job::Replace(courier.deliver));
                    }
                }
            }
            return Ok(());
        }
        let runner = match courier.place {
            Place::Inline => Runner::Inline(courier.deliver),
            Place::Thread => {
                let (jobs, incoming) = channel();
                let (replies, wake, post) = (self.sender.clone(), self.wake.clone(), self.posts.len());
                let mut deliver = courier.deliver;
                let thread = std::thread::Builder::new().name(courier.name.to_owned()).spawn(move || {
                    for job in incoming {
                        let batch = match job {
                            Job::Deliver(batch) => batch,
                            Job::Replace(other) => {
                                deliver = other;
                                continue;
                            }
                        };
                        let outcomes = outcomes(&mut *deliver, &batch);
                        if replies.send(Reply { post, outcomes }).is_err() {
                            return;
                        }
                        wake();
                    }
                })?;
                Runner::Thread { jobs: Some(jobs), thread: Some(thread), busy: false }
            }
        };
        let Courier { name, batch, longest_wait, ahead, .. } = courier;
        self.posts.push(Post { queue, batch, longest_wait, ahead, failures: Failures::new(name), runner });
        Ok(())
    }

    /// Hands out the messages that are due. Call it after a commit: what is handed out must be on the disk.
    ///
    /// Returns `true` if inline couriers have changed the state, so that another commit is worthwhile.
    pub fn dispatch(&mut self, state: &mut State, now: Now) -> bool {
        let ahead = self.dispatch_ahead(state, now);
        let others = self.dispatch_those(false, state, now);
        ahead || others
    }

    /// Like [`Couriers::dispatch`], but only for couriers that run [ahead](Courier::ahead). They need not wait for the
    /// disk: call it between [`State::write`] and [`State::sync`].
    pub fn dispatch_ahead(&mut self, state: &mut State, now: Now) -> bool {
        self.dispatch_those(true, state, now)
    }

    fn dispatch_those(&mut self, ahead: bool, state: &mut State, now: Now) -> bool {
        let mut changed = false;
        for post in self.posts.iter_mut().filter(|post| post.ahead == ahead) {
            post.failures.flush_when_over();
            let queue = state.get_mut(post.queue);
            match &mut post.runner {
                Runner::Thread { busy: true, .. } | Runner::Thread { jobs: None, .. } => {}
                Runner::Thread { jobs: Some(jobs), busy, .. } => {
                    let batch = queue.take_due(now, post.batch);
                    if !batch.is_empty() {
                        *busy = jobs.send(Job::Deliver(batch)).is_ok();
                    }
                }
                Runner::Inline(deliver) => {
                    let batch = queue.take_due(now, post.batch);
                    if !batch.is_empty() {
                        changed = true;
                        record(
                            &mut post.failures,
                            queue,
                            outcomes(&mut **deliver, &batch),
                            now,
                            post.longest_wait,
                        );
                    }
                }
            }
        }
        changed
    }

    /// Records the replies that have arrived; returns `true` if there were any.
    pub fn collect(&mut self, state: &mut State, now: Now) -> bool {
        let mut any = false;
        while let Ok(reply) = self.replies.try_recv() {
            any = true;
            let post = &mut self.posts[reply.post];
            if let Runner::Thread { busy, .. } = &mut post.runner {
                *busy = false;
            }
            record(&mut post.failures, state.get_mut(post.queue), reply.outcomes, now, post.longest_wait);
        }
        any
    }

    /// Returns when the next message is due that a free courier could take, or the next log line, whichever is first.
    pub fn deadline(&self, state: &State) -> Option<Steady> {
        let free = self.posts.iter().filter(|post| !matches!(post.runner, Runner::Thread { busy: true, .. }));
        let due = free.filter_map(|post| state.get(post.queue).next_due());
        due.chain(self.posts.iter().filter_map(|post| post.failures.due())).min()
    }

    /// Returns `true` if a courier has a batch.
    pub fn is_busy(&self) -> bool {
        self.posts.iter().any(|post| matches!(post.runner, Runner::Thread { busy: true, .. }))
    }

    /// Waits up to `patience` for busy couriers, and records their replies. Messages of couriers that have not replied
    /// by then stay queued.
    pub fn stop(mut self, state: &mut State, patience: Duration) {
        let end = Instant::now() + patience;
        for post in &mut self.posts {
            if let Runner::Thread { jobs, .. } = &mut post.runner {
                *jobs = None;
            }
        }
        loop {
            self.collect(state, Now::read());
            let left = end.saturating_duration_since(Instant::now());
            if !self.is_busy() || left.is_zero() {
                break;
            }
            if let Ok(reply) = self.replies.recv_timeout(left) {
                let _ = self.sender.send(reply);
            }
        }
        for post in &mut self.posts {
            if let Runner::Thread { busy: false, thread, .. } = &mut post.runner
                && let Some(thread) = thread.take()
            {
                let _ = thread.join();
            }
            state.get_mut(post.queue).recall();
            post.failures.flush();
        }
    }
}

fn outcomes(deliver: &mut dyn Deliver, batch: &[Letter]) -> Vec<(u64, Outcome)> {
    // A panic in a courier must not stop it for ever: its letters are tried again.
    let outcomes =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| deliver.deliver(batch))).unwrap_or_default();
    let missing = || Outcome::Retry("the courier gave no answer".to_owned());
    let outcomes = outcomes.into_iter().chain(std::iter::repeat_with(missing));
    batch.iter().map(|letter| letter.id).zip(outcomes).collect()
}

fn record(
    failures: &mut Failures,
    queue: &mut Queue,
    outcomes: Vec<(u64, Outcome)>,
    now: Now,
    longest_wait: Duration,
) {
    let mut failed: Vec<(Failure, String, usize)> = Vec::new();
    for (id, outcome) in outcomes {
        let (kind, error, wait) = match &outcome {
            Outcome::Done => (None, "", longest_wait),
            Outcome::Retry(error) => (Some(Failure::Retry), error.as_str(), longest_wait),
            Outcome::Blocked(error) => (Some(Failure::Blocked), error.as_str(), BLOCKED_WAIT),
            Outcome::GiveUp(error) => (Some(Failure::GiveUp), error.as_str(), longest_wait),
        };
        if let Some(kind) = kind {
            match failed.iter_mut().find(|(known, text, _)| *known == kind && text == error) {
                Some((_, _, count)) => *count += 1,
                None => failed.push((kind, error.to_owned(), 1)),
            }
        }
        queue.settle(id, outcome, now, wait);
    }
    for (kind, error, count) in failed {
        failures.log(kind, &error, count);
    }
}

/// The kind of a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Failure {
    Retry,
    Blocked,
    GiveUp,
}

/// The log of one courier's failures: each text is logged once per window, at most [`LOGGED`] texts; at the end of the
/// window, the number of unlogged failures is logged.
struct Failures {
    name: &'static str,
    /// Counts retries and given-up messages separately.
    throttle: Throttle<(Failure, String), IsGivenUp>,
}

type IsGivenUp = bool;

impl Failures {
    fn new(name: &'static str) -> Failures {
        Failures { name, throttle: Throttle::new(1, LOGGED) }
    }

    fn log(&mut self, kind: Failure, error: &str, count: usize) {
        self.flush_when_over();
        if !self.throttle.admits((kind, error.to_owned()), kind == Failure::GiveUp, count as u64) {
            return;
        }
        let name = self.name;
        let what = if count == 1 { "a delivery".to_owned() } else { format!("{count} deliveries") };
        match kind {
            Failure::Retry => tracing::warn!("{name}: {what} failed and will be tried again: {error}"),
            Failure::Blocked => {
                tracing::error!("{name}: {what} failed because of a setting; change it and reload: {error}");
            }
            Failure::GiveUp => {
                let is = if count == 1 { "is" } else { "are" };
                tracing::error!("{name}: {what} {is} given up: {error}");
            }
        }
    }

    /// Returns when the number of unlogged failures is due.
    fn due(&self) -> Option<Steady> {
        self.throttle.left().map(|left| Now::read().steady.plus(left))
    }

    fn flush_when_over(&mut self) {
        self.throttle.flush_if_over(|is_given_up, more, _| log_more(self.name, is_given_up, more));
    }

    /// Logs the number of unlogged failures, and begins a new window.
    fn flush(&mut self) {
        self.throttle.flush(|is_given_up, more, _| log_more(self.name, is_given_up, more));
    }
}

fn log_more(name: &str, is_given_up: IsGivenUp, more: u64) {
    if is_given_up {
        tracing::error!("{name}: {more} more deliveries are given up: see `pyruse outbox list`");
    } else {
        tracing::warn!("{name}: {more} more deliveries failed and will be tried again");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Notes(&'static str, Sender<&'static str>);

    impl Deliver for Notes {
        fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
            self.1.send(self.0).unwrap();
            vec![Outcome::Done; letters.len()]
        }
    }

    /// Gives up every letter.
    struct Refuses;

    impl Deliver for Refuses {
        fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
            letters.iter().map(|_| Outcome::GiveUp("no".to_owned())).collect()
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
        couriers.employ(queue, Courier::new("mail", Refuses).batch(1).inline()).unwrap();
        let now = Now::read();
        let lines = Arc::new(AtomicUsize::new(0));
        tracing::subscriber::with_default(CountsLines(lines.clone()), || {
            while couriers.dispatch(&mut state, now) {}
            let given_up = couriers.posts[0].failures.throttle.unlogged(&true);
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
            fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
                letters.iter().map(|_| Outcome::Blocked("no".to_owned())).collect()
            }
        }
        let mut state = State::in_memory();
        let queue = state.open::<Queue>("mail").unwrap();
        state.get_mut(queue).push(None, String::new());
        let mut couriers = Couriers::new(Arc::new(|| ()));
        let courier = Courier::new("mail", Blocks).longest_wait(Duration::from_secs(1)).inline();
        couriers.employ(queue, courier).unwrap();
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
    fn who_goes_ahead_is_sent_out_before_those_who_came_first() {
        let (notes, order) = channel();
        let mut state = State::in_memory();
        let mut couriers = Couriers::new(Arc::new(|| ()));
        for (name, ahead) in [("mail", false), ("ban", true), ("log", false)] {
            let queue = state.open::<Queue>(name).unwrap();
            state.get_mut(queue).push(None, name.to_owned());
            let courier = Courier::new(name, Notes(name, notes.clone())).inline();
            couriers.employ(queue, if ahead { courier.ahead() } else { courier }).unwrap();
        }
        assert!(couriers.dispatch(&mut state, Now::read()));
        assert_eq!(order.try_iter().collect::<Vec<_>>(), ["ban", "mail", "log"]);
        assert!(!couriers.dispatch(&mut state, Now::read()));
    }
}
