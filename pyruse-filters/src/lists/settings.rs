//! The top-level key `lists`, as it is written; and the lists made of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use pyruse_core::address;
use pyruse_core::network::Network;
use pyruse_core::plugin::{ModuleSettings, SettingsPlugin};
use pyruse_core::schemars::{JsonSchema, Schema, SchemaGenerator};
use pyruse_core::serde::Deserialize as DeriveDeserialize;
use pyruse_core::serde::de::{Deserialize, Deserializer};

use super::file::{self, Content, Refused};
use super::list::List;
use super::own;
use super::part::{Origin, Part};

/// The top-level key.
pub(super) const KEY: &str = "lists";

/// The longest name of a list, in bytes.
const LONGEST_NAME: usize = 64;

/// The most names of one list: they are resolved one after the other.
const MAX_NAMES: usize = 100;

/// A list. All that its keys name belongs to it.
#[derive(Debug, Default, DeriveDeserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(crate = "pyruse_core::schemars")]
struct Definition {
    /// Networks: `IP/bits`, or a single IP address. Host bits are ignored.
    nets: Vec<String>,
    /// Files with one network per line; `#` and `;` begin a comment. A file is read again when it changes. It must
    /// belong to root or to the user that runs Pyruse, and others must not be able to write it.
    files: Vec<String>,
    /// Files that may be missing: then they count as empty.
    optional_files: Vec<String>,
    /// DNS names: their addresses belong to the list, and are looked up again when the answer is not valid any more. If
    /// that fails, the name keeps the addresses that it had.
    names: Vec<String>,
    /// Whether the addresses of this machine belong to it; they are followed.
    #[serde(rename = "self")]
    own: bool,
}

/// All lists.
#[derive(Debug, Default)]
pub(super) struct ListSettings {
    lists: BTreeMap<String, Definition>,
    /// What was read: each file is read once for a configuration, where its errors can be reported.
    files: OnceLock<BTreeMap<PathBuf, Content>>,
}

impl<'de> Deserialize<'de> for ListSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lists = BTreeMap::deserialize(deserializer)?;
        Ok(ListSettings { lists, files: OnceLock::new() })
    }
}

impl JsonSchema for ListSettings {
    fn schema_name() -> Cow<'static, str> {
        "ListSettings".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = BTreeMap::<String, Definition>::json_schema(generator);
        let doc = "Named lists of addresses and networks, for `filter_inList` and `filter_inNetworks`. Each key is the \
                   name of a list. A list is in one or several of these keys:";
        schema.insert("description".into(), doc.into());
        schema
    }
}

impl ModuleSettings for ListSettings {
    const KEY: &'static str = KEY;

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        let mut files = BTreeMap::new();
        for (name, list) in &self.lists {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
            if !begins || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
                let message = format!(
                    "the name of a list must be 1 to {LONGEST_NAME} letters, digits, `_` and `-`, and begin with a letter"
                );
                report(name, message);
                continue;
            }
            list.check(&mut |path, message| report(&format!("{name}.{path}"), message), &mut files);
        }
        // It is set only here.
        let _ = self.files.set(files);
    }

    fn warn(&self, report: &mut dyn FnMut(&str, String)) {
        for (name, list) in &self.lists {
            for (n, net) in list.nets.iter().enumerate() {
                if Network::parse(net).is_some_and(|net| net.bits() == 0) {
                    let message = format!(
                        "`{net}` is every address: the other networks of that family make no difference"
                    );
                    report(&format!("{name}.nets.{n}"), message);
                }
            }
            if list.is_empty() {
                report(name, format!("the list `{name}` is empty"));
            }
        }
    }
}

impl Definition {
    fn is_empty(&self) -> bool {
        let Definition { nets, files, optional_files, names, own } = self;
        nets.is_empty() && files.is_empty() && optional_files.is_empty() && names.is_empty() && !own
    }

    /// Checks everything, and reads the files.
    fn check(&self, report: &mut dyn FnMut(&str, String), read: &mut BTreeMap<PathBuf, Content>) {
        for (n, net) in self.nets.iter().enumerate() {
            if Network::parse(net).is_none() {
                let message = format!(
                    "`{net}` is not a network; write `192.0.2.0/24`, `2001:db8::/32`, or a single address"
                );
                report(&format!("nets.{n}"), message);
            }
        }
        for (key, paths, is_optional) in
            [("files", &self.files, false), ("optionalFiles", &self.optional_files, true)]
        {
            for (n, path) in paths.iter().enumerate() {
                let at = format!("{key}.{n}");
                let path = Path::new(path);
                if !path.is_absolute() {
                    report(&at, format!("`{}` must be an absolute path", path.display()));
                    continue;
                }
                match file::read(path) {
                    Ok(content) => drop(read.insert(path.to_owned(), content)),
                    Err(Refused::Missing(_)) if is_optional => {}
                    Err(refused) => report(&at, refused.why().to_owned()),
                }
            }
        }
        if self.names.len() > MAX_NAMES {
            report("names", format!("a list has at most {MAX_NAMES} names"));
        }
        for (n, name) in self.names.iter().enumerate() {
            if let Err(why) = check_name(name) {
                report(&format!("names.{n}"), format!("`{name}` {why}"));
            }
        }
    }

    fn parts(&self, files: &BTreeMap<PathBuf, Content>) -> Vec<Part> {
        let mut parts = Vec::new();
        let nets: Vec<Network> = self.nets.iter().filter_map(|net| Network::parse(net)).collect();
        if !nets.is_empty() {
            parts.push(Part::new(Origin::Configured, nets.into(), None));
        }
        for (paths, is_optional) in [(&self.files, false), (&self.optional_files, true)] {
            for path in paths {
                let path = PathBuf::from(path);
                let content = files.get(&path);
                let networks = content.map(|content| content.networks.clone()).unwrap_or_default();
                let since = content.map(|content| content.changed);
                parts.push(Part::new(Origin::File { path, is_optional }, networks, since));
            }
        }
        for name in &self.names {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            parts.push(Part::new(Origin::Name(name), Arc::default(), None));
        }
        if self.own {
            let mut part = Part::new(Origin::Own, Arc::default(), None);
            match own::addresses() {
                Ok(networks) => {
                    part.networks = networks;
                    part.since = Some(pyruse_core::time::Timestamp::now());
                }
                Err(why) => part.problem = Some(why),
            }
            parts.push(part);
        }
        parts
    }
}

/// Checks whether this can be the name of a host.
fn check_name(name: &str) -> Result<(), &'static str> {
    if address::parse(name).is_some() || Network::parse(name).is_some() {
        return Err("is not a name: write it in `nets`");
    }
    let plain = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if plain.len() <= 253 && plain.split('.').all(is_label) {
        Ok(())
    } else if !plain.is_ascii() {
        Err("is not the name of a host: write other letters than a to z in the form `xn--…`")
    } else {
        Err("is not the name of a host")
    }
}

impl ListSettings {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.lists.keys().map(String::as_str)
    }

    pub(super) fn holds_everything(&self, name: &str) -> bool {
        let nets = self.lists.get(name).map(|list| list.nets.as_slice()).unwrap_or_default();
        nets.iter().any(|net| Network::parse(net).is_some_and(|net| net.bits() == 0))
    }

    /// Makes the lists.
    pub(super) fn lists(&self) -> Vec<Arc<List>> {
        let none = BTreeMap::new();
        let files = self.files.get().unwrap_or(&none);
        let make =
            |(name, list): (&String, &Definition)| Arc::new(List::new(name.clone(), list.parts(files)));
        self.lists.iter().map(make).collect()
    }
}

pyruse_core::inventory::submit!(SettingsPlugin::of::<ListSettings>());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_host_is_not_an_address() {
        for good in
            ["home.example.org", "home.example.org.", "gate", "_x.a-b.example", "xn--bcher-kva.example"]
        {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in
            ["", ".", "a..b", "192.0.2.1", "2001:db8::1", "192.0.2.0/24", "bücher.example", "a b", "-\u{1b}"]
        {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name(&["a"; 127].join(".")).is_ok() && check_name(&["a"; 128].join(".")).is_err());
    }
}
