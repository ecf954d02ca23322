//! A machine of a Local API (its word is *watcher*): it logs in with a password, gets a token for some time, and may write
//! and delete decisions with it.

use std::time::{Duration, Instant};

use pyruse_core::ban::Order;
use pyruse_core::secret;
use pyruse_core::serde::Deserialize;
use serde_json::{Value, json};
use ureq::Body;
use ureq::http::Response;

use super::alert::{self, Active, Alert};
use super::api::{Api, Failure};
use super::settings::{CrowdsecSettings, origin};

/// How long a token is used. CrowdSec's are valid for an hour; one that is refused earlier is replaced.
const TOKEN_USED: Duration = Duration::from_secs(30 * 60);

/// The largest answer that is read, in bytes.
const ANSWER: u64 = 1024 * 1024;

/// The machine.
pub(super) struct Watcher {
    settings: CrowdsecSettings,
    /// Made at the first request, and again after each failure: a renewed `caFile` is used.
    api: Option<Api>,
    token: Option<(String, Instant)>,
}

#[derive(Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Login {
    token: String,
}

impl Watcher {
    pub(super) fn new(settings: CrowdsecSettings) -> Watcher {
        Watcher { settings, api: None, token: None }
    }

    /// Logs in, unless the token can still be used.
    pub(super) fn log_in(&mut self) -> Result<(), Failure> {
        if self.token.as_ref().is_some_and(|(_, since)| since.elapsed() < TOKEN_USED) {
            return Ok(());
        }
        self.token = None;
        let password = secret::read(&self.settings.password_file, "password").map_err(Failure::Denied)?;
        let body = json!({"machine_id": self.settings.machine, "password": password, "scenarios": []});
        let api = self.api()?;
        let answer = api.send(("POST", "/v1/watchers/login"), None, Some(&body.to_string()));
        let login: Login = answer.and_then(|answer| api.read(answer, ANSWER)).map_err(|e| self.named(e))?;
        if login.token.is_empty() || !login.token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::Other(format!("{} answers with a bad token", self.settings.url)));
        }
        self.token = Some((login.token, Instant::now()));
        Ok(())
    }

    fn api(&mut self) -> Result<&Api, Failure> {
        let api = self.api.take().map_or_else(
            || {
                let ca_file = self.settings.ca_file.as_deref();
                Api::new(origin(&self.settings.url)?, ca_file, self.settings.limit())
            },
            Ok,
        );
        Ok(self.api.insert(api.map_err(Failure::Other)?))
    }

    /// Says what to do about a machine that is refused.
    fn named(&self, failure: Failure) -> Failure {
        let Failure::Denied(why) = failure else { return failure };
        let (machine, file) = (&self.settings.machine, self.settings.password_file.display());
        Failure::Denied(format!(
            "{why}; register the machine with `cscli machines add {machine} -f /dev/null --password …`, write the \
             password into {file}, and reload Pyruse, which puts all bans back"
        ))
    }

    /// Sends a request as this machine. A token that is refused is replaced once.
    fn ask(&mut self, request: (&str, &str), body: Option<&str>) -> Result<Response<Body>, Failure> {
        let had_token = self.token.is_some();
        self.log_in()?;
        match self.try_to_ask(request, body) {
            Err(Failure::Denied(_)) if had_token => {
                self.token = None;
                self.log_in()?;
                self.try_to_ask(request, body)
            }
            answer => answer,
        }
        .map_err(|failure| self.named(failure))
    }

    fn try_to_ask(&mut self, request: (&str, &str), body: Option<&str>) -> Result<Response<Body>, Failure> {
        let token = self.token.as_ref().map(|(token, _)| format!("Bearer {token}")).unwrap_or_default();
        let answer = self.api()?.send(request, Some(("Authorization", &token)), body);
        if answer.is_err() {
            self.api = None;
        }
        answer
    }

    /// Returns the decisions of this machine for the order's address in its set that are in force.
    pub(super) fn active(&mut self, order: &Order) -> Result<Vec<Active>, Failure> {
        let answer = self.ask(("GET", &alert::path(order)), None)?;
        let alerts: Option<Vec<Alert>> = self.api()?.read(answer, ANSWER)?;
        Ok(alert::active(alerts.unwrap_or_default(), &self.settings.machine, order))
    }

    /// Writes alerts with their decisions.
    pub(super) fn write(&mut self, alerts: &[Value]) -> Result<(), Failure> {
        let body = serde_json::to_string(alerts).map_err(|e| Failure::Other(e.to_string()))?;
        self.ask(("POST", "/v1/alerts"), Some(&body)).map(drop)
    }

    /// Deletes a decision.
    pub(super) fn delete(&mut self, id: u64) -> Result<(), Failure> {
        self.ask(("DELETE", &format!("/v1/decisions/{id}")), None).map(drop)
    }
}
