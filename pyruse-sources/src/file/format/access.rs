//! The common log format of web servers, and the combined one: `ADDRESS IDENT USER [DATE] "REQUEST" STATUS BYTES`, and
//! `"REFERER" "USER AGENT"`; perhaps with the name of the virtual host in front.
//!
//! A client chooses most of it: its user name may contain spaces and brackets, and servers write it as it is. What no
//! client can write is a quotation mark: servers escape it. So the request begins at the first quotation mark, the date
//! is right before it, and the address is at the beginning.

use super::super::date::Dates;
use super::super::entry::LogEntry;
use super::parsed::{Parsed, after, dated, split};

pub(super) fn parse(line: &[u8], entry: &mut LogEntry, dates: &mut Dates) -> Option<Parsed> {
    let quote = memchr::memchr(b'"', line)?;
    let before = line[..quote].strip_suffix(b"] ")?;
    let bracket = memchr::memrchr(b'[', before)?;
    let found = dates.parse(&before[bracket + 1..])?;
    let client = before[..bracket].strip_suffix(b" ")?;

    let (first, rest) = split(client, b' ')?;
    let second = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
    // An address in front is the client's, whatever follows it: the user's name may look like an address.
    let (host, address, rest) = if !is_address(first) && is_address(second) {
        (Some(first), second, rest.get(second.len() + 1..)?)
    } else {
        (None, first, rest)
    };
    let (_, user) = split(rest, b' ')?;

    let (request, rest) = quoted(&line[quote + 1..])?;
    let mut words = after(rest, b' ')?.splitn(3, |byte| *byte == b' ');
    let (status, bytes) = (words.next()?, words.next()?);
    if status.len() != 3 || !status.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let rest = words.next().unwrap_or_default();

    let stored = entry.push(line);
    let at = |part: &[u8]| stored.within(line, part);
    for (name, value) in
        [("REMOTE_ADDR", address), ("REMOTE_USER", user), ("STATUS", status), ("BYTES", bytes)]
    {
        if value != b"-" && !value.is_empty() {
            entry.field(name, at(value));
        }
    }
    if let Some(host) = host {
        entry.field("VHOST", at(host));
    }
    if let Some((method, target)) = split(request, b' ') {
        let protocol =
            memchr::memrchr(b' ', target).filter(|space| target[space + 1..].starts_with(b"HTTP/"));
        let path = &target[..protocol.unwrap_or(target.len())];
        entry.field("METHOD", at(method));
        entry.field("PATH", at(path));
        if let Some(space) = protocol {
            entry.field("PROTOCOL", at(&target[space + 1..]));
        }
    }
    if let Some((referer, rest)) = after(rest, b'"').and_then(quoted) {
        if referer != b"-" {
            entry.field("REFERER", at(referer));
        }
        if let Some((agent, _)) = rest.strip_prefix(b" \"").and_then(quoted)
            && agent != b"-"
        {
            entry.field("USER_AGENT", at(agent));
        }
    }
    entry.message_of([&line[..=bracket], &line[quote - 2..]]);
    Some(dated(Some(found), entry, dates))
}

/// The text up to the next quotation mark that is not escaped, and what follows that.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', &text[from..])?;
        if text[at] == b'"' {
            return Some((&text[..at], &text[at + 1..]));
        }
        from = at + 2;
        if from > text.len() {
            return None;
        }
    }
}

fn is_address(text: &[u8]) -> bool {
    let may_be = text.first().is_some_and(|first| first.is_ascii_hexdigit() || *first == b':');
    may_be && std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::Form;
    use super::super::tests::read;

    const NAMES: [&str; 8] =
        ["REMOTE_ADDR", "REMOTE_USER", "METHOD", "PATH", "PROTOCOL", "STATUS", "REFERER", "USER_AGENT"];

    fn access(line: &str) -> Vec<String> {
        let (parsed, second, found) = read(Form::Access, line.as_bytes(), &NAMES);
        assert!(!parsed.is_odd && second == 1_795_000_000, "{line}");
        found.into_iter().map(|text| text.unwrap_or("-".into())).collect()
    }

    #[test]
    fn lines_of_web_servers_are_taken_apart() {
        for (line, fields) in [
            (
                r#"192.0.2.1 - - [18/Nov/2026:12:06:40 +0100] "GET /a?b=c HTTP/1.1" 404 153 "-" "curl/8""#,
                "192.0.2.1|-|GET|/a?b=c|HTTP/1.1|404|-|curl/8",
            ),
            (
                r#"2001:db8::1 - alice [18/Nov/2026:12:06:40 +0100] "POST / HTTP/2.0" 200 - "https://x/" "M \"x\" y""#,
                r#"2001:db8::1|alice|POST|/|HTTP/2.0|200|https://x/|M \"x\" y"#,
            ),
            (
                r#"www:443 192.0.2.1 - - [18/Nov/2026:12:06:40 +0100] "GET / x" 200 5"#,
                "192.0.2.1|-|GET|/ x|-|200|-|-",
            ),
            (r#"192.0.2.1 - - [18/Nov/2026:12:06:40 +0100] "\x16\x03" 400 0"#, "192.0.2.1|-|-|-|-|400|-|-"),
            (
                r#"client.example - - [18/Nov/2026:12:06:40 +0100] "-" 408 0"#,
                "client.example|-|-|-|-|408|-|-",
            ),
        ] {
            assert_eq!(access(line), fields.split('|').collect::<Vec<_>>(), "{line}");
        }
        let line = br#"192.0.2.1 - - [18/Nov/2026:12:06:40 +0100] "GET / HTTP/1.1" 200 5"#;
        let message = read(Form::Access, line, &["MESSAGE", "BYTES"]).2;
        let expected = [r#"192.0.2.1 - - [] "GET / HTTP/1.1" 200 5"#, "5"];
        assert_eq!(message, expected.map(|text| Some(text.to_owned())));
    }

    #[test]
    fn a_client_cannot_forge_the_address_or_the_date() {
        for user in ["192.0.2.9", "x [01/Jan/2020:00:00:00 +0000] y", "a b c", "192.0.2.9 - [", "- 192.0.2.9"]
        {
            let line = format!(r#"192.0.2.1 - {user} [18/Nov/2026:12:06:40 +0100] "GET / HTTP/1.1" 401 5"#);
            let found = access(&line);
            assert_eq!((found[0].as_str(), found[1].as_str(), found[5].as_str()), ("192.0.2.1", user, "401"));
        }
    }
}
