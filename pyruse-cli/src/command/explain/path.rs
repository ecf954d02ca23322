//! The path of an entry, as data: what an observer of the workflow sees, joined with the configuration.

use std::collections::HashMap;

use pyruse_core::config::{Config, JsonNode, Step};
use pyruse_core::effect::Effect;
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Entry, Record, Slot, Value};
use pyruse_core::plugin::StepError;
use pyruse_core::state::State;
use pyruse_core::workflow::{EntryEffects, Observer, Site, SiteId, SkipReason};
use serde::{Serialize, Serializer};

/// The result for an entry.
#[derive(Serialize)]
pub(super) struct EntryPath {
    pub(super) file: String,
    /// The entry's time, in the format of effects.
    pub(super) at: String,
    /// The same, for people.
    #[serde(skip)]
    pub(super) shown_at: String,
    pub(super) cursor: Option<String>,
    /// Whether counters and other state started empty, or as the daemon last wrote them.
    pub(super) state: &'static str,
    pub(super) steps: Vec<StepRun>,
    pub(super) end: End,
}

/// A step on the path.
#[derive(Serialize)]
pub(super) struct StepRun {
    pub(super) chain: String,
    pub(super) step: usize,
    pub(super) kind: &'static str,
    pub(super) module: String,
    pub(super) args: serde_json::Value,
    pub(super) reads: Vec<FieldValue>,
    pub(super) passed: bool,
    pub(super) saves: Vec<FieldValue>,
    pub(super) effects: Vec<Effect>,
    pub(super) error: Option<String>,
    pub(super) exit: Exit,
}

/// A field and its value.
#[derive(Serialize)]
pub(super) struct FieldValue {
    pub(super) field: String,
    pub(super) value: ShownValue,
}

/// A value at that moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ShownValue {
    Missing,
    Text(String),
    Integer(i64),
    /// In the form that is shown.
    Time(String),
}

impl Serialize for ShownValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ShownValue::Missing => serializer.serialize_none(),
            ShownValue::Integer(integer) => serializer.serialize_i64(*integer),
            ShownValue::Text(text) | ShownValue::Time(text) => serializer.serialize_str(text),
        }
    }
}

/// The exit that the entry took, and where it leads.
#[derive(Serialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub(super) enum Exit {
    /// To the next step of the chain.
    Next,
    /// To the step's `then`.
    Then { to: String },
    /// To the step's `else`.
    Else { to: String },
    /// The step has no such exit: the entry continues at the next top-level chain.
    Open { to: String },
    /// The entry stops.
    End,
}

/// Why the entry stopped.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum End {
    /// An action was the last step of its chain.
    Action,
    /// There is no further top-level chain.
    NoMoreChains,
    /// An action failed.
    Error,
    /// It is one of our own diagnostics, which never have consequences.
    OwnDiagnostic,
    /// A service reported that it has had its consequences already.
    NotAdmitted,
}

/// Runs one entry, and records its path.
pub(super) struct Tracer {
    pub(super) file: String,
    pub(super) engine: Engine,
    pub(super) state: State,
    /// Whether the state is a copy of the daemon's.
    pub(super) real_state: bool,
}

impl Tracer {
    pub(super) fn trace(self, source: &str, record: &mut dyn Record) -> EntryPath {
        let Tracer { file, mut engine, mut state, real_state } = self;
        let source = record.source().unwrap_or(source).to_owned();
        let mut path = EntryPath {
            file,
            at: String::new(),
            shown_at: String::new(),
            cursor: None,
            state: if real_state { "daemon" } else { "empty" },
            steps: Vec::new(),
            end: End::NoMoreChains,
        };
        engine.run_from(&source, record, &mut state, &mut path);
        path.complete(&engine.config);
        path
    }
}

fn read_field(entry: &mut Entry<'_>, slot: Slot) -> FieldValue {
    let field = entry.fields().name(slot).to_owned();
    let is_time = matches!(entry.value(slot), Some(Value::Time(_)));
    let value = match entry.value(slot) {
        None => ShownValue::Missing,
        Some(Value::Integer(integer)) => ShownValue::Integer(integer),
        Some(_) => {
            let text = entry.text(slot).unwrap_or_default().to_owned();
            if is_time { ShownValue::Time(text) } else { ShownValue::Text(text) }
        }
    };
    FieldValue { field, value }
}

/// Returns each field once, in the order in which the module named them.
fn once(fields: impl Iterator<Item = Slot>) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for slot in fields {
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }
    slots
}

impl Observer for EntryPath {
    const EFFECTS: bool = true;

    fn enter(&mut self, _: SiteId, site: &Site, entry: &mut Entry<'_>) {
        // Reads the values before the step runs, because the step may save into the same fields.
        let reads = once(site.reads()).into_iter().map(|slot| read_field(entry, slot)).collect();
        self.steps.push(StepRun {
            chain: site.chain.clone(),
            step: site.step,
            kind: "",
            module: String::new(),
            args: serde_json::Value::Null,
            reads,
            passed: false,
            saves: Vec::new(),
            effects: Vec::new(),
            error: None,
            exit: Exit::End,
        });
    }

    fn refused(&mut self, why: SkipReason) {
        self.end = if why == SkipReason::OwnDiagnostic { End::OwnDiagnostic } else { End::NotAdmitted };
    }

    fn step(&mut self, _: SiteId, site: &Site, entry: &mut Entry<'_>, passed: bool) {
        let Some(run) = self.steps.last_mut() else { return };
        run.passed = passed;
        if passed {
            run.saves = once(site.saves()).into_iter().map(|slot| read_field(entry, slot)).collect();
        }
    }

    fn effect(&mut self, _: &Site, _: &mut Entry<'_>, effect: &Effect) {
        if let Some(run) = self.steps.last_mut() {
            run.effects.push(effect.clone());
        }
    }

    fn error(&mut self, _: SiteId, _: &Site, _: &mut Entry<'_>, error: &StepError) {
        if let Some(run) = self.steps.last_mut() {
            run.error = Some(error.to_string());
        }
    }

    fn finished(&mut self, entry: &mut Entry<'_>, _: &mut State, _: EntryEffects<'_>) {
        self.at = entry.time().to_string();
        let zoned = entry.time().to_jiff().to_zoned_datetime(jiff::tz::TimeZone::system());
        self.shown_at = zoned.strftime("%Y-%m-%d %H:%M:%S%.f%:z").to_string();
        self.cursor = entry.cursor();
    }
}

impl EntryPath {
    /// Adds the configuration of each step, and where its exit leads.
    fn complete(&mut self, config: &Config) {
        let chains: HashMap<&str, &[Step]> =
            config.chains.iter().map(|chain| (chain.label.text.as_str(), chain.steps.as_slice())).collect();
        for n in 0..self.steps.len() {
            let next = self.steps.get(n + 1).map(|next| next.chain.clone());
            let run = &mut self.steps[n];
            let steps = chains.get(run.chain.as_str()).copied().unwrap_or_default();
            let Some(step) = steps.get(run.step) else { continue };
            let Some((kind, name)) = &step.module else { continue };
            run.kind = kind.word();
            run.module.clone_from(&name.text);
            run.args = step.args.as_ref().map_or(serde_json::Value::Null, JsonNode::to_json);
            let explicit = if run.passed { &step.then } else { &step.otherwise };
            run.exit = match (explicit, next) {
                (_, None) => Exit::End,
                (Some(label), Some(_)) if run.passed => Exit::Then { to: label.text.clone() },
                (Some(label), Some(_)) => Exit::Else { to: label.text.clone() },
                (None, Some(_)) if run.passed && run.step + 1 < steps.len() => Exit::Next,
                (None, Some(to)) => Exit::Open { to },
            };
            // The entry stops at the last step, unless it was refused there.
            if let (Exit::End, "action", End::NoMoreChains) = (&run.exit, run.kind, self.end) {
                self.end = if run.error.is_none() { End::Action } else { End::Error };
            }
        }
    }
}
