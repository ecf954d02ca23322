//! The first Pyruse's file of bans: `[{"IP": …, "nfSet": …, "timestamp": …}, …]`.
//!
//! The timestamp is the end of the ban in Unix seconds; 0: for ever. A file is imported as a whole or not at all.

use serde::Deserialize;

use super::held::StoredBan;
use super::store::Bans;
use crate::address;
use crate::network::Network;
use crate::plugin::{Importer, excerpt};
use crate::state::State;
use crate::time::Timestamp;

/// Imports the first Pyruse's bans.
pub(super) struct FormerBans {
    pub(super) file: &'static str,
    pub(super) bans: Bans,
    /// Returns the normal form of a set's name, or `None` if the text is not one.
    pub(super) set_name: fn(&str) -> Option<String>,
}

impl Importer for FormerBans {
    fn former_file(&self) -> &'static str {
        self.file
    }

    fn import(&mut self, content: &[u8], state: &mut State, now: Timestamp) -> Result<String, String> {
        let bans = read(content, self.set_name)?;
        Ok(self.bans.import(state, bans, now))
    }
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "IP")]
    ip: String,
    /// Older files spell it `nftSet`.
    #[serde(rename = "nfSet", alias = "nftSet")]
    set: String,
    timestamp: f64,
}

/// Reads the bans of such a file, with their ends.
fn read(
    content: &[u8],
    set_name: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(StoredBan, Timestamp)>, String> {
    let items: Vec<Item> = serde_json::from_slice(content).map_err(|e| {
        let what = if e.is_eof() { "truncated" } else { "damaged, or not a list of bans" };
        format!("the file is {what} ({e})")
    })?;
    let read = |(n, item): (usize, Item)| {
        let fail = |why: String| format!("ban {} of the list: {why}", n + 1);
        // Not normalized: the first Pyruse put mapped addresses into the set for IPv6.
        let ip = address::parse_as_written(&item.ip)
            .ok_or_else(|| fail(format!("`{}` is not an IP address", excerpt(&item.ip))))?;
        let set = set_name(&item.set)
            .ok_or_else(|| fail(format!("`{}` does not name a set", excerpt(&item.set))))?;
        Ok((
            StoredBan { set, net: Network::as_written(ip), seconds: 0, at: None, why: None, nth: None },
            end(item.timestamp),
        ))
    };
    items.into_iter().enumerate().map(read).collect()
}

fn end(seconds: f64) -> Timestamp {
    if seconds == 0.0 {
        return Timestamp::NEVER;
    }
    // Rounded up: a ban must not end early. A value out of range is very long ago, or for ever.
    #[allow(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    Timestamp((seconds * 1e6).ceil() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bans(content: &str) -> Result<Vec<(String, Timestamp)>, String> {
        let set_name = |set: &str| (set != "bad").then(|| set.to_owned());
        let bans = read(content.as_bytes(), set_name)?;
        Ok(bans.into_iter().map(|(ban, end)| (format!("{} {}", ban.set, ban.net), end)).collect())
    }

    #[test]
    fn both_spellings_and_all_times_are_read() {
        let content = r#" [{"IP": "192.0.2.1", "nfSet": "ip a b", "timestamp": 1795000000},
            {"IP": "2001:DB8::1", "nftSet": "ip6 a b", "timestamp": 1795000000.25, "more": [1]},
            {"timestamp": 0, "IP": "::ffff:1.2.3.4", "nfSet": "ip6 a b"},
            {"timestamp": 0, "IP": "fe80::1%eth0", "nfSet": "ip6 a b"},
            {"timestamp": 1e300, "IP": "192.0.2.2", "nfSet": "s"},
            {"timestamp": -5, "IP": "192.0.2.3", "nfSet": "s"}] "#;
        assert_eq!(
            bans(content).unwrap(),
            [
                ("ip a b 192.0.2.1".to_owned(), Timestamp(1_795_000_000_000_000)),
                ("ip6 a b 2001:db8::1".to_owned(), Timestamp(1_795_000_000_250_000)),
                ("ip6 a b ::ffff:1.2.3.4".to_owned(), Timestamp::NEVER),
                ("ip6 a b fe80::1".to_owned(), Timestamp::NEVER),
                ("s 192.0.2.2".to_owned(), Timestamp::NEVER),
                ("s 192.0.2.3".to_owned(), Timestamp(-5_000_000)),
            ]
        );
        assert_eq!(bans("[]"), Ok(vec![]));
    }

    #[test]
    fn one_bad_item_fails_the_whole_file() {
        let with =
            |item: &str| bans(&format!(r#"[{{"IP": "192.0.2.1", "nfSet": "s", "timestamp": 0}}, {item}]"#));
        for (item, why) in [
            (
                r#"{"IP": "x; flush", "nfSet": "s", "timestamp": 0}"#,
                "ban 2 of the list: `x; flush` is not an IP address",
            ),
            (
                r#"{"IP": "192.0.2.1", "nfSet": "bad", "timestamp": 0}"#,
                "ban 2 of the list: `bad` does not name a set",
            ),
        ] {
            assert_eq!(with(item).unwrap_err(), why);
        }
        for item in [
            r#"{"IP": "192.0.2.1", "timestamp": 0}"#,
            r#"{"IP": "192.0.2.1", "nfSet": "s"}"#,
            r#"{"IP": "192.0.2.1", "nfSet": "s", "timestamp": "0"}"#,
            r#"{"IP": 3, "nfSet": "s", "timestamp": 0}"#,
            "null",
            "",
        ] {
            assert!(
                with(item).unwrap_err().starts_with("the file is damaged, or not a list of bans ("),
                "{item}"
            );
        }
        assert!(bans("{}").unwrap_err().starts_with("the file is damaged"));
        let whole = r#"[{"IP": "192.0.2.1", "nfSet": "s", "timestamp": 0}]"#;
        for length in 0..whole.len() {
            let why = bans(&whole[..length]).unwrap_err();
            assert!(why.starts_with("the file is truncated ("), "{length}: {why}");
        }
    }
}
