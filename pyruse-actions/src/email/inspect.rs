//! What `check --live` asks of the way that mails take. No mail is sent.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{AccessFlags, access};
use pyruse_core::plugin::Inspection;
use pyruse_core::plugin::inspect::Grade;

use super::settings::{DEFAULT_SENDMAIL, EmailSettings};
use crate::program;

/// A server that takes longer to be reached is none that is there.
const REACHED: Duration = Duration::from_secs(10);

/// Is there somebody who would take a mail?
pub(crate) fn inspect(settings: &EmailSettings, inspection: &mut Inspection) {
    if let Some(smtp) = &settings.smtp {
        if let Err(why) = reach(&smtp.host, smtp.port()) {
            let message =
                format!("the mail server {} cannot be reached on port {}: {why}", smtp.host, smtp.port());
            let help =
                "is it running, and does a firewall let us through? Mails wait until it can be reached";
            inspection.setting("email.smtp.host", Grade::Broken, message, help);
        }
        return;
    }
    let argv = program::with_default_found(&settings.command(), DEFAULT_SENDMAIL);
    let Some(name) = argv.first() else { return };
    if let Err(why) = runnable(name) {
        let message = format!("mails cannot be sent: {name} {why}");
        let help = "install a program that has it (postfix, exim4, msmtp-mta, …), name another in `email.sendmail`, \
                    or a server in `email.smtp`";
        inspection.setting("email.sendmail.0", Grade::Broken, message, help);
    }
}

fn reach(host: &str, port: u16) -> Result<(), String> {
    let addresses: Vec<_> = (host, port).to_socket_addrs().map_err(|e| e.to_string())?.collect();
    let mut why = "its name has no address".to_owned();
    for address in addresses.iter().take(4) {
        match TcpStream::connect_timeout(address, REACHED) {
            Ok(_) => return Ok(()),
            Err(e) => why = e.to_string(),
        }
    }
    Err(why)
}

/// Can that program be run, as the system would look for it?
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
        std::io::ErrorKind::NotFound => "is not there".to_owned(),
        _ => format!("cannot be looked at: {e}"),
    })?;
    // Root may run what anybody may.
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 || access(path, AccessFlags::X_OK).is_err()
    {
        return Err("is there, but cannot be run".to_owned());
    }
    Ok(())
}
