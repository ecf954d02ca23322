//! All couriers at work: hands out batches, and records the replies.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::failures::{Failure, Failures};
use super::{Courier, Deliver};
use crate::state::{DueMessage, Handle, Outcome, Queue, State};
use crate::time::{Now, Steady};

/// The longest wait between two tries of a message that is [`Outcome::Blocked`].
pub(super) const BLOCKED_WAIT: Duration = Duration::from_secs(3600);

enum Runner {
    Thread { jobs: Option<Sender<Job>>, thread: Option<JoinHandle<()>>, busy: bool },
    Inline(Box<dyn Deliver>),
}

/// A job for a courier's thread.
enum Job {
    Deliver(Vec<DueMessage>),
    /// Use this implementation for all later batches.
    Replace(Box<dyn Deliver>),
}

pub(super) struct Worker {
    queue: Handle<Queue>,
    batch: usize,
    longest_wait: Duration,
    ahead: bool,
    in_order: bool,
    pub(super) failures: Failures,
    runner: Runner,
}

struct Reply {
    worker: usize,
    outcomes: Vec<(u64, Outcome)>,
}

/// All couriers of one Pyruse.
pub(crate) struct Couriers {
    pub(super) workers: Vec<Worker>,
    replies: Receiver<Reply>,
    sender: Sender<Reply>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Couriers {
    /// Makes an empty set of couriers. `wake` is called, from any thread, when a reply waits for [`Couriers::collect`].
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> Couriers {
        let (sender, replies) = channel();
        Couriers { workers: Vec::new(), replies, sender, wake }
    }

    /// Starts a courier for a queue. If the queue already has one, it is replaced when its current batch is done: no
    /// message is delivered twice, and no older message overtakes a newer one.
    pub fn start(&mut self, queue: Handle<Queue>, courier: Courier) -> std::io::Result<()> {
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.queue == queue) {
            (worker.batch, worker.longest_wait) = (courier.batch, courier.longest_wait);
            (worker.ahead, worker.in_order) = (courier.is_ahead, courier.is_in_order);
            match &mut worker.runner {
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
        let runner = if courier.is_inline {
            Runner::Inline(courier.deliver)
        } else {
            let (jobs, incoming) = channel();
            let (replies, wake, worker) = (self.sender.clone(), self.wake.clone(), self.workers.len());
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
                    if replies.send(Reply { worker, outcomes }).is_err() {
                        return;
                    }
                    wake();
                }
            })?;
            Runner::Thread { jobs: Some(jobs), thread: Some(thread), busy: false }
        };
        let Courier { name, batch, longest_wait, is_ahead: ahead, is_in_order: in_order, .. } = courier;
        self.workers.push(Worker {
            queue,
            batch,
            longest_wait,
            ahead,
            in_order,
            failures: Failures::new(name),
            runner,
        });
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
        for worker in self.workers.iter_mut().filter(|worker| worker.ahead == ahead) {
            worker.failures.flush_when_over();
            let queue = state.get_mut(worker.queue);
            let (batch, in_order) = (worker.batch, worker.in_order);
            let take = |queue: &mut Queue| {
                if in_order { queue.take_in_order(now, batch) } else { queue.take_due(now, batch) }
            };
            match &mut worker.runner {
                Runner::Thread { busy: true, .. } | Runner::Thread { jobs: None, .. } => {}
                Runner::Thread { jobs: Some(jobs), busy, .. } => {
                    let batch = take(queue);
                    if !batch.is_empty() {
                        *busy = jobs.send(Job::Deliver(batch)).is_ok();
                    }
                }
                Runner::Inline(deliver) => {
                    let batch = take(queue);
                    if !batch.is_empty() {
                        changed = true;
                        record(
                            &mut worker.failures,
                            queue,
                            outcomes(&mut **deliver, &batch),
                            now,
                            worker.longest_wait,
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
            let worker = &mut self.workers[reply.worker];
            if let Runner::Thread { busy, .. } = &mut worker.runner {
                *busy = false;
            }
            record(
                &mut worker.failures,
                state.get_mut(worker.queue),
                reply.outcomes,
                now,
                worker.longest_wait,
            );
        }
        any
    }

    /// Returns when the next message is due that a free courier could take, or the next log line, whichever is first.
    pub fn deadline(&self, state: &State) -> Option<Steady> {
        let free =
            self.workers.iter().filter(|worker| !matches!(worker.runner, Runner::Thread { busy: true, .. }));
        let due = free.filter_map(|worker| {
            let queue = state.get(worker.queue);
            if worker.in_order { queue.next_in_order() } else { queue.next_due() }
        });
        due.chain(self.workers.iter().filter_map(|worker| worker.failures.due())).min()
    }

    /// Returns `true` if a courier has a batch.
    pub fn is_busy(&self) -> bool {
        self.workers.iter().any(|worker| matches!(worker.runner, Runner::Thread { busy: true, .. }))
    }

    /// Waits up to `timeout` for busy couriers, and records their replies. Messages of couriers that have not replied
    /// by then stay queued.
    pub fn stop(mut self, state: &mut State, timeout: Duration) {
        let end = Instant::now() + timeout;
        for worker in &mut self.workers {
            if let Runner::Thread { jobs, .. } = &mut worker.runner {
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
        for worker in &mut self.workers {
            if let Runner::Thread { busy: false, thread, .. } = &mut worker.runner
                && let Some(thread) = thread.take()
            {
                let _ = thread.join();
            }
            state.get_mut(worker.queue).recall();
            worker.failures.flush();
        }
    }
}

fn outcomes(deliver: &mut dyn Deliver, batch: &[DueMessage]) -> Vec<(u64, Outcome)> {
    // A panic in a courier must not stop it for ever: its messages are tried again.
    let outcomes =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| deliver.deliver(batch))).unwrap_or_default();
    let missing = || Outcome::Retry("the courier did not answer".to_owned());
    let outcomes = outcomes.into_iter().chain(std::iter::repeat_with(missing));
    batch.iter().map(|message| message.id).zip(outcomes).collect()
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
            Outcome::Done | Outcome::Postpone(_) => (None, "", longest_wait),
            Outcome::Retry(error) | Outcome::RetryAfter(error, _) => {
                (Some(Failure::Retry), error.as_str(), longest_wait)
            }
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
