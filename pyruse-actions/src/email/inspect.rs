//! What `check --live` asks of the mail path: a server is asked up to the recipients, a program is looked up. No mail
//! is sent.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{AccessFlags, access};
use pyruse_core::plugin::Inspection;
use pyruse_core::plugin::Severity;

use super::settings::{DEFAULT_SENDMAIL, EmailSettings, mailbox};
use super::smtp::{Refusal, RefusalKind, RefusedPart, try_mail};
use super::smtp_settings::SmtpSettings;
use pyruse_core::program;

/// A server that takes longer than this is given up.
const LIMIT: Duration = Duration::from_secs(10);

/// Checks whether a server or program would take a mail from our sender to our recipients.
pub(crate) fn inspect(settings: &EmailSettings, inspection: &mut Inspection) {
    if let Some(smtp) = &settings.smtp {
        for (asked, refusal) in try_smtp_with(settings, smtp, inspection) {
            report(&asked, &refusal, smtp, Severity::Error, inspection);
        }
        return;
    }
    let argv = program::with_default_found(&settings.command(), DEFAULT_SENDMAIL);
    let Some(name) = argv.first() else { return };
    let runs = runnable(name);
    if let Err(why) = &runs {
        let message = format!("mails cannot be sent: {name} {why}");
        let help = "install a program that provides it (postfix, exim4, msmtp-mta, …), name another one in \
                    `email.sendmail`, or a server in `email.smtp`";
        inspection.setting("email.sendmail.0", Severity::Error, message, help);
    }
    if settings.sendmail.is_none() {
        // The packaged service asks this server first, and only runs sendmail if it does not exist.
        let smtp = SmtpSettings::local();
        for (asked, refusal) in try_smtp_with(settings, &smtp, inspection) {
            if refusal.kind == RefusalKind::Unreachable {
                let why = &refusal.why;
                if runs.is_ok() {
                    let message = format!(
                        "no mail server listens on localhost port 25 ({why}), and {name} may not work in the \
                         service's sandbox"
                    );
                    let help = "start the mail server, or name one in `email.smtp`; if that program works in the \
                                sandbox (msmtp does), name it in `email.sendmail`";
                    inspection.setting("email", Severity::Warning, message, help);
                }
            } else {
                report(&asked, &refusal, &smtp, Severity::Warning, inspection);
            }
        }
    }
}

/// Asks the server, once even if several steps send mails.
fn try_smtp_with(
    settings: &EmailSettings,
    smtp: &SmtpSettings,
    inspection: &mut Inspection,
) -> Vec<(RefusedPart, Refusal)> {
    let address = |text: &String| mailbox(text).ok().map(|mailbox| mailbox.email);
    // A configuration with an invalid address is not inspected.
    let Some(from) = address(&settings.from) else { return Vec::new() };
    let Some(to) = settings.to.iter().map(address).collect::<Option<Vec<_>>>() else { return Vec::new() };
    let question = format!("mail to {} port {}", smtp.host, smtp.port());
    let limit = LIMIT.min(Duration::from_secs(settings.timeout_seconds.0));
    inspection.once(&question, || try_mail(smtp, limit, &from, &to))
}

fn report(
    asked: &RefusedPart,
    refusal: &Refusal,
    smtp: &SmtpSettings,
    worst: Severity,
    inspection: &mut Inspection,
) {
    let server = format!("the mail server {} port {}", smtp.host, smtp.port());
    let Refusal { kind, why } = refusal;
    // A server may defer a recipient, to see whether the client tries again.
    let severity = if *kind == RefusalKind::ForNow { Severity::Warning } else { worst };
    match asked {
        RefusedPart::Connection => {
            let (message, help) = match kind {
                RefusalKind::Unreachable => (
                    format!("{server} cannot be reached: {why}"),
                    "is it running, and does the firewall allow the connection? Mails wait until then",
                ),
                _ => (format!("{server} cannot be used: {why}"), "mails wait until it does"),
            };
            inspection.setting("email.smtp.host", worst, message, help);
        }
        RefusedPart::Sender => {
            inspection.setting(
                "email.from",
                severity,
                format!("{server} refuses {why}"),
                "mails wait until it accepts the sender",
            );
        }
        RefusedPart::Recipient(n) => {
            let (severity, help) = match kind {
                // Then no other way is tried.
                RefusalKind::ForGood => (
                    Severity::Error,
                    "no mail will reach this recipient: write an address that exists; or, on your own mail server, \
                     define an alias in /etc/aliases and run newaliases",
                ),
                _ => (severity, "mails wait until it accepts the recipient"),
            };
            inspection.setting(&format!("email.to.{n}"), severity, format!("{server} refuses {why}"), help);
        }
    }
}

/// Checks whether the program can be run, as the system would look it up.
fn runnable(program: &str) -> Result<(), String> {
    let path = if program.contains('/') {
        PathBuf::from(program)
    } else {
        let places = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&places).map(|place| place.join(program));
        places.find(|path| path.is_file()).ok_or("is in none of the directories of PATH")?
    };
    executable(&path)
}

fn executable(path: &Path) -> Result<(), String> {
    let found = fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        _ => format!("cannot be checked: {e}"),
    })?;
    // Root may run any file that has an execute bit.
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 || access(path, AccessFlags::X_OK).is_err()
    {
        return Err("exists, but is not executable".to_owned());
    }
    Ok(())
}
