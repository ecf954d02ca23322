//! `action_run`: runs a program for an entry, through the outbox. Also its courier.
//!
//! There is no shell: each argument is one, whatever a value contains. A queued message holds the command and the values.
//! The courier runs it only if the configuration still has this command: so a command of root never runs what the state
//! alone says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pyruse_core::courier::{Courier, Deliver, Outcome};
use pyruse_core::effect::Effect;
use pyruse_core::entry::Entry;
use pyruse_core::plugin::fact::Fact;
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Expected, Inspection, Invalid, Message, Module, Plugin, Service,
    ServicePlugin, Severity, StepError, excerpt,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{DueMessage, Handle, Queue, State};
use pyruse_core::template::Part;
use pyruse_core::time::Timestamp;

use crate::{program, text};

const NAME: &str = "action_run";

const QUEUE: &str = NAME;

/// The maximum size of a value of an entry, in bytes.
const VALUE_LIMIT: usize = 4096;

/// How many runs may wait.
const MAX_WAITING: usize = 1000;

/// How long a program that fails is run again. Then the run is given up, and kept for the operator.
const GIVE_UP_AFTER: Duration = Duration::from_secs(3600);

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The program, by its absolute path, and its arguments, which are templates. There is no shell: each is one argument.
    /// An argument that begins with a value must not begin with `-`: then the step is an error.
    argv: Vec<String>,
    /// The environment: names, and values that are templates. Apart from it, a program only has a `PATH` of the system's
    /// directories.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// The time limit, in seconds or as `1m`, 30 seconds by default: after it, the program is killed with all processes
    /// of its process group.
    #[serde(rename = "timeoutSeconds", default = "timeout_seconds")]
    timeout_seconds: Seconds,
}

fn timeout_seconds() -> Seconds {
    Seconds(program::TIMEOUT)
}

/// The arguments and the environment of a process.
type Composed = (Vec<String>, Vec<(String, String)>);

/// A command of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct CommandLine {
    /// The arguments, each as literal texts with a value between two of them.
    argv: Vec<Vec<String>>,
    /// The environment, in the same form.
    env: Vec<(String, Vec<String>)>,
    timeout: u64,
}

impl CommandLine {
    /// Inserts the values, each of which stands for one place, in order.
    fn compose(&self, values: &[String]) -> Result<Composed, String> {
        let mut values = values.iter();
        let mut insert = |pieces: &[String]| {
            let mut whole = String::new();
            for (n, piece) in pieces.iter().enumerate() {
                if n > 0 {
                    let value = values.next().ok_or("a value is missing")?;
                    if value.contains('\0') {
                        return Err("a value contains a null character, which no argument can".to_owned());
                    }
                    whole.push_str(value);
                }
                whole.push_str(piece);
            }
            Ok(whole)
        };
        let mut argv = Vec::with_capacity(self.argv.len());
        for pieces in &self.argv {
            let argument = insert(pieces)?;
            if pieces.len() > 1 && pieces[0].is_empty() && argument.starts_with('-') {
                return Err(format!(
                    "`{}` would be an option: an argument that begins with a value must not begin with `-`",
                    excerpt(&argument)
                ));
            }
            argv.push(argument);
        }
        let env = self.env.iter().map(|(name, pieces)| Ok((name.clone(), insert(pieces)?)));
        Ok((argv, env.collect::<Result<_, String>>()?))
    }
}

/// A run in the queue.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct QueuedRun {
    command: CommandLine,
    values: Vec<String>,
}

struct Run {
    command: CommandLine,
    templates: Vec<Message>,
    queue: Handle<Queue>,
}

/// The commands of a configuration.
#[derive(Default)]
struct Commands(BTreeSet<CommandLine>);

impl Module for Run {
    const NAME: &'static str = NAME;
    const DOC: &'static str = "Runs a program.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let Some(name) = args.argv.first() else {
            return Err(cx.error("argv", "the command is empty: its first item must be a program"));
        };
        if let Err(why) = program::check(name) {
            return Err(cx.error("argv.0", why));
        }
        if let Some(what) = program::missing(name) {
            cx.warning_within("argv.0", 0..name.len(), what, "install it, or correct the path");
        }
        if args.timeout_seconds == Seconds(0) {
            return Err(cx.error("timeoutSeconds", "the time limit must not be 0 seconds"));
        }
        let mut templates = Vec::new();
        let mut compile = |path: &str, text: &str, cx: &mut Compile<'_>| {
            if text.contains('\0') {
                return Err(cx.error(path, "no argument can contain a null character"));
            }
            let message = cx.message(path, text)?;
            let pieces = pieces(&message);
            templates.push(message);
            Ok(pieces)
        };
        // The program is no template.
        let mut words = vec![vec![name.clone()]];
        for (n, text) in args.argv.iter().enumerate().skip(1) {
            words.push(compile(&format!("argv.{n}"), text, cx)?);
        }
        let mut env = Vec::new();
        for (name, text) in &args.env {
            let path = format!("env.{name}");
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(cx.error(&path, format!("`{}` is not the name of a variable", excerpt(name))));
            }
            env.push((name.clone(), compile(&path, text, cx)?));
        }
        let command = CommandLine { argv: words, env, timeout: args.timeout_seconds.0 };
        cx.shared::<Commands>().0.insert(command.clone());
        cx.states("", Fact::Sends);
        Ok(Run { command, templates, queue: cx.state(QUEUE)? })
    }

    fn examples() -> Vec<Example> {
        let args = r#"{"argv": ["/bin/echo", "banned", "{thatIP}"]}"#;
        vec![
            Example {
                title: "a program with an address",
                args,
                entry: &[("thatIP", "192.0.2.1; reboot")],
                expected: Expected::Effect(
                    r#"{"effect": "run", "argv": ["/bin/echo", "banned", "192.0.2.1; reboot"]}"#,
                ),
            },
            Example {
                title: "a value must not become an option",
                args,
                entry: &[("thatIP", "--help")],
                expected: Expected::Error(
                    "`--help` would be an option: an argument that begins with a value must not begin with `-`",
                ),
            },
        ]
    }
}

/// Returns the literal texts before, between and behind the values.
fn pieces(message: &Message) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for part in message.parts() {
        match part {
            Part::Literal(text) => pieces.last_mut().expect("there is one from the beginning").push_str(text),
            Part::Value { .. } => pieces.push(String::new()),
        }
    }
    pieces
}

impl Run {
    fn values(&self, entry: &mut Entry<'_>) -> Result<Vec<String>, StepError> {
        let mut values = Vec::new();
        for template in &self.templates {
            template.render_parts(entry, &mut |part| {
                if let Part::Value { text, .. } = part {
                    let mut value = text.to_owned();
                    text::cut(&mut value, VALUE_LIMIT);
                    values.push(value);
                }
            })?;
        }
        Ok(values)
    }
}

impl Action for Run {
    fn inspect(&self, inspection: &mut Inspection) {
        let name = &self.command.argv[0][0];
        if let Some(what) = program::missing(name) {
            inspection.argument("argv.0", Severity::Error, what, "install it, or correct the path");
        }
    }

    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let values = self.values(run.entry)?;
        let (argv, _) = self.command.compose(&values).map_err(StepError::new)?;
        run.effect(|| Effect::Run { argv });
        let queued = QueuedRun { command: self.command.clone(), values };
        // Texts and numbers always serialize.
        let payload = serde_json::to_string(&queued).unwrap_or_default();
        if run.state.get_mut(self.queue).push_bounded(payload, MAX_WAITING).is_none() {
            let what =
                format!("{MAX_WAITING} runs of programs wait: this one is lost; see `pyruse outbox list`");
            return Err(StepError::new(what));
        }
        Ok(())
    }
}

struct RunCourier {
    commands: BTreeSet<CommandLine>,
}

impl RunCourier {
    fn deliver_one(&self, due: &DueMessage) -> Outcome {
        let Ok(QueuedRun { command, values }) = serde_json::from_str(&due.payload) else {
            return Outcome::GiveUp("not a run of a program".into());
        };
        if !self.commands.contains(&command) {
            return Outcome::GiveUp("no step of the configuration runs this command any more".into());
        }
        let (argv, env) = match command.compose(&values) {
            Ok(composed) => composed,
            Err(why) => return Outcome::GiveUp(why),
        };
        if let Err(why) = program::check(&argv[0]) {
            return Outcome::Blocked(why);
        }
        match program::run(&argv, env, Duration::from_secs(command.timeout)) {
            Ok(()) => Outcome::Done,
            Err(failure) if due.tried > GIVE_UP_AFTER => Outcome::GiveUp(failure.message),
            Err(failure) if failure.not_started => Outcome::Blocked(failure.message),
            Err(failure) => Outcome::Retry(failure.message),
        }
    }
}

impl Deliver for RunCourier {
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
        messages.iter().map(|due| self.deliver_one(due)).collect()
    }
}

struct RunService {
    queue: Handle<Queue>,
    courier: Option<RunCourier>,
}

impl Service for RunService {
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        // One at a time.
        let courier =
            Courier::new(NAME, self.courier.take()?).batch(1).longest_wait(Duration::from_secs(300));
        Some((self.queue, courier))
    }

    fn queue(&self) -> Option<Handle<Queue>> {
        Some(self.queue)
    }

    fn describe(&self, payload: &str) -> String {
        let queued = serde_json::from_str::<QueuedRun>(payload).ok();
        let argv = queued.and_then(|queued| queued.command.compose(&queued.values).ok());
        argv.map_or_else(|| "not a run of a program".into(), |(argv, _)| excerpt(&argv.join(" ")))
    }

    fn boot(&mut self, state: &mut State, _now: Timestamp) {
        // A reload may have changed what runs wait for.
        state.get_mut(self.queue).retry_now();
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Run>());
pyruse_core::inventory::submit!(ServicePlugin::new(NAME, |start| {
    let commands = std::mem::take(start.shared::<Commands>()).0;
    Ok(Box::new(RunService { queue: start.layout().open(QUEUE)?, courier: Some(RunCourier { commands }) }))
}));
