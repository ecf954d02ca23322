//! Looks a name up, in `/etc/hosts` or by DNS, and puts what is found into a part of a list.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pyruse_core::network::Network;
use pyruse_core::time::Timestamp;

use super::dns::{self, Answer, Failure};
use super::hosts;
use super::part::Part;

/// The lifetime of what is in `/etc/hosts`.
const LIFETIME_OF_HOSTS: Duration = Duration::from_secs(60);

/// Returns the addresses of a name, and for how long they are valid.
pub(super) fn look_up(name: &str) -> Result<Answer, Failure> {
    let found = hosts::find(name);
    if found.is_empty() {
        return dns::resolve(name);
    }
    let (v4, v6) = found.into_iter().partition(IpAddr::is_ipv4);
    Ok(Answer { v4: Some(v4), v6: Some(v6), ttl: LIFETIME_OF_HOSTS, left_out: None })
}

/// Puts an answer into a part; returns whether its networks have changed. A family that could not be resolved keeps its
/// addresses.
pub(super) fn adopt(part: &mut Part, answer: &Answer, now: Timestamp) -> bool {
    let kept = part.networks.iter().copied().filter(|network| match network.first() {
        IpAddr::V4(_) => answer.v4.is_none(),
        IpAddr::V6(_) => answer.v6.is_none(),
    });
    let all: BTreeSet<Network> = kept.chain(answer.addresses().map(Network::from)).collect();
    let all: Arc<[Network]> = all.into_iter().collect();
    (part.since, part.problem) = (Some(now), None);
    let is_changed = part.networks != all;
    part.networks = all;
    is_changed
}

/// Resolves the name of a part; if that fails, the part says why. Returns for how long the answer is valid.
pub(super) fn resolve_part(part: &mut Part) -> Option<Duration> {
    match look_up(part.origin.name()?) {
        Ok(answer) => {
            adopt(part, &answer, Timestamp::now());
            Some(answer.ttl)
        }
        Err(failure) => {
            part.problem = Some(format!("it cannot be resolved: {}", failure.why));
            None
        }
    }
}

/// Resolves the name of a part in a command that looks back.
pub(super) fn resolve_once(list: &str, part: &mut Part) {
    resolve_part(part);
    if let (Some(name), Some(why)) = (part.origin.name(), &part.problem) {
        tracing::warn!("list `{list}`: the addresses of `{name}` are missing: {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::part::Origin;
    use super::*;

    #[test]
    fn a_family_that_cannot_be_resolved_keeps_its_addresses() {
        let networks = ["192.0.2.1", "2001:db8::1"].map(|text| Network::parse(text).unwrap());
        let mut part = Part::new(Origin::Name("home".into()), networks.into(), None);
        let ip: IpAddr = "192.0.2.2".parse().unwrap();
        let answer = Answer { v4: Some(vec![ip]), v6: None, ..Answer::default() };
        assert!(adopt(&mut part, &answer, Timestamp(1)));
        let shown = |part: &Part| part.networks.iter().map(Network::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!((shown(&part), part.since), ("192.0.2.2 2001:db8::1".to_owned(), Some(Timestamp(1))));
        assert!(!adopt(&mut part, &answer, Timestamp(2)));
        let answer = Answer { v4: Some(vec![ip]), v6: Some(Vec::new()), ..Answer::default() };
        assert!(adopt(&mut part, &answer, Timestamp(3)));
        assert_eq!(shown(&part), "192.0.2.2");
    }
}
