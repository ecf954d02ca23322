//! The courier of requests: one at a time, at most so many per minute to each server.
//!
//! A server that cannot be reached is left alone for a while, longer each time, and all that waits for it waits
//! together. So requests to other servers are delayed by at most one attempt now and then.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use pyruse_core::courier::{Deliver, Outcome};
use pyruse_core::secret;
use pyruse_core::state::DueMessage;
use ureq::Agent;

use super::client::{self, Answer};
use super::outgoing::{Outgoing, Target};
use super::pause::Pause;
use super::settings::HttpSettings;

/// The longest time that a server which cannot be reached is left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The longest wait that a server may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The span of `maxPerMinute`.
const MINUTE: Duration = Duration::from_secs(60);

pub(super) struct HttpCourier {
    settings: HttpSettings,
    /// Where the configuration sends requests to.
    targets: BTreeSet<Target>,
    /// Kept while it works.
    agent: Option<Agent>,
    /// By origin.
    servers: HashMap<String, Server>,
}

/// What is known about a server.
struct Server {
    /// When the requests of the last minute were sent.
    sent: VecDeque<Instant>,
    pause: Pause,
}

impl Default for Server {
    fn default() -> Server {
        Server { sent: VecDeque::new(), pause: Pause::of_at_most(LONGEST_PAUSE) }
    }
}

impl Server {
    /// Returns how long to wait until another request may be sent.
    fn over_rate(&mut self, now: Instant, max_per_minute: u32) -> Option<Duration> {
        while self.sent.front().is_some_and(|sent| now.duration_since(*sent) >= MINUTE) {
            self.sent.pop_front();
        }
        if max_per_minute == 0 || self.sent.len() < max_per_minute as usize {
            return None;
        }
        self.sent.front().map(|oldest| MINUTE.saturating_sub(now.duration_since(*oldest)))
    }
}

impl HttpCourier {
    pub(super) fn new(settings: HttpSettings, targets: BTreeSet<Target>) -> HttpCourier {
        HttpCourier { settings, targets, agent: None, servers: HashMap::new() }
    }

    fn deliver_one(&mut self, due: &DueMessage) -> Outcome {
        let request: Outgoing = match serde_json::from_str(&due.payload) {
            Ok(request) => request,
            Err(e) => return Outcome::GiveUp(format!("not a request: {e}")),
        };
        let outcome = self.attempt(&request);
        let limit = Duration::from_secs(self.settings.give_up_seconds.0);
        match outcome {
            Outcome::Retry(why) | Outcome::RetryAfter(why, _) | Outcome::Blocked(why)
                if due.tried > limit =>
            {
                Outcome::GiveUp(why)
            }
            outcome => outcome,
        }
    }

    fn attempt(&mut self, request: &Outgoing) -> Outcome {
        let origin = &request.target.origin;
        if !self.targets.contains(&request.target) {
            return Outcome::GiveUp(match &request.target.secret_file {
                Some(file) => {
                    format!("no step sends to {origin} with the secret in {} any more", file.display())
                }
                None => format!("no step sends to {origin} any more"),
            });
        }
        let now = Instant::now();
        let server = self.servers.entry(origin.clone()).or_default();
        if let Some((why, wait)) = server.pause.left(now) {
            return Outcome::RetryAfter(why, wait);
        }
        if let Some(wait) = server.over_rate(now, self.settings.max_per_minute) {
            return Outcome::Postpone(wait);
        }
        let secret = match &request.target.secret_file {
            Some(file) => secret::read(file, "secret"),
            None => Ok(String::new()),
        };
        let ready = match secret.and_then(|secret| request.ready(&secret)) {
            Ok(ready) => ready,
            Err(why) => return Outcome::Blocked(why),
        };
        let agent = match self.agent.take().map_or_else(|| self.settings.agent(), Ok) {
            Ok(agent) => agent,
            Err(why) => return Outcome::Blocked(why),
        };
        server.sent.push_back(now);
        match client::send(&agent, &ready) {
            Ok(answer) => {
                self.agent = Some(agent);
                server.pause.end();
                judge(request, &answer, server)
            }
            Err(why) => {
                let why = format!("{origin}: {why}");
                let wait = server.pause.begin(Instant::now(), &why);
                Outcome::RetryAfter(why, wait)
            }
        }
    }
}

/// Returns what an answer means for the request.
fn judge(request: &Outgoing, answer: &Answer, server: &mut Server) -> Outcome {
    let Answer { status, text, .. } = answer;
    let origin = &request.target.origin;
    let said = if text.is_empty() { String::new() } else { format!(": {text}") };
    let why = format!("{origin} answers {status}{said}");
    match status {
        _ if request.is_success(*status) => Outcome::Done,
        300..=399 => {
            let to = answer.location.as_deref().unwrap_or("another address");
            Outcome::Blocked(format!(
                "{origin} answers {status}, a redirect to {to}: redirects are not followed; write the final address as `url`"
            ))
        }
        401 | 403 | 407 => Outcome::Blocked(format!("{why}; are the secret and its place right?")),
        408 | 425 | 429 | 500.. => match answer.retry_after {
            Some(wait) => {
                let wait = wait.clamp(Duration::from_secs(1), LONGEST_RETRY_AFTER);
                Outcome::RetryAfter(why.clone(), server.pause.begin_for(Instant::now(), wait, &why))
            }
            // The whole server is busy.
            None if *status == 429 => {
                let wait = server.pause.begin(Instant::now(), &why);
                Outcome::RetryAfter(why, wait)
            }
            None => Outcome::Retry(why),
        },
        _ => Outcome::GiveUp(why),
    }
}

impl Deliver for HttpCourier {
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
        messages.iter().map(|due| self.deliver_one(due)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_cannot_ask_for_a_wait_that_is_absurd() {
        for (asked, wait) in [(0, 1), (90, 90), (3601, 3600), (u64::MAX, 3600)] {
            let payload = r#"{"id":"1","target":{"origin":"http://a"},"method":"POST","path":[],"headers":[],"body":{"kind":"none","text":[]}}"#;
            let Ok(request) = serde_json::from_str::<Outgoing>(payload) else { panic!("{payload}") };
            let answer = Answer {
                status: 503,
                retry_after: Some(Duration::from_secs(asked)),
                location: None,
                text: String::new(),
            };
            let outcome = judge(&request, &answer, &mut Server::default());
            let Outcome::RetryAfter(_, found) = outcome else { panic!("{asked}: no wait") };
            assert_eq!(found, Duration::from_secs(wait), "{asked}");
        }
    }

    #[test]
    fn so_many_requests_are_sent_per_minute() {
        let start = Instant::now();
        let mut server = Server::default();
        for n in 0..3 {
            let now = start + Duration::from_secs(n);
            assert_eq!(server.over_rate(now, 3), None);
            server.sent.push_back(now);
        }
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(server.over_rate(after(10), 3), Some(Duration::from_secs(50)));
        assert_eq!(server.over_rate(after(10), 0), None);
        assert_eq!(server.over_rate(after(60), 3), None);
    }
}
