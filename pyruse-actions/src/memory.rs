//! `action_remember`, `action_recall`: store fields of an entry under a key, and restore them for a later entry.
//!
//! They join the lines of one session: an earlier line names the address, a later one the failure, and both have the
//! same process or session number. Each field of a memory is a map of its own in the state, so that steps resolve names
//! when they are compiled.

use pyruse_core::entry::Slot;
use pyruse_core::plugin::fact::{Fact, Origin, SavedAs};
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Expected, Invalid, Module, ModuleSettings, Plugin, SettingsPlugin,
    StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Handle, Map};
use pyruse_core::time::{Expiry, Timestamp};

use crate::text;

/// The maximum size of a stored text, and of a key, in bytes: they come from entries.
const TEXT_LIMIT: usize = 1024;

/// Limits for the memory of `action_remember`.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
struct MemorySettings {
    /// How many keys each field of a memory has at most; beyond that, keys that expire soon are forgotten.
    #[serde(rename = "maxKeys")]
    max_keys: u32,
}

impl Default for MemorySettings {
    fn default() -> Self {
        MemorySettings { max_keys: 100_000 }
    }
}

impl ModuleSettings for MemorySettings {
    const KEY: &'static str = "memory";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if self.max_keys == 0 {
            report("maxKeys", "`maxKeys` must be at least 1: nothing would be remembered".into());
        }
    }
}

/// A stored text.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Remembered {
    /// The time of the entry that it is from: an older entry that is read later does not replace it.
    #[serde(rename = "t")]
    at: Timestamp,
    #[serde(rename = "v")]
    text: Box<str>,
}

/// A field of a memory: where it is in entries, and its texts by key.
struct Field {
    slot: Slot,
    texts: Handle<Map<Remembered>>,
}

/// Returns the name of the part of the state that has the texts of a field.
fn store(memory: &str, field: &str) -> String {
    format!("memory/{memory}/{field}")
}

/// Returns the fields of the memory; `slots` are those of `names`.
fn fields(
    memory: &str,
    names: &[String],
    slots: Vec<Slot>,
    cx: &mut Compile<'_>,
) -> Result<Vec<Field>, Invalid> {
    if names.is_empty() {
        return Err(cx.error("fields", "`fields` names no field"));
    }
    let field = |(slot, name): (Slot, &String)| Ok(Field { slot, texts: cx.state(&store(memory, name))? });
    slots.into_iter().zip(names).map(field).collect()
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct RememberArgs {
    /// The memory; all actions with the same name share it.
    memory: String,
    /// The field with the key, such as a process or session number.
    #[serde(rename = "for")]
    key: String,
    /// The fields to store. One that the entry lacks keeps what was stored before.
    fields: Vec<String>,
    /// How long they are stored, in seconds or as `10m` or `1h`.
    #[serde(rename = "keepSeconds")]
    keep_seconds: Seconds,
}

struct Remember {
    key: Slot,
    fields: Vec<Field>,
    keep: u64,
    most: usize,
}

impl Module for Remember {
    const NAME: &'static str = "action_remember";
    const DOC: &'static str = "Stores fields of the entry under a key, for later entries with the same key.";
    const SETTINGS: &'static [&'static str] = &["memory"];
    type Args = RememberArgs;

    fn compile(args: RememberArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        if args.keep_seconds.0 == 0 {
            return Err(cx.error("keepSeconds", "the duration must not be zero: nothing would be remembered"));
        }
        let most = cx.settings::<MemorySettings>().max_keys as usize;
        let key = cx.reads_at("for", &args.key);
        let names = args.fields.iter().enumerate();
        let slots = names.map(|(n, name)| cx.reads_at(&format!("fields.{n}"), name)).collect();
        let fields = fields(&args.memory, &args.fields, slots, cx)?;
        for (n, (Field { slot, .. }, name)) in fields.iter().zip(&args.fields).enumerate() {
            let store = store(&args.memory, name);
            cx.states(&format!("fields.{n}"), Fact::Keeps { field: *slot, store });
        }
        Ok(Remember { key, fields, keep: args.keep_seconds.0, most })
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "the address of a connection, for the later lines of its process",
                args: r#"{"memory": "sshd", "for": "_PID", "fields": ["thatIP"], "keepSeconds": "10m"}"#,
                entry: &[("_PID", "4711"), ("thatIP", "192.0.2.1")],
                expected: Expected::Nothing,
            },
            Example {
                title: "an entry without the key",
                args: r#"{"memory": "sshd", "for": "session", "fields": ["thatIP"], "keepSeconds": "10m"}"#,
                entry: &[("thatIP", "192.0.2.1")],
                expected: Expected::Error("the entry has no field `session`"),
            },
        ]
    }
}

impl Action for Remember {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let now = run.entry.time();
        let ends = Expiry::after_seconds(now, self.keep);
        let mut key = run.entry.required_text(self.key)?.to_owned();
        text::cut(&mut key, TEXT_LIMIT);
        for Field { slot, texts } in &self.fields {
            let Some(found) = run.entry.text(*slot) else { continue };
            let mut found = found.to_owned();
            text::cut(&mut found, TEXT_LIMIT);
            let texts = run.state.get_mut(*texts);
            if texts.get(&key, now).is_some_and(|known| known.at > now) {
                continue;
            }
            texts.insert(&key, Remembered { at: now, text: found.into() }, ends, now);
            while texts.len() > self.most {
                texts.forget_one(now);
            }
        }
        Ok(())
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct RecallArgs {
    /// The memory; all actions with the same name share it.
    memory: String,
    /// The field with the key.
    #[serde(rename = "for")]
    key: String,
    /// The fields to restore. The entry lacks those of which nothing is stored, or no longer.
    fields: Vec<String>,
}

struct Recall {
    key: Slot,
    fields: Vec<Field>,
}

impl Module for Recall {
    const NAME: &'static str = "action_recall";
    const DOC: &'static str = "Restores fields that an earlier entry with the same key stored.";
    const SETTINGS: &'static [&'static str] = &["memory"];
    type Args = RecallArgs;

    fn compile(args: RecallArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let key = cx.reads_at("for", &args.key);
        let names = args.fields.iter().enumerate();
        let saved =
            |(n, name): (usize, &String)| cx.saves_at(&format!("fields.{n}"), name, SavedAs::Text, true);
        let slots = names.map(saved).collect();
        let fields = fields(&args.memory, &args.fields, slots, cx)?;
        for (n, (Field { slot, .. }, name)) in fields.iter().zip(&args.fields).enumerate() {
            let from = vec![Origin::Store(store(&args.memory, name))];
            cx.states(&format!("fields.{n}"), Fact::Copies { field: *slot, from });
        }
        Ok(Recall { key, fields })
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "nothing is stored for this process",
            args: r#"{"memory": "sshd", "for": "_PID", "fields": ["thatIP"]}"#,
            entry: &[("_PID", "4711")],
            expected: Expected::Nothing,
        }]
    }
}

impl Action for Recall {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let now = run.entry.time();
        let key = run.entry.required_text(self.key)?;
        let key = key[..pyruse_core::text::floor_char_boundary(key, TEXT_LIMIT)].to_owned();
        for Field { slot, texts } in &self.fields {
            match run.state.get(*texts).get(&key, now) {
                Some(known) => run.entry.set_text(*slot, &known.text),
                None => run.entry.unset(*slot),
            }
        }
        Ok(())
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Remember>());
pyruse_core::inventory::submit!(Plugin::action::<Recall>());
pyruse_core::inventory::submit!(SettingsPlugin::of::<MemorySettings>());
