//! The top-level key `metrics`: where they are published.

use std::net::SocketAddr;
use std::path::PathBuf;

use pyruse_core::plugin::{ModuleSettings, SettingsPlugin, excerpt};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

/// Metrics for Prometheus, about the daemon itself. Without this key, there are none, and nothing is counted for them.
#[derive(Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
pub(crate) struct MetricsSettings {
    /// A file that is written each minute, and after a start and a reload, for the textfile collector of node_exporter,
    /// for example `/var/lib/prometheus/node-exporter/pyruse.prom`. It is replaced as a whole. The daemon's user must be
    /// able to write to its directory.
    pub(super) textfile: Option<PathBuf>,
    /// Where Prometheus can get them by HTTP, at the path `/metrics`: `127.0.0.1:9469`, `[::1]:9469`, or the path of a
    /// Unix socket. All users of the machine can connect to an address; only the daemon's user and group to a socket.
    pub(super) listen: Option<String>,
}

/// An address to listen at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Address {
    Net(SocketAddr),
    Path(PathBuf),
}

impl MetricsSettings {
    /// Returns the address; an error says why it is none.
    pub(super) fn address(&self) -> Option<Result<Address, String>> {
        self.listen.as_deref().map(|text| match text.parse() {
            _ if text.starts_with('/') && !text.contains('\0') => Ok(Address::Path(text.into())),
            Ok(address) if SocketAddr::port(&address) != 0 => Ok(Address::Net(address)),
            _ => Err(format!(
                "`{}` is not where to listen: write `127.0.0.1:PORT`, `[::1]:PORT`, or the absolute path of a socket",
                excerpt(text)
            )),
        })
    }
}

impl ModuleSettings for MetricsSettings {
    const KEY: &'static str = "metrics";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if let Some(Err(why)) = self.address() {
            report("listen", why);
        }
        if let Some(file) = &self.textfile
            && (!file.is_absolute() || file.file_name().is_none() || file.as_os_str().len() > 4000)
        {
            report("textfile", "the file needs an absolute path".into());
        }
    }

    fn warn(&self, report: &mut dyn FnMut(&str, String)) {
        if let Some(Ok(Address::Net(address))) = self.address()
            && !address.ip().to_canonical().is_loopback()
        {
            report(
                "listen",
                format!(
                    "`{}` is not a loopback address: everybody who can reach it can read the metrics, which name your chains, \
                     sets and sources; there is no password and no encryption. Write `127.0.0.1:{}` unless the firewall \
                     lets only Prometheus connect",
                    address,
                    address.port()
                ),
            );
        }
        if self.textfile.as_ref().is_some_and(|file| file.extension().is_none_or(|it| it != "prom")) {
            report("textfile", "node_exporter reads only files whose names end in `.prom`".into());
        }
    }
}

pyruse_core::inventory::submit!(SettingsPlugin::of::<MetricsSettings>());
