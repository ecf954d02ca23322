//! `action_email`: a mail at once, and the courier for all mails.
//!
//! What is queued is the mail's content and its identity; addresses come from the settings when it is delivered, so
//! that a mistake in them can be mended while mails wait.

use std::time::Duration;

use lettre::message::header::ContentTransferEncoding;
use lettre::message::{Mailbox, Message as Mail, SinglePart};
use pyruse_core::courier::{Courier, Deliver, Outcome, Place};
use pyruse_core::effect::Effect;
use pyruse_core::plugin::{
    Act, Action, ActionModule, Compile, Example, Invalid, Message, ModuleSettings, Outcome as Shown, Plugin,
    Service, ServicePlugin, SettingsPlugin, StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Handle, Letter, Queue};
use pyruse_core::time::Timestamp;

use crate::{program, unique};

const NAME: &str = "action_email";
const DEFAULT_SENDMAIL: &str = "/usr/bin/sendmail";

/// For so long a mail is tried; then it is given up, and stays to be looked at.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Who gets mails, and how they are sent.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
pub(crate) struct EmailSettings {
    /// The sender; a bare local name gets the host's name appended.
    from: String,
    /// The recipients; a bare local name gets the host's name appended.
    to: Vec<String>,
    /// The subject of the daily report.
    subject: String,
    /// The command that takes a mail on its standard input, as a list; it is run without a shell.
    sendmail: Vec<String>,
    /// After so many seconds the command is ended, and the mail tried again later.
    #[serde(rename = "timeoutSeconds")]
    timeout_seconds: u64,
}

impl Default for EmailSettings {
    fn default() -> Self {
        EmailSettings {
            from: "pyruse".into(),
            to: vec!["hostmaster".into()],
            subject: "Pyruse Report".into(),
            sendmail: vec![DEFAULT_SENDMAIL.into(), "-t".into()],
            timeout_seconds: 60,
        }
    }
}

impl ModuleSettings for EmailSettings {
    const KEY: &'static str = "email";

    fn check(&self, complain: &mut dyn FnMut(&str, String)) {
        if let Err(e) = mailbox(&self.from) {
            complain("from", e);
        }
        if self.to.is_empty() {
            complain("to", "there is no recipient".into());
        }
        for (n, address) in self.to.iter().enumerate() {
            if let Err(e) = mailbox(address) {
                complain(&format!("to.{n}"), e);
            }
        }
        if self.sendmail.first().is_none_or(String::is_empty) {
            complain("sendmail", "the command is empty: its first item must be a program".into());
        }
        if self.timeout_seconds == 0 {
            complain("timeoutSeconds", "no mail can be sent in 0 seconds".into());
        }
    }
}

/// A mail address; a bare local name is one on this host.
fn mailbox(text: &str) -> Result<Mailbox, String> {
    let full = if text.contains('@') { text.to_owned() } else { format!("{}@{}", text.trim(), host()) };
    full.parse().map_err(|e| format!("`{text}` is not a mail address: {e}"))
}

fn host() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".into())
}

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

/// A mail in the queue.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Queued {
    subject: String,
    body: String,
    /// The same over all tries, so that a mail that arrives twice can be known as one.
    message_id: String,
    /// When what it tells of happened.
    date: Timestamp,
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
        Ok(Email { message, subject: args.subject, to, queue: cx.state(NAME)? })
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
        let mail = Queued {
            subject: self.subject.clone(),
            body,
            message_id: format!("<{}@{}>", unique::id(), host()),
            date: run.entry.time(),
        };
        // A struct of texts and numbers always becomes JSON.
        run.state.get_mut(self.queue).push(None, serde_json::to_string(&mail).unwrap_or_default());
        Ok(())
    }
}

struct MailCourier {
    settings: EmailSettings,
    argv: Vec<String>,
}

impl MailCourier {
    fn compose(&self, mail: Queued) -> Result<Vec<u8>, String> {
        let mut builder = Mail::builder().from(mailbox(&self.settings.from)?);
        for address in &self.settings.to {
            builder = builder.to(mailbox(address)?);
        }
        let date = std::time::UNIX_EPOCH + Timestamp(0).until(mail.date);
        let part = SinglePart::builder()
            .header(lettre::message::header::ContentType::TEXT_PLAIN)
            .header(ContentTransferEncoding::QuotedPrintable)
            .body(mail.body);
        let message = builder
            .subject(mail.subject)
            .message_id(Some(mail.message_id))
            .date(date)
            .singlepart(part)
            .map_err(|e| e.to_string())?;
        // On a pipe, line ends are those of this system.
        let text = message.formatted();
        Ok(text
            .iter()
            .enumerate()
            .filter(|(n, b)| **b != b'\r' || text.get(n + 1) != Some(&b'\n'))
            .map(|(_, b)| *b)
            .collect())
    }
}

impl Deliver for MailCourier {
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        let limit = Duration::from_secs(self.settings.timeout_seconds);
        let deliver = |letter: &Letter| {
            let mail = match serde_json::from_str(&letter.payload) {
                Ok(mail) => mail,
                Err(e) => return Outcome::GiveUp(format!("not a mail: {e}")),
            };
            let sent = self.compose(mail).and_then(|text| program::run(&self.argv, &[], &text, limit));
            match sent {
                Ok(()) => Outcome::Done,
                Err(error) if letter.created.until(Timestamp::now()) > PATIENCE => Outcome::GiveUp(error),
                Err(error) => Outcome::Retry(error),
            }
        };
        letters.iter().map(deliver).collect()
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
pyruse_core::inventory::submit!(SettingsPlugin::of::<EmailSettings>());
pyruse_core::inventory::submit!(ServicePlugin {
    name: NAME,
    boots: false,
    start: |start| {
        let settings = EmailSettings::clone(&start.settings.get());
        let argv = program::with_default_found(&settings.sendmail, DEFAULT_SENDMAIL);
        let queue = start.state.open(NAME)?;
        Ok(Box::new(MailService { queue, courier: Some(MailCourier { settings, argv }) }))
    },
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_quoted_printable_utf_8_with_its_identity() {
        let settings = EmailSettings {
            from: "pyruse@example.org".into(),
            to: vec!["a@example.org".into(), "root".into()],
            ..EmailSettings::default()
        };
        let courier = MailCourier { settings, argv: Vec::new() };
        let mail = Queued {
            subject: "Überfall".into(),
            body: "naïve = ja\n.\nFrom here\n".into(),
            message_id: "<1@example.org>".into(),
            date: Timestamp(1_795_000_000_000_000),
        };
        let text = String::from_utf8(courier.compose(mail).unwrap()).unwrap();
        let expected = format!(
            "From: pyruse@example.org\nTo: a@example.org, root@{}\nSubject: =?utf-8?b?w5xiZXJmYWxs?=\n\
             Message-ID: <1@example.org>\nDate: Wed, 18 Nov 2026 11:06:40 +0000\nMIME-Version: 1.0\n\
             Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset=utf-8\n\n\
             na=C3=AFve =3D ja\n.\nFrom here\n",
            host()
        );
        let sorted = |text: &str| {
            let (head, body) = text.split_once("\n\n").unwrap();
            let mut head: Vec<_> = head.lines().map(str::to_owned).collect();
            head.sort();
            (head, body.trim_end().to_owned())
        };
        assert_eq!(sorted(&text), sorted(&expected));
    }

    #[test]
    fn an_address_is_checked_when_the_configuration_is_read() {
        assert!(mailbox("hostmaster").is_ok());
        assert!(mailbox("Name <a@example.org>").is_ok());
        for bad in ["", "a b", "a@", "a@b\nBcc: c@d"] {
            assert!(mailbox(bad).is_err(), "{bad:?}");
        }
    }
}
