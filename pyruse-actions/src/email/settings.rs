//! The top-level key `email`: who gets mails, and how they are sent.

use lettre::Address;
use lettre::message::Mailbox;
use pyruse_core::plugin::{ModuleSettings, SettingsPlugin};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::Deserialize;
use pyruse_core::template::placeholder;

use super::smtp_settings::SmtpSettings;

/// The path of sendmail, if the configuration gives none.
pub(super) const DEFAULT_SENDMAIL: &str = "/usr/bin/sendmail";

/// The recipients of mails, and how mails are sent.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
pub(crate) struct EmailSettings {
    /// The sender; the host's name is appended to a name without `@`.
    pub(super) from: String,
    /// The recipients; the host's name is appended to a name without `@`.
    pub(crate) to: Vec<String>,
    /// The subject of the daily report. If it is not set, that is `dailyReport.subject`; with `dailyReport.group: false`,
    /// it is `Pyruse Report`.
    pub(crate) subject: Option<String>,
    /// The command that gets a mail on its standard input, as a list; it is run without a shell. If there is no `smtp`,
    /// the default is `["/usr/bin/sendmail", "-t"]`. In a service where no program can become another user
    /// (`NoNewPrivileges=`, as in the packaged one), most sendmail programs cannot work: there, the default is the mail
    /// server on localhost, port 25, before that command.
    pub(super) sendmail: Option<Vec<String>>,
    /// The server that gets the mails, instead of a command.
    pub(super) smtp: Option<SmtpSettings>,
    /// The time limit for one attempt, in seconds or as `1m`: after it, the command is killed, or the connection
    /// closed, and the mail is retried later.
    #[serde(rename = "timeoutSeconds")]
    pub(super) timeout_seconds: Seconds,
    /// How many mails of `action_email` with the same subject are sent individually within an hour, which begins with
    /// the first of them; the following ones are sent as one mail at its end, in which each text is printed once, with
    /// its count and times. 0: all are sent individually.
    #[serde(rename = "maxPerHour")]
    pub(super) max_per_hour: u32,
}

impl Default for EmailSettings {
    fn default() -> Self {
        EmailSettings {
            from: "pyruse".into(),
            to: vec!["hostmaster".into()],
            subject: None,
            sendmail: None,
            smtp: None,
            timeout_seconds: Seconds(60),
            max_per_hour: 60,
        }
    }
}

impl EmailSettings {
    /// Returns the command that takes a mail.
    pub(super) fn command(&self) -> Vec<String> {
        self.sendmail.clone().unwrap_or_else(|| vec![DEFAULT_SENDMAIL.into(), "-t".into()])
    }
}

impl ModuleSettings for EmailSettings {
    const KEY: &'static str = "email";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if let Err(e) = mailbox(&self.from) {
            report("from", e);
        }
        if self.to.is_empty() {
            report("to", "there are no recipients".into());
        }
        for (n, address) in self.to.iter().enumerate() {
            if let Err(e) = mailbox(address) {
                report(&format!("to.{n}"), e);
            }
        }
        if self.command().first().is_none_or(String::is_empty) {
            report("sendmail", "the command is empty: its first item must be a program".into());
        }
        if let Some(smtp) = &self.smtp {
            if self.sendmail.is_some() {
                let message = "mails go either through `sendmail` or through `smtp`: keep one of them";
                report("smtp", message.into());
            }
            smtp.check(report);
        }
        if self.timeout_seconds == Seconds(0) {
            report("timeoutSeconds", "the time limit must not be 0 seconds".into());
        }
    }

    fn warn(&self, report: &mut dyn FnMut(&str, String)) {
        if let Some(subject) = &self.subject
            && let Some(placeholder) = placeholder(subject)
        {
            let shown = &subject[placeholder];
            report("subject", format!("a subject is not a template: `{shown}` is not replaced"));
        }
        if let Some(smtp) = &self.smtp {
            smtp.warn(report);
        }
    }
}

/// Parses a mail address. A bare local name gets the full name of this host. A domain beyond ASCII is converted to its
/// ASCII form, which every mail server accepts.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    let full = if text.contains('@') { text.to_owned() } else { format!("{}@{}", text.trim(), full_host()) };
    let bad = |e: &dyn std::fmt::Display| format!("`{text}` is not a mail address: {e}");
    let Mailbox { name, email } = full.parse::<Mailbox>().map_err(|e| bad(&e))?;
    if email.domain().is_ascii() {
        return Ok(Mailbox { name, email });
    }
    let domain = idna::domain_to_ascii(email.domain()).map_err(|e| bad(&e))?;
    Ok(Mailbox { name, email: Address::new(email.user(), domain).map_err(|e| bad(&e))? })
}

/// Returns the name of this host from the kernel.
pub(crate) fn host() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".into())
}

/// Returns the name of this host with its domain, if the kernel or `/etc/hosts` has it. No name server is asked.
pub(crate) fn full_host() -> String {
    let name = host();
    if name.contains('.') {
        return name;
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    full_name(&hosts, &name).unwrap_or(name)
}

/// Returns the first name with a domain on a line that has this name: `127.0.1.1 server.example.org server`.
fn full_name(hosts: &str, name: &str) -> Option<String> {
    hosts.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let names: Vec<&str> = line.split_ascii_whitespace().skip(1).collect();
        let is_full = |full: &&&str| {
            full.split_once('.')
                .is_some_and(|(first, domain)| first.eq_ignore_ascii_case(name) && !domain.is_empty())
        };
        let is_ours = names.iter().any(|known| known.eq_ignore_ascii_case(name));
        names.iter().filter(|_| is_ours).find(is_full).map(|full| full.trim_end_matches('.').to_owned())
    })
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

    #[test]
    fn a_domain_beyond_ascii_is_written_in_its_ascii_form() {
        for (text, sent) in [
            ("a@müller.example", "a@xn--mller-kva.example"),
            ("Ärger <a@BÜCHER.example>", "a@xn--bcher-kva.example"),
            ("a@example.org", "a@example.org"),
        ] {
            assert_eq!(mailbox(text).unwrap().email.to_string(), sent);
        }
    }

    #[test]
    fn the_full_name_of_a_host_is_the_one_in_its_hosts_file() {
        let hosts = "127.0.0.1 localhost.localdomain localhost\n# 10.0.0.1 server.wrong server\n\
                     127.0.1.1\tserver.example.org server # ours\n10.0.0.2 server.other server\n";
        assert_eq!(full_name(hosts, "server").as_deref(), Some("server.example.org"));
        assert_eq!(full_name(hosts, "SERVER").as_deref(), Some("server.example.org"));
        for unknown in ["other", "serve", ""] {
            assert_eq!(full_name(hosts, unknown), None, "{unknown}");
        }
        // An alias of this name must not lead to another host.
        assert_eq!(full_name("127.0.0.1 localhost.localdomain localhost server", "server"), None);
        assert_eq!(
            full_name("10.0.0.1 server server.example.org", "server").as_deref(),
            Some("server.example.org")
        );
    }
}
