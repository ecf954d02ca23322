//! Expressions of fail2ban become expressions with named groups.
//!
//! Both are Python's `re`; what fail2ban adds are tags: `<HOST>`, `<F-USER>…</F-USER>` and the like. Each becomes a
//! group, or an expression of ours. A group is a field of the entry, and fields are common to all chains; so every group
//! gets the jail's prefix, also those that the expression has without a tag.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pyruse_core::pattern::Pattern;

/// An IPv4 address. Whether its numbers are below 256 is seen when it is parsed.
const IPV4: &str = r"(?:\d{1,3}\.){3}\d{1,3}";

/// An IPv6 address: groups of digits with colons, which ends with a group or with `::`.
const IPV6: &str = r"(?:(?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{1,4})|(?:(?:[0-9A-Fa-f]{1,4}:){0,6}[0-9A-Fa-f]{1,4})?::)";

/// A host name.
const NAME: &str = r"[\w\-.^_]*\w";

/// The number of bits of a network.
const BITS: &str = r"\d{1,3}";

/// The zone of a date, which some expressions have at the beginning of a line. Our source cuts it with the date.
const ZONE: &str = r"\s[+-]\d{4}";

/// The longest expression, in bytes.
const LONGEST: usize = 64 << 10;

/// A converted expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) text: String,
    /// The names of its groups, without the prefix.
    pub(super) groups: BTreeSet<String>,
    /// Whether it may also match the name of a host, which is not an address.
    pub(super) takes_names: bool,
    /// Whether it may take a network, such as `192.0.2.0/24`.
    pub(super) takes_networks: bool,
}

/// How expressions are converted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner<'m> {
    /// Begins all names of groups.
    pub(super) prefix: &'m str,
    /// Whether `<HOST>` also matches names.
    pub(super) names: bool,
    /// Whether the text is a line of a log file. Where fail2ban cuts the date, a space or the brackets of the date may be
    /// left, or not; our text has one space, so at the beginning of an expression these are optional.
    pub(super) is_line: bool,
}

/// Groups that are the address.
pub(super) const ADDRESSES: [&str; 3] = ["ip", "ip4", "ip6"];

impl Expression {
    /// Converts an expression.
    pub(super) fn convert(source: &str, manner: Manner<'_>) -> Result<Expression, String> {
        let Manner { prefix, names, is_line } = manner;
        if source.len() > LONGEST {
            return Err(format!("it is longer than {} KiB", LONGEST >> 10));
        }
        let mut expression = Expression {
            text: String::new(),
            groups: BTreeSet::new(),
            takes_names: false,
            takes_networks: false,
        };
        let mut rest = source;
        if is_line && let Some(anchored) = source.strip_prefix('^') {
            expression.text.push_str("^ ?");
            rest = anchored;
            if let Some(behind) = anchored.strip_prefix(r"\[\]") {
                expression.text.push_str(r"(?:\[\])?");
                rest = behind.strip_prefix('?').unwrap_or(behind);
            } else if let Some(behind) = anchored.strip_prefix(ZONE) {
                let _ = write!(expression.text, "(?:{ZONE})?");
                rest = behind;
            }
        }
        while let Some(c) = rest.chars().next() {
            let taken = match c {
                '\\' => {
                    let taken = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                    expression.text.push_str(&rest[..taken]);
                    Some(taken)
                }
                '(' => expression.flags(rest).or_else(|| expression.group(rest, prefix)),
                '<' => expression.tag(rest, prefix, names)?,
                _ => None,
            };
            rest = &rest[taken.unwrap_or_else(|| {
                expression.text.push(c);
                c.len_utf8()
            })..];
        }
        // Python's words and its place in our expression, which is near that in the original.
        Pattern::new(&expression.text).map_err(|error| error.message)?;
        Ok(expression)
    }

    /// Whether it has a group of that name.
    pub(super) fn has(&self, group: &str) -> bool {
        self.groups.contains(group)
    }

    /// Whether it has the address.
    pub(super) fn has_address(&self) -> bool {
        ADDRESSES.iter().any(|group| self.has(group))
    }

    /// Takes the beginning of a group that begins with flags, `((?i)…)`: as for fail2ban, they hold for the group.
    fn flags(&mut self, rest: &str) -> Option<usize> {
        let opened = rest.strip_prefix("(?:").or_else(|| rest.strip_prefix('('))?;
        let flags = opened.strip_prefix("(?")?;
        let flags = &flags[..flags.find(')')?];
        if flags.is_empty() || !flags.chars().all(|c| "aimsux".contains(c)) {
            return None;
        }
        let _ = write!(self.text, "(?{flags}:");
        Some(rest.len() - opened.len() + flags.len() + 3)
    }

    /// Takes the beginning of a group, or a reference to one; returns how many bytes it has. Names get the prefix.
    fn group(&mut self, rest: &str, prefix: &str) -> Option<usize> {
        for (before, after) in [("(?P<", '>'), ("(?P=", ')'), ("(?(", ')')] {
            let Some(name) = rest.strip_prefix(before) else { continue };
            let name = &name[..name.find(after)?];
            if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let known = known(name);
            let _ = write!(self.text, "{before}{prefix}_{known}{after}");
            if after == '>' {
                self.groups.insert(known.to_owned());
            }
            return Some(before.len() + name.len() + 1);
        }
        None
    }

    /// Takes a tag; returns how many bytes it has. Text in brackets that is no tag stays as it is.
    fn tag(&mut self, rest: &str, prefix: &str, names: bool) -> Result<Option<usize>, String> {
        let Some(end) = rest.find('>') else { return Ok(None) };
        let tag = &rest[1..end];
        let mut address = |group: &str, text: &str| {
            self.groups.insert(group.to_owned());
            format!("(?P<{prefix}_{group}>{text})")
        };
        let text = match tag {
            "HOST" | "ADDR" => {
                let inner = address("ip", &format!("{IPV4}|{IPV6}"));
                let address = format!(r"\[?(?:::f{{4,6}}:)?{inner}\]?");
                let with_names = tag == "HOST" && names;
                self.takes_names |= with_names;
                if with_names { format!("(?:{address}|{NAME})") } else { address }
            }
            "SUBNET" => {
                let inner = address("ip", &format!("(?:{IPV4}|{IPV6})(?:/{BITS})?"));
                self.takes_networks = true;
                format!(r"\[?{inner}\]?")
            }
            "IP4" => address("ip4", IPV4),
            "IP6" => address("ip6", IPV6),
            "CIDR" => BITS.into(),
            "DNS" => {
                self.takes_names = true;
                NAME.into()
            }
            "SKIPLINES" => return Err("it connects several lines (<SKIPLINES>)".into()),
            _ => {
                let (name, is_end) = match tag.strip_prefix('/') {
                    Some(name) => (name, true),
                    None => (tag, false),
                };
                let Some(name) = name.strip_prefix("F-") else { return Ok(None) };
                let (name, is_all) = match name.strip_suffix('/') {
                    Some(name) => (name, true),
                    None => (name, false),
                };
                if !is_identifier(name) {
                    return Ok(None);
                }
                let name = known(&name.to_ascii_lowercase()).to_owned();
                let opened = format!("(?P<{prefix}_{name}>");
                if !is_end {
                    self.groups.insert(name);
                }
                match (is_end, is_all) {
                    (true, _) => ")".into(),
                    (false, true) => opened + r"\S+)",
                    (false, false) => opened,
                }
            }
        };
        self.text.push_str(&text);
        Ok(Some(end + 1))
    }
}

/// Returns our name of a group that has a meaning.
fn known(name: &str) -> &str {
    match name {
        "host" | "addr" | "id" | "fid" => "ip",
        "mlfid" => "session",
        "mlfforget" => "forget",
        "mlfgained" => "gained",
        other => other,
    }
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::proptest;
    use pyruse_core::pattern::{Groups, Pattern};

    use super::{Expression, Manner};

    fn convert(source: &str) -> Result<Expression, String> {
        Expression::convert(source, Manner { prefix: "j", names: true, is_line: false })
    }

    /// What the group takes in that text.
    fn taken(source: &str, group: &str, text: &str) -> Option<String> {
        let expression = convert(source).unwrap();
        let pattern = Pattern::new(&expression.text).unwrap();
        let mut groups = Groups::default();
        assert!(pattern.search(text, &mut groups).unwrap(), "{source}: {text}");
        let (number, _) = pattern.group_names().find(|(_, name)| *name == format!("j_{group}"))?;
        groups.get(number).map(|span| text[span].to_owned())
    }

    #[test]
    fn an_address_is_found_as_it_is_written_and_a_name_is_none() {
        for (written, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("[192.0.2.1]", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8:0:0:1:2:3:4]", "2001:db8:0:0:1:2:3:4"),
            ("fe80::", "fe80::"),
            ("::1", "::1"),
        ] {
            assert_eq!(taken("^from <HOST>$", "ip", &format!("from {written}")).as_deref(), Some(address));
            assert_eq!(taken("^<ADDR>: x", "ip", &format!("{written}: x")).as_deref(), Some(address));
        }
        assert_eq!(taken("^from <HOST>$", "ip", "from client.example.org"), None);
        let addresses = Manner { prefix: "j", names: false, is_line: false };
        let pattern = Pattern::new(&Expression::convert("^<HOST>$", addresses).unwrap().text).unwrap();
        assert!(!pattern.is_match("a.b").unwrap());
        assert_eq!(taken("^<SUBNET>$", "ip", "192.0.2.0/24").as_deref(), Some("192.0.2.0/24"));
    }

    #[test]
    fn tags_and_groups_are_groups_with_the_prefix() {
        let source = r"^<F-MLFID>\w+</F-MLFID> (?P<q>['\x22]?)<F-USER>(?P<_c>\S+)</F-USER>(?P=q)(?(_c) |x)<IP4>\<HOST\> <b>";
        let expression =
            Expression::convert(source, Manner { prefix: "a_b", names: true, is_line: false }).unwrap();
        assert!(expression.text.contains(r"(?P<a_b_session>\w+) (?P<a_b_q>["), "{}", expression.text);
        assert!(expression.text.contains(r"(?P=a_b_q)(?(a_b__c) |x)(?P<a_b_ip4>"), "{}", expression.text);
        assert!(expression.text.ends_with(r"\<HOST\> <b>"), "{}", expression.text);
        let groups: Vec<&str> = expression.groups.iter().map(String::as_str).collect();
        assert_eq!(groups, ["_c", "ip4", "q", "session", "user"]);
        assert_eq!(convert("(?x)((?i)a)(?:(?i)b)").unwrap().text, "(?x)(?i:a)(?i:b)");
        assert!(convert("a<SKIPLINES>b").unwrap_err().contains("several lines"));
        assert_eq!(convert("(a").unwrap_err(), "missing ), unterminated subpattern");
    }

    #[test]
    fn what_is_left_of_a_date_is_optional_at_the_beginning_of_a_line() {
        let line = Manner { prefix: "j", names: true, is_line: true };
        let text = |source: &str| Expression::convert(source, line).unwrap().text;
        assert_eq!(text(r"^\[\]\s?\[error\]"), r"^ ?(?:\[\])?\s?\[error\]");
        assert_eq!(text("^: x"), "^ ?: x");
        assert_eq!(text(r"^\s[+-]\d{4} x"), r"^ ?(?:\s[+-]\d{4})? x");
        assert_eq!(text("x^"), "x^");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r"([<>()?P=:\\a-zé]|<HOST>|<F-|/>|\(\?P<){0,20}") {
            let _ = convert(&text);
        }
    }
}
