//! The tags of an action's commands: `<port>` stands for another property, `<ip>` for the address.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::jail::Action;

/// How often tags within tags are replaced.
const ROUNDS: usize = 20;

/// The longest command, in bytes.
const LONGEST: usize = 256 << 10;

/// An address family, as fail2ban names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Inet4,
    Inet6,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Family::Inet4 => "inet4",
            Family::Inet6 => "inet6",
        }
    }
}

/// Returns a command in which all tags of properties are replaced: what is left are tags of the address.
pub(super) fn resolve(action: &Action, command: &str, family: Family) -> String {
    let mut text = command.to_owned();
    for _ in 0..ROUNDS {
        let next = replace(&text, |tag| property(action, tag, family));
        if next == text || next.len() > LONGEST {
            break;
        }
        text = next;
    }
    text
}

/// The property of that name; one for the family comes first.
fn property(action: &Action, tag: &str, family: Family) -> Option<String> {
    let of_family = action.properties.get(&format!("{tag}?family={}", family.name()));
    if let Some(value) = of_family.or_else(|| action.properties.get(tag)) {
        return Some(value.clone());
    }
    match tag {
        "family" => Some(family.name().into()),
        "br" => Some("\n".into()),
        // The default of fail2ban's own actions.
        "known/chain" => Some("INPUT".into()),
        _ => None,
    }
}

/// Replaces the tags for which there is something.
fn replace(text: &str, with: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let found = tag_at(rest).and_then(|tag| Some((tag.len() + 2, with(tag)?)));
        if let Some((length, value)) = found {
            out.push_str(&value);
            rest = &rest[length..];
        } else {
            out.push('<');
            rest = &rest[1..];
        }
    }
    out + rest
}

/// The tag at the beginning of the text.
fn tag_at(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('<')?;
    let tag = &inner[..inner.find('>')?];
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_/.".contains(c);
    (!tag.is_empty() && tag.chars().all(is_plain)).then_some(tag)
}

/// Returns the tags that are left, each once.
fn tags(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (at, _) in text.match_indices('<') {
        if let Some(tag) = tag_at(&text[at..])
            && !found.iter().any(|known| known == tag)
        {
            found.push(tag.into());
        }
    }
    found
}

/// Returns a command of `action_runBan`, whose `{ip}` Pyruse makes; or the tags that it cannot have.
pub(super) fn of_ban(command: &str) -> Result<String, Vec<String>> {
    let escaped = command.replace('{', "{{").replace('}', "}}");
    let replaced = replace(&escaped, |tag| match tag {
        "ip" | "fid" | "F-ID" => Some("{ip}".into()),
        "bantime" => Some("{seconds}".into()),
        _ => None,
    });
    let left = tags(&replaced);
    if left.is_empty() { Ok(replaced) } else { Err(left) }
}

/// Variables of the environment of a command that `action_run` runs, and the tags that they stand for.
const VARIABLES: [(&[&str], &str); 4] = [
    (&["ip", "fid", "F-ID"], "IP"),
    (&["failures", "ipfailures", "ipjailfailures"], "FAILURES"),
    (&["matches", "ipmatches", "ipjailmatches"], "MATCHES"),
    (&["F-USER"], "FAILED_USER"),
];

/// Returns a shell command in which the tags are variables, and the names of these. Their values are never parsed by the
/// shell. Within single quotes, the quotes are closed before the variable and opened behind it.
pub(super) fn of_notice(command: &str) -> Result<(String, Vec<&'static str>), Vec<String>> {
    let mut out = String::new();
    let mut used = BTreeSet::new();
    let mut left = Vec::new();
    let (mut single, mut double) = (false, false);
    let mut at = 0;
    while let Some(c) = command[at..].chars().next() {
        if let Some(tag) = tag_at(&command[at..]) {
            let variable = VARIABLES.iter().find(|(tags, _)| tags.contains(&tag));
            match variable {
                Some((_, name)) => {
                    used.insert(*name);
                    // Within single quotes, they are closed and opened again.
                    let quote = if single { "'" } else { "" };
                    let _ = if double {
                        write!(out, "${{{name}}}")
                    } else {
                        write!(out, "{quote}\"${name}\"{quote}")
                    };
                    at += tag.len() + 2;
                    continue;
                }
                None if !left.iter().any(|known| known == tag) => left.push(tag.to_owned()),
                None => {}
            }
        }
        match c {
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '\\' if !single => {
                out.push(c);
                at += 1;
                let Some(escaped) = command[at..].chars().next() else { break };
                out.push(escaped);
                at += escaped.len_utf8();
                continue;
            }
            _ => {}
        }
        out.push(c);
        at += c.len_utf8();
    }
    if left.is_empty() { Ok((out, used.into_iter().collect())) } else { Err(left) }
}

#[cfg(test)]
mod tests {
    use super::{Family, of_ban, of_notice, resolve};
    use crate::command::import::fail2ban::jail::Action;

    fn action(properties: &[(&str, &str)]) -> Action {
        let properties = properties.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Action { name: "a".into(), properties }
    }

    #[test]
    fn properties_are_replaced_also_within_each_other_and_those_of_the_family_first() {
        let action = action(&[("a", "<b> x"), ("b", "4"), ("b?family=inet6", "6"), ("c", "<c>c")]);
        assert_eq!(resolve(&action, "<a> <ip> <family> < y>", Family::Inet4), "4 x <ip> inet4 < y>");
        assert_eq!(resolve(&action, "<a>", Family::Inet6), "6 x");
        assert!(resolve(&action, "<c>", Family::Inet4).len() < 100);
    }

    #[test]
    fn a_ban_has_the_address_and_braces_of_the_shell_stay() {
        assert_eq!(of_ban("x ${y} <ip> <bantime>").as_deref(), Ok("x ${{y}} {ip} {seconds}"));
        assert_eq!(of_ban("x <ip> <matches>"), Err(vec!["matches".to_owned()]));
    }

    #[test]
    fn no_value_is_parsed_by_the_shell() {
        let (command, names) = of_notice(r#"a <ip> "b <ip>" 'c <matches>' \" <failures> <<<"#).unwrap();
        assert_eq!(command, r#"a "$IP" "b ${IP}" 'c '"$MATCHES"'' \" "$FAILURES" <<<"#);
        assert_eq!(names, ["FAILURES", "IP", "MATCHES"]);
        assert_eq!(of_notice("x <ip-host>"), Err(vec!["ip-host".to_owned()]));
    }
}
