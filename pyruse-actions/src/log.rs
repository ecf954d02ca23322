//! `action_log`: writes lines to the journal, so that the workflow reads them again and can count repeat offenders.
//!
//! A line that comes back may raise a counter, so it must be counted exactly once. The line is sent to journald
//! directly after the commit that queued it, without waiting, and before anything more is read. So the commit that
//! records that the line was read also records its delivery. Only a crash between sending and the next commit leaves an
//! uncertainty: then the line is sent again at the next start, and of all lines with the same number ([`ID_FIELD`]),
//! only the first that is read counts.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use pyruse_core::config::Config;
use pyruse_core::courier::{Courier, Deliver, Outcome};
use pyruse_core::effect::Effect;
use pyruse_core::entry::{Entry, Slot};
use pyruse_core::level::Level;
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Expected, Gate, Invalid, Message, Module, ModuleSettings, Plugin, Service,
    ServicePlugin, SettingsPlugin, StepError, excerpt,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{DueMessage, Handle, Map, Queue, State};
use pyruse_core::time::{Expiry, Timestamp};

use crate::{text, unique};

const NAME: &str = "action_log";

/// The field that identifies our lines.
const ID_FIELD: &str = "PYRUSE_LOG_ID";

/// The maximum size of a line. journald does not take a larger one in a datagram; and a line is for reading.
const LINE_LIMIT: usize = 64 * 1024;

/// How long after a restart a line may still appear twice, in seconds of the journal's time.
const UNCERTAIN_SECONDS: u64 = 24 * 3600;

/// Settings of `action_log`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
struct LogSettings {
    /// journald's socket; the default is that of the journal that is read: `/run/systemd/journal/socket`, or, with
    /// `journal.namespace`, `/run/systemd/journal.NAMESPACE/socket`.
    socket: Option<PathBuf>,
}

impl ModuleSettings for LogSettings {
    const KEY: &'static str = "log";
}

impl LogSettings {
    fn socket(&self, config: &Config) -> PathBuf {
        if let Some(socket) = &self.socket {
            return socket.clone();
        }
        let namespace = config.top("journal").and_then(|journal| journal.get("namespace")?.as_text());
        match namespace {
            Some(namespace) => format!("/run/systemd/journal.{namespace}/socket").into(),
            None => "/run/systemd/journal/socket".into(),
        }
    }
}

fn info() -> Level {
    Level::Info
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The line, a template.
    message: String,
    /// The priority of the line.
    #[serde(default = "info")]
    level: Level,
}

struct Log {
    message: Message,
    level: Level,
    queue: Handle<Queue>,
}

#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Line {
    id: String,
    priority: u8,
    message: String,
}

impl Module for Log {
    const NAME: &'static str = NAME;
    const DOC: &'static str = "Writes a line to the journal, which Pyruse reads again as an entry.";
    const SETTINGS: &'static [&'static str] = &["log", "journal"];
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        Ok(Log { message: cx.message("message", &args.message)?, level: args.level, queue: cx.state(NAME)? })
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "a note about a ban",
            args: r#"{"message": "BANNED {thatIP}", "level": "NOTICE"}"#,
            entry: &[("thatIP", "192.0.2.1")],
            expected: Expected::Effect(
                r#"{"effect": "log", "level": "NOTICE", "message": "BANNED 192.0.2.1"}"#,
            ),
        }]
    }
}

impl Action for Log {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let mut message = String::new();
        self.message.render(run.entry, &mut message)?;
        text::cut(&mut message, LINE_LIMIT);
        run.effect(|| Effect::Log { level: self.level, message: message.clone() });
        let line = Line { id: unique::id(), priority: self.level.number(), message };
        // A struct of texts and numbers can always be serialized.
        run.state.get_mut(self.queue).push(None, serde_json::to_string(&line).unwrap_or_default());
        Ok(())
    }
}

/// Writes to journald's socket, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).
struct JournalCourier {
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl JournalCourier {
    fn send(&mut self, datagram: &[u8]) -> std::io::Result<()> {
        if self.socket.is_none() {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            self.socket = Some(socket);
        }
        let Some(socket) = &self.socket else { return Ok(()) };
        socket.send_to(datagram, &self.path).map(drop)
    }
}

impl Deliver for JournalCourier {
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
        let mut stuck = None;
        messages
            .iter()
            .map(|message| {
                let Ok(line) = serde_json::from_str::<Line>(&message.payload) else {
                    return Outcome::GiveUp("not a line for the journal".into());
                };
                // Lines keep their order: after one that failed, all wait.
                if let Some(error) = &stuck {
                    return Outcome::Retry(String::clone(error));
                }
                match self.send(&datagram(&line)) {
                    Ok(()) => Outcome::Done,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {
                        Outcome::Retry(stuck.insert("journald is too slow".to_owned()).clone())
                    }
                    Err(e) => Outcome::Retry(stuck.insert(format!("{}: {e}", self.path.display())).clone()),
                }
            })
            .collect()
    }
}

fn datagram(line: &Line) -> Vec<u8> {
    let mut bytes =
        format!("PRIORITY={}\nSYSLOG_IDENTIFIER=pyruse\n{ID_FIELD}={}\nMESSAGE\n", line.priority, line.id)
            .into_bytes();
    // With its length in front, a message may contain anything, including line ends.
    bytes.extend((line.message.len() as u64).to_le_bytes());
    bytes.extend(line.message.as_bytes());
    bytes.push(b'\n');
    bytes
}

struct LogService {
    queue: Handle<Queue>,
    /// The lines that may have been sent before a crash, each with whether one was read.
    uncertain: Handle<Map<bool>>,
    id: Slot,
    path: PathBuf,
}

impl Service for LogService {
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        let courier = Courier::new(NAME, JournalCourier { path: self.path.clone(), socket: None })
            .inline()
            .batch(200)
            // journald is only busy for moments, and each line after a stuck one counts a try.
            .longest_wait(Duration::from_millis(100));
        Some((self.queue, courier))
    }

    fn queue(&self) -> Option<Handle<Queue>> {
        Some(self.queue)
    }

    fn describe(&self, payload: &str) -> String {
        match serde_json::from_str::<Line>(payload) {
            Ok(line) => format!("line: {}", excerpt(&line.message)),
            Err(_) => "not a line for the journal".into(),
        }
    }

    fn boot(&mut self, state: &mut State, now: Timestamp) {
        let lines = state.get(self.queue).messages();
        let ids: Vec<String> = lines
            .filter_map(|(_, message)| serde_json::from_str(&message.payload).ok())
            .map(|line: Line| line.id)
            .collect();
        let uncertain = state.get_mut(self.uncertain);
        for id in ids {
            if uncertain.get(&id, now).is_none() {
                uncertain.insert(&id, false, Expiry::after_seconds(now, UNCERTAIN_SECONDS), now);
            }
        }
    }

    fn gate(&mut self) -> Option<&mut dyn Gate> {
        Some(self)
    }
}

impl Gate for LogService {
    fn admits(&mut self, entry: &mut Entry<'_>, state: &mut State) -> bool {
        let now = entry.time();
        if state.get(self.uncertain).is_empty() {
            return true;
        }
        let Some(id) = entry.text(self.id) else { return true };
        let uncertain = state.get_mut(self.uncertain);
        match uncertain.get(id, now) {
            Some(true) => false,
            Some(false) => {
                let ends = uncertain.ends(id).unwrap_or(Expiry::NEVER);
                uncertain.insert(id, true, ends, now);
                true
            }
            None => {
                uncertain.expire(now);
                true
            }
        }
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Log>());
pyruse_core::inventory::submit!(SettingsPlugin::of::<LogSettings>());
pyruse_core::inventory::submit!(ServicePlugin::new(NAME, |start| {
    let path = start.settings::<LogSettings>().socket(start.config());
    let queue = start.layout().open(NAME)?;
    let uncertain = start.layout().open(&format!("{NAME}/doubtful"))?;
    Ok(Box::new(LogService { queue, uncertain, id: start.reads(ID_FIELD), path }))
}));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_line_ends_cannot_forge_fields() {
        let line = Line { id: "x".into(), priority: 6, message: "a\nPRIORITY=0\n".into() };
        let bytes = datagram(&line);
        let head = b"PRIORITY=6\nSYSLOG_IDENTIFIER=pyruse\nPYRUSE_LOG_ID=x\nMESSAGE\n\x0d\0\0\0\0\0\0\0";
        assert_eq!(bytes, [head.as_slice(), b"a\nPRIORITY=0\n\n"].concat());
    }

    #[test]
    fn a_line_that_may_be_sent_twice_counts_once() {
        let mut state = State::in_memory();
        let uncertain = state.open("doubtful").unwrap();
        let queue: Handle<Queue> = state.open("queue").unwrap();
        let payload =
            serde_json::to_string(&Line { id: "i".into(), priority: 6, message: "m".into() }).unwrap();
        state.get_mut(queue).push(None, payload);
        let mut fields = pyruse_core::entry::Fields::default();
        let id = fields.slot(ID_FIELD);
        let mut service = LogService { queue, uncertain, id, path: PathBuf::new() };
        service.boot(&mut state, Timestamp::now());
        let mut buffers = pyruse_core::entry::Buffers::new(
            fields,
            pyruse_core::entry::EightBit::default(),
            pyruse_core::jiff::tz::TimeZone::UTC,
        );
        let mut admits = |id: &str| {
            let mut record = pyruse_core::entry::MemoryRecord::at(Timestamp::now())
                .with(ID_FIELD, id)
                .with("MESSAGE", "m");
            service.admits(&mut buffers.entry(&mut record), &mut state)
        };
        assert_eq!([admits("i"), admits("i"), admits("other"), admits("i")], [true, false, true, false]);
    }
}
