//! What a source could not give as it was written: counted by kind, and logged once per episode.
//!
//! An episode is a series of losses of one kind without a quiet minute in between. Its first loss is logged at once, the
//! rest when it is over, or every ten minutes: an attacker who can cause losses must not be able to flood the log.

use std::fmt::Display;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// An episode is over after this time without a further loss.
const QUIET: Duration = Duration::from_secs(60);

/// How often a longer episode logs what was added.
const LOG_INTERVAL: Duration = Duration::from_secs(600);

/// The largest number of lines that are kept until somebody takes them.
const KEPT: usize = 100;

/// What [`LossTotal::text`] has in the place of the time range.
const RANGE: &str = "{range}";

/// A kind of loss.
#[derive(Debug)]
pub struct LossKind {
    /// Its name, for programs.
    pub name: &'static str,
    /// Describes this number of losses for people. The second argument says when: `at …` or `between … and …`.
    pub text: fn(u64, &str) -> String,
}

/// How much of one kind was lost since the start, and when that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LossTotal {
    /// The name of the kind.
    pub kind: String,
    /// How many entries, or fields.
    pub count: u64,
    /// The time of the first.
    pub from: Timestamp,
    /// The time of the last.
    pub until: Timestamp,
    text: String,
}

impl LossTotal {
    /// Describes it for people; `show` formats a time.
    pub fn text(&self, show: impl Fn(Timestamp) -> String) -> String {
        self.text.replace(RANGE, &range(&show(self.from), &show(self.until)))
    }
}

/// Losses of one kind that belong together.
#[derive(Clone, Copy, Debug)]
struct Episode {
    count: u64,
    from: Timestamp,
    until: Timestamp,
    /// When the last of them was noted.
    latest: Instant,
    /// How many of them are logged.
    logged: u64,
    logged_at: Instant,
}

#[derive(Debug)]
struct Tally {
    kind: &'static LossKind,
    count: u64,
    from: Timestamp,
    until: Timestamp,
    episode: Option<Episode>,
}

/// A line for the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    text: String,
    pub(crate) about: About,
}

/// What a line is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Something that the report does not say.
    Notice,
    /// Something that is lost: its number and time, if it has any.
    Loss(Option<LostPart>),
}

/// A part of the losses of one kind: what was not logged yet of an episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostPart {
    /// The name of the kind.
    pub kind: &'static str,
    /// How many entries, or fields, since the part before it.
    pub count: u64,
    /// The time of the first of the episode.
    pub from: Timestamp,
    /// The time of the last.
    pub until: Timestamp,
    /// Whether it is the first part of its episode.
    pub is_first: bool,
}

impl Line {
    /// Returns its text. That of a later part of an episode counts the parts before it, too, and says so.
    pub(crate) fn text(&self) -> String {
        match &self.about {
            About::Loss(Some(LostPart { is_first: false, .. })) => format!("in all, {}", self.text),
            _ => self.text.clone(),
        }
    }
}

/// The losses of one source.
#[derive(Debug, Default)]
pub struct Losses {
    tallies: Vec<Tally>,
    lines: Vec<Line>,
}

impl Losses {
    /// Notes that this many were lost, written between these times.
    pub fn note(&mut self, kind: &'static LossKind, count: u64, from: Timestamp, until: Timestamp) {
        let now = Instant::now();
        let known = self.tallies.iter().position(|tally| tally.kind.name == kind.name);
        let at = known.unwrap_or_else(|| {
            self.tallies.push(Tally { kind, count: 0, from, until, episode: None });
            self.tallies.len() - 1
        });
        let tally = &mut self.tallies[at];
        tally.count += count;
        (tally.from, tally.until) = (tally.from.min(from), tally.until.max(until));
        if let Some(episode) = tally.episode.as_mut().filter(|episode| now - episode.latest < QUIET) {
            episode.count += count;
            (episode.from, episode.until) = (episode.from.min(from), episode.until.max(until));
            episode.latest = now;
            return;
        }
        self.finish(at);
        self.tallies[at].episode =
            Some(Episode { count, from, until, latest: now, logged: 0, logged_at: now });
        self.log_episode(at);
    }

    /// Logs something that is lost and has no count, e.g. that a file is not read.
    pub fn log(&mut self, text: String) {
        self.push(Line { text, about: About::Loss(None) });
    }

    /// Logs something else that the operator should know; the report does not say it.
    pub fn log_notice(&mut self, text: String) {
        self.push(Line { text, about: About::Notice });
    }

    fn push(&mut self, line: Line) {
        if self.lines.len() < KEPT {
            self.lines.push(line);
        }
    }

    /// Logs what is due.
    pub fn tend(&mut self) {
        let now = Instant::now();
        for at in 0..self.tallies.len() {
            let Some(episode) = self.tallies[at].episode else { continue };
            if now - episode.latest >= QUIET {
                self.finish(at);
            } else if now - episode.logged_at >= LOG_INTERVAL {
                self.log_episode(at);
            }
        }
    }

    /// Returns when [`Losses::tend`] has something to do, if nothing happens.
    pub fn next_tend(&self) -> Option<Duration> {
        let episodes = self.tallies.iter().filter_map(|tally| tally.episode);
        let waits = episodes.map(|episode| {
            QUIET
                .saturating_sub(episode.latest.elapsed())
                .min(LOG_INTERVAL.saturating_sub(episode.logged_at.elapsed()))
        });
        waits.min()
    }

    /// Logs what is not logged yet.
    pub(crate) fn flush(&mut self) {
        (0..self.tallies.len()).for_each(|at| self.finish(at));
    }

    /// Takes the lines that are to be logged.
    pub(crate) fn take_lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// Returns how much of each kind was lost since the start.
    pub fn totals(&self) -> Vec<LossTotal> {
        let total = |tally: &Tally| LossTotal {
            kind: tally.kind.name.to_owned(),
            count: tally.count,
            from: tally.from,
            until: tally.until,
            text: (tally.kind.text)(tally.count, RANGE),
        };
        self.tallies.iter().map(total).collect()
    }

    fn finish(&mut self, at: usize) {
        self.log_episode(at);
        self.tallies[at].episode = None;
    }

    fn log_episode(&mut self, at: usize) {
        let Tally { kind, episode: Some(episode), .. } = &mut self.tallies[at] else { return };
        let (is_first, added) = (episode.logged == 0, episode.count - episode.logged);
        (episode.logged, episode.logged_at) = (episode.count, Instant::now());
        if added > 0 {
            let Episode { count, from, until, .. } = *episode;
            let text = (kind.text)(count, &range(&from.local(), &until.local()));
            let part = LostPart { kind: kind.name, count: added, from, until, is_first };
            self.push(Line { text, about: About::Loss(Some(part)) });
        }
    }
}

fn range(from: &impl Display, until: &impl Display) -> String {
    let (from, until) = (from.to_string(), until.to_string());
    if from == until { format!("at {from}") } else { format!("between {from} and {until}") }
}
