//! An entry: names, each with a list of values.

use std::collections::BTreeMap;

use pyruse_python::format;

use super::Tools;

const INTEGERS: &str = "PRIORITY LEADER SESSION_ID USERSPACE_USEC INITRD_USEC KERNEL_USEC _UID _GID _PID \
    SYSLOG_FACILITY SYSLOG_PID _AUDIT_SESSION _AUDIT_LOGINUID _SYSTEMD_SESSION _SYSTEMD_OWNER_UID CODE_LINE ERRNO \
    EXIT_STATUS COREDUMP_PID COREDUMP_UID COREDUMP_GID COREDUMP_SESSION COREDUMP_SIGNAL";

const TIMES: &str = "__REALTIME_TIMESTAMP _SOURCE_REALTIME_TIMESTAMP COREDUMP_TIMESTAMP";

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    /// Microseconds since the epoch.
    Time(i64),
}

impl Value {
    fn read(name: &str, bytes: &[u8]) -> Value {
        let bytes = cut(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            // ISO-8859-1: each byte is the code point of its number.
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        };
        let is_in = |names: &str| names.split_whitespace().any(|other| other == name);
        match text.parse::<i64>() {
            Ok(integer) if is_in(INTEGERS) => Value::Integer(integer),
            Ok(micros) if is_in(TIMES) => Value::Time(micros),
            _ => Value::Text(text),
        }
    }

    pub fn text(&self, tools: &mut Tools) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Integer(integer) => integer.to_string(),
            Value::Time(micros) => tools.show_time(*micros),
        }
    }

    pub fn for_template(&self) -> format::Value<'_> {
        match self {
            Value::Text(text) => format::Value::Text(text),
            Value::Integer(integer) => format::Value::Integer(*integer),
            Value::Time(micros) => format::Value::Time { micros: *micros },
        }
    }
}

/// 64 KiB at most; a character that the cut splits is left out.
fn cut(bytes: &[u8]) -> &[u8] {
    let kept = &bytes[..bytes.len().min(65_536)];
    if kept.len() == bytes.len() {
        return kept;
    }
    // Three bytes are the most that a split character has on this side.
    let shorter = (0..4).map(|less| &kept[..kept.len() - less]);
    shorter.into_iter().find(|text| std::str::from_utf8(text).is_ok()).unwrap_or(kept)
}

#[derive(Clone, Debug, Default)]
pub struct Entry {
    fields: BTreeMap<String, Vec<Value>>,
}

impl Entry {
    pub fn new(fields: &[(String, Vec<u8>)]) -> Entry {
        let mut entry = Entry::default();
        for (name, bytes) in fields {
            entry.fields.entry(name.clone()).or_default().push(Value::read(name, bytes));
        }
        entry
    }

    /// All values of a field; none, if it is missing.
    pub fn values(&self, name: &str) -> Vec<Value> {
        self.fields.get(name).cloned().unwrap_or_default()
    }

    /// What is printed of a field; several values are joined.
    pub fn shown(&self, name: &str, tools: &mut Tools) -> Option<Value> {
        let values = self.values(name);
        if values.len() > 1 {
            let texts: Vec<String> = values.iter().map(|value| value.text(tools)).collect();
            return Some(Value::Text(texts.join(", ")));
        }
        values.into_iter().next()
    }

    /// The text of that.
    pub fn text(&self, name: &str, tools: &mut Tools) -> Option<String> {
        Some(self.shown(name, tools)?.text(tools))
    }

    pub fn set(&mut self, name: &str, value: Option<Value>) {
        match value {
            Some(value) => self.fields.insert(name.to_owned(), vec![value]),
            None => self.fields.remove(name),
        };
    }

    /// Sets a field to several texts.
    pub fn set_all(&mut self, name: &str, texts: Vec<String>) {
        self.set(name, None);
        if !texts.is_empty() {
            self.fields.insert(name.to_owned(), texts.into_iter().map(Value::Text).collect());
        }
    }

    pub fn cursor(&self) -> Option<String> {
        match self.original("__CURSOR")? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Microseconds since the epoch.
    pub fn time(&self) -> i64 {
        match self.original("__REALTIME_TIMESTAMP") {
            Some(Value::Time(micros)) => *micros,
            other => panic!("an entry has a time, not {other:?}"),
        }
    }

    /// No configuration here saves over the address of an entry.
    fn original(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)?.first()
    }

    /// The time as effects show it: RFC 3339, UTC, microseconds.
    pub fn at(&self) -> String {
        let (seconds, micros) = (self.time().div_euclid(1_000_000), self.time().rem_euclid(1_000_000));
        let (mut days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let (mut year, mut month) = (1970, 1);
        while days >= 365 + i64::from(is_leap(year)) {
            days -= 365 + i64::from(is_leap(year));
            year += 1;
        }
        for length in [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            if days < length {
                break;
            }
            days -= length;
            month += 1;
        }
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", days + 1)
    }
}
