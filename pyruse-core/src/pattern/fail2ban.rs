//! Finds what fail2ban would replace in an expression, for people who copy its rules.

use std::ops::Range;

/// A tag or an interpolation of fail2ban in an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its position in the expression, in bytes.
    pub at: Range<usize>,
    /// What to write instead.
    pub instead: &'static str,
}

/// Returns what fail2ban would replace in the expression. In Python, and in Pyruse, these are plain text.
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

const INTERPOLATION: &str = "write the text that it stands for; leave out what stands for the beginning of a line \
                             (time, host, program), because MESSAGE does not contain it";

fn instead_of(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "HOST" | "ADDR" | "IP4" | "IP6" | "CIDR" | "SUBNET" | "DNS" => {
            r#"write a group, `(?P<ip>\S+)`, and name its field in the action: `"IP": "ip"`"#
        }
        "SKIPLINES" => {
            "an expression sees one entry; to connect several entries, count them under one key, with \
             `action_counterRaise`"
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
                    "leave it out; to connect several entries, count them under one key, with `action_counterRaise`"
                }
                _ => "write a named group around the same part, `(?P<user>…)`: later steps can use its field",
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_fail2ban_are_reported_with_what_to_write_instead() {
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
