//! Keeps the names of lists resolved: each as long as its answer is valid. If it cannot be resolved, the addresses that
//! it had stay in the list.

use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use pyruse_core::time::Timestamp;

use super::dns::{Answer, Failure};
use super::look_up::{adopt, look_up};
use super::part::Origin;
use super::updates::Updates;

/// For how long an answer counts at least and at most: a lifetime of 0 must not make us ask without end, and one of
/// years must not keep an old address.
const LIFETIMES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(86_400));

/// How long to wait after a failure; the wait doubles.
const RETRIES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// How often the list gets what was found while other names are still asked for.
const PUBLISH: Duration = Duration::from_millis(500);

/// The least time between two rounds: names that become due one after the other are asked for together.
const PAUSE: Duration = Duration::from_secs(1);

/// How long entries wait for names that were never resolved.
const FIRST_ROUND: Duration = Duration::from_secs(10);

/// What is known about a name.
struct Known {
    due: Instant,
    /// The wait before the last try, if it has failed.
    failed: Option<Duration>,
    /// Whether an address was left out, which is logged once.
    left_out: bool,
}

/// Resolves names until `stop` is closed.
pub(super) fn run(updates: &Updates, stop: &Receiver<()>) {
    let names: BTreeSet<String> =
        updates.origins().iter().filter_map(|origin| origin.name().map(str::to_owned)).collect();
    let start = Instant::now();
    let known = |name: String| (name, Known { due: start, failed: None, left_out: false });
    let mut names: HashMap<String, Known> = names.into_iter().map(known).collect();
    while !names.is_empty() && !updates.ends() {
        let mut due: Vec<String> =
            names.iter().filter(|(_, known)| known.due <= Instant::now()).map(|(n, _)| n.clone()).collect();
        due.sort();
        let mut silence = false;
        let mut published = Instant::now();
        for name in due {
            if updates.ends() {
                return;
            }
            // If no server answers, it would take minutes to try that with every name.
            let result = if silence {
                Err(Failure { why: "no name server answers".into(), is_silence: true })
            } else {
                look_up(&name)
            };
            silence = result.as_ref().is_err_and(|failure| failure.is_silence);
            if let Some(known) = names.get_mut(&name) {
                take(updates, &name, known, result);
            }
            if published.elapsed() >= PUBLISH {
                updates.publish();
                published = Instant::now();
            }
            if start.elapsed() >= FIRST_ROUND {
                updates.set_ready();
            }
        }
        updates.publish();
        updates.set_ready();
        let next = names.values().map(|known| known.due).min();
        let wait = next.map_or(RETRIES.1, |next| next.saturating_duration_since(Instant::now()));
        let wait = wait.max(PAUSE);
        if !matches!(stop.recv_timeout(wait), Err(RecvTimeoutError::Timeout)) {
            return;
        }
    }
    updates.set_ready();
}

/// For how long an answer counts.
fn lifetime(ttl: Duration) -> Duration {
    ttl.clamp(LIFETIMES.0, LIFETIMES.1)
}

fn take(updates: &Updates, name: &str, known: &mut Known, result: Result<Answer, Failure>) {
    let origin = Origin::Name(name.to_owned());
    match result {
        Ok(answer) => {
            if known.failed.take().is_some() {
                tracing::info!("{}: `{name}` can be resolved again", updates.lists_with(&origin));
            }
            if let Some(ip) = answer.left_out
                && !std::mem::replace(&mut known.left_out, true)
            {
                tracing::warn!(
                    "{}: an address of `{name}` is {ip}, which is left out",
                    updates.lists_with(&origin)
                );
            }
            known.due = Instant::now() + lifetime(answer.ttl);
            let now = Timestamp::now();
            updates.change(&origin, |part| adopt(part, &answer, now));
            updates.note_resolved(name, answer.addresses().collect());
        }
        Err(failure) => {
            let wait = known.failed.map_or(RETRIES.0, |before| (before * 2).min(RETRIES.1));
            let first = known.failed.replace(wait).is_none();
            known.due = Instant::now() + wait;
            if first {
                log_failure(updates, name, &origin, &failure.why);
            }
            updates.change(&origin, |part| {
                part.problem = Some(format!("it cannot be resolved: {}", failure.why));
                false
            });
        }
    }
}

fn log_failure(updates: &Updates, name: &str, origin: &Origin, why: &str) {
    let lists = updates.lists_with(origin);
    if updates.is_unknown(origin) {
        tracing::error!(
            "{lists}: `{name}` cannot be resolved, and never was, so its addresses are missing: {why}"
        );
    } else {
        tracing::warn!("{lists}: `{name}` cannot be resolved, and keeps the addresses that it had: {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_lifetime_makes_a_name_be_asked_for_without_end_or_never_again() {
        let counts = |seconds| lifetime(Duration::from_secs(seconds)).as_secs();
        assert_eq!([0, 4, 60, 86_401, u64::from(u32::MAX)].map(counts), [5, 5, 60, 86_400, 86_400]);
    }
}
