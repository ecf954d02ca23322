//! The top-level key `crowdsec`: the Local API into which bans are written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pyruse_core::ban::{MAX_BANS, check_settings};
use pyruse_core::plugin::{ModuleSettings, SettingsPlugin, excerpt};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::secret;
use pyruse_core::serde::Deserialize;

use crate::http::client::authorities;
use crate::http::url;

/// The API's URL as CrowdSec's package configures it.
pub(super) const URL: &str = "http://127.0.0.1:8080";

/// The longest name of a machine, in bytes.
const LONGEST_MACHINE: usize = 100;

/// Settings of `action_crowdsec`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) struct CrowdsecSettings {
    /// The URL of the Local API. Another host than those of a private network needs `https://`.
    pub(super) url: String,
    /// The name by which this Pyruse is registered: `cscli machines add pyruse --password … -f /dev/null`.
    pub(super) machine: String,
    /// The file whose first line is the password. It is read again for each login, and only Pyruse should be able to
    /// read it.
    #[serde(rename = "passwordFile")]
    pub(super) password_file: PathBuf,
    /// A file of certificates (PEM) of authorities that are trusted in addition to those of the system.
    #[serde(rename = "caFile")]
    pub(super) ca_file: Option<PathBuf>,
    /// The time limit for one request, in seconds or as `1m`.
    #[serde(rename = "timeoutSeconds")]
    pub(super) timeout_seconds: Seconds,
    /// How many bans are kept; beyond that, one that ends soon is forgotten.
    #[serde(rename = "maxBans")]
    pub(super) max_bans: u32,
}

impl Default for CrowdsecSettings {
    fn default() -> Self {
        CrowdsecSettings {
            url: URL.to_owned(),
            machine: String::new(),
            password_file: PathBuf::new(),
            ca_file: None,
            timeout_seconds: Seconds(30),
            max_bans: MAX_BANS,
        }
    }
}

impl ModuleSettings for CrowdsecSettings {
    const KEY: &'static str = "crowdsec";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        check_reach(&self.url, self.ca_file.as_deref(), self.timeout_seconds, report);
        check_settings("", None, self.max_bans, report);
        let is_plain = |c: char| c.is_ascii_graphic();
        if self.machine.is_empty() {
            report(
                "",
                "`machine` is missing: the name by which Pyruse is registered, such as `pyruse`".into(),
            );
        } else if self.machine.len() > LONGEST_MACHINE || !self.machine.chars().all(is_plain) {
            let machine = excerpt(&self.machine);
            report("machine", format!("`{machine}` cannot be the name of a machine"));
        }
        if self.password_file.as_os_str().is_empty() {
            report("", "`passwordFile` is missing: the file whose first line is the password".into());
        }
    }

    // A file that cannot be read is found by `check --live`: it may be made later, or be readable for the service only.
    fn warn(&self, report: &mut dyn FnMut(&str, String)) {
        if let Some(warning) = secret::exposure(&self.password_file, "password") {
            report("passwordFile", warning);
        }
    }
}

impl CrowdsecSettings {
    pub(super) fn limit(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.0)
    }
}

/// Checks how an API is reached: the members `url`, `caFile` and `timeoutSeconds`.
pub(super) fn check_reach(
    url: &str,
    ca_file: Option<&Path>,
    timeout: Seconds,
    report: &mut dyn FnMut(&str, String),
) {
    if let Err(why) = origin(url) {
        report("url", why);
    }
    if let Some(Err(why)) = ca_file.map(authorities) {
        report("caFile", why);
    }
    if timeout == Seconds(0) {
        report("timeoutSeconds", "the time limit must not be 0 seconds".into());
    }
}

/// Returns the normal form of the API's URL, without a `/` at its end, or why it cannot be used.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let (scheme, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => ("https://", rest),
        (None, Some(rest)) => ("http://", rest),
        (None, None) => return Err(format!("the URL of the API is written as `{URL}`")),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(format!("the URL of the API has no path: it is written as `{URL}`"));
    }
    let origin = format!("{scheme}{}", url::authority(rest)?);
    if !url::protects_secrets(&origin) {
        return Err(format!("the secret would be sent unencrypted to {origin}: use `https://`"));
    }
    Ok(origin)
}

pyruse_core::inventory::submit!(SettingsPlugin::of::<CrowdsecSettings>());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_server_that_may_know_the_secret() {
        for (text, normal) in [
            (URL, URL),
            ("http://127.0.0.1:8080/", URL),
            ("http://localhost", "http://localhost"),
            ("http://10.1.2.3:8080", "http://10.1.2.3:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://lapi.example.org", "https://lapi.example.org"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(normal), "{text}");
        }
        for text in [
            "",
            "127.0.0.1:8080",
            "ftp://127.0.0.1",
            "http://",
            "http://lapi.example.org:8080",
            "http://203.0.113.1:8080",
            "http://127.0.0.1:8080/v1",
            "http://127.0.0.1:8080?a",
            "http://u:p@127.0.0.1",
            "http://127.0.0.1:0",
            "http://a b",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
