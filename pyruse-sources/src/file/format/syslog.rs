//! What syslog daemons write: RFC 3164, with the usual forms of dates, and RFC 5424.

use super::super::date::Dates;
use super::super::entry::LogEntry;
use super::parsed::{Parsed, after, dated, split};

/// The longest name of a program that is looked for, in bytes.
const TAG: usize = 256;

pub(super) fn parse(line: &[u8], entry: &mut LogEntry, dates: &mut Dates) -> Option<Parsed> {
    let (priority, rest) = priority(line);
    if let Some(priority) = priority {
        entry.value("PRIORITY", (priority % 8).to_string().as_bytes());
        entry.value("SYSLOG_FACILITY", (priority / 8).to_string().as_bytes());
        if let Some(rest) = rest.strip_prefix(b"1 ") {
            return rfc5424(rest, entry, dates);
        }
    }
    let found = dates.find(rest)?;
    if found.cut.start > 0 {
        return None;
    }
    let rest = &rest[found.cut.end..];
    // Some daemons leave out the name of the machine.
    let (host, message) = match split(rest, b' ') {
        Some((host, message)) if !host.ends_with(b":") => (Some(host), message),
        _ => (None, rest),
    };
    if let Some(host) = host {
        entry.value("HOSTNAME", host);
    }
    let message = tagged(message, entry).unwrap_or(message);
    let message = entry.push(message);
    entry.set_message(message);
    Some(dated(Some((found.time, found.is_ahead)), entry, dates))
}

/// `<38>`.
fn priority(line: &[u8]) -> (Option<u16>, &[u8]) {
    let parse = || {
        let (digits, rest) = split(after(line, b'<')?, b'>').filter(|(digits, _)| digits.len() <= 3)?;
        let priority: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (priority < 192 && digits[0] != b'+').then_some((priority, rest))
    };
    parse().map_or((None, line), |(priority, rest)| (Some(priority), rest))
}

/// `sshd[123]: `, or `sshd: `; returns what follows.
fn tagged<'l>(text: &'l [u8], entry: &mut LogEntry) -> Option<&'l [u8]> {
    let end = text.iter().take(TAG).position(|byte| matches!(byte, b':' | b'[' | b' '))?;
    let tag = &text[..end];
    let (pid, rest) = match text[end] {
        b':' => (None, &text[end + 1..]),
        b'[' => {
            let (pid, rest) = split(&text[end + 1..], b']').filter(|(pid, _)| pid.len() <= 32)?;
            (Some(pid), after(rest, b':')?)
        }
        _ => return None,
    };
    if tag.is_empty() {
        return None;
    }
    entry.value("SYSLOG_IDENTIFIER", tag);
    if let Some(pid) = pid {
        entry.value("SYSLOG_PID", pid);
    }
    Some(after(rest, b' ').unwrap_or(rest))
}

/// Behind the version: `TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG`.
fn rfc5424(rest: &[u8], entry: &mut LogEntry, dates: &mut Dates) -> Option<Parsed> {
    let (date, mut rest) = split(rest, b' ')?;
    for name in ["HOSTNAME", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "SYSLOG_MSGID"] {
        let (value, behind) = split(rest, b' ')?;
        if value != b"-" {
            entry.value(name, value);
        }
        rest = behind;
    }
    if let Some(behind) = after(rest, b'-') {
        rest = behind;
    } else {
        while let Some(element) = after(rest, b'[') {
            rest = structured(element, entry)?;
        }
    }
    let message = after(rest, b' ').unwrap_or(rest);
    let message = entry.push(message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message));
    entry.set_message(message);
    let found = if date == b"-" { None } else { Some(dates.parse(date)?) };
    Some(dated(found, entry, dates))
}

/// `ID NAME="value" …]`; returns what follows.
fn structured<'l>(element: &'l [u8], entry: &mut LogEntry) -> Option<&'l [u8]> {
    let end = element.iter().position(|byte| matches!(byte, b' ' | b']'))?;
    let (id, mut rest) = element.split_at(end);
    let mut name = Vec::new();
    let mut value = Vec::new();
    loop {
        if let Some(rest) = after(rest, b']') {
            return Some(rest);
        }
        let (parameter, behind) = split(after(rest, b' ')?, b'=')?;
        let mut bytes = after(behind, b'"')?.iter().enumerate();
        value.clear();
        let length = loop {
            match bytes.next()? {
                (n, b'"') => break n,
                (_, b'\\') => match bytes.next()?.1 {
                    escaped @ (b'"' | b'\\' | b']') => value.push(*escaped),
                    other => value.extend([b'\\', *other]),
                },
                (_, byte) => value.push(*byte),
            }
        };
        rest = behind.get(length + 2..)?;
        name.clear();
        for part in [id, b".", parameter] {
            name.extend_from_slice(part);
        }
        entry.own(&name, &value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Form;
    use super::super::tests::read;

    const NAMES: [&str; 5] = ["HOSTNAME", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "PRIORITY", "MESSAGE"];

    fn syslog(line: &str) -> (i64, Vec<String>) {
        let (parsed, second, found) = read(Form::Syslog, line.as_bytes(), &NAMES);
        assert!(!parsed.is_odd, "{line}");
        (second, found.into_iter().map(|text| text.unwrap_or("-".into())).collect())
    }

    #[test]
    fn lines_of_rfc_3164_are_taken_apart() {
        let time = 1_795_000_000;
        for (line, fields) in [
            (
                "2026-11-18T12:06:40.000001+01:00 server sshd[123]: Failed for x",
                "server|sshd|123|-|Failed for x",
            ),
            ("2026-11-18 12:06:40 server kernel: [1.2] x", "server|kernel|-|-|[1.2] x"),
            ("<38>2026-11-18T11:06:40Z server postfix/smtpd[1]:x", "server|postfix/smtpd|1|6|x"),
            ("2026-11-18T11:06:40Z sshd[7]: x", "-|sshd|7|-|x"),
            ("2026-11-18T11:06:40Z server -- MARK --", "server|-|-|-|-- MARK --"),
            ("2026-11-18T11:06:40Z server dovecot: imap-login: x", "server|dovecot|-|-|imap-login: x"),
            ("2026-11-18T11:06:40Z server", "-|-|-|-|server"),
        ] {
            assert_eq!(syslog(line), (time, fields.split('|').map(str::to_owned).collect()), "{line}");
        }
        // Without its year.
        assert_eq!(syslog("Nov 18 12:06:40 server sudo: x").1[4], "x");
    }

    #[test]
    fn lines_of_rfc_5424_are_taken_apart() {
        let line = "<34>1 2026-11-18T11:06:40.003Z mymachine su 12 ID47 [a@1 x=\"1\" y=\"q\\\"\\]\"][_b z=\"2\"] \u{feff}the message";
        let names = [
            "HOSTNAME",
            "SYSLOG_IDENTIFIER",
            "SYSLOG_PID",
            "SYSLOG_MSGID",
            "PRIORITY",
            "SYSLOG_FACILITY",
            "a@1.x",
            "a@1.y",
            "b.z",
            "MESSAGE",
        ];
        let (parsed, second, found) = read(Form::Syslog, line.as_bytes(), &names);
        assert!(!parsed.is_odd);
        let expected = ["mymachine", "su", "12", "ID47", "2", "4", "1", "q\"]", "2", "the message"];
        assert_eq!((second, found), (1_795_000_000, expected.map(|text| Some(text.to_owned())).to_vec()));
        assert_eq!(syslog("<34>1 2026-11-18T11:06:40Z - - - - - x").1, ["-", "-", "-", "2", "x"]);
        for odd in ["<34>1 2026-11-18T11:06:40Z - - - - [", "<34>1 soon - - - - - x", "<34>1 "] {
            assert!(read(Form::Syslog, odd.as_bytes(), &["MESSAGE"]).0.is_odd, "{odd}");
        }
    }
}
