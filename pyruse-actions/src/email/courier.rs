//! The courier of mails: passes them to a program on its standard input, or to an SMTP server.
//!
//! If the configuration names neither, it is sendmail. But most sendmails deliver a mail by becoming another user,
//! which no process can do in a service with `NoNewPrivileges=`. There, the mail server of this machine is asked first;
//! nearly all mail servers listen on localhost. If it answers, its answer is final: sendmail is only run if no server
//! is there.

use std::time::Duration;

use nix::sys::prctl;
use pyruse_core::courier::{Deliver, Outcome};
use pyruse_core::state::Letter;

use super::outgoing::{Outgoing, for_a_pipe};
use super::settings::{DEFAULT_SENDMAIL, EmailSettings};
use super::smtp::{Refusal, RefusalKind, Relay};
use super::smtp_settings::SmtpSettings;
use pyruse_core::program;

/// How long a mail is retried. Then it is given up, and kept for the operator.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) struct MailCourier {
    settings: EmailSettings,
    limit: Duration,
    way: Way,
}

enum Way {
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
            (Some(server), _) => Way::Server(Relay::new(server.clone(), limit)),
            (None, None) if is_confined() => Way::Local(Relay::new(SmtpSettings::local(), limit), argv),
            (None, _) => Way::Program(argv),
        };
        MailCourier { settings, limit, way }
    }

    fn send(&mut self, letter: &Letter) -> Result<(), Refusal> {
        let mail: Outgoing = serde_json::from_str(&letter.payload)
            .map_err(|e| Refusal { kind: RefusalKind::ForGood, why: format!("not a mail: {e}") })?;
        let message = mail.compose(&self.settings).map_err(Refusal::for_now)?;
        let limit = self.limit;
        let pipe = |argv: &[String]| {
            program::run(argv, &[], &for_a_pipe(&message), limit).map_err(|e| Refusal::for_now(e.message))
        };
        match &mut self.way {
            Way::Program(argv) => pipe(argv),
            Way::Server(relay) => relay.send(letter.id, &message),
            Way::Local(relay, argv) => match relay.send(letter.id, &message) {
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
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        let deliver = |letter: &Letter| {
            let Err(Refusal { kind, why }) = self.send(letter) else { return Outcome::Done };
            match kind {
                RefusalKind::ForGood => Outcome::GiveUp(why),
                _ if letter.tried > PATIENCE => Outcome::GiveUp(why),
                RefusalKind::Unreachable | RefusalKind::ForNow => Outcome::Retry(why),
                RefusalKind::Setting => Outcome::Blocked(why),
            }
        };
        letters.iter().map(deliver).collect()
    }
}
