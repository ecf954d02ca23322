//! The top-level key `http`: what holds for all requests.

use std::path::PathBuf;
use std::time::Duration;

use pyruse_core::plugin::{ModuleSettings, SettingsPlugin};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::Deserialize;

use super::client::{self, authorities};
use super::proxy;

/// Settings of `action_http`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
pub(crate) struct HttpSettings {
    /// A file of certificates (PEM) of authorities that are trusted in addition to those of the system.
    #[serde(rename = "caFile")]
    pub(super) ca_file: Option<PathBuf>,
    /// A proxy, `http://proxy.example.org:3128`, through which all requests are sent, also those to `http://` servers:
    /// by `CONNECT`, so it does not see what is sent to `https://` servers. It also looks up their names. Variables of
    /// the environment such as `HTTPS_PROXY` are ignored.
    pub(super) proxy: Option<String>,
    /// A file whose first line is `user:password` for the proxy. It is read at the first request and again after each
    /// failure, and only Pyruse should be able to read it.
    #[serde(rename = "proxySecretFile")]
    pub(super) proxy_secret_file: Option<PathBuf>,
    /// The servers to which requests are sent directly, by name or address, such as `ntfy.example.org`, or
    /// `*.example.org` for all in a domain.
    #[serde(rename = "noProxy")]
    pub(super) no_proxy: Vec<String>,
    /// The time limit for one attempt, in seconds or as `1m`, from looking up the name to the end of the answer.
    #[serde(rename = "timeoutSeconds")]
    pub(super) timeout_seconds: Seconds,
    /// How many requests are sent to one server within a minute; the others wait. 0: no limit.
    #[serde(rename = "maxPerMinute")]
    pub(super) max_per_minute: u32,
    /// How many requests may wait, for all servers together. Beyond that, one that was given up is forgotten; if there
    /// is none, the new one is not sent, which is logged.
    #[serde(rename = "maxWaiting")]
    pub(super) max_waiting: u32,
    /// How long a request that fails is retried, in seconds or as `7d`, which is the default. Then it is given up.
    #[serde(rename = "giveUpSeconds")]
    pub(super) give_up_seconds: Seconds,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            ca_file: None,
            proxy: None,
            proxy_secret_file: None,
            no_proxy: Vec::new(),
            timeout_seconds: Seconds(30),
            max_per_minute: 60,
            max_waiting: 1000,
            give_up_seconds: Seconds(7 * 86_400),
        }
    }
}

impl ModuleSettings for HttpSettings {
    const KEY: &'static str = "http";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if let Some(file) = &self.ca_file
            && let Err(e) = authorities(file)
        {
            report("caFile", e);
        }
        self.check_proxy(report);
        if self.timeout_seconds == Seconds(0) {
            report("timeoutSeconds", "the time limit must not be 0 seconds".into());
        }
        if self.max_waiting == 0 {
            report("maxWaiting", "`maxWaiting` must be at least 1: otherwise no request is sent".into());
        }
    }
}

impl HttpSettings {
    /// Makes a client.
    pub(super) fn agent(&self) -> Result<ureq::Agent, String> {
        let limit = Duration::from_secs(self.timeout_seconds.0);
        client::agent(self.ca_file.as_deref(), limit, self.client_proxy()?)
    }

    /// Returns the proxy for a client.
    fn client_proxy(&self) -> Result<Option<ureq::Proxy>, String> {
        let secret_file = self.proxy_secret_file.as_deref();
        self.proxy.as_deref().map(|text| proxy::proxy(text, &self.no_proxy, secret_file)).transpose()
    }

    /// Returns the proxy through which a server is reached, if any.
    pub(super) fn proxy_to(&self, origin: &str) -> Option<String> {
        let proxy = proxy::origin(self.proxy.as_deref()?).ok()?;
        (!proxy::is_excepted(origin, &self.no_proxy)).then_some(proxy)
    }

    fn check_proxy(&self, report: &mut dyn FnMut(&str, String)) {
        match &self.proxy {
            Some(proxy) => {
                if let Err(e) = proxy::origin(proxy) {
                    report("proxy", e);
                }
            }
            None if self.proxy_secret_file.is_some() => {
                report("proxySecretFile", "`proxySecretFile` needs `proxy`".into());
            }
            None if !self.no_proxy.is_empty() => report("noProxy", "`noProxy` needs `proxy`".into()),
            None => {}
        }
        if let Some(file) = &self.proxy_secret_file
            && let Err(e) = proxy::credentials(file)
        {
            report("proxySecretFile", e);
        }
        for (n, name) in self.no_proxy.iter().enumerate() {
            if let Err(e) = proxy::check_exception(name) {
                report(&format!("noProxy.{n}"), e);
            }
        }
    }
}

pyruse_core::inventory::submit!(SettingsPlugin::of::<HttpSettings>());
