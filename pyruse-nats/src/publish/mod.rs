//! `action_publish`: publishes fields of an entry to a stream of NATS JetStream. Also the courier for all of them.

mod courier;
mod letter;
mod numbers;

use std::sync::Arc;

use pyruse_core::courier::Courier;
use pyruse_core::effect::Effect;
use pyruse_core::entry::{Slot, Value};
use pyruse_core::plugin::fact::Fact;
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Expected, Inspection, Invalid, Message, Module, Plugin, Service,
    ServicePlugin, StepError, excerpt,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::{Handle, Queue, State};
use pyruse_core::template::Part;
use pyruse_core::throttle::Throttle;
use pyruse_core::time::Timestamp;
use serde_json::{Map, json};

use self::courier::PublishCourier;
use self::letter::Letter;
use self::numbers::Numbers;
use crate::connection::Link;
use crate::settings::NatsSettings;
use crate::source::check_stream;
use crate::{inspect, loops, subject};

const NAME: &str = "action_publish";

/// The queue of all messages.
const QUEUE: &str = NAME;

/// The part of the state with their numbers.
const NUMBERS: &str = "action_publish numbers";

/// How many messages are published at once.
const BATCH: usize = 64;

/// The fields that every message has, if the entry has them: when, where and in which entry it was written.
const OF_EVERY_MESSAGE: [&str; 3] = ["__REALTIME_TIMESTAMP", "__CURSOR", "_HOSTNAME"];

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The connection, a name in the top-level key `nats`.
    to: String,
    /// The subject, a template such as `fail.{_HOSTNAME}.ssh`. Each value is a part of one token: all its characters but
    /// ASCII letters, digits, `-`, `_` and `:` are written as `%` and hexadecimal digits.
    subject: String,
    /// The fields that are published; those that the entry does not have are left out. The entry's time, host and cursor
    /// (`__REALTIME_TIMESTAMP`, `_HOSTNAME`, `__CURSOR`) are added.
    fields: Vec<String>,
    /// A field: a message replaces one that still waits to be published to the same subject with the same value of this
    /// field. So only the newest word counts.
    #[serde(default)]
    key: Option<String>,
    /// The stream that must store the message; absent: any.
    #[serde(default)]
    stream: Option<String>,
    /// The maximum size of a value, in bytes; a longer one is cut.
    #[serde(rename = "maxValue", default = "max_value")]
    max_value: usize,
}

fn max_value() -> usize {
    4096
}

struct Publish {
    link: Arc<Link>,
    subject: Message,
    fields: Vec<(String, Slot)>,
    key: Option<Slot>,
    stream: Option<String>,
    max_value: usize,
    queue: Handle<Queue>,
    numbers: Handle<Numbers>,
    /// For the log of messages that are dropped.
    dropped: Throttle<(), ()>,
}

impl Module for Publish {
    const NAME: &'static str = NAME;
    const DOC: &'static str = "Publishes fields of an entry to a stream of NATS JetStream.";
    const SETTINGS: &'static [&'static str] = &["nats"];
    const EXAMPLE_SETTINGS: &'static str =
        r#"{"nats": {"fleet": {"servers": ["tls://nats.example.org:4222"]}}}"#;
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let link = Link::compile("to", &args.to, cx);
        let subject = compile_subject(&args.subject, cx);
        let mut checked = Ok(());
        if let Some(stream) = &args.stream {
            checked = check_stream("stream", stream, cx);
        }
        if args.fields.is_empty() {
            checked = Err(cx.error("fields", "a message needs at least one field"));
        }
        if args.max_value == 0 {
            checked = Err(cx.error("maxValue", "with 0, no value would be left"));
        }
        let mut fields: Vec<(String, Slot)> = Vec::new();
        for (n, name) in args.fields.iter().enumerate() {
            let slot = cx.reads_at(&format!("fields.{n}"), name);
            fields.push((name.clone(), slot));
        }
        for name in OF_EVERY_MESSAGE {
            if !args.fields.iter().any(|given| given == name) {
                fields.push((name.to_owned(), cx.notes(name)));
            }
        }
        let key = args.key.as_ref().map(|name| cx.reads_at("key", name));
        let (link, subject) = (link?, subject?);
        checked?;
        cx.states("", Fact::Sends);
        let any: Vec<String> = args.subject.split('.').map(any_value).collect();
        loops::state_feeds("subject", &args.to, &any.join("."), cx);
        Ok(Publish {
            link,
            subject,
            fields,
            key,
            stream: args.stream,
            max_value: args.max_value,
            queue: cx.state(QUEUE)?,
            numbers: cx.state(NUMBERS)?,
            dropped: Throttle::new(1, 1),
        })
    }

    fn examples() -> Vec<Example> {
        let args =
            r#"{"to": "fleet", "subject": "fail.{_HOSTNAME}.ssh", "fields": ["thatIP"], "key": "thatIP"}"#;
        vec![
            Example {
                title: "an address that failed to log in",
                args,
                entry: &[("_HOSTNAME", "web-1.example.org"), ("thatIP", "192.0.2.1")],
                expected: Expected::Effect(
                    r#"{"effect": "custom", "action": "action_publish", "details": {"to": "fleet", "subject": "fail.web-1%2Eexample%2Eorg.ssh", "fields": {"_HOSTNAME": "web-1.example.org", "thatIP": "192.0.2.1"}}}"#,
                ),
            },
            Example {
                title: "a value is no wildcard and no further token",
                args,
                entry: &[("_HOSTNAME", "*.>"), ("thatIP", "192.0.2.1")],
                expected: Expected::Effect(
                    r#"{"effect": "custom", "action": "action_publish", "details": {"to": "fleet", "subject": "fail.%2A%2E%3E.ssh", "fields": {"_HOSTNAME": "*.>", "thatIP": "192.0.2.1"}}}"#,
                ),
            },
            Example {
                title: "an empty token",
                args,
                entry: &[("_HOSTNAME", ""), ("thatIP", "192.0.2.1")],
                expected: Expected::Error(
                    "`fail..ssh` cannot be a subject: a subject must not have an empty token: nothing before, behind or between its dots; nothing is published",
                ),
            },
        ]
    }
}

/// Compiles the template of a subject, and checks it with a value in each place.
fn compile_subject(text: &str, cx: &mut Compile<'_>) -> Result<Message, Invalid> {
    let template = cx.message("subject", text)?;
    let sample: String =
        template.parts().map(|part| if let Part::Literal(text) = part { text } else { "x" }).collect();
    match subject::check(&sample, false) {
        Ok(()) => Ok(template),
        Err(why) => Err(cx.error("subject", why)),
    }
}

/// Returns the token of a template, or the wildcard if it contains a value.
fn any_value(token: &str) -> String {
    if token.contains('{') { "*".to_owned() } else { token.to_owned() }
}

impl Action for Publish {
    fn inspect(&self, inspection: &mut Inspection) {
        let mut sample = String::new();
        for part in self.subject.parts() {
            match part {
                Part::Literal(text) => sample.push_str(text),
                Part::Value { name, .. } if self.subject.names()[name] == "_HOSTNAME" => {
                    subject::encode(&inspect::hostname(), &mut sample);
                }
                Part::Value { .. } => sample.push('x'),
            }
        }
        for finding in inspect::publishing(&self.link, &sample, self.stream.as_deref(), inspection) {
            inspection.argument(
                finding.argument.unwrap_or("to"),
                finding.severity,
                finding.message,
                finding.help,
            );
        }
    }

    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let (mut to, mut missing) = (String::new(), None);
        self.subject.render_parts(run.entry, &mut |part| match part {
            Part::Literal(text) => to.push_str(text),
            Part::Value { name, is_missing: true, .. } => missing = Some(name),
            Part::Value { text, .. } => subject::encode(text, &mut to),
        })?;
        if let Some(name) = missing {
            let name = &self.subject.names()[name];
            return Err(StepError::new(format!("the entry has no field `{name}`: nothing is published")));
        }
        if let Err(why) = subject::check(&to, false) {
            return Err(StepError::new(format!(
                "`{}` cannot be a subject: {why}; nothing is published",
                excerpt(&to)
            )));
        }
        let mut fields = Map::new();
        for (name, slot) in &self.fields {
            let value = match run.entry.value(*slot) {
                None => continue,
                Some(Value::Integer(number)) => json!(number),
                Some(Value::Time(Timestamp(micros))) => json!(micros),
                Some(Value::Text(text)) => json!(cut(text, self.max_value)),
            };
            fields.insert(name.clone(), value);
        }
        run.effect(|| Effect::Custom {
            action: NAME,
            details: json!({"to": &self.link.name, "subject": &to, "fields": &fields}),
        });
        let key = match self.key {
            Some(slot) => Some(format!("{} {to} {}", self.link.name, run.entry.required_text(slot)?)),
            None => None,
        };
        let (number, identity) = run.state.get_mut(self.numbers).next();
        let letter = Letter {
            to: self.link.name.clone(),
            subject: to,
            stream: self.stream.clone(),
            identity,
            number,
            fields,
        };
        // Texts and numbers always serialize.
        let payload = serde_json::to_string(&letter).unwrap_or_default();
        let settings = &self.link.settings;
        let limits = (settings.max_waiting, settings.max_waiting_bytes);
        let dropped = run.state.get_mut(self.queue).push_over_oldest(key.as_deref(), payload, limits);
        for _ in 0..dropped {
            self.log_dropped();
        }
        Ok(())
    }
}

fn cut(text: &str, limit: usize) -> &str {
    &text[..pyruse_core::text::floor_char_boundary(text, limit)]
}

impl Publish {
    fn log_dropped(&mut self) {
        let name = &self.link.name;
        self.dropped.flush_if_over(|(), more, _| {
            tracing::error!("{NAME}: {more} more messages to `{name}` are lost: too many wait");
        });
        if self.dropped.admits((), (), 1) {
            tracing::error!(
                "{NAME}: the oldest message to `{name}` is lost: too many wait (`maxWaiting`, `maxWaitingBytes`); see \
                 `pyruse outbox list`"
            );
        }
    }
}

struct PublishService {
    queue: Handle<Queue>,
    courier: Option<PublishCourier>,
}

impl Service for PublishService {
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        let courier = Courier::new(NAME, self.courier.take()?).batch(BATCH).in_order();
        Some((self.queue, courier))
    }

    fn queue(&self) -> Option<Handle<Queue>> {
        Some(self.queue)
    }

    fn describe(&self, payload: &str) -> String {
        match serde_json::from_str::<Letter>(payload) {
            Ok(letter) => excerpt(&format!("{} at {}", letter.subject, letter.to)),
            Err(_) => "not a message".into(),
        }
    }

    fn boot(&mut self, state: &mut State, _now: Timestamp) {
        // A reload may have changed the setting that messages wait for.
        state.get_mut(self.queue).retry_now();
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Publish>());
pyruse_core::inventory::submit!(ServicePlugin::new(NAME, |start| {
    let settings = start.settings::<NatsSettings>();
    let links = Link::all(&settings, start);
    Ok(Box::new(PublishService { queue: start.layout().open(QUEUE)?, courier: Some(PublishCourier(links)) }))
}));
