//! Who carries mails: a program that takes them on its standard input, or an SMTP server.

use std::time::Duration;

use pyruse_core::courier::{Deliver, Outcome};
use pyruse_core::state::Letter;
use pyruse_core::time::Timestamp;

use super::outgoing::{Outgoing, for_a_pipe};
use super::settings::{DEFAULT_SENDMAIL, EmailSettings};
use super::smtp::{Refusal, Relay};
use crate::program;

/// For so long a mail is tried; then it is given up, and stays to be looked at.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) struct MailCourier {
    settings: EmailSettings,
    limit: Duration,
    way: Way,
}

enum Way {
    Program(Vec<String>),
    Server(Relay),
}

impl MailCourier {
    pub(super) fn new(settings: EmailSettings) -> MailCourier {
        let limit = Duration::from_secs(settings.timeout_seconds);
        let way = match &settings.smtp {
            Some(server) => Way::Server(Relay::new(server.clone(), limit)),
            None => Way::Program(program::with_default_found(&settings.command(), DEFAULT_SENDMAIL)),
        };
        MailCourier { settings, limit, way }
    }

    fn send(&mut self, letter: &Letter) -> Result<(), Refusal> {
        let mail: Outgoing = serde_json::from_str(&letter.payload)
            .map_err(|e| Refusal::ForGood(format!("not a mail: {e}")))?;
        let message = mail.compose(&self.settings).map_err(Refusal::ForNow)?;
        match &mut self.way {
            Way::Program(argv) => {
                let run = program::run(argv, &[], &for_a_pipe(&message), self.limit);
                run.map_err(|failure| Refusal::ForNow(failure.message))
            }
            Way::Server(relay) => relay.send(letter.id, &message),
        }
    }
}

impl Deliver for MailCourier {
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        let deliver = |letter: &Letter| match self.send(letter) {
            Ok(()) => Outcome::Done,
            Err(Refusal::ForGood(error)) => Outcome::GiveUp(error),
            Err(Refusal::ForNow(error)) if letter.created.until(Timestamp::now()) > PATIENCE => {
                Outcome::GiveUp(error)
            }
            Err(Refusal::ForNow(error)) => Outcome::Retry(error),
        };
        letters.iter().map(deliver).collect()
    }
}
