//! The HTTP side of a Local API: one request, and an answer that is bounded.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use pyruse_core::serde::de::DeserializeOwned;
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

use crate::http::client;

/// Why the API did not do what it was asked for; each with the reason, in which the API's text is on one line and short.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    /// It gave no whole answer.
    Away(String),
    /// It could not do it for now.
    Busy(String),
    /// It does not accept our secret.
    Denied(String),
    /// It does not understand us, or we do not understand it.
    Other(String),
}

impl Failure {
    pub(super) fn into_text(self) -> String {
        match self {
            Failure::Away(text) | Failure::Busy(text) | Failure::Denied(text) | Failure::Other(text) => text,
        }
    }
}

/// A Local API.
pub(super) struct Api {
    origin: String,
    agent: Agent,
}

impl Api {
    /// `origin` is in its normal form. No proxy is used: a Local API is local.
    pub(super) fn new(origin: String, ca_file: Option<&Path>, limit: Duration) -> Result<Api, String> {
        let agent = client::agent(ca_file, limit, None)?;
        Ok(Api { origin, agent })
    }

    /// Sends a request with this header. Returns the answer if it says that all went well.
    pub(super) fn send(
        &self,
        (method, path): (&str, &str),
        header: Option<(&str, &str)>,
        body: Option<&str>,
    ) -> Result<Response<Body>, Failure> {
        let mut builder = Request::builder().method(method).uri(format!("{}{path}", self.origin));
        if let Some((name, value)) = header {
            builder = builder.header(name, value);
        }
        let other = |e: ureq::http::Error| Failure::Other(client::one_line(&e.to_string()));
        let answer = match body {
            Some(body) => {
                let builder = builder.header("Content-Type", "application/json");
                self.agent.run(builder.body(body).map_err(other)?)
            }
            None => self.agent.run(builder.body(()).map_err(other)?),
        };
        let answer = answer.map_err(|e| self.away(&e))?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let mut start = Vec::new();
        // The status is there; what is missing of the text is not needed.
        let _ = answer.into_body().as_reader().take(client::ANSWER).read_to_end(&mut start);
        let said = client::one_line(&String::from_utf8_lossy(&start));
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let text = format!("{} answers {status}{said}", self.origin);
        Err(match status {
            401 | 403 => Failure::Denied(text),
            408 | 425 | 429 | 500.. => Failure::Busy(text),
            _ => Failure::Other(text),
        })
    }

    /// Reads an answer of at most `limit` bytes, as JSON.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: Response<Body>, limit: u64) -> Result<T, Failure> {
        let mut text = Vec::new();
        let mut body = answer.into_body();
        body.as_reader().take(limit + 1).read_to_end(&mut text).map_err(|e| self.away(&e))?;
        if text.len() as u64 > limit {
            let text = format!("{} answers with more than {limit} bytes", self.origin);
            return Err(Failure::Other(text));
        }
        serde_json::from_slice(&text).map_err(|e| self.not_understood(&e))
    }

    pub(super) fn not_understood(&self, error: &serde_json::Error) -> Failure {
        let why = client::one_line(&error.to_string());
        Failure::Other(format!(
            "{} does not answer like a Local API of CrowdSec ({why}): is the URL right?",
            self.origin
        ))
    }

    pub(super) fn away(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::Away(format!("{}: {}", self.origin, client::one_line(&error.to_string())))
    }
}
