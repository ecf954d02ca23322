//! What to write instead, for those who are used to other dialects of expressions, or to fail2ban.

use std::ops::Range;

use super::error::PatternError;

/// What to do about an error, where something of another dialect was meant.
pub fn advice(expression: &str, error: &PatternError) -> Option<String> {
    let at = expression.get(error.offset..)?;
    if let Some(name) = at.strip_prefix("?<").or_else(|| at.strip_prefix("?'")) {
        let name: String = name.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
        return Some(if name.is_empty() {
            "a group with a name is written `(?P<name>…)`".into()
        } else {
            format!("write `(?P<{name}>…)`")
        });
    }
    let advice = match error.message.as_str() {
        "global flags not at the start of the expression" => {
            "put it at the very beginning, or write `(?i:…)` around the part that it is for"
        }
        "look-behind requires fixed-width pattern" => {
            "all that a look-behind may find must be of one length; write one for each length: `(?:(?<=a)|(?<=bc))`"
        }
        _ => match at.get(..2)? {
            r"\p" | r"\P" => {
                r"list the characters, or use `\w` and `\d`, which know all of Unicode; `[^\W\d_]` is a letter"
            }
            r"\h" => r"write `[ \t]`",
            r"\R" => r"write `(?:\r\n|\n|\r)`",
            r"\z" => r"write `\Z`",
            r"\e" => r"write `\x1b`",
            r"\G" | r"\K" | r"\Q" | r"\E" | r"\X" | r"\C" => "Python's expressions have nothing like it",
            _ if ["?R", "?&", "?|", "?P>", "?+"].iter().any(|other| at.starts_with(other)) => {
                "Python's expressions have nothing like it"
            }
            _ => return None,
        },
    };
    Some(advice.into())
}

/// A tag or an interpolation of fail2ban in an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its bytes.
    pub at: Range<usize>,
    /// What to write here.
    pub instead: &'static str,
}

/// What fail2ban would replace in the expression. To Python, and here, these are plain text.
pub fn fail2ban_tags(expression: &str) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    let mut from = 0;
    while let Some(found) = expression[from..].find(['<', '%']) {
        let start = from + found;
        from = start + 1;
        let rest = &expression[start..];
        let is_interpolation = rest.starts_with("%(");
        let Some(end) = rest.find(if is_interpolation { ")s" } else { ">" }) else { continue };
        let length = end + if is_interpolation { 2 } else { 1 };
        let name = &rest[1..end];
        let instead = if is_interpolation {
            let name = &name[1..];
            let is_name =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            is_name.then_some(INTERPOLATION)
        } else if expression[..start].ends_with("(?P") {
            None
        } else {
            instead_of(name)
        };
        let Some(instead) = instead else { continue };
        let text = &rest[..length];
        if !tags.iter().any(|known| &expression[known.at.clone()] == text) {
            tags.push(Tag { at: start..start + length, instead });
        }
    }
    tags
}

const INTERPOLATION: &str = "write what it stands for; what stands for the beginning of a line (time, host, program) is \
    left out, since MESSAGE does not have it";

fn instead_of(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "HOST" | "ADDR" | "IP4" | "IP6" | "CIDR" | "SUBNET" | "DNS" => {
            r#"write a group, `(?P<ip>\S+)`, and name its field in the action: `"IP": "ip"`"#
        }
        "SKIPLINES" => {
            "an expression sees one entry; what belongs together over several entries is counted under one key, \
             with `action_counterRaise`"
        }
        _ => {
            let of_failure = tag.strip_prefix("F-")?;
            let is_name = |name: &str| {
                !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
            };
            if !is_name(of_failure) {
                return None;
            }
            match of_failure {
                "MLFID" | "MLFFORGET" | "MLFGAINED" | "NOFAIL" => {
                    "leave it out; what belongs together over several entries is counted under one key, with \
                     `action_counterRaise`"
                }
                _ => {
                    "write a group with a name around the same part, `(?P<user>…)`: its field can be used from there on"
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;
    use super::*;

    #[test]
    fn what_other_dialects_write_is_refused_with_what_to_write_here() {
        for (expression, expected) in [
            (r"from (?<ip>\S+)", "write `(?P<ip>…)`"),
            (r"(?'user'.*)", "write `(?P<user>…)`"),
            (r"(?<>a)", "`(?P<name>…)`"),
            (r"\p{L}+", r"`\w`"),
            (r"x\z", r"`\Z`"),
            (r"a\h+b", r"`[ \t]`"),
            (r"ab(?i)c", "`(?i:…)`"),
            (r"(?<=a|bc)d", "(?<=a)|(?<=bc)"),
            (r"(?R)", "nothing like it"),
            (r"(?P>name)", "nothing like it"),
        ] {
            let error = Pattern::new(expression).unwrap_err();
            let advice = advice(expression, &error).unwrap_or_default();
            assert!(advice.contains(expected), "{expression}: {error}: {advice}");
        }
        for expression in ["(", "[a", "a**"] {
            let error = Pattern::new(expression).unwrap_err();
            assert_eq!(advice(expression, &error), None, "{expression}");
        }
    }

    #[test]
    fn what_fail2ban_would_replace_is_named_with_what_to_write_here() {
        let texts = |expression: &'static str| -> Vec<&str> {
            fail2ban_tags(expression).into_iter().map(|tag| &expression[tag.at]).collect()
        };
        assert_eq!(
            texts(r"^%(__prefix_line)sFailed for <F-USER>.*</F-USER> from <HOST>( port \d+)?$"),
            ["%(__prefix_line)s", "<F-USER>", "<HOST>"]
        );
        assert_eq!(texts("<ADDR> <SKIPLINES> <ADDR> <IP6>"), ["<ADDR>", "<SKIPLINES>", "<IP6>"]);
        assert_eq!(texts(r"(?P<HOST>\S+) user=<[^>]*> <F> <F-> <host> 100%(x)? %(a-b)s <é>"), [""; 0]);
    }
}
