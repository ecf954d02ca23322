//! An entry from a message: the members of a JSON object are its fields.

use std::fmt;

use pyruse_core::entry::{MemoryRecord, Record, Sink};
use pyruse_core::serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use pyruse_core::time::Timestamp;

use super::fields::{FOREIGN, SENDER, SUBJECT, is_name};
use super::handover::Message;
use crate::subject;

/// The largest number of values that an entry gets from a message.
const MOST_VALUES: usize = 256;

/// The current entry.
#[derive(Default)]
pub(super) struct StreamRecord {
    fields: MemoryRecord,
    /// The name of the stream.
    stream: String,
    sequence: u64,
    sender: String,
    identity: String,
}

impl StreamRecord {
    /// Makes a record of this stream.
    pub(super) fn of(stream: &str) -> StreamRecord {
        StreamRecord { stream: stream.to_owned(), ..StreamRecord::default() }
    }

    /// Fills in a message; returns `false` if it is not an entry.
    pub(super) fn fill(&mut self, message: &Message, payload: &[u8], sender_token: Option<usize>) -> bool {
        self.fields.clear();
        self.sender.clear();
        if let Some(n) = sender_token {
            let token = message.subject.split('.').nth(n);
            // A sender that its own subject does not name as we do could be taken for two.
            let Some(sender) = token.and_then(subject::decode).filter(|sender| !sender.is_empty()) else {
                return false;
            };
            self.sender = sender;
            self.fields.push(SENDER, self.sender.as_bytes());
        }
        self.fields.push(SUBJECT, message.subject.as_bytes());
        self.fields.realtime = message.time;
        self.sequence = message.sequence;
        self.identity.clone_from(&message.identity);
        let mut json = serde_json::Deserializer::from_slice(payload);
        json.deserialize_map(Fields(&mut self.fields)).is_ok() && json.end().is_ok()
    }

    pub(super) fn time(&self) -> Timestamp {
        self.fields.realtime
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn sender(&self) -> &str {
        &self.sender
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }
}

impl Record for StreamRecord {
    fn realtime(&mut self) -> Timestamp {
        self.fields.realtime
    }

    fn monotonic(&mut self) -> Option<i64> {
        None
    }

    fn cursor(&mut self) -> Option<String> {
        Some(format!("{}:{}", self.stream, self.sequence))
    }

    fn next_field(&mut self, sink: &mut Sink<'_>) -> bool {
        self.fields.next_field(sink)
    }
}

/// Puts the members of an object into a record.
struct Fields<'a>(&'a mut MemoryRecord);

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut left = MOST_VALUES;
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            let name = if name.starts_with('_') { format!("{FOREIGN}{name}").into() } else { name };
            if left == 0 || !is_name(&name) {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            members.next_value_seed(Values {
                record: self.0,
                name: &name,
                left: &mut left,
                nested: false,
            })?;
        }
        Ok(())
    }
}

/// Puts a value into a record; each element of a list is a value of the same field.
struct Values<'a> {
    record: &'a mut MemoryRecord,
    name: &'a str,
    left: &'a mut usize,
    /// Whether it is in a list.
    nested: bool,
}

impl Values<'_> {
    fn push(self, value: &[u8]) {
        if *self.left > 0 {
            *self.left -= 1;
            self.record.push(self.name, value);
        }
    }
}

impl<'de> pyruse_core::serde::de::DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.push(text.as_bytes());
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.push(number.to_string().as_bytes());
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.push(number.to_string().as_bytes());
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.push(number.to_string().as_bytes());
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.push(truth.to_string().as_bytes());
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        if self.nested {
            while values.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        loop {
            let value = Values { record: self.record, name: self.name, left: self.left, nested: true };
            if values.next_element_seed(value)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Option<Vec<(String, String)>> {
        let mut record = MemoryRecord::default();
        let mut deserializer = serde_json::Deserializer::from_str(json);
        deserializer.deserialize_map(Fields(&mut record)).ok()?;
        deserializer.end().ok()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(record.fields().map(|(name, value)| (text(name), text(value))).collect())
    }

    #[test]
    fn members_are_fields_and_none_keeps_a_leading_underscore() {
        let json = r#"{"thatIP": "192.0.2.1", "_UID": 0, "__CURSOR": "x", "_SENDER": "web-9", "_SOURCE": "journal",
            "n": -1.5, "t": true, "none": null, "list": ["a", 1, ["deep"], {"a": 1}], "object": {"a": 1}, "a b": 1}"#;
        let expected = [
            ("thatIP", "192.0.2.1"),
            ("REMOTE__UID", "0"),
            ("REMOTE___CURSOR", "x"),
            ("REMOTE__SENDER", "web-9"),
            ("REMOTE__SOURCE", "journal"),
            ("n", "-1.5"),
            ("t", "true"),
            ("list", "a"),
            ("list", "1"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields(json).unwrap(), expected);
    }

    #[test]
    fn what_is_no_object_is_no_entry_and_the_number_of_fields_is_bounded() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        for bad in ["", "1", "[]", "\"a\"", "{", "{\"a\": 1} x", "{\"a\": }", "\u{0}"] {
            assert_eq!(fields(bad), None, "{bad}");
        }
        // What is nested is passed over, however deep.
        assert_eq!(fields(&deep).unwrap(), []);
        let many: Vec<String> = (0..100_000).map(|n| format!("\"f{n}\": [1, 2]")).collect();
        assert_eq!(fields(&format!("{{{}}}", many.join(","))).unwrap().len(), 256);
        assert_eq!(fields("{}").unwrap(), []);
    }
}
