//! `action_announce`: tells somebody outside, once for each key and time, and surely.
//!
//! An action never touches the world. It leaves two things in the durable state: what has been announced (a [`Map`], whose
//! items end by themselves), and the message (in a [`Queue`]). Both are committed together with the place where reading
//! stopped. Afterwards, on a thread of its own, the *courier* takes messages from the queue and says how each one went.
//! A *service* brings the two together. Here the courier appends to a file; yours may speak to whatever you like.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use pyruse_core::courier::{Courier, Deliver, Outcome};
use pyruse_core::effect::Effect;
use pyruse_core::entry::Slot;
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Invalid, Message, Module, ModuleSettings, Outcome as Shown, Plugin,
    Service, ServicePlugin, SettingsPlugin, StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::serde_json::json;
use pyruse_core::state::{Handle, Layout, Letter, Map, Queue, StateError};
use pyruse_core::time::Ends;

const NAME: &str = "action_announce";

// ─── A top-level key of the configuration, for what is the same in all steps ───

/// Where announcements go.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Announce {
    /// The file that they are appended to.
    file: PathBuf,
}

impl Default for Announce {
    fn default() -> Announce {
        Announce { file: "announcements.jsonl".into() }
    }
}

impl ModuleSettings for Announce {
    const KEY: &'static str = "announce";

    /// What the types cannot say.
    fn check(&self, complain: &mut dyn FnMut(&str, String)) {
        if self.file.as_os_str().is_empty() {
            complain("file", "announcements need the name of a file".to_owned());
        }
    }
}

pyruse_core::inventory::submit!(SettingsPlugin::of::<Announce>());

// ─── The parts of the state ───

#[derive(Clone, Copy)]
struct Parts {
    /// The keys that have been announced, until they may be again.
    told: Handle<Map<()>>,
    waiting: Handle<Queue>,
}

impl Parts {
    /// Whoever opens a name gets the same part: the action, for every step that uses it, and the service.
    fn open(layout: &mut Layout) -> Result<Parts, StateError> {
        Ok(Parts {
            told: layout.open(&format!("{NAME}/told"))?,
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
    /// For so many seconds, the same key is not announced again.
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
        // A template's names are resolved here, and its mistakes told with their place within the text.
        let message = cx.message("message", &args.message)?;
        let key = cx.reads(&args.key);
        let parts = Parts::open(cx.layout()).map_err(|e| cx.error("", e.to_string()))?;
        Ok(AnnounceOnce { message, key, seconds: args.once_in_seconds, parts })
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "who is here",
            args: r#"{"for": "USER", "message": "{USER} is here", "onceInSeconds": 3600}"#,
            entry: &[("USER", "alice")],
            outcome: Shown::Effect(
                r#"{"effect": "custom", "action": "action_announce", "details": {"key": "alice", "message": "alice is here"}}"#,
            ),
        }]
    }
}

impl Action for AnnounceOnce {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        // The entry's time is the only clock: so a replay, or catching up after a night, does what would have been done.
        let now = run.entry.time();
        let key = run.entry.required_text(self.key)?.to_owned();
        if run.state.get(self.parts.told).get(&key, now).is_some() {
            return Ok(());
        }
        let mut text = String::new();
        self.message.render(run.entry, &mut text)?;
        // For whoever watches: `replay` and dry runs show it instead of doing it.
        run.effect(|| Effect::Custom { action: NAME, details: json!({"key": key, "message": text}) });
        run.state.get_mut(self.parts.told).insert(&key, (), Ends::after_seconds(now, self.seconds), now);
        // No key for the queue: every announcement is delivered. (With one, a newer message replaces one that waits.)
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
    /// May take its time. One answer for each letter; a letter whose answer is missing is tried again. After a crash,
    /// letters may come a second time: their number is the same then, so that a reader can tell.
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        let outcome = match append(&self.file, letters) {
            Ok(()) => Outcome::Done,
            // After a wait that doubles each time, up to `longest_wait`. `Outcome::GiveUp` ends it.
            Err(e) => Outcome::Retry(format!("{}: {e}", self.file.display())),
        };
        vec![outcome; letters.len()]
    }
}

fn append(file: &Path, letters: &[Letter]) -> std::io::Result<()> {
    let mut lines = String::new();
    for letter in letters {
        // As JSON, a text from an entry stays on its line.
        lines.push_str(&json!({"number": letter.id, "message": letter.payload}).to_string());
        lines.push('\n');
    }
    let mut file = File::options().create(true).append(true).open(file)?;
    file.write_all(lines.as_bytes())?;
    // “Done” is for ever: it must be on the disk before we say so.
    file.sync_data()
}

// ─── The service ───

struct Announcements {
    parts: Parts,
    courier: Option<Appender>,
}

impl Service for Announcements {
    /// Asked once: which queue, and who delivers it on which terms.
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
    fn all_examples_are_true() {
        assert_eq!(run_examples(&Registry::linked().unwrap()), [] as [String; 0]);
    }
}
