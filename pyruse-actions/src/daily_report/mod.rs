//! `action_dailyReport`: one mail a day with what deserves reading and what nobody expected.

mod attach;
mod compose;
mod content;
mod day;
mod digest;
mod history;
mod import;
mod kept;
mod kinds;
mod line;
mod lost;
mod memory;
mod notes;
mod object;
mod render;
mod schedule;
mod service;
mod settings;

use std::sync::Arc;

use pyruse_core::effect::Effect;
use pyruse_core::level::ReportLevel;
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Expected, Inspection, Invalid, Message, Module, Plugin, StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::{Handle, Layout, Log, State, StateError};

use self::day::Day;
use self::history::History;
use self::kinds::Kinds;
use self::line::{Details, Line, LineOrigin, OriginFields};
use self::lost::Lost;
use self::memory::Memory;
use self::notes::Notes;
use self::settings::ReportSettings;
use crate::email::{EmailSettings, inspect};
use crate::text;

const NAME: &str = "action_dailyReport";

/// The series of all reports, for mail programs.
const SERIES: &str = "pyruse-report";

/// The maximum length of a line; a longer one is cut, because a report is for reading.
const LINE_LIMIT: usize = 2000;

/// The maximum number of lines kept for each of WARN and INFO; the rest is only counted.
const KEPT: u64 = 100_000;

/// The parts of the state that the report consists of.
#[derive(Clone, Copy)]
struct Recorded {
    lines: Handle<Log>,
    kinds: Handle<Kinds>,
    /// The shapes of earlier reports.
    memory: Handle<Memory>,
    day: Handle<Day>,
    notes: Handle<Notes>,
    lost: Handle<Lost>,
    history: Handle<History>,
    /// The reports that were sent.
    kept: Handle<Log>,
}

/// Whether a step of the configuration records lines.
#[derive(Default)]
struct InUse(bool);

impl Recorded {
    fn open(layout: &mut Layout) -> Result<Recorded, StateError> {
        Ok(Recorded {
            lines: layout.open(&format!("{NAME}/lines"))?,
            kinds: layout.open(&format!("{NAME}/kinds"))?,
            memory: layout.open(&format!("{NAME}/memory"))?,
            day: layout.open(&format!("{NAME}/day"))?,
            notes: layout.open(&format!("{NAME}/notes"))?,
            lost: layout.open(&format!("{NAME}/lost"))?,
            history: layout.open(&format!("{NAME}/history"))?,
            kept: layout.open(&format!("{NAME}/kept"))?,
        })
    }

    /// Returns `true` if there is nothing to report.
    fn is_empty(self, state: &State) -> bool {
        state.get(self.day).totals.lines == [0; 3] && state.get(self.lost).is_empty()
    }

    /// Finds the kinds of lines that a version of the program has recorded which did not know kinds.
    fn complete(self, state: &mut State) {
        if !state.get(self.kinds).is_empty() || state.get(self.lines).is_empty() {
            return;
        }
        let mut kinds = std::mem::take(state.get_mut(self.kinds));
        let scanned = state.scan(self.lines, |_, value| {
            if let Ok(line) = serde_json::from_slice(value) {
                kinds.add(&line);
            }
        });
        *state.get_mut(self.kinds) = kinds;
        if let Err(e) = scanned {
            tracing::error!("the lines recorded for the report cannot be read: {e}");
        }
    }

    /// Records a line, or only counts it if there are too many.
    fn record(self, state: &mut State, mut line: Line, max_lines: u64) {
        if text::cut(&mut line.message, LINE_LIMIT) {
            line.message.push('…');
        }
        state.get_mut(self.kinds).add(&line);
        let limit = if line.level == ReportLevel::Other { max_lines } else { KEPT };
        if !state.get_mut(self.day).note_line(line.level as usize, line.time, line.message.len(), limit) {
            return;
        }
        // A struct of texts and numbers can always be serialized.
        state.get_mut(self.lines).append(serde_json::to_vec(&line).unwrap_or_default());
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The line, a template. In WARN and INFO, equal lines become one row.
    message: String,
    /// The section: `WARN` and `INFO` are tables of messages, `OTHER` is a list in order of time.
    level: ReportLevel,
    /// Which times of a message are shown: `NONE`, `FIRST`, `LAST`, `FIRSTLAST` or `ALL`.
    #[serde(default)]
    details: Details,
}

struct DailyReport {
    message: Message,
    level: ReportLevel,
    details: Details,
    fields: OriginFields,
    recorded: Recorded,
    max_lines: u64,
    email: Arc<EmailSettings>,
}

impl Module for DailyReport {
    const NAME: &'static str = NAME;
    const DOC: &'static str = "Records a line for the daily report.";
    const SETTINGS: &'static [&'static str] = &["dailyReport", "email"];
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let message = cx.message("message", &args.message)?;
        let max_lines = cx.settings::<ReportSettings>().max_lines.into();
        let recorded = match Recorded::open(cx.layout()) {
            Ok(recorded) => recorded,
            Err(e) => return Err(cx.error("", e.to_string())),
        };
        cx.shared::<InUse>().0 = true;
        let fields = OriginFields::register(|name| cx.notes(name));
        let email = cx.settings();
        Ok(DailyReport {
            message,
            level: args.level,
            details: args.details,
            fields,
            recorded,
            max_lines,
            email,
        })
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "a warning, with its first and last time",
            args: r#"{"level": "WARN", "message": "{_SYSTEMD_UNIT}: {MESSAGE}", "details": "FIRSTLAST"}"#,
            entry: &[("_SYSTEMD_UNIT", "a.service"), ("MESSAGE", "disk failing")],
            expected: Expected::Effect(
                r#"{"effect": "report", "level": "WARN", "message": "a.service: disk failing", "details": "FIRSTLAST"}"#,
            ),
        }]
    }
}

impl Action for DailyReport {
    /// The report is sent by mail.
    fn inspect(&self, inspection: &mut Inspection) {
        inspect(&self.email, inspection);
    }

    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let mut message = String::new();
        self.message.render(run.entry, &mut message)?;
        run.effect(|| Effect::Report {
            level: self.level,
            message: message.clone(),
            details: self.details.name(),
        });
        let line = Line {
            level: self.level,
            time: run.entry.time(),
            message,
            details: self.details,
            priority: self.fields.priority(run.entry),
            origin: self.fields.origin(run.entry),
        };
        self.recorded.record(run.state, line, self.max_lines);
        Ok(())
    }
}

pyruse_core::inventory::submit!(Plugin::action::<DailyReport>());
