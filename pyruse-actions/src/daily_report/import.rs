//! Imports the lines that the first Pyruse recorded: `action_dailyReport.py.journal`.
//!
//! The file is a JSON array that may lack its end, because the first program appended to it. Its items are
//! `{"L": 1|2|0, "T": unix seconds, "M": message, "D": details}`, where L is 1 for WARN, 2 for INFO, 0 for OTHER.

use pyruse_core::serde::Deserialize;
use pyruse_core::time::Timestamp;

use super::{Details, Line, LineOrigin, ReportLevel};

#[derive(Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Item {
    #[serde(rename = "L")]
    level: u8,
    #[serde(rename = "T")]
    time: f64,
    #[serde(rename = "M")]
    message: String,
    #[serde(rename = "D", default)]
    details: Option<Details>,
}

/// Reads the lines of such a file. An error says where the file is broken.
pub(super) fn read(content: &[u8]) -> Result<Vec<Line>, String> {
    let text = std::str::from_utf8(content)
        .map_err(|e| format!("this is not UTF-8 from byte {}", e.valid_up_to()))?;
    let mut lines = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Ok(lines);
    }
    rest = rest.strip_prefix('[').ok_or("this is not a JSON array")?.trim_start();
    while !rest.is_empty() && rest != "]" {
        let at = text.len() - rest.len();
        let mut items = serde_json::Deserializer::from_str(rest).into_iter::<Item>();
        let item = items
            .next()
            .ok_or("an item is missing")?
            .map_err(|e| format!("the item at byte {at} cannot be parsed: {e}"))?;
        rest = rest[items.byte_offset()..].trim_start();
        rest = match rest.strip_prefix(',') {
            Some(rest) => rest.trim_start(),
            None if rest.is_empty() || rest == "]" => rest,
            None => return Err(format!("the comma at byte {} is missing", text.len() - rest.len())),
        };
        lines.push(line(item).ok_or_else(|| format!("the item at byte {at} has an unknown level"))?);
    }
    Ok(lines)
}

fn line(item: Item) -> Option<Line> {
    let level = match item.level {
        0 => ReportLevel::Other,
        1 => ReportLevel::Warn,
        2 => ReportLevel::Info,
        _ => return None,
    };
    #[allow(clippy::cast_possible_truncation, reason = "`as` saturates, and no such time is real")]
    let time = Timestamp((item.time * 1e6) as i64);
    Some(Line {
        level,
        time,
        message: item.message,
        details: item.details.unwrap_or_default(),
        priority: None,
        origin: LineOrigin::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_and_one_without_its_end_are_read() {
        let item = r#"{"L":1,"T":1795000000.5,"M":"a]","D":"FIRST"}"#;
        let line = |level, details| Line {
            level,
            time: Timestamp(1_795_000_000_500_000),
            message: "a]".into(),
            details,
            priority: None,
            origin: LineOrigin::default(),
        };
        for text in [format!("[{item}]"), format!("[{item}"), format!("[\n{item},\n"), format!("[{item},]")] {
            assert_eq!(read(text.as_bytes()).unwrap(), [line(ReportLevel::Warn, Details::First)], "{text}");
        }
        let two = format!("[{item},{}]", item.replace("\"L\":1", "\"L\":0").replace(",\"D\":\"FIRST\"", ""));
        assert_eq!(
            read(two.as_bytes()).unwrap(),
            [line(ReportLevel::Warn, Details::First), line(ReportLevel::Other, Details::All)]
        );
        assert_eq!(read(b"").unwrap(), []);
        assert_eq!(read(b"[").unwrap(), []);
    }

    #[test]
    fn a_broken_file_is_an_error() {
        for (text, message) in [
            ("{}", "this is not a JSON array"),
            (r#"[{"L":1,"T":1,"M":"a"#, "the item at byte 1 cannot be parsed"),
            (r#"[{"L":9,"T":1,"M":"a"}]"#, "the item at byte 1 has an unknown level"),
            (r#"[{"L":1,"T":1,"M":"a"} {"L":1}]"#, "the comma at byte 23 is missing"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
        assert!(read(b"[\xff]").is_err());
    }
}
