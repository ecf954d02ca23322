//! The top-level key `email`: who gets mails, and how they are sent.

use lettre::message::Mailbox;
use pyruse_core::plugin::{ModuleSettings, SettingsPlugin};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use super::smtp_settings::SmtpSettings;

/// Where sendmail is, if the configuration does not say.
pub(super) const DEFAULT_SENDMAIL: &str = "/usr/bin/sendmail";

/// Who gets mails, and how they are sent.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
pub(crate) struct EmailSettings {
    /// The sender; a bare local name gets the host's name appended.
    pub(super) from: String,
    /// The recipients; a bare local name gets the host's name appended.
    pub(crate) to: Vec<String>,
    /// The subject of the daily report.
    pub(crate) subject: String,
    /// The command that takes a mail on its standard input, as a list; it is run without a shell. By default
    /// `["/usr/bin/sendmail", "-t"]`, if there is no `smtp`. In a service where no program can become another user
    /// (`NoNewPrivileges=`, as in the packaged one), most sendmails cannot work: there, the mail server on localhost,
    /// port 25, comes first by default.
    pub(super) sendmail: Option<Vec<String>>,
    /// The server that takes the mails, instead of a command.
    pub(super) smtp: Option<SmtpSettings>,
    /// After so many seconds the command is ended, or the server left, and the mail tried again later.
    #[serde(rename = "timeoutSeconds")]
    pub(super) timeout_seconds: u64,
    /// So many mails of `action_email` with the same subject are sent singly within an hour, which begins with the first
    /// of them; those that follow come as one mail at its end, in which each text stands once, with how often and when
    /// it came. 0: all are sent singly.
    #[serde(rename = "maxPerHour")]
    pub(super) max_per_hour: u32,
}

impl Default for EmailSettings {
    fn default() -> Self {
        EmailSettings {
            from: "pyruse".into(),
            to: vec!["hostmaster".into()],
            subject: "Pyruse Report".into(),
            sendmail: None,
            smtp: None,
            timeout_seconds: 60,
            max_per_hour: 60,
        }
    }
}

impl EmailSettings {
    /// The command that takes a mail.
    pub(super) fn command(&self) -> Vec<String> {
        self.sendmail.clone().unwrap_or_else(|| vec![DEFAULT_SENDMAIL.into(), "-t".into()])
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
        if self.command().first().is_none_or(String::is_empty) {
            complain("sendmail", "the command is empty: its first item must be a program".into());
        }
        if let Some(smtp) = &self.smtp {
            if self.sendmail.is_some() {
                let message = "mails go either through `sendmail` or through `smtp`: keep one of them";
                complain("smtp", message.into());
            }
            smtp.check(complain);
        }
        if self.timeout_seconds == 0 {
            complain("timeoutSeconds", "no mail can be sent in 0 seconds".into());
        }
    }

    fn doubt(&self, complain: &mut dyn FnMut(&str, String)) {
        if let Some(smtp) = &self.smtp {
            smtp.doubt(complain);
        }
    }
}

/// A mail address; a bare local name is one on this host.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    let full = if text.contains('@') { text.to_owned() } else { format!("{}@{}", text.trim(), host()) };
    full.parse().map_err(|e| format!("`{text}` is not a mail address: {e}"))
}

pub(crate) fn host() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".into())
}

pyruse_core::inventory::submit!(SettingsPlugin::of::<EmailSettings>());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_when_the_configuration_is_read() {
        assert!(mailbox("hostmaster").is_ok());
        assert!(mailbox("Name <a@example.org>").is_ok());
        for bad in ["", "a b", "a@", "a@b\nBcc: c@d"] {
            assert!(mailbox(bad).is_err(), "{bad:?}");
        }
    }
}
