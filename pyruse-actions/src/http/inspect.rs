//! What `check --live` asks of a server: whether it can be reached, and whether its certificate is trusted. No request is
//! sent. Behind a proxy, only the proxy is asked.

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
    let denied = inspection.service_user().and_then(|user| {
        user.obstacle(file).map(|obstacle| (user.denied_with_fix(file, &obstacle), obstacle.may_be_passed()))
    });
    if let Some((message, may_be_passed)) = denied {
        let severity = if may_be_passed { Severity::Warning } else { Severity::Error };
        inspection.argument("secretFile", severity, message, "requests wait until it can be read");
    }
}
