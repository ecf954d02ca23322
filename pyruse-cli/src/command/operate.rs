//! Operations on the state, wherever it is: a running daemon is asked, for it alone changes its state; without one, the
//! command takes the state's lock, does it itself, and delivers what it queued.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use pyruse_core::operation::{Answer, Delivery, DeliveryStatus, Operation};
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;

use super::desk::Desk;
use super::loaded::Loaded;
use super::text::printable;
use crate::control::connect_to;
use crate::owner::Owner;
use crate::request::{Reply, Request};
use crate::storage::{self, Holder, Opened};

/// So long a daemon has to answer, and whoever else holds the state to be done with it.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// So often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(50);

/// So long a command that has been answered waits to see whether the firewall could be told.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// An answer is at most so long: that of some 500,000 bans.
const LONGEST_ANSWER: usize = 256 << 20;

/// Mails of the report go through this module.
const MAILS: &str = "action_email";

/// A change that is made.
pub(super) struct Changed {
    pub(super) answer: Answer,
    /// Why it is not on the disk, if it is not.
    pub(super) unwritten: Option<String>,
    /// Deliveries that belong to it and have not succeeded yet.
    pub(super) waiting: Vec<Delivery>,
    /// A daemon made it.
    pub(super) by_daemon: bool,
}

impl Changed {
    /// Says so where it is not on the disk; is it?
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

/// A daemon of another version may answer so.
pub(super) fn other_answer() -> anyhow::Error {
    anyhow!("the daemon's answer does not match the request")
}

/// Why there is no answer from a daemon.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Nobody listens there.
    Nobody,
    /// He does not answer in time.
    Late,
    /// He has hung up without an answer.
    HungUp,
    /// It cannot be asked.
    Failed(std::io::Error),
}

/// Looks, without changing anything: at what a daemon knows, or at what is stored.
pub(super) fn look(desk: Desk, operation: &Operation) -> anyhow::Result<Answer> {
    let directory = &desk.directory;
    if let Some(Holder { pid, socket: Some(socket) }) = storage::holder(directory)? {
        match ask(directory, &socket, &Request::Operate(operation.clone()), PATIENCE) {
            Ok(reply) => return answered(reply).map(|(answer, _)| answer),
            Err(Unanswered::Late) => tracing::warn!(
                "the daemon (process {pid}) does not answer within {} s; this is its stored state",
                PATIENCE.as_secs()
            ),
            // It has ended, or is about to.
            Err(Unanswered::Nobody | Unanswered::HungUp) => {}
            Err(Unanswered::Failed(e)) => tracing::warn!("the daemon (process {pid}) cannot be asked: {e}"),
        }
    }
    let loaded = desk.loaded?;
    let mut state = storage::read(directory)?.unwrap_or_else(|| {
        tracing::info!("there is no state in {} yet", directory.display());
        State::in_memory()
    });
    let mut engine = loaded.plan.bind(&mut state)?;
    engine.services.operate(operation, &mut state, Timestamp::now()).map_err(anyhow::Error::new)
}

/// Changes something; what it queues is given so long to be delivered where no daemon does it.
pub(super) fn change(desk: Desk, operation: &Operation, patience: Duration) -> anyhow::Result<Changed> {
    let directory = &desk.directory;
    // Made by a command, a state would perhaps not be the daemon's own.
    match storage::read(directory) {
        Ok(Some(_)) => {}
        Ok(None) => {
            let shown = directory.display();
            bail!("there is no state in {shown} yet: Pyruse has not run with this configuration")
        }
        // A daemon that works without it may be asked.
        Err(e) if storage::is_loss(&e) => {}
        Err(e) => return Err(e),
    }
    let end = Instant::now() + PATIENCE;
    loop {
        let holder = match storage::try_open(directory)? {
            Opened::Free(_storage, mut state) => {
                return change_here(desk.loaded?, operation, &mut state, patience);
            }
            Opened::Held(holder) => holder,
        };
        if let Some(socket) = &holder.socket {
            match ask(directory, socket, &Request::Operate(operation.clone()), PATIENCE) {
                Ok(reply) => {
                    let (answer, unwritten) = answered(reply)?;
                    // What is not on the disk is not handed out.
                    let waiting =
                        if unwritten.is_none() { follow(directory, socket, &answer) } else { Vec::new() };
                    return Ok(Changed { answer, unwritten, waiting, by_daemon: true });
                }
                // It has just ended, or does not listen yet.
                Err(Unanswered::Nobody) => {}
                Err(Unanswered::Late) => bail!(
                    "the daemon (process {}) does not answer within {} s; it may still do what you asked",
                    holder.pid,
                    PATIENCE.as_secs()
                ),
                Err(Unanswered::HungUp) => bail!(
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
        std::thread::sleep(LOOK);
    }
}

/// Does it with the state in our hands.
fn change_here(
    loaded: Loaded,
    operation: &Operation,
    state: &mut State,
    patience: Duration,
) -> anyhow::Result<Changed> {
    let mut engine = loaded.plan.bind(state)?;
    let answer = engine.services.operate(operation, state, Timestamp::now()).map_err(anyhow::Error::new)?;
    state.wait_for_disk();
    state.commit()?;
    let deliveries = deliveries(&answer, operation);
    let mut modules: Vec<&str> = deliveries.iter().map(|delivery| delivery.module.as_str()).collect();
    if matches!(answer, Answer::Report { anything: true }) {
        modules.push(MAILS);
    }
    let mut waiting = Vec::new();
    if !modules.is_empty() {
        let mut services = engine.services.only(&modules);
        services.deliver(state, patience)?;
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

/// What the answer says is to be delivered.
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

/// Waits a little for the daemon's deliveries of bans; what has not succeeded.
fn follow(directory: &Path, socket: &Path, answer: &Answer) -> Vec<Delivery> {
    let Answer::Bans(bans) = answer else { return Vec::new() };
    let mut waiting: Vec<Delivery> = bans.iter().filter_map(|ban| ban.delivery.clone()).collect();
    let end = Instant::now() + AFTERWARDS;
    let mut pause = Duration::from_millis(2);
    while !waiting.is_empty() && Instant::now() < end {
        std::thread::sleep(pause);
        pause = (pause * 2).min(LOOK);
        let show = Request::Operate(Operation::ShowDeliveries { ids: ids(&waiting) });
        match ask(directory, socket, &show, end.saturating_duration_since(Instant::now())) {
            Ok(Reply::Done(Answer::Deliveries(left))) => waiting = left,
            _ => break,
        }
        let is_open =
            |delivery: &Delivery| delivery.error.is_none() || delivery.status == DeliveryStatus::Away;
        if !waiting.iter().any(is_open) {
            break;
        }
    }
    waiting
}

/// The answer, with why it is not on the disk, if it is not.
fn answered(reply: Reply) -> anyhow::Result<(Answer, Option<String>)> {
    match reply {
        Reply::Done(answer) => Ok((answer, None)),
        Reply::Unwritten(answer, why) => Ok((answer, Some(why))),
        Reply::Refused(why) => bail!(why),
        Reply::Rejected(why) => bail!("the daemon refuses: {why}"),
        Reply::Status(_) | Reply::Ending => Err(other_answer()),
    }
}

/// Asks a daemon; we touch its socket as the owner of the storage, like all that is there.
pub(super) fn ask(
    directory: &Path,
    socket: &Path,
    request: &Request,
    patience: Duration,
) -> Result<Reply, Unanswered> {
    let end = Instant::now() + patience;
    let is_missing =
        |e: &std::io::Error| matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused);
    let owner = Owner::of(directory).map_err(|e| Unanswered::Failed(std::io::Error::other(e)))?;
    let connected = {
        let _as_owner = owner.enter();
        connect_to(socket)
    };
    let mut stream = connected.map_err(|e| match e.kind() {
        _ if is_missing(&e) => Unanswered::Nobody,
        ErrorKind::WouldBlock => Unanswered::Late,
        _ => Unanswered::Failed(e),
    })?;
    let mut line = serde_json::to_vec(request).map_err(|e| Unanswered::Failed(e.into()))?;
    line.push(b'\n');
    if let Err(e) = stream.write_all(&line) {
        // One who refuses us does not listen to what we want; he has said why.
        tracing::debug!("asking the daemon: {e}");
    }
    let mut answer = Vec::new();
    let mut reader = BufReader::new(stream);
    loop {
        // Who owns the storage may answer for us without end: neither our time nor our memory is his.
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Unanswered::Late);
        }
        if answer.len() > LONGEST_ANSWER {
            let why = format!("its answer is longer than {} MiB", LONGEST_ANSWER >> 20);
            return Err(Unanswered::Failed(std::io::Error::other(why)));
        }
        reader.get_ref().set_read_timeout(Some(left)).map_err(Unanswered::Failed)?;
        let piece = match reader.fill_buf() {
            Ok([]) => return Err(Unanswered::HungUp),
            Ok(piece) => piece,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Err(Unanswered::Late),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Err(Unanswered::HungUp),
            Err(e) => return Err(Unanswered::Failed(e)),
        };
        let at = piece.iter().position(|b| *b == b'\n');
        let length = at.unwrap_or(piece.len());
        let taken = reader.by_ref().take(length as u64).read_to_end(&mut answer);
        taken.map_err(Unanswered::Failed)?;
        if at.is_some() {
            return match serde_json::from_slice(&answer) {
                Ok(Reply::Ending) => Err(Unanswered::Nobody),
                other => other.map_err(|e| Unanswered::Failed(e.into())),
            };
        }
    }
}
