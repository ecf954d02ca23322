//! Asks the API at intervals, on a thread of its own.
//!
//! The first question, and each one after a failure, is for all decisions: the API remembers what it has given out, but
//! not what has arrived. The others are for what has changed since.

use std::collections::HashSet;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use pyruse_core::secret;
use pyruse_core::time::Timestamp;
use ureq::Body;
use ureq::http::Response;

use super::answer;
use super::fields::{Change, Entry};
use super::intake::{Batch, Intake};
use super::progress::Progress;
use crate::crowdsec::api::{Api, Failure};

/// The largest number of ends that are remembered.
const ENDS: usize = 1_000_000;

/// What to ask, and where.
#[derive(Clone)]
pub(super) struct Questions {
    pub(super) origin: String,
    pub(super) key_file: PathBuf,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) limit: Duration,
    pub(super) interval: Duration,
    pub(super) scopes: Vec<String>,
    pub(super) own: bool,
}

impl Questions {
    fn api(&self) -> Result<Api, Failure> {
        Api::new(self.origin.clone(), self.ca_file.as_deref(), self.limit).map_err(Failure::Other)
    }

    fn ask(&self, api: &Api, path: &str) -> Result<Response<Body>, Failure> {
        let file = self.key_file.display();
        let key = secret::read(&self.key_file, "key").map_err(Failure::Denied)?;
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::Denied(format!("{file}: its first line is not a key")));
        }
        let answer = api.send(("GET", path), Some(("X-Api-Key", &key)), None);
        answer.map_err(|failure| match failure {
            Failure::Denied(why) => Failure::Denied(format!(
                "{why}; make a key with `cscli bouncers add pyruse`, and write it into {file}"
            )),
            other => other,
        })
    }
}

/// Asks whether there is a decision about an address of no host: for `check --live`. This does not count as a question of
/// the stream.
pub(super) fn ask_for_one(questions: &Questions) -> Result<(), Failure> {
    let api = questions.api()?;
    let answer = questions.ask(&api, "/v1/decisions?ip=192.0.2.1")?;
    api.read(answer, 1024 * 1024).map(|_: Option<Vec<super::super::decision::Decision>>| ())
}

/// What is handed over to the reader.
pub(super) enum Handed {
    /// An answer. It may have no entries.
    Answer {
        entries: Vec<(Entry, Option<Timestamp>)>,
        /// Ends before this time were read when all entries are read.
        ended: Option<Timestamp>,
        /// The API has another database than before: what was read is forgotten.
        is_other: bool,
        unreadable: u64,
    },
    /// There was no answer; with the reason.
    Failed(String),
}

/// The thread.
pub(super) struct Poller {
    pub(super) questions: Questions,
    /// What was handed over.
    pub(super) progress: Progress,
    /// The numbers of the ends that were handed over: the API gives some twice.
    pub(super) ended: HashSet<u64>,
    /// Whether to ask for all decisions.
    pub(super) is_whole: bool,
    pub(super) out: SyncSender<Handed>,
    pub(super) wake: UnixStream,
    /// Disconnected when the reader is dropped.
    pub(super) stop: Receiver<()>,
}

impl Poller {
    /// Asks until the reader is dropped.
    pub(super) fn run(mut self) {
        let mut api = None;
        loop {
            let mut wait = self.questions.interval;
            let handed = match self.turn(&mut api) {
                Ok(Some((handed, more))) => {
                    if more {
                        wait = Duration::ZERO;
                    }
                    Some(handed)
                }
                Ok(None) => {
                    (self.is_whole, wait) = (true, Duration::ZERO);
                    None
                }
                Err(failure) => {
                    (self.is_whole, api) = (true, None);
                    Some(Handed::Failed(failure.into_text()))
                }
            };
            // Waits while the loop has a batch that it has not read.
            if handed.is_some_and(|handed| self.out.send(handed).is_err()) {
                return;
            }
            // If the socket is full, the loop will wake up anyway.
            let _ = (&self.wake).write(&[0]);
            if self.stop.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// Asks once. Returns what to hand over, and whether there is more; `None`: all must be asked for.
    fn turn(&mut self, api: &mut Option<Api>) -> Result<Option<(Handed, bool)>, Failure> {
        let client = match api.take() {
            Some(client) => client,
            None => self.questions.api()?,
        };
        let client = &*api.insert(client);
        let scopes = match self.questions.scopes.join(",") {
            scopes if scopes.is_empty() => scopes,
            scopes => format!("&scopes={scopes}"),
        };
        let path = format!("/v1/decisions/stream?startup={}{scopes}", self.is_whole);
        let start = Timestamp::now();
        let answer = self.questions.ask(client, &path)?;
        let shape = (self.is_whole, self.questions.own);
        let mut intake = Intake::new(&self.progress, shape, &self.ended, Timestamp::now());
        let read = answer::read(answer.into_body().as_reader(), |list, it| intake.take(list, it));
        read.map_err(|e| if e.is_io() { client.away(&e) } else { client.not_understood(&e) })?;
        let Some(Batch { entries, more, is_other, unreadable }) = intake.finish() else { return Ok(None) };
        if is_other {
            self.progress = Progress::at(start);
            self.ended.clear();
            tracing::warn!(
                "{} does not know the decisions that were read last: it has another database, so all decisions in \
                 force are read again",
                self.questions.origin
            );
        }
        for (entry, ended) in &entries {
            self.progress.pass(entry, *ended);
            if entry.change == Change::Deleted {
                self.ended.insert(entry.decision.id);
            }
        }
        // Of another database, no ends were read.
        let ended = (!more || is_other).then_some(start);
        if let Some(time) = ended {
            self.progress.ended_at(time);
        }
        if self.ended.len() > ENDS {
            self.ended.clear();
        }
        self.is_whole = more;
        Ok(Some((Handed::Answer { entries, ended, is_other, unreadable }, more)))
    }
}
