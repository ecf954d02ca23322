//! Subjects: texts of tokens with a dot between. In a subject that messages are selected by, the token `*` stands for any
//! one token, and `>` at the end for all that follow, at least one.

/// The maximum length of a subject, in bytes.
pub(crate) const LONGEST: usize = 255;

/// Checks a subject; one with wildcards only if they are `allowed`.
pub(crate) fn check(subject: &str, allowed: bool) -> Result<(), String> {
    if subject.len() > LONGEST {
        return Err(format!("a subject must not have more than {LONGEST} bytes"));
    }
    let tokens: Vec<&str> = subject.split('.').collect();
    for (n, token) in tokens.iter().enumerate() {
        let is_wildcard = *token == "*" || (*token == ">" && n + 1 == tokens.len());
        if token.is_empty() {
            return Err(
                "a subject must not have an empty token: nothing before, behind or between its dots".into()
            );
        }
        if is_wildcard && allowed {
            continue;
        }
        if let Some(bad) = token.chars().find(|c| !c.is_ascii_graphic() || "*>".contains(*c)) {
            return Err(format!(
                "the token `{}` of a subject must not contain `{}`",
                token.escape_debug(),
                bad.escape_debug()
            ));
        }
    }
    if subject.starts_with('$') {
        return Err("subjects that begin with `$` belong to the server".into());
    }
    Ok(())
}

/// Appends a value as one token, so that no value can begin another token: all bytes but ASCII letters, digits, `-`, `_`
/// and `:` are written as `%` and two hexadecimal digits.
pub(crate) fn encode(value: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Returns the value of a token that [`encode`] has written; `None` if it did not write this one: so no two tokens have
/// the same value.
pub(crate) fn decode(token: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let [byte, others @ ..] = rest {
        rest = others;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = rest.get(..2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = &rest[2..];
    }
    let value = String::from_utf8(bytes).ok()?;
    let mut again = String::new();
    encode(&value, &mut again);
    (again == token).then_some(value)
}

/// Returns `true` if a subject can match both: each may have wildcards.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        return match (one.next(), other.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => continue,
            _ => false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_token_and_comes_back_as_it_was() {
        for (value, token) in [
            ("192.0.2.1", "192%2E0%2E2%2E1"),
            ("2001:db8::1", "2001:db8::1"),
            ("web-1", "web-1"),
            ("*", "%2A"),
            (">", "%3E"),
            ("a b\r\n", "a%20b%0D%0A"),
            ("é%", "%C3%A9%25"),
            ("", ""),
        ] {
            let mut encoded = String::new();
            encode(value, &mut encoded);
            assert_eq!(encoded, token);
            assert_eq!(decode(token).as_deref(), Some(value));
        }
        // Another token for the same value would be another sender with its name.
        for forged in ["%2e", "%41", "a.b", "%", "%2", "%zz", "%+1", "%FF", "é"] {
            assert_eq!(decode(forged), None, "{forged}");
        }
    }

    #[test]
    fn wildcards_and_what_belongs_to_the_server_are_no_subjects_to_publish_to() {
        for (subject, publish, select) in [
            ("ban", true, true),
            ("fail.web-1.ssh", true, true),
            ("fail.*.ssh", false, true),
            ("fail.>", false, true),
            ("fail.>.ssh", false, false),
            ("fail.a*", false, false),
            ("", false, false),
            ("a..b", false, false),
            (".a", false, false),
            ("a.", false, false),
            ("a b", false, false),
            ("a\r\nPUB b 0", false, false),
            ("$JS.API.STREAM.DELETE.BANS", false, false),
        ] {
            assert_eq!(check(subject, false).is_ok(), publish, "{subject:?}");
            assert_eq!(check(subject, true).is_ok(), select, "{subject:?}");
        }
        assert!(check(&"a".repeat(255), false).is_ok() && check(&"a".repeat(256), false).is_err());
    }

    #[test]
    fn two_subjects_overlap_if_one_subject_matches_both() {
        for (one, other, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("a.*", "a.b", true),
            ("a.*", "*.b", true),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("a.*.c", "a.b.>", true),
            ("a.*.c", "a.b.d", false),
        ] {
            assert_eq!(overlap(one, other), expected, "{one} {other}");
            assert_eq!(overlap(other, one), expected, "{other} {one}");
        }
    }
}
