//! The digest: what a person must read of a day, before it has a format.
//!
//! Kinds of lines, totals and bans enter; ordered, worded and bounded rows leave. The order is by weight: first what is
//! new, then by the priority of the entries, then the rarer; bans and statistics come last. Texts come from entries:
//! control characters are made visible here, once for all formats.

mod bans;
mod rows;
mod subject;
mod text;
mod troubles;
mod verdict;

use std::collections::BTreeMap;
use std::time::Duration;

use pyruse_core::serde::Serialize;
use pyruse_core::state::State;
use pyruse_core::text::grouped;

use self::bans::Bans;
pub(super) use self::rows::Limits;
use self::rows::{Section, Weighed};
pub(super) use self::subject::Day;
use self::verdict::Verdict;
use super::Recorded;
use super::content::printable;
use super::day::Overflow;
use super::history::{Numbers, Trend};
use super::kinds::Kinds;
use super::notes::Sort;
use crate::email::host;

/// A day that is shorter than this is not over: who has not written yet may still write.
const WHOLE_DAY: Duration = Duration::from_secs(20 * 3600);

/// The maximum number of changed habits of each sort.
const NEWS: usize = 10;

/// A digest.
#[derive(Clone, Debug, Serialize)]
#[serde(crate = "pyruse_core::serde", rename_all = "camelCase")]
pub(super) struct Digest {
    /// The host whose entries these are, or the number of hosts.
    host: String,
    /// If there are several: each with its number of lines.
    hosts: Vec<Host>,
    date: String,
    since: Option<String>,
    until: String,
    verdict: String,
    /// Whether there was no report before, so that nothing can be marked as new.
    is_first: bool,
    sections: Vec<Section>,
    /// What Pyruse could not do.
    troubles: Vec<Item>,
    /// What sources could not give, for programs; it is among the troubles.
    losses: Vec<troubles::Loss>,
    /// Habits that changed.
    news: Vec<Item>,
    /// The mails of the day, by subject.
    mails: Vec<Item>,
    bans: Bans,
    totals: Vec<Total>,
    identifiers: Vec<Total>,
}

/// A host with its number of lines.
#[derive(Clone, Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
struct Host {
    name: String,
    count: String,
}

/// A number of the day beside those of earlier days.
#[derive(Clone, Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
struct Total {
    name: String,
    /// The name, as wide as the column of a terminal.
    label: String,
    today: String,
    yesterday: String,
    mean: String,
    /// The length of its bar, in percent of the longest.
    width: u64,
}

/// A sentence.
#[derive(Clone, Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
struct Item {
    sentence: String,
    /// The same as lines of a terminal.
    text: Vec<String>,
}

impl Item {
    fn new(sentence: String) -> Item {
        let text = text::hanging(&format!("- {sentence}"), 2, 4);
        Item { sentence, text }
    }
}

/// All kinds of lines of a day, in order of weight: what its digests are made from, whatever their limits.
pub(super) struct Weighing<'a> {
    day: &'a Day<'a>,
    clock: rows::Clock<'a>,
    hosts: Vec<(String, u64)>,
    weighed: Vec<Weighed<'a>>,
    verdict: String,
}

impl<'a> Weighing<'a> {
    /// Weighs the lines of a day; `None` if nothing is recorded.
    pub(super) fn of(day: &'a Day<'a>) -> Option<Weighing<'a>> {
        let (kinds, memory) = (day.state.get(day.recorded.kinds), day.state.get(day.recorded.memory));
        let totals = &day.state.get(day.recorded.day).totals;
        if day.recorded.is_empty(day.state) {
            return None;
        }
        let hosts = hosts(kinds);
        let weighed = rows::weigh(kinds, memory, hosts.len() > 1);
        let verdict = Verdict::of(&weighed, kinds, totals.bans, memory.is_empty()).to_string();
        let clock = rows::Clock::new(day.zone, totals.since.unwrap_or(day.now), day.now);
        Some(Weighing { day, clock, hosts, weighed, verdict })
    }

    /// Makes a digest.
    pub(super) fn digest(&self, limits: Limits) -> Digest {
        let Weighing { day, clock, hosts, weighed, verdict } = self;
        let of_day = day.state.get(day.recorded.day);
        Digest {
            host: match hosts.as_slice() {
                [] => host(),
                [(host, _)] => host.clone(),
                several => format!("{} hosts", several.len()),
            },
            date: day.date(),
            since: of_day.totals.since.map(|since| since.shown_in(day.zone)),
            until: day.now.shown_in(day.zone),
            verdict: verdict.clone(),
            is_first: day.state.get(day.recorded.memory).is_empty(),
            sections: rows::sections(weighed, clock, limits),
            troubles: troubles::troubles(day, clock).into_iter().map(Item::new).collect(),
            losses: troubles::losses(day),
            news: news(day).into_iter().map(Item::new).collect(),
            mails: mails(day, clock, limits),
            bans: Bans::of(of_day, clock, limits),
            totals: totals_of(day),
            identifiers: identifiers(day, limits),
            hosts: if hosts.len() > 1 {
                let host =
                    |(name, count): &(String, u64)| Host { name: printable(name), count: grouped(*count) };
                hosts.iter().take(limits.identifiers).map(host).collect()
            } else {
                Vec::new()
            },
        }
    }
}

impl Digest {
    /// Makes the digest of a day; `None` if nothing is recorded.
    pub(super) fn of(day: &Day<'_>, limits: Limits) -> Option<Digest> {
        Some(Weighing::of(day)?.digest(limits))
    }
}

/// Returns the numbers of the day, as [`History`](super::history::History) keeps them.
pub(super) fn numbers(state: &State, recorded: Recorded) -> Numbers {
    let totals = &state.get(recorded.day).totals;
    let errors = state.get(recorded.notes).of(Sort::Error).iter().map(|(_, count)| count.count).sum();
    let [warnings, infos, others] = totals.lines;
    [totals.entries, warnings, infos, others, totals.bans, totals.mails, errors]
}

impl Digest {
    pub(super) fn verdict(&self) -> &str {
        &self.verdict
    }

    /// Returns `true` if rows are left out.
    pub(super) fn is_cut(&self) -> bool {
        self.bans.is_cut() || self.sections.iter().any(Section::is_cut)
    }

    /// Returns the subject of its mail.
    pub(super) fn subject(&self, template: &str) -> String {
        template
            .replace("{date}", &self.date)
            .replace("{verdict}", &self.verdict)
            .replace("{host}", &self.host)
    }
}

fn totals_of(day: &Day<'_>) -> Vec<Total> {
    let names = ["entries", "warnings", "information", "other lines", "bans", "mails", "errors of steps"];
    let numbers = numbers(day.state, day.recorded);
    let history = day.state.get(day.recorded.history);
    let rows = names.into_iter().zip(numbers).enumerate();
    rows.map(|(n, (name, today))| {
        let trend = history.total(n);
        // Each has its own scale: a bar compares today with yesterday.
        let most = today.max(trend.yesterday.unwrap_or(0));
        total(name.to_owned(), today, trend, most)
    })
    .collect()
}

fn identifiers(day: &Day<'_>, limits: Limits) -> Vec<Total> {
    let history = day.state.get(day.recorded.history);
    let busiest = day.state.get(day.recorded.day).busiest(limits.identifiers);
    let most = busiest.first().map_or(1, |(_, count)| *count);
    busiest
        .into_iter()
        .map(|(name, today)| total(printable(name), today, history.identifier(name), most))
        .collect()
}

fn total(name: String, today: u64, trend: Trend, most: u64) -> Total {
    let unknown = || "-".to_owned();
    Total {
        label: pyruse_core::text::fitted(&name, 40),
        name,
        today: grouped(today),
        yesterday: trend.yesterday.map_or_else(unknown, grouped),
        mean: trend.mean.map_or_else(unknown, mean),
        width: if today == 0 { 0 } else { (today * 100 / most.max(1)).clamp(1, 100) },
    }
}

fn mean(mean: f64) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of counts is one")]
    let rounded = mean.round() as u64;
    if mean > 0.0 && mean < 10.0 { format!("{mean:.1}") } else { grouped(rounded) }
}

/// Returns the habits that changed, as sentences.
pub(super) fn news(day: &Day<'_>) -> Vec<String> {
    let history = day.state.get(day.recorded.history);
    let of_day = day.state.get(day.recorded.day);
    let since = of_day.totals.since.unwrap_or(day.now);
    if since.until(day.now) < WHOLE_DAY {
        // What has not happened yet may still happen.
        return Vec::new();
    }
    let silent = history.fallen_silent(of_day).into_iter().map(|(name, before)| {
        format!("{} fell silent: no entry today, {} a day in the week before.", printable(name), mean(before))
    });
    let blind = history.blind(day.blind_days, of_day).into_iter().map(|blind| {
        format!(
            "The rule “{}” has done nothing for {} days, although {} still writes. Has the wording of its lines changed?",
            printable(&blind.chain),
            blind.days,
            printable(&blind.identifier)
        )
    });
    let mut news: Vec<String> = silent.take(NEWS).collect();
    news.extend(blind.take(NEWS));
    news
}

fn mails(day: &Day<'_>, clock: &rows::Clock<'_>, limits: Limits) -> Vec<Item> {
    let notes = day.state.get(day.recorded.notes).of(Sort::Mail);
    let mail = |(subject, count): &(&str, Overflow)| {
        Item::new(format!(
            "{} × {} ({})",
            grouped(count.count),
            printable(subject),
            clock.range(count.first, count.last)
        ))
    };
    notes.iter().take(limits.identifiers).map(mail).collect()
}

/// Returns the machines that wrote the lines, the busiest first.
fn hosts(kinds: &Kinds) -> Vec<(String, u64)> {
    let mut hosts: BTreeMap<&str, u64> = BTreeMap::new();
    for kind in kinds.iter() {
        for (host, count) in kind.hosts() {
            *hosts.entry(host).or_default() += count;
        }
    }
    let mut hosts: Vec<(String, u64)> =
        hosts.into_iter().map(|(host, count)| (host.to_owned(), count)).collect();
    hosts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    hosts
}
