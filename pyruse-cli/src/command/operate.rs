//! Operations on the state. If a daemon runs, it is asked, because only it may change its state; otherwise the command
//! takes the lock of the state, carries out the operation, and delivers what it queued.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use pyruse_core::operation::{Answer, Delivery, DeliveryStatus, Operation};
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;

use super::loaded::Loaded;
use super::target::Target;
use super::text::printable;
use crate::control::connect_to;
use crate::owner::Owner;
use crate::request::{Reply, Request};
use crate::storage::{self, Holder, Opened};

/// How long to wait for a daemon's answer, or for another holder of the state to finish.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How often to check for that.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How long an answered command waits for the firewall.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(3);

/// The maximum size of an answer: about 500,000 bans.
const MAX_ANSWER: usize = 256 << 20;

/// The module that sends the mails of the report.
const MAIL_MODULE: &str = "action_email";

/// A change that was made.
pub(super) struct Changed {
    pub(super) answer: Answer,
    /// Why it is not on the disk, if it is not.
    pub(super) unwritten: Option<String>,
    /// Deliveries that belong to it and have not succeeded yet.
    pub(super) waiting: Vec<Delivery>,
    /// Whether a daemon made it.
    pub(super) by_daemon: bool,
}

impl Changed {
    /// Prints a message if the change is not on the disk; returns whether it is.
    pub(super) fn is_written(&self) -> bool {
        if let Some(why) = &self.unwritten {
            eprintln!(
                "pyruse: this is done, but would be lost if the daemon stopped now: {}",
                printable(why)
            );
        }
        self.unwritten.is_none()
    }
}

/// A daemon of another version may give such an answer.
pub(super) fn other_answer() -> anyhow::Error {
    anyhow!("the daemon's answer does not match the request")
}

/// Why a daemon did not answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Nothing listens at the socket.
    NotListening,
    /// The daemon did not answer in time.
    TimedOut,
    /// The daemon closed the connection without an answer.
    Closed,
    /// The connection failed.
    Failed(std::io::Error),
}

/// Reads, without changing anything: from a daemon, or from the stored state.
pub(super) fn query(target: Target, operation: &Operation) -> anyhow::Result<Answer> {
    let directory = &target.directory;
    if let Some(Holder { pid, socket: Some(socket) }) = storage::holder(directory)? {
        match ask(directory, &socket, &Request::Operate(operation.clone()), ANSWER_TIMEOUT) {
            Ok(reply) => return answered(reply).map(|(answer, _)| answer),
            Err(Unanswered::TimedOut) => tracing::warn!(
                "the daemon (process {pid}) does not answer within {} s; this is its stored state",
                ANSWER_TIMEOUT.as_secs()
            ),
            // The daemon has ended, or is about to.
            Err(Unanswered::NotListening | Unanswered::Closed) => {}
            Err(Unanswered::Failed(e)) => tracing::warn!("the daemon (process {pid}) cannot be asked: {e}"),
        }
    }
    let loaded = target.loaded?;
    let mut state = storage::read(directory)?.unwrap_or_else(|| {
        tracing::info!("there is no state in {} yet", directory.display());
        State::in_memory()
    });
    let mut engine = loaded.plan.bind(&mut state)?;
    engine.services.operate(operation, &mut state, Timestamp::now()).map_err(anyhow::Error::new)
}

/// Changes something. Without a daemon, `timeout` is how long the queued messages are delivered here.
pub(super) fn change(target: Target, operation: &Operation, timeout: Duration) -> anyhow::Result<Changed> {
    let directory = &target.directory;
    // A state created by a command might belong to another user than the daemon's.
    match storage::read(directory) {
        Ok(Some(_)) => {}
        Ok(None) => {
            let shown = directory.display();
            bail!("there is no state in {shown} yet: Pyruse has not run with this configuration")
        }
        // A daemon that runs without its state can be asked.
        Err(e) if storage::is_loss(&e) => {}
        Err(e) => return Err(e),
    }
    let end = Instant::now() + ANSWER_TIMEOUT;
    loop {
        let holder = match storage::try_open(directory)? {
            Opened::Free(_storage, mut state) => {
                return change_here(target.loaded?, operation, &mut state, timeout);
            }
            Opened::Held(holder) => holder,
        };
        if let Some(socket) = &holder.socket {
            match ask(directory, socket, &Request::Operate(operation.clone()), ANSWER_TIMEOUT) {
                Ok(reply) => {
                    let (answer, unwritten) = answered(reply)?;
                    // A change that is not on the disk is not delivered.
                    let waiting =
                        if unwritten.is_none() { follow(directory, socket, &answer) } else { Vec::new() };
                    return Ok(Changed { answer, unwritten, waiting, by_daemon: true });
                }
                // The daemon has just ended, or does not listen yet.
                Err(Unanswered::NotListening) => {}
                Err(Unanswered::TimedOut) => bail!(
                    "the daemon (process {}) does not answer within {} s; it may still do what you asked",
                    holder.pid,
                    ANSWER_TIMEOUT.as_secs()
                ),
                Err(Unanswered::Closed) => bail!(
                    "the daemon (process {}) stopped before it answered; check whether it is done",
                    holder.pid
                ),
                Err(Unanswered::Failed(e)) => {
                    return Err(anyhow!(e).context(format!("asking the daemon (process {})", holder.pid)));
                }
            }
        }
        if Instant::now() >= end {
            bail!(
                "process {} holds the state in {}, but accepts no requests; if it is another Pyruse command, try \
                 again when it has finished",
                holder.pid,
                directory.display()
            );
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Makes many changes of bans, one after the other; returns for each whether it was made, or why not.
pub(super) fn change_all(
    target: Target,
    operations: &[Operation],
    timeout: Duration,
) -> anyhow::Result<Vec<Result<(), String>>> {
    let directory = target.directory.clone();
    if let Some(Holder { socket: Some(socket), .. }) = storage::holder(&directory)? {
        let result = |operation: &Operation| match ask(
            &directory,
            &socket,
            &Request::Operate(operation.clone()),
            ANSWER_TIMEOUT,
        ) {
            Ok(reply) => answered(reply).map(|_| ()).map_err(|e| format!("{e:#}")),
            Err(why) => Err(format!("the daemon did not answer: {why:?}")),
        };
        return Ok(operations.iter().map(result).collect());
    }
    if storage::read(&directory)?.is_none() {
        let shown = directory.display();
        bail!("there is no state in {shown} yet: Pyruse has not run with this configuration")
    }
    let Opened::Free(_storage, mut state) = storage::try_open(&directory)? else {
        bail!("another process holds the state in {}: try again when it has finished", directory.display())
    };
    let mut engine = target.loaded?.plan.bind(&mut state)?;
    let mut results = Vec::new();
    let mut modules: Vec<String> = Vec::new();
    for operation in operations {
        match engine.services.operate(operation, &mut state, Timestamp::now()) {
            Ok(answer) => {
                modules.extend(deliveries(&answer, operation).into_iter().map(|delivery| delivery.module));
                results.push(Ok(()));
            }
            Err(why) => results.push(Err(why.to_string())),
        }
    }
    state.wait_for_disk();
    state.commit()?;
    modules.sort();
    modules.dedup();
    let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
    if !modules.is_empty() {
        engine.services.only(&modules).deliver(&mut state, timeout)?;
    }
    Ok(results)
}

/// Changes the state, of which this process has the lock.
fn change_here(
    loaded: Loaded,
    operation: &Operation,
    state: &mut State,
    timeout: Duration,
) -> anyhow::Result<Changed> {
    let mut engine = loaded.plan.bind(state)?;
    let answer = engine.services.operate(operation, state, Timestamp::now()).map_err(anyhow::Error::new)?;
    state.wait_for_disk();
    state.commit()?;
    let deliveries = deliveries(&answer, operation);
    let mut modules: Vec<&str> = deliveries.iter().map(|delivery| delivery.module.as_str()).collect();
    if matches!(answer, Answer::Report { anything: true }) {
        modules.push(MAIL_MODULE);
    }
    let mut waiting = Vec::new();
    if !modules.is_empty() {
        let mut services = engine.services.only(&modules);
        services.deliver(state, timeout)?;
        let show = match answer {
            Answer::Report { .. } => Operation::ListOutbox,
            _ => Operation::ShowDeliveries { ids: ids(&deliveries) },
        };
        if let Ok(Answer::Deliveries(left)) = services.operate(&show, state, Timestamp::now()) {
            waiting = left;
        }
    }
    Ok(Changed { answer, unwritten: None, waiting, by_daemon: false })
}

/// Returns the deliveries that the answer contains.
fn deliveries(answer: &Answer, operation: &Operation) -> Vec<Delivery> {
    match answer {
        Answer::Bans(bans) => bans.iter().filter_map(|ban| ban.delivery.clone()).collect(),
        Answer::Deliveries(deliveries) if matches!(operation, Operation::RetryDelivery { .. }) => {
            deliveries.clone()
        }
        _ => Vec::new(),
    }
}

fn ids(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| delivery.id.clone()).collect()
}

/// Waits a short time for the daemon to deliver bans; returns those that have not succeeded.
fn follow(directory: &Path, socket: &Path, answer: &Answer) -> Vec<Delivery> {
    let Answer::Bans(bans) = answer else { return Vec::new() };
    let mut waiting: Vec<Delivery> = bans.iter().filter_map(|ban| ban.delivery.clone()).collect();
    let end = Instant::now() + DELIVERY_TIMEOUT;
    let mut pause = Duration::from_millis(2);
    while !waiting.is_empty() && Instant::now() < end {
        std::thread::sleep(pause);
        pause = (pause * 2).min(POLL_INTERVAL);
        let show = Request::Operate(Operation::ShowDeliveries { ids: ids(&waiting) });
        match ask(directory, socket, &show, end.saturating_duration_since(Instant::now())) {
            Ok(Reply::Done(Answer::Deliveries(left))) => waiting = left,
            _ => break,
        }
        let is_open =
            |delivery: &Delivery| delivery.error.is_none() || delivery.status == DeliveryStatus::InProgress;
        if !waiting.iter().any(is_open) {
            break;
        }
    }
    waiting
}

/// Returns the answer, and why it is not on the disk, if it is not.
fn answered(reply: Reply) -> anyhow::Result<(Answer, Option<String>)> {
    match reply {
        Reply::Done(answer) => Ok((answer, None)),
        Reply::Unwritten(answer, why) => Ok((answer, Some(why))),
        Reply::Refused(why) => bail!(why),
        Reply::Rejected(why) => bail!("the daemon refuses: {why}"),
        Reply::Status(_) | Reply::Ending => Err(other_answer()),
    }
}

/// Asks a daemon. The socket is accessed as the owner of the storage, like all files there.
pub(super) fn ask(
    directory: &Path,
    socket: &Path,
    request: &Request,
    timeout: Duration,
) -> Result<Reply, Unanswered> {
    let end = Instant::now() + timeout;
    let is_missing =
        |e: &std::io::Error| matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused);
    let owner = Owner::of(directory).map_err(|e| Unanswered::Failed(std::io::Error::other(e)))?;
    let connected = {
        let _as_owner = owner.enter();
        connect_to(socket)
    };
    let mut stream = connected.map_err(|e| match e.kind() {
        _ if is_missing(&e) => Unanswered::NotListening,
        ErrorKind::WouldBlock => Unanswered::TimedOut,
        _ => Unanswered::Failed(e),
    })?;
    let mut line = serde_json::to_vec(request).map_err(|e| Unanswered::Failed(e.into()))?;
    line.push(b'\n');
    if let Err(e) = stream.write_all(&line) {
        // A daemon that refuses us may close before it reads the request; its answer has the reason.
        tracing::debug!("asking the daemon: {e}");
    }
    let mut answer = Vec::new();
    let mut reader = BufReader::new(stream);
    loop {
        // The owner of the storage may send an endless answer: limit our time and memory.
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Unanswered::TimedOut);
        }
        if answer.len() > MAX_ANSWER {
            let why = format!("its answer is longer than {} MiB", MAX_ANSWER >> 20);
            return Err(Unanswered::Failed(std::io::Error::other(why)));
        }
        reader.get_ref().set_read_timeout(Some(left)).map_err(Unanswered::Failed)?;
        let chunk = match reader.fill_buf() {
            Ok([]) => return Err(Unanswered::Closed),
            Ok(chunk) => chunk,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Err(Unanswered::TimedOut),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Err(Unanswered::Closed),
            Err(e) => return Err(Unanswered::Failed(e)),
        };
        let at = chunk.iter().position(|b| *b == b'\n');
        let length = at.unwrap_or(chunk.len());
        let taken = reader.by_ref().take(length as u64).read_to_end(&mut answer);
        taken.map_err(Unanswered::Failed)?;
        if at.is_some() {
            return match serde_json::from_slice(&answer) {
                Ok(Reply::Ending) => Err(Unanswered::NotListening),
                other => other.map_err(|e| Unanswered::Failed(e.into())),
            };
        }
    }
}
