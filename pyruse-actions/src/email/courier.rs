//! Who carries mails: a program that takes them on its standard input.

use std::time::Duration;

use pyruse_core::courier::{Deliver, Outcome};
use pyruse_core::state::Letter;
use pyruse_core::time::Timestamp;

use super::outgoing::{Outgoing, for_a_pipe};
use super::settings::{DEFAULT_SENDMAIL, EmailSettings};
use crate::program;

/// For so long a mail is tried; then it is given up, and stays to be looked at.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) struct MailCourier {
    settings: EmailSettings,
    argv: Vec<String>,
}

impl MailCourier {
    pub(super) fn new(settings: EmailSettings) -> MailCourier {
        let argv = program::with_default_found(&settings.sendmail, DEFAULT_SENDMAIL);
        MailCourier { settings, argv }
    }

    fn send(&self, mail: Outgoing) -> Result<(), String> {
        let limit = Duration::from_secs(self.settings.timeout_seconds);
        let message = mail.compose(&self.settings)?;
        program::run(&self.argv, &[], &for_a_pipe(&message), limit).map_err(|failure| failure.message)
    }
}

impl Deliver for MailCourier {
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        let deliver = |letter: &Letter| match serde_json::from_str(&letter.payload) {
            Err(e) => Outcome::GiveUp(format!("not a mail: {e}")),
            Ok(mail) => match self.send(mail) {
                Ok(()) => Outcome::Done,
                Err(error) if letter.created.until(Timestamp::now()) > PATIENCE => Outcome::GiveUp(error),
                Err(error) => Outcome::Retry(error),
            },
        };
        letters.iter().map(deliver).collect()
    }
}
