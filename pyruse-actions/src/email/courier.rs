//! The courier of mails: passes them to a program on its standard input, or to an SMTP server.
//!
//! If the configuration names neither, it is sendmail. But most sendmails deliver a mail by becoming another user,
//! which no process can do in a service with `NoNewPrivileges=`. There, the mail server of this machine is asked first;
//! nearly all mail servers listen on localhost. If it answers, its answer is final: sendmail is only run if no server
//! is there.

use std::time::Duration;

use nix::sys::prctl;
use pyruse_core::courier::{Deliver, Outcome};
use pyruse_core::state::DueMessage;

use super::outgoing::{Outgoing, for_a_pipe};
use super::settings::{DEFAULT_SENDMAIL, EmailSettings};
use super::smtp::{Refusal, RefusalKind, Relay};
use super::smtp_settings::SmtpSettings;
use pyruse_core::program;

/// How long a mail is retried. Then it is given up, and kept for the operator.
const GIVE_UP_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) struct MailCourier {
    settings: EmailSettings,
    limit: Duration,
    way: Transport,
}

enum Transport {
    Program(Vec<String>),
    Server(Relay),
    /// The server on localhost; if there is none, the program.
    Local(Relay, Vec<String>),
}

impl MailCourier {
    pub(super) fn new(settings: EmailSettings) -> MailCourier {
        let limit = Duration::from_secs(settings.timeout_seconds.0);
        let argv = program::with_default_found(&settings.command(), DEFAULT_SENDMAIL);
        let way = match (&settings.smtp, &settings.sendmail) {
            (Some(server), _) => Transport::Server(Relay::new(server.clone(), limit)),
            (None, None) if is_confined() => Transport::Local(Relay::new(SmtpSettings::local(), limit), argv),
            (None, _) => Transport::Program(argv),
        };
        MailCourier { settings, limit, way }
    }

    fn send(&mut self, due: &DueMessage) -> Result<(), Refusal> {
        let mail: Outgoing = serde_json::from_str(&due.payload)
            .map_err(|e| Refusal { kind: RefusalKind::ForGood, why: format!("not a mail: {e}") })?;
        let short = mail.shortened();
        let sent = self.send_mail(due.id, mail);
        match (sent, short) {
            (Err(Refusal { kind: RefusalKind::TooLarge, why }), Some(short)) => {
                tracing::warn!("a mail is too large for the server, so that its short form is sent: {why}");
                self.send_mail(due.id, short)
            }
            (sent, _) => sent,
        }
    }

    fn send_mail(&mut self, id: u64, mail: Outgoing) -> Result<(), Refusal> {
        let message = mail.compose(&self.settings).map_err(Refusal::for_now)?;
        let limit = self.limit;
        let pipe = |argv: &[String]| {
            program::run(argv, &[], &for_a_pipe(&message), limit).map_err(|e| Refusal::for_now(e.message))
        };
        match &mut self.way {
            Transport::Program(argv) => pipe(argv),
            Transport::Server(relay) => relay.send(id, &message),
            Transport::Local(relay, argv) => match relay.send(id, &message) {
                Err(Refusal { kind: RefusalKind::Unreachable, why }) => {
                    pipe(argv).map_err(|failure| Refusal::for_now(format!("{why}; {}", failure.why)))
                }
                answer => answer,
            },
        }
    }
}

/// Whether no program that we start can become another user.
fn is_confined() -> bool {
    prctl::get_no_new_privs().unwrap_or(false)
}

impl Deliver for MailCourier {
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
        let deliver = |due: &DueMessage| {
            let Err(Refusal { kind, why }) = self.send(due) else { return Outcome::Done };
            match kind {
                RefusalKind::ForGood | RefusalKind::TooLarge => Outcome::GiveUp(why),
                _ if due.tried > GIVE_UP_AFTER => Outcome::GiveUp(why),
                RefusalKind::Unreachable | RefusalKind::ForNow => Outcome::Retry(why),
                RefusalKind::Setting => Outcome::Blocked(why),
            }
        };
        messages.iter().map(deliver).collect()
    }
}
