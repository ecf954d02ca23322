//! What `check --live` asks of a server: whether it can be reached, and whether its certificate is trusted. No request is
//! sent. Behind a proxy, only the proxy is asked.

use std::path::Path;
use std::time::Duration;

use pyruse_core::plugin::{Inspection, Severity};

use super::client;
use super::outgoing::Target;
use super::settings::HttpSettings;

/// A server that takes longer than this is given up.
const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn inspect(target: &Target, settings: &HttpSettings, inspection: &mut Inspection) {
    let origin = &target.origin;
    let limit = LIMIT.min(Duration::from_secs(settings.timeout_seconds.0));
    let ca_file = settings.ca_file.clone();
    let proxy = settings.proxy_to(origin);
    let nearest = proxy.as_deref().unwrap_or(origin);
    let connected = inspection
        .once(&format!("connect to {nearest}"), || client::connect(nearest, ca_file.as_deref(), limit));
    if let Err(why) = connected {
        let what = if proxy.is_some() { "the proxy " } else { "" };
        let message = format!("{what}{nearest} cannot be used: {why}");
        inspection.argument("url", Severity::Error, message, "requests wait until it can be reached");
    }
    let Some(file) = &target.secret_file else { return };
    if let Some((severity, message)) = denied(file, inspection) {
        inspection.argument("secretFile", severity, message, "requests wait until it can be read");
    }
}

/// Returns what keeps the service from reading the file of a secret.
pub(crate) fn denied(file: &Path, inspection: &Inspection) -> Option<(Severity, String)> {
    let user = inspection.service_user()?;
    let obstacle = user.obstacle(file)?;
    let severity = if obstacle.may_be_passed() { Severity::Warning } else { Severity::Error };
    Some((severity, user.denied_with_fix(file, &obstacle)))
}
