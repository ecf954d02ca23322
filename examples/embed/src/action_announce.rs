//! `action_announce`: announces a message, at most once per key and period, and never loses it.
//!
//! An action does nothing outside the program. It leaves two things in the durable state: what has been announced (a
//! [`Map`], whose items expire), and the message (in a [`Queue`]). Both are committed together with the position in the
//! input. Afterwards the *courier*, on its own thread, delivers messages from the queue and returns an outcome for each.
//! A *service* connects the two. Here the courier appends to a file; yours may deliver anywhere.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use pyruse_core::courier::{Courier, Deliver, Outcome};
use pyruse_core::effect::Effect;
use pyruse_core::entry::Slot;
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Expected, Invalid, Message, Module, ModuleSettings, Plugin, Service,
    ServicePlugin, SettingsPlugin, StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::serde_json::json;
use pyruse_core::state::{DueMessage, Handle, Layout, Map, Queue, StateError};
use pyruse_core::time::Expiry;

const NAME: &str = "action_announce";

// ─── A top-level key of the configuration, for what all steps share ───

/// The destination of announcements.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Announce {
    /// The file to which they are appended.
    file: PathBuf,
}

impl Default for Announce {
    fn default() -> Announce {
        Announce { file: "announcements.jsonl".into() }
    }
}

impl ModuleSettings for Announce {
    const KEY: &'static str = "announce";

    /// Checks what the types cannot express.
    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if self.file.as_os_str().is_empty() {
            report("file", "announcements need a file name".to_owned());
        }
    }
}

pyruse_core::inventory::submit!(SettingsPlugin::of::<Announce>());

// ─── The parts of the state ───

#[derive(Clone, Copy)]
struct Parts {
    /// The keys that have been announced, until they may be again.
    sent: Handle<Map<()>>,
    waiting: Handle<Queue>,
}

impl Parts {
    /// The same name always opens the same part: for the service, and for every step that uses the action.
    fn open(layout: &mut Layout) -> Result<Parts, StateError> {
        Ok(Parts {
            sent: layout.open(&format!("{NAME}/sent"))?,
            waiting: layout.open(&format!("{NAME}/waiting"))?,
        })
    }
}

// ─── The action ───

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, rename_all = "camelCase")]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The text, a template.
    message: String,
    /// The field that holds the key.
    #[serde(rename = "for")]
    key: String,
    /// How many seconds must pass before the same key is announced again.
    once_in_seconds: u64,
}

struct AnnounceOnce {
    message: Message,
    key: Slot,
    seconds: u64,
    parts: Parts,
}

impl Module for AnnounceOnce {
    const NAME: &'static str = NAME;
    const DOC: &'static str = "Announces a message, once for each key within some time.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        // Resolves the template's names, and reports errors with their place within the text.
        let message = cx.message("message", &args.message)?;
        let key = cx.reads(&args.key);
        let parts = Parts::open(cx.layout()).map_err(|e| cx.error("", e.to_string()))?;
        Ok(AnnounceOnce { message, key, seconds: args.once_in_seconds, parts })
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "a user logs in",
            args: r#"{"for": "USER", "message": "{USER} is here", "onceInSeconds": 3600}"#,
            entry: &[("USER", "alice")],
            expected: Expected::Effect(
                r#"{"effect": "custom", "action": "action_announce", "details": {"key": "alice", "message": "alice is here"}}"#,
            ),
        }]
    }
}

impl Action for AnnounceOnce {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        // The entry's time is the only clock: so a replay, or catching up after an outage, gives the same result.
        let now = run.entry.time();
        let key = run.entry.required_text(self.key)?.to_owned();
        if run.state.get(self.parts.sent).get(&key, now).is_some() {
            return Ok(());
        }
        let mut text = String::new();
        self.message.render(run.entry, &mut text)?;
        // For observers: `replay` and dry runs show the effect instead of carrying it out.
        run.effect(|| Effect::Custom { action: NAME, details: json!({"key": key, "message": text}) });
        run.state.get_mut(self.parts.sent).insert(&key, (), Expiry::after_seconds(now, self.seconds), now);
        // No queue key: every announcement is delivered. (With a key, a newer message replaces a pending one.)
        run.state.get_mut(self.parts.waiting).push(None, text);
        Ok(())
    }
}

pyruse_core::inventory::submit!(Plugin::action::<AnnounceOnce>());

// ─── The courier ───

struct Appender {
    file: PathBuf,
}

impl Deliver for Appender {
    /// May block. Returns one outcome per message; a message without an outcome is retried. After a crash, a message may
    /// come again: it then has the same number, so that a reader can recognise it.
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
        let outcome = match append(&self.file, messages) {
            Ok(()) => Outcome::Done,
            // Retried after a wait that doubles each time, up to `longest_wait`. `Outcome::GiveUp` would end that.
            Err(e) => Outcome::Retry(format!("{}: {e}", self.file.display())),
        };
        vec![outcome; messages.len()]
    }
}

fn append(file: &Path, messages: &[DueMessage]) -> std::io::Result<()> {
    let mut lines = String::new();
    for message in messages {
        // JSON keeps a text from an entry on one line.
        lines.push_str(&json!({"number": message.id, "message": message.payload}).to_string());
        lines.push('\n');
    }
    let mut file = File::options().create(true).append(true).open(file)?;
    file.write_all(lines.as_bytes())?;
    // `Done` is final: the data must be on the disk before we return it.
    file.sync_data()
}

// ─── The service ───

struct Announcements {
    parts: Parts,
    courier: Option<Appender>,
}

impl Service for Announcements {
    /// Called once: which queue, and which courier delivers it.
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        Some((self.parts.waiting, Courier::new(NAME, self.courier.take()?)))
    }
}

pyruse_core::inventory::submit!(ServicePlugin::new(NAME, |start| {
    let file = start.settings::<Announce>().file.clone();
    Ok(Box::new(Announcements { parts: Parts::open(start.layout())?, courier: Some(Appender { file }) }))
}));

#[cfg(test)]
mod tests {
    use pyruse_core::plugin::{Registry, run_examples};

    #[test]
    fn all_examples_have_their_stated_outcome() {
        assert_eq!(run_examples(&Registry::linked().unwrap()), [] as [String; 0]);
    }
}
