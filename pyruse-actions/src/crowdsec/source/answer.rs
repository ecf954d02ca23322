//! Reads an answer of the API as a stream: `{"deleted": [DECISION, …] or null, "new": [DECISION, …] or null}`. Each
//! decision is given on as soon as it is read, so the size of the whole answer does not matter.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use pyruse_core::serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::crowdsec::decision::Decision;

/// The largest decision that is read, and the largest text between two, in bytes.
const LARGEST: usize = 64 * 1024;

/// The list in which a decision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    New,
    Deleted,
}

/// Reads an answer. An error of the connection is an error of serde_json, too.
pub(super) fn read(answer: impl Read, mut take: impl FnMut(List, Decision)) -> serde_json::Result<()> {
    let left = Rc::new(Cell::new(LARGEST));
    let metered = Metered { inner: BufReader::new(answer), left: left.clone() };
    let mut json = serde_json::Deserializer::from_reader(metered);
    json.deserialize_map(Lists { left: &left, take: &mut take })?;
    json.end()
}

/// A reader that fails if too much is read before the next decision begins.
struct Metered<R> {
    inner: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let left = self.left.get().checked_sub(read);
        self.left.set(left.ok_or_else(|| io::Error::other(format!("a text of more than {LARGEST} bytes")))?);
        Ok(read)
    }
}

/// Both lists.
struct Lists<'a, T> {
    left: &'a Cell<usize>,
    take: &'a mut T,
}

impl<'de, T: FnMut(List, Decision)> Visitor<'de> for Lists<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `new` and `deleted`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut lists = 0;
        while let Some(key) = map.next_key::<String>()? {
            let list = match key.as_str() {
                "new" => List::New,
                "deleted" => List::Deleted,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            lists += 1;
            map.next_value_seed(OneList { list, left: self.left, take: self.take })?;
        }
        // Any object would be an answer without decisions otherwise.
        if lists == 0 {
            return Err(pyruse_core::serde::de::Error::missing_field("new"));
        }
        Ok(())
    }
}

/// One of the lists.
struct OneList<'a, T> {
    list: List,
    left: &'a Cell<usize>,
    take: &'a mut T,
}

impl<'de, T: FnMut(List, Decision)> DeserializeSeed<'de> for OneList<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: FnMut(List, Decision)> Visitor<'de> for OneList<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of decisions")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.left.set(LARGEST);
        while let Some(decision) = items.next_element::<Decision>()? {
            (self.take)(self.list, decision);
            self.left.set(LARGEST);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<(List, u64, String)>, String> {
        let mut all = Vec::new();
        let read = read(text.as_bytes(), |list, decision| all.push((list, decision.id, decision.value)));
        read.map(|()| all).map_err(|e| e.to_string())
    }

    #[test]
    fn decisions_are_read_from_both_lists() {
        let text = r#"{"deleted": [{"id": 1, "value": "a", "more": {"x": [1]}}], "links": [],
            "new": [{"id": 3, "value": "b"}, {"id": 2}]}"#;
        let wanted = [
            (List::Deleted, 1, "a".to_owned()),
            (List::New, 3, "b".to_owned()),
            (List::New, 2, String::new()),
        ];
        assert_eq!(all(text).as_deref(), Ok(&wanted[..]));
        assert_eq!(all(r#"{"deleted":null,"new":null}"#), Ok(vec![]));
    }

    #[test]
    fn other_answers_are_errors_and_are_bounded() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"message": "access forbidden"}"#,
            "<html>",
            r#"{"new": 1}"#,
            r#"{"new": [1]}"#,
            r#"{"new": [{"id": -1}]}"#,
            r#"{"new": [{"id": "1"}]}"#,
            r#"{"new": [{"value": 1}]}"#,
            r#"{"new": [{"id": 1}"#,
            r#"{"new": []} x"#,
        ] {
            assert!(all(text).is_err(), "{text}");
        }
        let long = "x".repeat(10 * 1024 * 1024);
        for text in [
            format!(r#"{{"new": [{{"value": "{long}"}}]}}"#),
            format!(r#"{{"x": "{long}", "new": []}}"#),
            format!(r#"{{"new": [] {}"#, " ".repeat(LARGEST + 1)),
        ] {
            assert!(all(&text).unwrap_err().contains("more than 65536 bytes"));
        }
        let many = vec![r#"{"id": 1, "value": "192.0.2.1"}"#; 100_000].join(",");
        assert_eq!(all(&format!(r#"{{"new": [{many}]}}"#)).unwrap().len(), 100_000);
    }
}
