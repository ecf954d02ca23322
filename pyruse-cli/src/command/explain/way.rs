//! The path of an entry, as data: what an observer of the workflow sees, joined with the configuration.

use std::collections::HashMap;

use pyruse_core::config::{Config, Node, Step};
use pyruse_core::effect::Effect;
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Entry, Record, Slot, Value};
use pyruse_core::plugin::StepError;
use pyruse_core::state::State;
use pyruse_core::workflow::{Done, Observer, Refused, Site, SiteId};
use serde::{Serialize, Serializer};

/// The result for an entry.
#[derive(Serialize)]
pub(super) struct Way {
    pub(super) file: String,
    /// The entry's time, in the format of effects.
    pub(super) at: String,
    /// The same, for people.
    #[serde(skip)]
    pub(super) shown_at: String,
    pub(super) cursor: Option<String>,
    /// Whether counters and other state started empty, or as the daemon last wrote them.
    pub(super) state: &'static str,
    pub(super) steps: Vec<StepTold>,
    pub(super) end: End,
}

/// A step on the path.
#[derive(Serialize)]
pub(super) struct StepTold {
    pub(super) chain: String,
    pub(super) step: usize,
    pub(super) kind: &'static str,
    pub(super) module: String,
    pub(super) args: serde_json::Value,
    pub(super) reads: Vec<FieldSeen>,
    pub(super) passed: bool,
    pub(super) saves: Vec<FieldSeen>,
    pub(super) effects: Vec<Effect>,
    pub(super) error: Option<String>,
    pub(super) exit: Exit,
}

/// A field and its value.
#[derive(Serialize)]
pub(super) struct FieldSeen {
    pub(super) field: String,
    pub(super) value: Seen,
}

/// A value at that moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    Missing,
    Text(String),
    Integer(i64),
    /// In the form that is shown.
    Time(String),
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Seen::Missing => serializer.serialize_none(),
            Seen::Integer(integer) => serializer.serialize_i64(*integer),
            Seen::Text(text) | Seen::Time(text) => serializer.serialize_str(text),
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
pub(super) struct Follower {
    pub(super) file: String,
    pub(super) engine: Engine,
    pub(super) state: State,
    /// Whether the state is a copy of the daemon's.
    pub(super) real_state: bool,
}

impl Follower {
    pub(super) fn follow(self, source: &str, record: &mut dyn Record) -> Way {
        let Follower { file, mut engine, mut state, real_state } = self;
        let source = record.source().unwrap_or(source).to_owned();
        let mut way = Way {
            file,
            at: String::new(),
            shown_at: String::new(),
            cursor: None,
            state: if real_state { "daemon" } else { "empty" },
            steps: Vec::new(),
            end: End::NoMoreChains,
        };
        engine.run_from(&source, record, &mut state, &mut way);
        way.complete(&engine.config);
        way
    }
}

fn look(entry: &mut Entry<'_>, slot: Slot) -> FieldSeen {
    let field = entry.fields().name(slot).to_owned();
    let is_time = matches!(entry.value(slot), Some(Value::Time(_)));
    let value = match entry.value(slot) {
        None => Seen::Missing,
        Some(Value::Integer(integer)) => Seen::Integer(integer),
        Some(_) => {
            let text = entry.text(slot).unwrap_or_default().to_owned();
            if is_time { Seen::Time(text) } else { Seen::Text(text) }
        }
    };
    FieldSeen { field, value }
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

impl Observer for Way {
    const EFFECTS: bool = true;

    fn enter(&mut self, _: SiteId, site: &Site, entry: &mut Entry<'_>) {
        // Reads the values before the step runs, because the step may save into the same fields.
        let reads = once(site.reads()).into_iter().map(|slot| look(entry, slot)).collect();
        self.steps.push(StepTold {
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

    fn refused(&mut self, why: Refused) {
        self.end = if why == Refused::OwnDiagnostic { End::OwnDiagnostic } else { End::NotAdmitted };
    }

    fn step(&mut self, _: SiteId, site: &Site, entry: &mut Entry<'_>, passed: bool) {
        let Some(told) = self.steps.last_mut() else { return };
        told.passed = passed;
        if passed {
            told.saves = once(site.saves()).into_iter().map(|slot| look(entry, slot)).collect();
        }
    }

    fn effect(&mut self, _: &Site, _: &mut Entry<'_>, effect: &Effect) {
        if let Some(told) = self.steps.last_mut() {
            told.effects.push(effect.clone());
        }
    }

    fn error(&mut self, _: SiteId, _: &Site, _: &mut Entry<'_>, error: &StepError) {
        if let Some(told) = self.steps.last_mut() {
            told.error = Some(error.to_string());
        }
    }

    fn finished(&mut self, entry: &mut Entry<'_>, _: &mut State, _: Done<'_>) {
        self.at = entry.time().to_string();
        let zoned = entry.time().to_jiff().to_zoned_datetime(jiff::tz::TimeZone::system());
        self.shown_at = zoned.strftime("%Y-%m-%d %H:%M:%S%.f%:z").to_string();
        self.cursor = entry.cursor();
    }
}

impl Way {
    /// Adds the configuration of each step, and where its exit leads.
    fn complete(&mut self, config: &Config) {
        let chains: HashMap<&str, &[Step]> =
            config.chains.iter().map(|chain| (chain.label.text.as_str(), chain.steps.as_slice())).collect();
        for n in 0..self.steps.len() {
            let next = self.steps.get(n + 1).map(|next| next.chain.clone());
            let told = &mut self.steps[n];
            let steps = chains.get(told.chain.as_str()).copied().unwrap_or_default();
            let Some(step) = steps.get(told.step) else { continue };
            let Some((kind, name)) = &step.module else { continue };
            told.kind = kind.word();
            told.module.clone_from(&name.text);
            told.args = step.args.as_ref().map_or(serde_json::Value::Null, Node::to_json);
            let explicit = if told.passed { &step.then } else { &step.otherwise };
            told.exit = match (explicit, next) {
                (_, None) => Exit::End,
                (Some(label), Some(_)) if told.passed => Exit::Then { to: label.text.clone() },
                (Some(label), Some(_)) => Exit::Else { to: label.text.clone() },
                (None, Some(_)) if told.passed && told.step + 1 < steps.len() => Exit::Next,
                (None, Some(to)) => Exit::Open { to },
            };
            // The entry stops at the last step, unless it was refused there.
            if let (Exit::End, "action", End::NoMoreChains) = (&told.exit, told.kind, self.end) {
                self.end = if told.error.is_none() { End::Action } else { End::Error };
            }
        }
    }
}
