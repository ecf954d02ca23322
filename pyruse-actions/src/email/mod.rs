//! `action_email`: a mail at once; and the courier for all mails.

mod courier;
mod outgoing;
mod settings;

use std::time::Duration;

use pyruse_core::courier::{Courier, Place};
use pyruse_core::effect::Effect;
use pyruse_core::plugin::{
    Act, Action, ActionModule, Compile, Example, Invalid, Message, Outcome as Shown, Plugin, Service,
    ServicePlugin, StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::{Handle, Queue};

use self::courier::MailCourier;
pub(crate) use self::outgoing::Outgoing;
pub(crate) use self::settings::{EmailSettings, host};

const NAME: &str = "action_email";

/// The queue of all mails, whoever writes them.
pub(crate) const QUEUE: &str = NAME;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The text of the mail, a template.
    message: String,
    /// Its subject.
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
    queue: Handle<Queue>,
}

impl ActionModule for Email {
    const NAME: &'static str = NAME;
    const DOC: &'static str = "Sends a mail at once, to all of `email.to`.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let message = cx.message("message", &args.message)?;
        if args.subject.chars().any(char::is_control) {
            return Err(cx.error("subject", "a subject is one line, without control characters"));
        }
        let to = cx.settings::<EmailSettings>().to.clone();
        Ok(Email { message, subject: args.subject, to, queue: cx.state(QUEUE)? })
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "somebody became root",
            args: r#"{"subject": "root", "message": "{_HOSTNAME}: {MESSAGE}"}"#,
            entry: &[("_HOSTNAME", "server"), ("MESSAGE", "(to root) alice on pts/1")],
            outcome: Shown::Effect(
                r#"{"effect": "email", "subject": "root", "to": ["hostmaster"], "body": "server: (to root) alice on pts/1"}"#,
            ),
        }]
    }
}

impl Action for Email {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let mut body = String::new();
        self.message.render(run.entry, &mut body)?;
        run.effect(|| Effect::Email {
            subject: self.subject.clone(),
            to: self.to.clone(),
            body: body.clone(),
        });
        Outgoing::text(&self.subject, body, run.entry.time()).queue(run.state, self.queue);
        Ok(())
    }
}

struct MailService {
    queue: Handle<Queue>,
    courier: Option<MailCourier>,
}

impl Service for MailService {
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        let courier = Courier {
            name: NAME,
            // One at a time: a program that hangs must not make a whole batch wait for its answer.
            batch: 1,
            longest_wait: Duration::from_secs(300),
            place: Place::Thread,
            deliver: Box::new(self.courier.take()?),
        };
        Some((self.queue, courier))
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Email>());
pyruse_core::inventory::submit!(ServicePlugin {
    name: NAME,
    boots: false,
    start: |start| {
        let courier = MailCourier::new(EmailSettings::clone(&start.settings.get()));
        let queue = start.state.open(QUEUE)?;
        Ok(Box::new(MailService { queue, courier: Some(courier) }))
    },
});
