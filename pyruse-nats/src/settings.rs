//! The top-level key `nats`: the connections, by their names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_nats::{ConnectOptions, ServerAddr};
use pyruse_core::config::nearest;
use pyruse_core::plugin::{ModuleSettings, SettingsPlugin, excerpt};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::secret;
use pyruse_core::serde::Deserialize;

use crate::subject;

/// The default of `maxWaiting`.
const MAX_WAITING: usize = 10_000;

/// The default of `maxWaitingBytes`.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// The connections to NATS servers, by the names that sources and actions use.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", transparent)]
#[schemars(crate = "pyruse_core::schemars")]
pub(crate) struct NatsSettings(pub(crate) BTreeMap<String, Connection>);

/// A connection: to one of the servers of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
pub(crate) struct Connection {
    /// The servers, such as `tls://nats1.example.org:4222`, or `nats://…` without TLS. Any one that answers is used.
    pub(crate) servers: Vec<String>,
    /// A file with credentials, as `nsc generate creds` writes it. As of all files with secrets, it is read whenever a
    /// connection is begun, and only Pyruse should be able to read it.
    #[serde(rename = "credentialsFile", default)]
    pub(crate) credentials_file: Option<PathBuf>,
    /// A file whose first line is the seed of an nkey of a user (`SU…`).
    #[serde(rename = "nkeyFile", default)]
    pub(crate) nkey_file: Option<PathBuf>,
    /// A file whose first line is `user:password`.
    #[serde(rename = "passwordFile", default)]
    pub(crate) password_file: Option<PathBuf>,
    /// A file of certificates (PEM) of authorities that are trusted, instead of those of the system.
    #[serde(rename = "caFile", default)]
    pub(crate) ca_file: Option<PathBuf>,
    /// A file with the certificate (PEM) that this machine shows to the server. It needs `keyFile`.
    #[serde(rename = "certificateFile", default)]
    pub(crate) certificate_file: Option<PathBuf>,
    /// A file with the key (PEM) of that certificate.
    #[serde(rename = "keyFile", default)]
    pub(crate) key_file: Option<PathBuf>,
    /// The first part of the subjects to which the server answers, `_INBOX` by default. With one for each machine, the
    /// server's permissions can keep machines from reading each other's answers.
    #[serde(rename = "inboxPrefix", default)]
    pub(crate) inbox_prefix: Option<String>,
    /// The address of a server's monitoring (`http_port` in its configuration), such as `127.0.0.1:8222`: `check --live` asks
    /// there whether the server has each message on its disk before it acknowledges it.
    #[serde(default)]
    pub(crate) monitor: Option<String>,
    /// Before the requests about streams, instead of `$JS.API`: where the streams are in another account of the server, the
    /// prefix with which this one imports its requests; for a JetStream domain `hub`, it is `$JS.hub.API`.
    #[serde(rename = "apiPrefix", default = "api_prefix")]
    pub(crate) api_prefix: String,
    /// How many messages may wait to be published, 10,000 by default. Beyond that, the oldest are dropped, which is
    /// logged.
    #[serde(rename = "maxWaiting", default = "max_waiting")]
    pub(crate) max_waiting: usize,
    /// How many bytes they may have together, 16 MiB by default.
    #[serde(rename = "maxWaitingBytes", default = "max_waiting_bytes")]
    pub(crate) max_waiting_bytes: usize,
    /// How old a message may become that cannot be published, in seconds or as `7d`, which is the default. Then it is
    /// given up.
    #[serde(rename = "giveUpSeconds", default = "give_up_seconds")]
    pub(crate) give_up_seconds: Seconds,
}

fn api_prefix() -> String {
    "$JS.API".to_owned()
}

fn max_waiting() -> usize {
    MAX_WAITING
}

fn max_waiting_bytes() -> usize {
    MAX_WAITING_BYTES
}

fn give_up_seconds() -> Seconds {
    Seconds(7 * 86_400)
}

impl ModuleSettings for NatsSettings {
    const KEY: &'static str = "nats";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        for (name, connection) in &self.0 {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
                let what = "the name of a connection must be 1 to 64 letters, digits, and the characters `.`, `_`, `-`";
                report("", what.to_owned());
            }
            connection.check(&mut |path, what| report(&format!("{name}.{path}"), what));
        }
    }

    fn warn(&self, report: &mut dyn FnMut(&str, String)) {
        for (name, connection) in &self.0 {
            for (path, file, what) in connection.secrets() {
                if let Some(warning) = file.and_then(|file| secret::exposure(file, what)) {
                    report(&format!("{name}.{path}"), warning);
                }
            }
        }
    }
}

impl NatsSettings {
    /// Returns the connection with this name, or why there is none.
    pub(crate) fn find(&self, name: &str) -> Result<&Connection, String> {
        self.0.get(name).ok_or_else(|| {
            let near = nearest(name, self.0.keys().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("the top-level key `nats` has no connection `{}`{near}", excerpt(name))
        })
    }
}

impl Connection {
    /// Returns the files of secrets: the key of each, and what it holds.
    pub(crate) fn secrets(&self) -> [(&'static str, Option<&Path>, &'static str); 4] {
        [
            ("credentialsFile", self.credentials_file.as_deref(), "credentials"),
            ("nkeyFile", self.nkey_file.as_deref(), "seed"),
            ("passwordFile", self.password_file.as_deref(), "user and password"),
            ("keyFile", self.key_file.as_deref(), "key"),
        ]
    }

    /// Reports what is wrong, with the path of the member.
    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if self.servers.is_empty() {
            report(
                "servers",
                "there must be at least one server, such as `tls://nats.example.org:4222`".into(),
            );
        }
        for (n, server) in self.servers.iter().enumerate() {
            if let Err(why) = self.check_server(server) {
                report(&format!("servers.{n}"), why);
            }
        }
        let given = self.secrets().into_iter().take(3).filter(|(_, file, _)| file.is_some());
        let given: Vec<&str> = given.map(|(path, ..)| path).collect();
        if let [first, others @ ..] = given.as_slice()
            && !others.is_empty()
        {
            report(first, format!("a connection logs in one way: keep one of {}", given.join(", ")));
        }
        match (&self.certificate_file, &self.key_file) {
            (Some(_), None) => report("certificateFile", "`certificateFile` needs `keyFile`".into()),
            (None, Some(_)) => report("keyFile", "`keyFile` needs `certificateFile`".into()),
            _ => {}
        }
        let others = [("caFile", &self.ca_file), ("certificateFile", &self.certificate_file)];
        let others = others.map(|(path, file)| (path, file.as_deref()));
        let all = self.secrets().map(|(path, file, _)| (path, file)).into_iter().chain(others);
        for (path, file) in all {
            if let Some(Err(e)) = file.map(|file| std::fs::read(file).map_err(|e| (file, e))) {
                report(path, format!("{}: {}", e.0.display(), e.1));
            }
        }
        if let Err((path, why)) = self.login() {
            report(path, why);
        }
        if let Some(prefix) = &self.inbox_prefix
            && let Err(why) = subject::check(prefix, false)
        {
            report("inboxPrefix", why);
        }
        if let Err(why) = subject::check(self.api_prefix.trim_start_matches('$'), false) {
            report("apiPrefix", why);
        }
        if self.max_waiting == 0 {
            report("maxWaiting", "`maxWaiting` must be at least 1: otherwise nothing is published".into());
        }
        if self.max_waiting_bytes == 0 {
            report(
                "maxWaitingBytes",
                "`maxWaitingBytes` must be at least 1: otherwise nothing is published".into(),
            );
        }
    }

    fn check_server(&self, server: &str) -> Result<(), String> {
        let address: ServerAddr =
            server.parse().map_err(|e| format!("`{}` is not a server: {e}", excerpt(server)))?;
        if address.has_user_pass() {
            return Err("the user and the password of a server belong into a file: see `passwordFile`".into());
        }
        if !["nats", "tls"].contains(&address.scheme()) {
            return Err(format!("a server begins with `nats://` or `tls://`, not `{}://`", address.scheme()));
        }
        let is_local = address.host() == "localhost"
            || address
                .host()
                .trim_matches(['[', ']'])
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        if self.password_file.is_some() && !address.tls_required() && !is_local {
            return Err(format!("the password would be sent unencrypted to {server}: use `tls://`"));
        }
        Ok(())
    }

    /// Reads the files, and makes the options of a connection that logs in with them. An error names the member.
    pub(crate) fn login(&self) -> Result<ConnectOptions, (&'static str, String)> {
        let options = ConnectOptions::new();
        let mut options = if let Some(file) = &self.credentials_file {
            let named = |e: &dyn std::fmt::Display| ("credentialsFile", format!("{}: {e}", file.display()));
            let text = std::fs::read_to_string(file).map_err(|e| named(&e))?;
            options.credentials(&text).map_err(|e| named(&e))?
        } else if let Some(file) = &self.nkey_file {
            options.nkey(secret::read(file, "seed").map_err(|e| ("nkeyFile", e))?)
        } else if let Some(file) = &self.password_file {
            let line = secret::read(file, "user and password").map_err(|e| ("passwordFile", e))?;
            let Some((user, password)) = line.split_once(':') else {
                let what = format!("{}: its first line must be `user:password`", file.display());
                return Err(("passwordFile", what));
            };
            options.user_and_password(user.to_owned(), password.to_owned())
        } else {
            options
        };
        if let Some(file) = &self.ca_file {
            options = options.add_root_certificates(file.clone());
        }
        if let (Some(certificate), Some(key)) = (&self.certificate_file, &self.key_file) {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        if let Some(prefix) = &self.inbox_prefix {
            options = options.custom_inbox_prefix(prefix);
        }
        Ok(options)
    }
}

pyruse_core::inventory::submit!(SettingsPlugin::of::<NatsSettings>());
