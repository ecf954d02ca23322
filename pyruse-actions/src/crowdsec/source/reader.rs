//! The open source: gives the entries of the batches that the thread hands over.
//!
//! The thread begins when the loop waits for the source for the first time. A command that looks back never waits, so it
//! asks nothing: the API gives each decision once, and it is for the service.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel, sync_channel};

use pyruse_core::entry::{MemoryRecord, Record};
use pyruse_core::losses::{LossKind, Losses};
use pyruse_core::plugin::{Begin, Begun, Next, Reader, Readiness, SourceError};
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;

use super::fields::Entry;
use super::poll::{Handed, Poller, Questions};
use super::progress::Progress;

/// Decisions that were passed over.
static UNREADABLE: LossKind = LossKind {
    name: "unreadable",
    text: |count, range| {
        let are = if count == 1 { "decision is" } else { "decisions are" };
        format!("{count} {are} passed over, read {range}: their duration is not one")
    },
};

pub(super) struct OpenDecisions {
    questions: Questions,
    /// What counts as read.
    progress: Progress,
    entries: VecDeque<(Entry, Option<Timestamp>)>,
    /// Up to when ends are read when the last of the entries is.
    ended: Option<Timestamp>,
    /// Why the last question failed.
    failed: Option<String>,
    record: MemoryRecord,
    losses: Losses,
    /// Readable when something was handed over.
    woken: UnixStream,
    thread: Thread,
}

/// The connection to the thread.
struct Thread {
    /// Not started yet.
    idle: RefCell<Option<Poller>>,
    handed: Receiver<Handed>,
    /// Dropped to end the thread.
    _stop: Sender<()>,
}

impl Thread {
    fn new(questions: &Questions, progress: &Progress) -> std::io::Result<(Thread, UnixStream)> {
        let (woken, wake) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let (out, handed) = sync_channel(1);
        let (stop_sender, stop) = channel();
        let poller = Poller {
            questions: questions.clone(),
            progress: progress.clone(),
            ended: HashSet::new(),
            is_whole: true,
            out,
            wake,
            stop,
        };
        Ok((Thread { idle: RefCell::new(Some(poller)), handed, _stop: stop_sender }, woken))
    }
}

impl OpenDecisions {
    pub(super) fn new(questions: Questions) -> std::io::Result<OpenDecisions> {
        let progress = Progress::default();
        let (thread, woken) = Thread::new(&questions, &progress)?;
        Ok(OpenDecisions {
            questions,
            progress,
            entries: VecDeque::new(),
            ended: None,
            failed: None,
            record: MemoryRecord::default(),
            losses: Losses::default(),
            woken,
            thread,
        })
    }

    fn take_over(&mut self, handed: Handed) {
        match handed {
            Handed::Failed(why) => self.failed = Some(why),
            Handed::Answer { entries, ended, is_other, unreadable } => {
                self.failed = None;
                if is_other {
                    self.progress = Progress::at(Timestamp::now());
                }
                if unreadable > 0 {
                    let now = Timestamp::now();
                    self.losses.note(&UNREADABLE, unreadable, now, now);
                }
                self.entries = entries.into();
                self.ended = ended;
                if let (true, Some(time)) = (self.entries.is_empty(), ended) {
                    self.progress.ended_at(time);
                }
            }
        }
    }
}

impl Reader for OpenDecisions {
    // What is in force when reading begins is as good as new: a blocklist protects only if it is read as a whole.
    fn resume(&mut self, begin: Begin<'_>) -> Result<Begun, SourceError> {
        self.progress = match begin {
            Begin::Behind(position) => Progress::of(position),
            Begin::Since(time) => Progress::at(time),
            Begin::Head => Progress::default(),
            Begin::Tail => Progress::at(Timestamp::now()),
        };
        (self.thread, self.woken) = Thread::new(&self.questions, &self.progress).map_err(SourceError::of)?;
        self.entries.clear();
        self.failed = None;
        Ok(Begun::Exactly)
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        while self.entries.is_empty() {
            match self.thread.handed.try_recv() {
                Ok(handed) => self.take_over(handed),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.failed = Some("the thread that asks the API has ended".to_owned());
                    break;
                }
            }
        }
        match (self.entries.front(), &self.failed) {
            (Some((entry, _)), _) => Ok(Next::Record(entry.at)),
            (None, Some(why)) => Err(SourceError(why.clone())),
            (None, None) => Ok(Next::End),
        }
    }

    fn record(&mut self) -> &mut dyn Record {
        if let Some((entry, ended)) = self.entries.pop_front() {
            entry.write_into(&mut self.record);
            self.progress.pass(&entry, ended);
            if let (true, Some(time)) = (self.entries.is_empty(), self.ended) {
                self.progress.ended_at(time);
            }
        }
        &mut self.record
    }

    fn position(&mut self) -> Position {
        self.progress.to_position()
    }

    fn is_in_order(&self) -> bool {
        true
    }

    fn readiness(&self) -> Readiness<'_> {
        if let Some(poller) = self.thread.idle.borrow_mut().take() {
            // If this fails, its end of the channel is gone, which is an error of the next reading.
            let _ = std::thread::Builder::new().name("crowdsec".into()).spawn(|| poller.run());
        }
        Readiness { descriptors: [Some(self.woken.as_fd()), None], timeout: None }
    }

    fn wake(&mut self, _descriptor: usize) {
        let mut buffer = [0; 64];
        while matches!(self.woken.read(&mut buffer), Ok(length) if length == buffer.len()) {}
    }

    fn tend(&mut self, _is_drained: bool) -> bool {
        self.losses.tend();
        false
    }

    fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }
}
