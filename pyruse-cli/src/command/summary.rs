//! The summary of a replay.
//!
//! All sections have one column of labels and two of numbers, as wide as the terminal allows. Labels and messages may
//! come from entries: unsafe characters are replaced, and the width is what a terminal shows.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use pyruse_core::effect::{Effect, PlacedEffect};
use pyruse_core::level::{Level, ReportLevel};
use pyruse_core::time::Timestamp;
use pyruse_core::workflow::{Site, SiteId};

use super::simulation::{Origin, SimulationObserver};
use super::text::{columns, counted, cut, fitted, folded, grouped, printable};

/// The number of most frequent addresses shown for each set.
const ADDRESSES: usize = 5;

/// Counts what happens.
pub(crate) struct Summary {
    start: Instant,
    entries: u64,
    came_back: u64,
    range: Option<(Timestamp, Timestamp)>,
    hits: Vec<u64>,
    bans: HashMap<String, HashMap<String, u64>>,
    mails: HashMap<String, u64>,
    /// By server.
    requests: HashMap<String, u64>,
    logs: BTreeMap<Level, u64>,
    reports: BTreeMap<ReportLevel, u64>,
    others: HashMap<&'static str, u64>,
    errors: BTreeMap<(String, usize), (u64, String)>,
}

impl SimulationObserver for Summary {
    const CURSORS: bool = false;
    const STEPS: bool = true;

    fn effect(&mut self, placed: &PlacedEffect<'_>) -> io::Result<()> {
        match placed.effect {
            Effect::Ban { set, ip, .. } => {
                *self.bans.entry(set.clone()).or_default().entry(ip.clone()).or_default() += 1;
            }
            Effect::Email { subject, .. } => *self.mails.entry(subject.clone()).or_default() += 1,
            Effect::Http { url, .. } => {
                let server = url.split('/').take(3).collect::<Vec<_>>().join("/");
                *self.requests.entry(server).or_default() += 1;
            }
            Effect::Log { level, .. } => *self.logs.entry(*level).or_default() += 1,
            Effect::Report { level, .. } => *self.reports.entry(*level).or_default() += 1,
            Effect::Error { message } => {
                let place = (placed.chain.to_owned(), placed.step);
                self.errors.entry(place).or_insert_with(|| (0, message.clone())).0 += 1;
            }
            Effect::Custom { action, .. } => *self.others.entry(action).or_default() += 1,
            other => *self.others.entry(other.name()).or_default() += 1,
        }
        Ok(())
    }

    fn entry(&mut self, time: Timestamp, origin: Origin) {
        if origin == Origin::Feedback {
            self.came_back += 1;
            return;
        }
        self.entries += 1;
        if time == Timestamp::default() {
            // A recorded entry without its time.
            return;
        }
        let (first, last) = self.range.get_or_insert((time, time));
        (*first, *last) = ((*first).min(time), (*last).max(time));
    }

    fn step(&mut self, id: SiteId) {
        if id.index() >= self.hits.len() {
            self.hits.resize(id.index() + 1, 0);
        }
        self.hits[id.index()] += 1;
    }
}

impl Summary {
    /// Starts the count and the measurement of time.
    pub(crate) fn new() -> Summary {
        Summary {
            start: Instant::now(),
            entries: 0,
            came_back: 0,
            range: None,
            hits: Vec::new(),
            bans: HashMap::new(),
            mails: HashMap::new(),
            requests: HashMap::new(),
            logs: BTreeMap::new(),
            reports: BTreeMap::new(),
            others: HashMap::new(),
            errors: BTreeMap::new(),
        }
    }

    /// Writes the summary for a terminal with this many columns.
    pub(crate) fn write(
        &self,
        out: &mut impl Write,
        sites: &[Site],
        zone: &TimeZone,
        width: usize,
    ) -> io::Result<()> {
        let width = width.clamp(NARROWEST, WIDEST);
        self.write_head(out, zone, width)?;
        let (chains, idle) = self.chains(sites);
        let sections = [
            chains,
            self.bans(),
            Section::new("mails by subject", ["count", ""], by_count(&self.mails)),
            Section::new("requests by server", ["count", ""], by_count(&self.requests)),
            Section::new("journal lines by level", ["count", ""], by_level(&self.logs)),
            Section::new("report lines by level", ["count", ""], by_level(&self.reports)),
            Section::new("other effects", ["count", ""], by_count(&self.others)),
            self.errors(sites),
        ];
        let rows = sections.iter().flat_map(|section| &section.rows);
        let label = rows.map(Row::columns).max().unwrap_or(0).clamp(LABEL, LONGEST).min(width - 2 * NUMBER);
        for section in sections.iter().filter(|section| !section.rows.is_empty()) {
            section.write(out, label, width)?;
        }
        write_idle(out, &idle, width)
    }

    fn write_head(&self, out: &mut impl Write, zone: &TimeZone, width: usize) -> io::Result<()> {
        let elapsed = self.start.elapsed().as_secs_f64();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate, for people"
        )]
        let rate = (self.entries as f64 / elapsed.max(1e-9)) as u64;
        write!(out, "{} in {elapsed:.2} s", counted(self.entries, "entry", "entries"))?;
        writeln!(out, " ({}/s)", grouped(rate))?;
        if let Some((first, last)) = self.range {
            let shown = |time: Timestamp| time.shown_in(zone);
            let range = format!("{} to {}, {}", shown(first), shown(last), length(first.until(last)));
            writeln!(out, "{}", folded(&range, width))?;
        }
        if self.came_back > 0 {
            writeln!(out, "{} of action_log read as entries", counted(self.came_back, "line", "lines"))?;
        }
        Ok(())
    }

    /// Returns the chains that were entered, and the labels of those that were not.
    fn chains<'s>(&self, sites: &'s [Site]) -> (Section, Vec<&'s str>) {
        let (mut rows, mut idle) = (Vec::new(), Vec::new());
        for (n, site) in sites.iter().enumerate().filter(|(_, site)| site.step == 0) {
            match self.hits.get(n).copied().unwrap_or(0) {
                0 => idle.push(site.chain.as_str()),
                hits => rows.push(Row {
                    second: percent(hits, self.entries + self.came_back),
                    ..Row::new(&site.chain, hits)
                }),
            }
        }
        (Section::new("chains", ["entries", "share"], rows), idle)
    }

    fn bans(&self) -> Section {
        let sets = self.bans.iter().map(|(set, addresses)| (set, addresses.values().sum::<u64>()));
        let mut rows = Vec::new();
        for (set, total) in sorted(sets) {
            let addresses = &self.bans[set];
            rows.push(Row { second: grouped(addresses.len() as u64), ..Row::new(set, total) });
            let addresses = sorted(addresses.iter().map(|(address, count)| (address, *count)));
            let (shown, rest) = addresses.split_at(addresses.len().min(ADDRESSES));
            rows.extend(shown.iter().map(|(address, count)| Row { indent: 4, ..Row::new(address, *count) }));
            if !rest.is_empty() {
                let label = counted(rest.len() as u64, "other", "others");
                let count = rest.iter().map(|(_, count)| count).sum();
                rows.push(Row { indent: 4, ..Row::new(&label, count) });
            }
        }
        Section::new("bans by set", ["count", "addresses"], rows)
    }

    /// In the order of the configuration.
    fn errors(&self, sites: &[Site]) -> Section {
        let errors = sites.iter().filter_map(|site| {
            let (count, first) = self.errors.get(&(site.chain.clone(), site.step))?;
            let (second, note) = (site.step.to_string(), Some(format!("e.g. {}", printable(first))));
            Some(Row { second, note, ..Row::new(&site.chain, *count) })
        });
        Section::new("errors by step", ["count", "step"], errors.collect())
    }
}

/// A narrower terminal wraps the lines itself.
const NARROWEST: usize = 40;

/// Longer lines are hard to read.
const WIDEST: usize = 120;

/// The minimum number of columns for labels, with their indent.
const LABEL: usize = 24;

/// Longer labels are cut even if there is space, so that a single one does not move all numbers.
const LONGEST: usize = 60;

/// The number of columns for a number, with the space before it.
const NUMBER: usize = 13;

/// A label with its numbers.
struct Row {
    indent: usize,
    label: String,
    first: String,
    second: String,
    note: Option<String>,
}

impl Row {
    fn new(label: &str, count: u64) -> Row {
        Row { indent: 2, label: printable(label), first: grouped(count), second: String::new(), note: None }
    }

    fn columns(&self) -> usize {
        self.indent + columns(&self.label)
    }
}

/// Rows of one kind.
struct Section {
    title: &'static str,
    heads: [&'static str; 2],
    rows: Vec<Row>,
}

impl Section {
    fn new(title: &'static str, heads: [&'static str; 2], rows: Vec<Row>) -> Section {
        Section { title, heads, rows }
    }

    fn write(&self, out: &mut impl Write, label: usize, width: usize) -> io::Result<()> {
        let mut line = |label: &str, first: &str, second: &str| {
            writeln!(out, "{}", format!("{label}{first:>NUMBER$}{second:>NUMBER$}").trim_end())
        };
        line("", "", "")?;
        line(&fitted(self.title, label), self.heads[0], self.heads[1])?;
        for row in &self.rows {
            let indent = " ".repeat(row.indent);
            let text = format!("{indent}{}", fitted(&row.label, label - row.indent));
            line(&text, &row.first, &row.second)?;
            if let Some(note) = &row.note {
                line(&format!("{indent}  {}", cut(note, width - row.indent - 2)), "", "")?;
            }
        }
        Ok(())
    }
}

/// Writes labels one after the other, as many per line as fit.
fn write_idle(out: &mut impl Write, labels: &[&str], width: usize) -> io::Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nnever reached: {}", counted(labels.len() as u64, "chain", "chains"))?;
    let mut line = String::new();
    for (n, label) in labels.iter().enumerate() {
        let comma = if n + 1 < labels.len() { "," } else { "" };
        let label = format!(" {}{comma}", cut(&printable(label), width - 4));
        if !line.is_empty() && 1 + columns(&line) + columns(&label) > width {
            writeln!(out, " {}", std::mem::take(&mut line))?;
        }
        line.push_str(&label);
    }
    writeln!(out, " {line}")
}

/// Sorts by number, the largest first; equal ones by name.
fn sorted<'a, T: AsRef<str> + ?Sized + 'a>(
    counts: impl Iterator<Item = (&'a T, u64)>,
) -> Vec<(&'a str, u64)> {
    let mut counts: Vec<_> = counts.map(|(name, count)| (name.as_ref(), count)).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    counts
}

fn by_count<T: AsRef<str>>(counts: &HashMap<T, u64>) -> Vec<Row> {
    let counts = sorted(counts.iter().map(|(name, count)| (name, *count)));
    counts.into_iter().map(|(name, count)| Row::new(name, count)).collect()
}

/// Sorts by level, the most urgent first.
fn by_level(counts: &BTreeMap<impl Display, u64>) -> Vec<Row> {
    counts.iter().map(|(level, count)| Row::new(&level.to_string(), *count)).collect()
}

#[allow(clippy::cast_precision_loss, reason = "a share, for people")]
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".into() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

/// Formats a duration in its two largest units.
fn length(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 10 {
        return format!("{:.1} s", duration.as_secs_f64());
    }
    let units = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let large = units.iter().position(|(_, unit)| seconds >= *unit).unwrap_or(3);
    let (name, unit) = units[large];
    let shown = format!("{} {name}", grouped(seconds / unit));
    match units.get(large + 1) {
        Some((name, smaller)) if seconds % unit >= *smaller => {
            format!("{shown} {} {name}", seconds % unit / smaller)
        }
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_shown_in_two_units() {
        for (millis, expected) in [
            (0, "0.0 s"),
            (1_250, "1.2 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (3_725_000, "1 h 2 min"),
            (86_400_000, "1 d"),
            (86_400_000 * 1000 + 7_200_000, "1,000 d 2 h"),
            (86_400_000 + 59_000, "1 d"),
        ] {
            assert_eq!(length(Duration::from_millis(millis)), expected);
        }
    }
}
