//! The engine of Pyruse in your own program.
//!
//! ```console
//! $ journalctl -o json | embed pyruse.json state.sqlite
//! ```
//!
//! Reads entries as JSON, one object per line, and prints effects in the same form. What entries leave behind is in the
//! state file, and survives any end of this program. The filter and the action that the configuration may use are beside
//! this file. For the built-in ones, depend on `pyruse-filters` and `pyruse-actions` and add `use pyruse_filters as _;`.

mod action_announce;
mod filter_has;

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::effect::{Effect, PlacedEffect};
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Entry, Fields, MemoryRecord};
use pyruse_core::plugin::{Registry, StepError};
use pyruse_core::pump::Pump;
use pyruse_core::serde_json::{self, Value};
use pyruse_core::state::{Position, State};
use pyruse_core::time::Timestamp;
use pyruse_core::workflow::{Observer, Site, SiteId};

/// How long to wait for couriers at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// The events that the loop waits for. One channel has all of them, so that one thread waits in one place.
enum Event {
    Line(String),
    /// There are no more lines.
    End,
    /// A courier has results.
    Courier,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, config, state] = arguments.as_slice() else { return Err("usage: embed CONFIG STATE".into()) };
    run(Path::new(config), Path::new(state))
}

/// The name of our only source: `_SOURCE` of its entries, and the name of its position in the state.
const INPUT: &str = "stdin";

fn run(config: &Path, state: &Path) -> Result<(), Box<dyn Error>> {
    // 1. The durable state. `State::in_memory()` works without a file.
    let mut state = State::open_file(state)?;
    if let Some(position) = state.position(INPUT) {
        // So that the input can resume there: `journalctl --after-cursor=…`. Earlier entries have had their effects.
        eprintln!("stopped behind {}", String::from_utf8_lossy(&position.place));
    }

    // 2. The configuration. All errors in it are reported together, with their places.
    let source = ConfigText::new(config.display().to_string(), std::fs::read_to_string(config)?);
    let mut diagnostics = Diagnostics::default();
    let registry = Registry::linked()?;
    let engine = Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics)?;
    eprint!("{}", source.draw(&diagnostics, false));
    let Some(engine) = engine else { return Err("the configuration cannot be used".into()) };

    // 3. The pump: starts couriers, each on its own thread, and puts back in force what the state contains.
    let (events, incoming) = channel();
    let wake = events.clone();
    let mut pump = Pump::new(engine, state, Arc::new(move || drop(wake.send(Event::Courier))))?;
    let mut now = pump.state.tick();
    pump.boot(now.wall);
    std::thread::spawn(move || read_lines(&events));

    // 4. Entries. After the last one, what can be delivered at once is delivered.
    let mut out = std::io::stdout().lock();
    let mut leave = None;
    loop {
        let remaining = leave.map(|leave| now.steady.until(leave));
        let event = next(&incoming, [pump.deadline(now), remaining].into_iter().flatten().min());
        // The clocks are read once per round, so that all parts of the round use the same time.
        now = pump.state.tick();
        let mut watch = Watch::default();
        match event {
            Some(Event::Line(line)) => match record(&line) {
                Ok(mut record) => {
                    let place = record.cursor.clone().unwrap_or_default().into_bytes();
                    let position = Position { place, time: record.realtime };
                    pump.run_from(INPUT, &mut record, &mut watch);
                    pump.state.set_position(INPUT, position);
                }
                Err(e) => eprintln!("not an entry: {e}"),
            },
            Some(Event::End) => leave = Some(now.steady.plus(FAREWELL)),
            Some(Event::Courier) | None => {}
        }
        pump.collect(now);
        pump.due(now.wall);
        // Settling first writes changes and the position, and then delivers. (Settle once for several entries, if
        // several arrive together.)
        pump.settle(now)?;
        for line in watch.lines {
            writeln!(out, "{line}")?;
        }
        if leave.is_some_and(|leave| leave <= now.steady || !pump.is_delivering(now)) {
            break;
        }
    }
    // Pending messages are delivered after the next start.
    Ok(pump.stop(Duration::ZERO)?)
}

/// The next event; `None` after the time-out.
fn next(incoming: &Receiver<Event>, timeout: Option<Duration>) -> Option<Event> {
    let event = match timeout {
        Some(timeout) => incoming.recv_timeout(timeout),
        None => incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    match event {
        Ok(event) => Some(event),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(Event::End),
    }
}

fn read_lines(events: &Sender<Event>) {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        if events.send(Event::Line(line)).is_err() {
            return;
        }
    }
    let _ = events.send(Event::End);
}

/// Reads an entry as `journalctl -o json` writes it: a value is a string; bytes that are not text are a list of numbers;
/// a field that occurs several times is a list of such values.
fn record(line: &str) -> Result<MemoryRecord, String> {
    let fields: serde_json::Map<String, Value> = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let bytes = |value: &Value| -> Option<Vec<u8>> {
        match value {
            Value::String(text) => Some(text.clone().into_bytes()),
            Value::Array(numbers) => numbers.iter().map(|n| u8::try_from(n.as_u64()?).ok()).collect(),
            _ => None,
        }
    };
    let mut record = MemoryRecord::at(Timestamp::now());
    for (name, value) in &fields {
        match (bytes(value), value) {
            (Some(value), _) => record.push(name.as_str(), value),
            // The value was too large for journalctl.
            (None, Value::Null) => {}
            (None, Value::Array(values)) => {
                for value in values {
                    let value =
                        bytes(value).ok_or_else(|| format!("`{name}` contains a value that is not text"))?;
                    record.push(name.as_str(), value);
                }
            }
            (None, _) => return Err(format!("`{name}` is not a text")),
        }
    }
    Ok(record)
}

/// Collects the effects of entries.
#[derive(Default)]
struct Watch {
    lines: Vec<String>,
}

impl Watch {
    fn record(&mut self, site: &Site, entry: &mut Entry<'_>, effect: &Effect) {
        let cursor = entry.cursor();
        let (at, cursor) = (entry.time(), cursor.as_deref());
        let placed = PlacedEffect { effect, at, cursor, chain: &site.chain, step: site.step };
        // Serialising strings and numbers cannot fail.
        self.lines.extend(serde_json::to_string(&placed));
    }
}

impl Observer for Watch {
    /// Without this, no effects are built.
    const EFFECTS: bool = true;
    const STEPS: bool = false;

    fn effect(&mut self, site: &Site, entry: &mut Entry<'_>, effect: &Effect) {
        self.record(site, entry, effect);
    }

    fn error(&mut self, _: SiteId, site: &Site, entry: &mut Entry<'_>, error: &StepError) {
        self.record(site, entry, &Effect::Error { message: error.to_string() });
    }
}
