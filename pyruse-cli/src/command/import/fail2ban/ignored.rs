//! Addresses that are never banned (`ignoreip`, `ignoreself`): lists, which jails with the same ones share.

use std::net::Ipv4Addr;

use pyruse_core::network::Network;
use serde_json::{Value, json};

use super::jail::Jail;

/// What a list has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ignored {
    nets: Vec<String>,
    names: Vec<String>,
    files: Vec<String>,
    itself: bool,
}

/// The lists of all jails.
#[derive(Debug, Default)]
pub(super) struct Lists(Vec<Ignored>);

impl Lists {
    /// Returns the name of the list of a jail; `None`: nobody is exempt.
    pub(super) fn name(&mut self, jail: &Jail, notes: &mut Vec<String>) -> Option<String> {
        let mut ignored = Ignored { itself: jail.ignoreself, ..Ignored::default() };
        for text in &jail.ignoreip {
            if let Some(network) = network(text) {
                ignored.nets.push(network);
            } else if let Some(path) = text.strip_prefix("file:").filter(|path| path.starts_with('/')) {
                ignored.files.push(path.into());
            } else if is_name(text) {
                ignored.names.push(text.clone());
            } else {
                notes.push(format!(
                    "`{text}` in `ignoreip` is neither an address nor a name, and was left out"
                ));
            }
        }
        if ignored == Ignored::default() {
            return None;
        }
        let at = self.0.iter().position(|known| *known == ignored).unwrap_or_else(|| {
            self.0.push(ignored);
            self.0.len() - 1
        });
        Some(name_of(at))
    }

    /// Returns the members of the top-level key `lists`.
    pub(super) fn settings(&self) -> impl Iterator<Item = (String, Value)> {
        self.0.iter().enumerate().map(|(at, list)| (name_of(at), list.settings()))
    }

    /// Returns the member of that name.
    pub(super) fn setting(&self, name: &str) -> Option<Value> {
        let at = self.0.iter().enumerate().position(|(at, _)| name_of(at) == name)?;
        Some(self.0[at].settings())
    }
}

impl Ignored {
    fn settings(&self) -> Value {
        let mut keys = serde_json::Map::new();
        for (key, values) in [("nets", &self.nets), ("names", &self.names), ("optionalFiles", &self.files)] {
            if !values.is_empty() {
                keys.insert(key.into(), json!(values));
            }
        }
        if self.itself {
            keys.insert("self".into(), json!(true));
        }
        Value::Object(keys)
    }
}

fn name_of(at: usize) -> String {
    if at == 0 { "ignoreip".into() } else { format!("ignoreip-{}", at + 1) }
}

/// Returns an address or a network in the form of lists. A mask may be written as an address.
fn network(text: &str) -> Option<String> {
    if Network::parse(text).is_some() {
        return Some(text.into());
    }
    let (address, mask) = text.split_once('/')?;
    let mask = u32::from(mask.parse::<Ipv4Addr>().ok()?);
    let written = format!("{address}/{}", mask.leading_ones());
    (mask.leading_ones() + mask.trailing_zeros() == 32 && Network::parse(&written).is_some())
        .then_some(written)
}

/// Whether lists take it as the name of a host. Numbers alone are a wrong address.
fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(is_plain);
    text.len() <= 253
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.contains(|c: char| c.is_ascii_alphabetic())
        && text.strip_suffix('.').unwrap_or(text).split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::Lists;
    use crate::command::import::fail2ban::jail::Jail;

    #[test]
    fn jails_with_the_same_addresses_share_a_list() {
        let mut lists = Lists::default();
        let mut notes = Vec::new();
        let ignoreip = ["127.0.0.1/8", "10.0.0.0/255.0.0.0", "home.example.org", "file:/etc/x", "a b"];
        let jail = Jail { ignoreip: ignoreip.map(String::from).into(), ..Jail::new("a") };
        assert_eq!(lists.name(&jail, &mut notes).as_deref(), Some("ignoreip"));
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert_eq!(lists.name(&Jail::new("b"), &mut notes).as_deref(), Some("ignoreip-2"));
        assert_eq!(lists.name(&jail, &mut notes).as_deref(), Some("ignoreip"));
        assert_eq!(lists.name(&Jail { ignoreself: false, ..Jail::new("c") }, &mut notes), None);
        let settings: Vec<_> = lists.settings().collect();
        assert_eq!(lists.setting("ignoreip-2").as_ref(), Some(&settings[1].1));
        for wrong in ["a..b", "300.1.1.1", "-x", ".", "$(id)", "10.0.0.0/255.0.255.0", "192.0.2.1/99"] {
            let mut notes = Vec::new();
            Lists::default().name(&Jail { ignoreip: vec![wrong.into()], ..Jail::new("a") }, &mut notes);
            assert_eq!(notes.len(), 1, "{wrong}");
        }
        assert_eq!(settings[0].1["nets"], serde_json::json!(["127.0.0.1/8", "10.0.0.0/8"]));
        assert_eq!(settings[1].1, serde_json::json!({"self": true}));
    }
}
