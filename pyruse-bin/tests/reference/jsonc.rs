//! The configuration's text as plain JSON, and its chains in the order of the file.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// Labels with their steps, in the order of the file.
pub type Chains = Vec<(String, Value)>;

/// Without comments and trailing commas.
pub fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                out.push(c);
                while let Some(c) = rest.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '/' if rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            '/' if rest.peek() == Some(&'*') => {
                rest.next();
                let mut before = ' ';
                for c in rest.by_ref() {
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
            }
            ']' | '}' => {
                let kept = out.trim_end().len();
                if out[..kept].ends_with(',') {
                    out.truncate(kept - 1);
                }
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// The chains of a configuration's text.
pub fn chains(text: &str) -> Chains {
    struct File;
    impl<'de> Visitor<'de> for File {
        type Value = Chains;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with `actions`")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Chains, A::Error> {
            let mut chains = Vec::new();
            while let Some(key) = map.next_key::<String>()? {
                if key == "actions" {
                    chains = map.next_value::<Ordered>()?.0;
                } else {
                    map.next_value::<Value>()?;
                }
            }
            Ok(chains)
        }
    }
    serde_json::Deserializer::from_str(&plain(text)).deserialize_map(File).unwrap()
}

/// An object whose order counts.
struct Ordered(Chains);

impl<'de> serde::Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ordered, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Ordered(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A configuration's text with these chains and lists.
pub fn to_text(chains: &Chains, lists: &Value) -> String {
    let members: Vec<String> =
        chains.iter().map(|(label, steps)| format!("{}: {steps}", Value::from(label.as_str()))).collect();
    let members = members.join(",\n");
    // The sets that such a ban may name.
    let set = r#"{"ban": ["/bin/true", "{ip}"], "unban": ["/bin/true", "{ip}"]}"#;
    let sets = format!("\"runBan\": {{\"sets\": {{\"s\": {set}, \"t\": {set}}}}},\n");
    let sets = if members.contains("action_runBan") { &*sets } else { "" };
    let api = "\"crowdsec\": {\"machine\": \"m\", \"passwordFile\": \"/nonexistent/password\"},\n";
    let api = if members.contains("action_crowdsec") { api } else { "" };
    format!("{{\"actions\": {{{members}}},\n{sets}{api}\"lists\": {lists}}}")
}
