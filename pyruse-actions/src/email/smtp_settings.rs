//! `email.smtp`: the server that takes mails where there is no sendmail.
//!
//! What can be known when the configuration is read is refused then: missing files, a password that would be sent in
//! the clear. A host that does not resolve may resolve tomorrow, so the courier checks that.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::{SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::secret;
use pyruse_core::serde::Deserialize;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", rename_all = "lowercase")]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) enum Tls {
    /// Not encrypted.
    None,
    /// Begins unencrypted; encryption starts before a mail or a password is sent. A server without this is not used.
    #[default]
    Starttls,
    /// Encrypted from the first byte on.
    Implicit,
}

/// The server that gets the mails, instead of a command.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
pub(crate) struct SmtpSettings {
    /// Its host name or IP address. Its certificate must be for this name.
    pub(super) host: String,
    /// Its port; the default is 587 for `starttls`, 465 for `implicit`, 25 for `none`.
    port: Option<u16>,
    /// `starttls` (default), `implicit` (TLS from the first byte on), or `none`. With `none` a password is sent to this
    /// machine only.
    #[serde(default)]
    pub(super) tls: Tls,
    /// The user name for the login, with the password from `passwordFile`; without it, there is no login.
    pub(super) user: Option<String>,
    /// The file whose first line is the password. It is read again for each mail, and only Pyruse should be able to
    /// read it.
    #[serde(rename = "passwordFile")]
    pub(super) password_file: Option<PathBuf>,
    /// A file of certificates (PEM) that are trusted in addition to those of the system: your own authority, or the
    /// server's own certificate, such as one made by `openssl req -x509`. The latter is accepted as it is, whatever
    /// name and expiry date it has.
    #[serde(rename = "caFile")]
    pub(super) ca_file: Option<PathBuf>,
}

impl SmtpSettings {
    /// Returns the settings for the mail server of this machine.
    pub(super) fn local() -> SmtpSettings {
        SmtpSettings {
            host: "localhost".into(),
            port: None,
            tls: Tls::None,
            user: None,
            password_file: None,
            ca_file: None,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Tls::None => SMTP_PORT,
            Tls::Starttls => SUBMISSION_PORT,
            Tls::Implicit => SUBMISSIONS_PORT,
        })
    }

    /// Reports errors, with paths relative to `email`.
    pub(super) fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if !is_host(&self.host) {
            let message = format!(
                "`{}` is neither a host name nor an IP address; set the port with the key `port`",
                self.host
            );
            report("smtp.host", message);
        }
        if self.port == Some(0) {
            report("smtp.port", "the port must not be 0".into());
        }
        match (&self.user, &self.password_file) {
            (Some(_), None) => {
                report("smtp.user", "`user` needs a password: `passwordFile` is missing".into());
            }
            (None, Some(_)) => {
                report("smtp.passwordFile", "a password needs a user: `user` is missing".into());
            }
            (Some(user), Some(file)) => {
                if user.is_empty() || user.chars().any(char::is_control) {
                    report("smtp.user", "a user name must not be empty or contain control characters".into());
                }
                if let Err(e) = read_password(file) {
                    report("smtp.passwordFile", e);
                }
                if self.tls == Tls::None && !is_loopback(&self.host) {
                    let message = format!(
                        "with `none` the password would be sent unencrypted to `{}`: use `starttls` or `implicit`",
                        self.host
                    );
                    report("smtp.tls", message);
                }
            }
            (None, None) => {}
        }
        match &self.ca_file {
            Some(_) if self.tls == Tls::None => {
                report("smtp.caFile", "certificates have no use with `tls` `none`".into());
            }
            Some(file) => {
                if let Err(e) = check_authorities(file) {
                    report("smtp.caFile", e);
                }
            }
            None => {}
        }
    }

    /// Reports in the same way what should be improved.
    pub(super) fn warn(&self, report: &mut dyn FnMut(&str, String)) {
        let Some(file) = &self.password_file else { return };
        if let Some(warning) = secret::exposure(file, "password") {
            report("smtp.passwordFile", warning);
        }
    }

    /// Returns how the server proves its identity. The file is read each time, so that a renewed certificate is used.
    pub(super) fn tls_parameters(&self, proof: Proof) -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(self.host.clone());
        builder = match (proof, &self.ca_file) {
            // The handshake still verifies its key; `is_pinned` checks whose certificate it is.
            (Proof::Pinned, _) => {
                builder.dangerous_accept_invalid_certs(true).dangerous_accept_invalid_hostnames(true)
            }
            (Proof::Authority, Some(file)) => builder.add_root_certificate(read_authorities(file)?),
            (Proof::Authority, None) => builder,
        };
        builder.build().map_err(|e| e.to_string())
    }

    /// Whether this certificate, in DER form, is one of those in `caFile`.
    pub(super) fn is_pinned(&self, certificate: &[u8]) -> bool {
        let text = self.ca_file.as_ref().and_then(|file| fs::read(file).ok()).unwrap_or_default();
        CertificateDer::pem_slice_iter(&text).flatten().any(|pinned| pinned.as_ref() == certificate)
    }
}

/// How a server proves its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A trusted authority has signed its certificate, for its name and for the current time.
    Authority,
    /// Its certificate is in `caFile`.
    Pinned,
}

/// Returns the password in this file.
pub(super) fn read_password(file: &Path) -> Result<String, String> {
    secret::read(file, "password")
}

fn read_authorities(file: &Path) -> Result<Certificate, String> {
    let name = file.display();
    let text = fs::read(file).map_err(|e| format!("{name}: {e}"))?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    if !text.windows(begin.len()).any(|window| window == begin) {
        return Err(format!("{name} contains no certificate in PEM form"));
    }
    Certificate::from_pem(&text).map_err(|_| format!("{name} contains a damaged certificate"))
}

fn check_authorities(file: &Path) -> Result<(), String> {
    let certificates = read_authorities(file)?;
    let builder = TlsParameters::builder("localhost".into()).certificate_store(CertificateStore::None);
    match builder.add_root_certificate(certificates).build() {
        Ok(_) => Ok(()),
        Err(e) => Err(format!("{} contains a certificate that cannot be used: {e}", file.display())),
    }
}

fn is_host(host: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    host.parse::<IpAddr>().is_ok() || (!host.is_empty() && host.len() <= 253 && host.chars().all(plain))
}

fn is_loopback(host: &str) -> bool {
    host.parse()
        .map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> SmtpSettings {
        serde_json::from_str(json).unwrap()
    }

    fn complaints(json: &str) -> Vec<String> {
        let mut found = Vec::new();
        settings(json).check(&mut |path, message| found.push(format!("{path}: {message}")));
        found
    }

    #[test]
    fn the_port_follows_from_how_it_is_secured() {
        assert_eq!(settings(r#"{"host": "a"}"#).port(), 587);
        assert_eq!(settings(r#"{"host": "a", "tls": "starttls"}"#).port(), 587);
        assert_eq!(settings(r#"{"host": "a", "tls": "implicit"}"#).port(), 465);
        assert_eq!(settings(r#"{"host": "a", "tls": "none"}"#).port(), 25);
        assert_eq!(settings(r#"{"host": "a", "port": 2525}"#).port(), 2525);
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_nothing_more() {
        for good in ["localhost", "mail.example.org", "mail_1", "127.0.0.1", "::1"] {
            assert_eq!(complaints(&format!(r#"{{"host": "{good}"}}"#)), [""; 0], "{good}");
        }
        for bad in ["", "a:25", "smtp://a", "[::1]", "a b", "a\\nb"] {
            assert_eq!(complaints(&format!(r#"{{"host": "{bad}"}}"#)).len(), 1, "{bad}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.0.1", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example.org", "128.0.0.1", "::2", "mail"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
