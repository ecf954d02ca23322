//! One JSON object per line: of any program, or of Docker.

use pyruse_core::time::Timestamp;

use super::super::date::Dates;
use super::super::entry::{LogEntry, Part};
use super::object::{self, Scalar};
use super::parsed::{Parsed, dated};

/// The names of the member with the message: the first of them counts.
const MESSAGES: [&[u8]; 4] = [b"MESSAGE", b"message", b"msg", b"log"];

/// The names of the member with the time.
const TIMES: [&[u8]; 7] = [b"time", b"ts", b"timestamp", b"@timestamp", b"datetime", b"date", b"t"];

pub(super) fn parse(
    time_field: Option<&str>,
    line: &[u8],
    entry: &mut LogEntry,
    dates: &mut Dates,
) -> Option<Parsed> {
    let (mut message, mut time) = (None, None);
    object::walk(line, &mut |name, value| {
        let text = value.bytes();
        if let Some(rank) = MESSAGES.iter().position(|known| *known == name) {
            let stored = entry.push(text);
            if message.is_none_or(|(other, _)| rank < other) {
                message = Some((rank, stored));
            }
            if rank == 0 {
                return;
            }
        }
        entry.own(name, text);
        let rank = match time_field {
            Some(field) => (field.as_bytes() == name).then_some(0),
            None => TIMES.iter().position(|known| *known == name),
        };
        if let Some(rank) = rank
            && time.is_none_or(|(other, _)| rank < other)
            && let Some(found) = time_of(value, dates)
        {
            time = Some((rank, found));
        }
    })?;
    let message = message.map_or_else(|| entry.push(line), |(_, message): (usize, Part)| message);
    entry.set_message(message);
    Some(dated(time.map(|(_, time)| time), entry, dates))
}

fn time_of(value: Scalar<'_>, dates: &mut Dates) -> Option<(Timestamp, bool)> {
    match value {
        Scalar::Text(text) => dates.parse(text),
        Scalar::Number(text) => {
            std::str::from_utf8(text).ok()?.parse().ok().and_then(|number| dates.parse_number(number))
        }
        Scalar::Other(_) => None,
    }
}

/// `{"log": "text\n", "stream": "stdout", "time": "…"}`. A text without an end is a part of a longer one.
pub(super) fn parse_docker(line: &[u8], entry: &mut LogEntry, dates: &mut Dates) -> Option<Parsed> {
    let (mut message, mut time, mut is_open) = (None, None, false);
    object::walk(line, &mut |name, value| {
        let text = value.bytes();
        match name {
            b"log" => {
                is_open = !text.ends_with(b"\n");
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                message = Some(entry.push(text.strip_suffix(b"\r").unwrap_or(text)));
            }
            b"stream" => entry.value("STREAM", text),
            b"time" => time = time_of(value, dates),
            _ => entry.own(name, text),
        }
    })?;
    entry.set_message(message?);
    Some(Parsed { is_open, ..dated(time, entry, dates) })
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::super::{DateOf, Form};

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn members_are_fields() {
        let line = br#"{"ts": 1795000000.5, "level":"info","msg":"a \"b\" \u00e9\ud83d\ude00\n","request":{"remote_ip":"192.0.2.1","h":{"x":[1,2]}}, "ok":true,"n":null,"status":404}"#;
        let names = ["MESSAGE", "msg", "request.remote_ip", "request.h.x", "ok", "status", "level"];
        let (parsed, second, found) = read(Form::Json, line, &names);
        assert!(!parsed.is_odd && parsed.date == DateOf::Past && second == 1_795_000_000);
        assert_eq!(
            found,
            some(&["a \"b\" é😀\n", "a \"b\" é😀\n", "192.0.2.1", "1, 2", "true", "404", "info"])
        );
        assert_eq!(read(Form::Json, line, &["n"]).2, [None]);
        let line = br#"{"h":{"x":[],"y":{},"z":["",2]}}"#;
        assert_eq!(
            read(Form::Json, line, &["h.x", "h.y", "h.z"]).2,
            [Some(String::new()), None, Some(", 2".to_owned())]
        );
        let line = br#"{"_FILE":"forged","__CURSOR":"x","a":{"_UID":0},"@timestamp":"2026-11-18T11:06:40Z"}"#;
        let (_, second, found) = read(Form::Json, line, &["FILE", "a._UID", "MESSAGE"]);
        assert_eq!(
            (second, found),
            (1_795_000_000, some(&["forged", "0", std::str::from_utf8(line).unwrap()]))
        );
    }

    #[test]
    fn what_is_no_object_is_odd() {
        for line in [
            "",
            "{",
            "[]",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1} x",
            "{\"a\" 1}",
            "{a:1}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"x}",
        ] {
            assert!(read(Form::Json, line.as_bytes(), &[]).0.is_odd, "{line}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
        assert!(!read(Form::Json, deep.as_bytes(), &[]).0.is_odd);
        assert!(!read(Form::Json, b"{\"a\":\"\xff\"}", &[]).0.is_odd);
    }

    #[test]
    fn lines_of_docker_are_taken_apart() {
        let line = br#"{"log":"hello\r\n","stream":"stderr","attrs":{"tag":"x"},"time":"2026-11-18T11:06:40.123456789Z"}"#;
        let (parsed, second, found) = read(Form::Docker, line, &["MESSAGE", "STREAM", "attrs.tag"]);
        assert!(!parsed.is_open && second == 1_795_000_000);
        assert_eq!(found, some(&["hello", "stderr", "x"]));
        let open = br#"{"log":"hel","stream":"stderr","time":"2026-11-18T11:06:40.123456789Z"}"#;
        assert!(read(Form::Docker, open, &[]).0.is_open);
    }
}
