//! `action_email`: sends a mail at once. Also the courier for all mails.

mod courier;
mod flood;
mod inspect;
mod outgoing;
mod settings;
mod smtp;
mod smtp_settings;

use std::sync::Arc;
use std::time::Duration;

use pyruse_core::courier::Courier;
use pyruse_core::effect::Effect;
use pyruse_core::plugin::fact::Fact;
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Expected, Inspection, Invalid, Message, Module, Plugin, Service,
    ServicePlugin, StepError, excerpt,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::{Handle, Queue, State};
use pyruse_core::template::placeholder;
use pyruse_core::time::Timestamp;

use self::courier::MailCourier;
use self::flood::Flood;
pub(crate) use self::inspect::inspect;
#[cfg(test)]
pub(crate) use self::outgoing::quoted;
pub(crate) use self::outgoing::{Attachment, Outgoing};
pub(crate) use self::settings::{EmailSettings, host};
use crate::text;

const NAME: &str = "action_email";

/// The maximum size of a mail's body; a longer one is cut. Servers refuse what is too large, and an entry may hold a
/// thousand fields.
const BODY_LIMIT: usize = 256 * 1024;

/// The queue of all mails, of every author.
pub(crate) const QUEUE: &str = NAME;

/// The mails that are held back.
const FLOOD: &str = "action_email/flood";

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The text of the mail, a template.
    message: String,
    /// The subject of the mail.
    #[serde(default = "subject")]
    subject: String,
}

fn subject() -> String {
    "Pyruse Notification".into()
}

struct Email {
    message: Message,
    subject: String,
    to: Vec<String>,
    max_per_hour: u32,
    queue: Handle<Queue>,
    flood: Handle<Flood>,
    settings: Arc<EmailSettings>,
}

impl Module for Email {
    const NAME: &'static str = NAME;
    const DOC: &'static str = "Sends a mail at once, to all addresses in `email.to`.";
    const SETTINGS: &'static [&'static str] = &["email"];
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        if args.subject.chars().any(char::is_control) {
            return Err(cx.error("subject", "a subject must be one line, without control characters"));
        }
        if let Some(placeholder) = placeholder(&args.subject) {
            let message = format!(
                "a subject is not a template: `{}` is not replaced",
                &args.subject[placeholder.clone()]
            );
            let help = "put it into the `message`; mails with the same subject are counted together (`email.maxPerHour`)";
            cx.warning_within("subject", placeholder, message, help);
        }
        let message = cx.message("message", &args.message)?;
        cx.states("", Fact::Mails);
        let settings = cx.settings::<EmailSettings>();
        Ok(Email {
            message,
            subject: args.subject,
            to: settings.to.clone(),
            max_per_hour: settings.max_per_hour,
            queue: cx.state(QUEUE)?,
            flood: cx.state(FLOOD)?,
            settings,
        })
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "somebody became root",
            args: r#"{"subject": "root", "message": "{_HOSTNAME}: {MESSAGE}"}"#,
            entry: &[("_HOSTNAME", "server"), ("MESSAGE", "(to root) alice on pts/1")],
            expected: Expected::Effect(
                r#"{"effect": "email", "subject": "root", "to": ["hostmaster"], "body": "server: (to root) alice on pts/1"}"#,
            ),
        }]
    }
}

impl Action for Email {
    fn inspect(&self, inspection: &mut Inspection) {
        inspect(&self.settings, inspection);
    }

    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let mut body = String::new();
        self.message.render(run.entry, &mut body)?;
        if text::cut(&mut body, BODY_LIMIT) {
            body.push_str("…\n");
        }
        run.effect(|| Effect::Email {
            subject: self.subject.clone(),
            to: self.to.clone(),
            body: body.clone(),
        });
        let (at, seen) = (run.entry.time(), run.state.now().wall);
        let flood = run.state.get_mut(self.flood);
        for mail in flood.admit(&self.subject, body, at, self.max_per_hour, seen) {
            mail.queue(run.state, self.queue);
        }
        Ok(())
    }
}

struct MailService {
    queue: Handle<Queue>,
    flood: Handle<Flood>,
    courier: Option<MailCourier>,
}

impl Service for MailService {
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        let courier = Courier::new(NAME, self.courier.take()?)
            // One at a time: a hanging program must not make a whole batch wait for its answer.
            .batch(1)
            .longest_wait(Duration::from_secs(300));
        Some((self.queue, courier))
    }

    fn queue(&self) -> Option<Handle<Queue>> {
        Some(self.queue)
    }

    fn describe(&self, payload: &str) -> String {
        match serde_json::from_str::<Outgoing>(payload) {
            Ok(mail) => format!("mail: {}", excerpt(&mail.subject)),
            Err(_) => "not a mail".into(),
        }
    }

    fn boot(&mut self, state: &mut State, _now: Timestamp) {
        // A reload may have changed the setting that mails wait for.
        state.get_mut(self.queue).retry_now();
    }

    fn deadline(&self, state: &State, _: Timestamp) -> Option<Timestamp> {
        state.get(self.flood).deadline()
    }

    fn due(&mut self, state: &mut State, now: Timestamp) {
        for mail in state.get_mut(self.flood).end_hours(now) {
            mail.queue(state, self.queue);
        }
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Email>());
pyruse_core::inventory::submit!(ServicePlugin::new(NAME, |start| {
    let courier = MailCourier::new(EmailSettings::clone(&start.settings()));
    let (queue, flood) = (start.layout().open(QUEUE)?, start.layout().open(FLOOD)?);
    Ok(Box::new(MailService { queue, flood, courier: Some(courier) }))
}));
