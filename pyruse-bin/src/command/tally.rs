//! Rehearsals: running a configuration without consequences, and telling what it would have done.
//!
//! `replay` and `run --dry-run` share this: fresh state in memory, couriers that deliver nothing, and an observer that
//! prints or counts effects.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::sync::Arc;

use pyruse_core::courier::{Courier, Couriers, Deliver, Outcome, Place};
use pyruse_core::effect::{Effect, PlacedEffect};
use pyruse_core::engine::{Engine, Services};
use pyruse_core::entry::{Entry, Record, Slot};
use pyruse_core::plugin::StepError;
use pyruse_core::state::{Letter, State};
use pyruse_core::time::Timestamp;
use pyruse_core::workflow::{Observer, Site, SiteId, Workflow};

/// What is queued is thrown away once in so many entries.
const SETTLE_EVERY: u64 = 1000;

/// A configuration that runs without consequences.
pub(crate) struct Rehearsal {
    pub(crate) engine: Engine,
    pub(crate) state: State,
    couriers: Couriers,
    mark: Slot,
    pub(crate) entries: u64,
}

/// Takes everything and delivers nothing.
struct Nobody;

impl Deliver for Nobody {
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        vec![Outcome::Done; letters.len()]
    }
}

/// What became of effects: printed, or counted.
pub(crate) trait Telling {
    fn effect(&mut self, effect: &PlacedEffect<'_>) -> io::Result<()>;
    fn step(&mut self, _id: SiteId) {}
}

impl Rehearsal {
    pub(crate) fn new(mut engine: Engine, mark: Slot, state: State) -> anyhow::Result<Rehearsal> {
        let mut couriers = Couriers::new(Arc::new(|| ()));
        engine.services.employ_as(&mut couriers, |courier| Courier {
            batch: usize::MAX,
            place: Place::Inline,
            deliver: Box::new(Nobody),
            ..courier
        })?;
        Ok(Rehearsal { engine, state, couriers, mark, entries: 0 })
    }

    pub(crate) fn run(&mut self, record: &mut dyn Record, telling: &mut impl Telling) -> io::Result<()> {
        self.entries += 1;
        let mut observer =
            Observed { services: &mut self.engine.services, mark: self.mark, telling, result: Ok(()) };
        self.engine.workflow.run(record, &mut self.state, &mut observer);
        let result = observer.result;
        if self.entries.is_multiple_of(SETTLE_EVERY) {
            self.settle()?;
        }
        result
    }

    /// Throws away what is queued.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        self.state.commit().map_err(io::Error::other)?;
        self.couriers.dispatch(&mut self.state, Timestamp::NEVER);
        Ok(())
    }
}

struct Observed<'a, T> {
    services: &'a mut Services,
    mark: Slot,
    telling: &'a mut T,
    result: io::Result<()>,
}

impl<T: Telling> Observed<'_, T> {
    fn tell(&mut self, site: &Site, entry: &mut Entry<'_>, effect: &Effect) {
        let cursor = entry.cursor();
        let placed = PlacedEffect {
            effect,
            at: entry.time(),
            cursor: cursor.as_deref(),
            chain: &site.chain,
            step: site.step,
        };
        if self.result.is_ok() {
            self.result = self.telling.effect(&placed);
        }
    }
}

impl<T: Telling> Observer for Observed<'_, T> {
    const EFFECTS: bool = true;

    fn admits(&mut self, entry: &mut Entry<'_>, state: &mut State) -> bool {
        entry.value(self.mark).is_none() && self.services.admit(entry, state)
    }

    fn step(&mut self, id: SiteId, _passed: bool) {
        self.telling.step(id);
    }

    fn effect(&mut self, site: &Site, entry: &mut Entry<'_>, effect: Effect) {
        self.tell(site, entry, &effect);
    }

    fn error(&mut self, _: SiteId, site: &Site, entry: &mut Entry<'_>, error: &StepError) {
        self.tell(site, entry, &Effect::Error { message: error.to_string() });
    }
}

/// Prints effects, as JSON or for people.
pub(crate) struct EffectPrinter<W> {
    pub(crate) out: W,
    json: bool,
}

impl<W: Write> EffectPrinter<W> {
    pub(crate) fn new(out: W, json: bool) -> EffectPrinter<W> {
        EffectPrinter { out, json }
    }
}

impl<W: Write> Telling for EffectPrinter<W> {
    fn effect(&mut self, effect: &PlacedEffect<'_>) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut self.out, &effect.to_json())?;
            return self.out.write_all(b"\n");
        }
        let line = match effect.effect {
            Effect::Ban { set, ip, seconds, renewed, .. } => {
                let length = if *seconds == 0 { "for ever".to_owned() } else { format!("for {seconds} s") };
                format!("ban     {ip} in `{set}` {length}{}", if *renewed { " (again)" } else { "" })
            }
            Effect::Email { subject, to, body } => {
                format!("mail    {subject} (to {}): {body}", to.join(", "))
            }
            Effect::Log { level, message } => format!("log     {level}: {message}"),
            Effect::Report { level, message, .. } => format!("report  {level}: {message}"),
            Effect::Error { message } => format!("error   {message}"),
            other => format!("effect  {}", serde_json::to_string(other).unwrap_or_default()),
        };
        writeln!(
            self.out,
            "{}  {}  [{} #{}]",
            effect.at,
            printable(&line),
            printable(effect.chain),
            effect.step
        )
    }
}

/// What an entry holds must not reach a terminal as commands.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push('⏎'),
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Characters that change the direction or the look of what stands around them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

pub(crate) fn print_line(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Counts effects, for a summary.
#[derive(Default)]
pub(crate) struct Tally {
    hits: Vec<u64>,
    bans: BTreeMap<String, HashMap<String, u64>>,
    mails: BTreeMap<String, u64>,
    logs: BTreeMap<&'static str, u64>,
    reports: BTreeMap<&'static str, u64>,
    errors: BTreeMap<(String, usize), (u64, String)>,
}

impl Telling for Tally {
    fn effect(&mut self, placed: &PlacedEffect<'_>) -> io::Result<()> {
        match placed.effect {
            Effect::Ban { set, ip, .. } => {
                *self.bans.entry(set.clone()).or_default().entry(ip.clone()).or_default() += 1;
            }
            Effect::Email { subject, .. } => *self.mails.entry(subject.clone()).or_default() += 1,
            Effect::Log { level, .. } => *self.logs.entry(level).or_default() += 1,
            Effect::Report { level, .. } => *self.reports.entry(level).or_default() += 1,
            Effect::Error { message } => {
                let place = (placed.chain.to_owned(), placed.step);
                self.errors.entry(place).or_insert_with(|| (0, message.clone())).0 += 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn step(&mut self, id: SiteId) {
        if id.index() >= self.hits.len() {
            self.hits.resize(id.index() + 1, 0);
        }
        self.hits[id.index()] += 1;
    }
}

impl Tally {
    /// The summary, without its head.
    pub(crate) fn write(&self, out: &mut impl Write, workflow: &Workflow, entries: u64) -> io::Result<()> {
        let share = |n: u64| percent(n, entries);
        writeln!(out, "\nchains                                      entries   share")?;
        for (n, site) in workflow.sites().iter().enumerate().filter(|(_, site)| site.step == 0) {
            let hits = self.hits.get(n).copied().unwrap_or(0);
            writeln!(out, "  {:<38} {hits:>10}  {:>6}", printable(&site.chain), share(hits))?;
        }
        if !self.bans.is_empty() {
            writeln!(out, "\nbans")?;
        }
        for (set, addresses) in &self.bans {
            let total: u64 = addresses.values().sum();
            writeln!(out, "  {:<38} {total:>10}  of {} addresses", printable(set), addresses.len())?;
            let mut busiest: Vec<_> = addresses.iter().collect();
            busiest.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
            for (address, count) in busiest.into_iter().take(5) {
                writeln!(out, "    {address:<36} {count:>10}")?;
            }
        }
        let mut section = |title: &str, rows: Vec<(&str, u64)>| -> io::Result<()> {
            if !rows.is_empty() {
                writeln!(out, "\n{title}")?;
            }
            rows.into_iter()
                .try_for_each(|(name, count)| writeln!(out, "  {:<38} {count:>10}", printable(name)))
        };
        section("mails", self.mails.iter().map(|(subject, count)| (subject.as_str(), *count)).collect())?;
        section("journal lines", self.logs.iter().map(|(level, count)| (*level, *count)).collect())?;
        section("report lines", self.reports.iter().map(|(level, count)| (*level, *count)).collect())?;
        if !self.errors.is_empty() {
            writeln!(out, "\nerrors")?;
        }
        for ((chain, step), (count, first)) in &self.errors {
            let place = format!("{} #{step}", printable(chain));
            writeln!(out, "  {place:<38} {count:>10}  {}", printable(first))?;
        }
        Ok(())
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share, for people")]
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".into() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}
