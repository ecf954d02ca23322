//! The named lists in `status`: how large and how old each part is, and what is wrong with it.

use pyruse_core::operation::{ListPart, PartOrigin};
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use crate::command::table::length;
use crate::command::text::{counted, grouped};

/// Returns the parts of each list; those of a list are together.
pub(super) fn by_name(parts: &[ListPart]) -> impl Iterator<Item = (&str, &[ListPart])> {
    parts.chunk_by(|a, b| a.list == b.list).map(|parts| (parts[0].list.as_str(), parts))
}

fn networks(parts: &[ListPart]) -> u64 {
    parts.iter().map(|part| part.networks).sum()
}

/// Describes a list: `14 networks: 2 nets, 12 file /etc/friends.txt (3d old)`.
pub(super) fn text(parts: &[ListPart], now: Timestamp) -> String {
    let is_by_hand = |part: &&ListPart| matches!(part.origin, PartOrigin::Operator(_));
    let mut shown: Vec<String> = parts
        .iter()
        .filter(|part| !is_by_hand(part))
        .map(|part| {
            let age = part.since.map(|since| format!(" ({} old)", length(since.until(now).as_secs())));
            format!("{} {}{}", grouped(part.networks), part.origin, age.unwrap_or_default())
        })
        .collect();
    let by_hand = parts.iter().filter(is_by_hand).count();
    if by_hand > 0 {
        shown.push(format!("{} by hand", grouped(by_hand as u64)));
    }
    format!("{}: {}", counted(networks(parts), "network", "networks"), shown.join(", "))
}

/// Returns what is wrong with the parts.
pub(super) fn problems(parts: &[ListPart]) -> impl Iterator<Item = String> {
    parts.iter().filter_map(|part| {
        let problem = part.problem.as_ref()?;
        Some(format!("the list {}, {}: {problem}", part.list, part.origin))
    })
}

pub(super) fn as_json(list: &str, parts: &[ListPart]) -> Value {
    json!({
        "list": list,
        "networks": networks(parts),
        "parts": parts.iter().map(crate::command::lists::as_json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use pyruse_core::network::Network;

    use super::*;

    fn part(
        list: &str,
        origin: PartOrigin,
        networks: u64,
        since: Option<i64>,
        problem: Option<&str>,
    ) -> ListPart {
        ListPart {
            list: list.into(),
            origin,
            networks,
            first: Vec::new(),
            since: since.map(Timestamp::from_seconds),
            until: None,
            problem: problem.map(str::to_owned),
        }
    }

    #[test]
    fn a_list_is_described_on_one_line() {
        let by_hand = || PartOrigin::Operator(Network::parse("192.0.2.1").unwrap());
        let parts = [
            part("a", PartOrigin::Configured, 2, None, None),
            part("a", PartOrigin::File("/f".into()), 1000, Some(10), Some("it is missing")),
            part("a", PartOrigin::Name("home.test".into()), 0, None, Some("no answer")),
            part("a", by_hand(), 1, Some(90), None),
            part("a", by_hand(), 1, Some(95), None),
            part("b", PartOrigin::Own, 1, Some(99), None),
        ];
        let shown: Vec<_> =
            by_name(&parts).map(|(list, parts)| (list, text(parts, Timestamp::from_seconds(100)))).collect();
        let a = "1,004 networks: 2 nets, 1,000 file /f (1m 30s old), 0 name home.test, 2 by hand";
        assert_eq!(shown, [("a", a.to_owned()), ("b", "1 network: 1 self (1s old)".to_owned())]);
        let problems: Vec<_> = problems(&parts).collect();
        assert_eq!(problems, ["the list a, file /f: it is missing", "the list a, name home.test: no answer"]);
    }
}
