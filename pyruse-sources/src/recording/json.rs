//! The format of `journalctl -o json`, and similar ones of other programs, as a source of records: one object per line.
//!
//! A value is a text. Bytes that are not UTF-8 are an array of numbers; a field that occurs several times is an array of
//! such values. `null` means that journalctl found the value too large, and counts as missing. Numbers and booleans, which
//! journalctl never writes, become their text.

use std::fmt;
use std::io::{BufRead, Read};

use anyhow::{Context, bail};
use pyruse_core::entry::MemoryRecord;
use pyruse_core::time::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::intake::{Input, Intake, VALUE_LIMIT};

/// The longest line, in bytes. A longer one is an error, because a line is in memory as a whole.
const LINE_LIMIT: usize = 64 << 20;

/// How much memory is kept for the next line, in bytes.
const LINE_KEPT: usize = 1 << 20;

/// Reads JSON lines.
pub(super) struct JsonReader {
    input: Input,
    name: String,
    offset: u64,
    lines: u64,
    line: Vec<u8>,
}

impl JsonReader {
    /// `offset` and `lines`: how many bytes and lines of the input were read before.
    pub(super) fn new(input: Input, name: String, offset: u64, lines: u64) -> JsonReader {
        JsonReader { input, name, offset, lines, line: Vec::new() }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next entry into the empty `record`; `false` at the end.
    pub(super) fn next(&mut self, record: &mut MemoryRecord) -> anyhow::Result<bool> {
        while self.read_line()? {
            if self.line.trim_ascii().is_empty() {
                continue;
            }
            let mut json = serde_json::Deserializer::from_slice(&self.line);
            let read = Object(&mut Intake::new(record)).deserialize(&mut json).and_then(|()| json.end());
            if let Err(error) = read {
                bail!("{}: line {}, {}", self.name, self.lines, describe(&error));
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Reads a line without its end into `self.line`; `false` at the end of the input.
    fn read_line(&mut self) -> anyhow::Result<bool> {
        self.line.clear();
        self.line.shrink_to(LINE_KEPT);
        self.lines += 1;
        let mut any = false;
        loop {
            let available = self.input.fill_buf().with_context(|| self.name.clone())?;
            if available.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            if self.line.len() + part.len() > LINE_LIMIT {
                bail!("{}: line {} is longer than {} MiB", self.name, self.lines, LINE_LIMIT >> 20);
            }
            self.line.extend_from_slice(part);
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            self.offset += used as u64;
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// The largest single object, in bytes. Entries of the journal are smaller.
const OBJECT_LIMIT: usize = 64 << 20;

/// Reads one object, which may have several lines.
pub(super) struct ObjectReader {
    input: Input,
    name: String,
    offset: u64,
    is_read: bool,
}

impl ObjectReader {
    pub(super) fn new(input: Input, name: String) -> ObjectReader {
        ObjectReader { input, name, offset: 0, is_read: false }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the entry into the empty `record`; `false` if that was done before. An entry without a time gets the current
    /// one.
    pub(super) fn next(&mut self, record: &mut MemoryRecord) -> anyhow::Result<bool> {
        if std::mem::replace(&mut self.is_read, true) {
            return Ok(false);
        }
        let mut text = Vec::new();
        let mut limited = (&mut self.input).take(OBJECT_LIMIT as u64 + 1);
        limited.read_to_end(&mut text).with_context(|| self.name.clone())?;
        self.offset = text.len() as u64;
        if text.len() > OBJECT_LIMIT {
            bail!("{} is longer than {} MiB", self.name, OBJECT_LIMIT >> 20);
        }
        read_object(&text, &self.name, record)?;
        if record.realtime == Timestamp::default() {
            record.realtime = Timestamp::now();
        }
        Ok(true)
    }
}

fn read_object(text: &[u8], name: &str, record: &mut MemoryRecord) -> anyhow::Result<()> {
    if text.trim_ascii().is_empty() {
        bail!("{name}: there is no entry; expected one object of `journalctl -o json`");
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let located = |error: &serde_json::Error| {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let what = text.strip_suffix(&place).unwrap_or(&text).to_owned();
        format!("{name}: line {}, column {}: {what}", error.line(), error.column())
    };
    if let Err(error) = Object(&mut Intake::new(record)).deserialize(&mut json) {
        let hint = if text.trim_ascii_start().starts_with(b"{") {
            ""
        } else {
            "; to give a line of text, use --field 'MESSAGE=…'"
        };
        bail!("{}: an entry must be one object of `journalctl -o json`{hint}", located(&error));
    }
    if let Err(error) = json.end() {
        bail!("{}: only one entry is allowed (`journalctl -n 1 -o json`)", located(&error));
    }
    Ok(())
}

/// Describes an error of serde_json, with its column only: its line is always the first.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text);
    let hint =
        if error.is_eof() { " (one complete object per line, as `journalctl -o json` writes)" } else { "" };
    format!("column {}: {what}{hint}", error.column())
}

/// An object whose members are fields.
struct Object<'a, 'r>(&'a mut Intake<'r>);

impl<'de> DeserializeSeed<'de> for Object<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut name = String::new();
        while members.next_key_seed(Name(&mut name))?.is_some() {
            members.next_value_seed(Field { name: &name, intake: self.0 })?;
        }
        Ok(())
    }
}

/// A member's name, read into memory that is reused.
struct Name<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        self.0.clear();
        self.0.push_str(name);
        Ok(())
    }
}

/// Implements the visits that an element of an array and a single value share: those that give one text, through
/// `self.text(&str)`.
macro_rules! visit_texts {
    () => {
        fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
            self.text(text);
            Ok(())
        }

        fn visit_bool<E: Error>(mut self, value: bool) -> Result<(), E> {
            self.text(if value { "true" } else { "false" });
            Ok(())
        }

        fn visit_i64<E: Error>(mut self, number: i64) -> Result<(), E> {
            self.text(&number.to_string());
            Ok(())
        }

        fn visit_f64<E: Error>(mut self, number: f64) -> Result<(), E> {
            // As in JSON: 1.0 stays `1.0`.
            let text = serde_json::Number::from_f64(number).map(|number| number.to_string());
            self.text(&text.unwrap_or_default());
            Ok(())
        }

        fn visit_unit<E: Error>(self) -> Result<(), E> {
            Ok(())
        }
    };
}

/// The value of a member.
struct Field<'a, 'r> {
    name: &'a str,
    intake: &'a mut Intake<'r>,
}

impl Field<'_, '_> {
    fn text(&mut self, text: &str) {
        self.intake.field(self.name.as_bytes(), text.as_bytes());
    }
}

impl<'de> DeserializeSeed<'de> for Field<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Field<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text, an array or null as the value of `{}`", self.name)
    }

    visit_texts!();

    fn visit_u64<E: Error>(mut self, number: u64) -> Result<(), E> {
        self.text(&number.to_string());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut array = Array { field: self, bytes: Some(Vec::new()) };
        while elements.next_element_seed(Element(&mut array))?.is_some() {}
        if let Some(bytes) = array.bytes.filter(|bytes| !bytes.is_empty()) {
            array.field.intake.field(array.field.name.as_bytes(), &bytes);
        }
        Ok(())
    }
}

/// An array: of bytes, while all of its elements are; else of the values of a field that occurs several times.
struct Array<'a, 'r> {
    field: Field<'a, 'r>,
    bytes: Option<Vec<u8>>,
}

impl Array<'_, '_> {
    /// Notes that this is not an array of bytes: the numbers so far are values.
    fn treat_as_values(&mut self) {
        for byte in self.bytes.take().unwrap_or_default() {
            self.field.text(&byte.to_string());
        }
    }
}

/// An element of an array.
struct Element<'s, 'a, 'r>(&'s mut Array<'a, 'r>);

impl Element<'_, '_, '_> {
    fn text(&mut self, text: &str) {
        self.0.treat_as_values();
        self.0.field.text(text);
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text, an array of bytes or null as a value of `{}`", self.0.field.name)
    }

    visit_texts!();

    fn visit_u64<E: Error>(mut self, number: u64) -> Result<(), E> {
        match (u8::try_from(number), &mut self.0.bytes) {
            (Ok(byte), Some(bytes)) if bytes.len() < VALUE_LIMIT => bytes.push(byte),
            (Ok(_), Some(_)) => {}
            _ => self.text(&number.to_string()),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.0.treat_as_values();
        let mut bytes = Vec::new();
        while let Some(byte) = elements.next_element::<u8>()? {
            if bytes.len() < VALUE_LIMIT {
                bytes.push(byte);
            }
        }
        let field = &mut self.0.field;
        field.intake.field(field.name.as_bytes(), &bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pyruse_core::entry::FIELD_LIMIT;

    use super::super::tests::{field, read};
    use super::*;

    /// The fields of one line.
    fn fields(line: &str) -> Vec<(String, Vec<u8>)> {
        let (mut entries, error) = read(line.as_bytes());
        assert_eq!((entries.len(), error), (1, None), "{line}");
        entries.remove(0)
    }

    #[test]
    fn values_are_texts_bytes_or_several_of_them() {
        for (value, expected) in [
            (r#""a\nb\"\u00e4\ud83d\ude00""#, vec!["a\nb\"ä😀".as_bytes()]),
            (r#""""#, vec![b""]),
            ("[120,0,255]", vec![b"x\0\xff"]),
            ("[255]", vec![b"\xff"]),
            (r#"["a","b"]"#, vec![b"a", b"b"]),
            (r#"["a"]"#, vec![b"a"]),
            ("[[255,0],[120]]", vec![b"\xff\0", b"x"]),
            (r#"["a",[255],"","b"]"#, vec![b"a", b"\xff", b"", b"b"]),
            (r#"[null,"a",null]"#, vec![b"a"]),
            ("null", vec![]),
            ("[]", vec![]),
            ("[null]", vec![]),
            // From others than journalctl.
            ("6", vec![b"6"]),
            ("-6", vec![b"-6"]),
            ("1.0", vec![b"1.0"]),
            ("18446744073709551615", vec![b"18446744073709551615"]),
            ("true", vec![b"true"]),
            ("[1,300,2]", vec![b"1", b"300", b"2"]),
            (r#"[1,"a",false,-1]"#, vec![b"1", b"a", b"false", b"-1"]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|value| field("A", value)).collect();
            assert_eq!(fields(&format!("{{\"A\":{value}}}")), expected, "{value}");
        }
    }

    #[test]
    fn a_name_that_occurs_twice_is_a_field_that_occurs_twice() {
        assert_eq!(
            fields(r#" { "A" : "1" , "B" : "2" , "A" : "3" } "#),
            [field("A", b"1"), field("B", b"2"), field("A", b"3")]
        );
    }

    #[test]
    fn addresses_are_not_fields() {
        let line = br#"{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"5","__MONOTONIC_TIMESTAMP":"7"}"#;
        let mut reader = JsonReader::new(Box::new(&line[..]), "test".into(), 0, 0);
        let mut record = MemoryRecord::default();
        assert!(reader.next(&mut record).unwrap());
        assert_eq!(
            (record.realtime.0, record.monotonic, record.cursor.as_deref(), record.fields().count()),
            (5, Some(7), Some("s=1"), 0)
        );
    }

    #[test]
    fn a_huge_value_is_cut_and_its_neighbours_are_whole() {
        let bytes = vec!["120"; 1 << 20].join(",");
        let text = "y".repeat(10 << 20);
        let line = format!(r#"{{"A":[{bytes}],"B":"{text}","C":[[{bytes}],"{text}"],"D":"1"}}"#);
        let mut x = field("A", &vec![b'x'; VALUE_LIMIT]);
        let mut y = field("B", &vec![b'y'; VALUE_LIMIT]);
        const { assert!(VALUE_LIMIT > FIELD_LIMIT) }
        let mut expected = vec![x.clone(), y.clone()];
        (x.0, y.0) = ("C".into(), "C".into());
        expected.extend([x, y, field("D", b"1")]);
        assert!(fields(&line) == expected);
    }

    #[test]
    fn a_broken_line_is_reported_with_its_place_and_the_lines_before_it_count() {
        for (line, message) in [
            (
                "{\"A\":\"2",
                "line 4, column 7: EOF while parsing a string (one complete object per line, as `journalctl -o json` writes)",
            ),
            (
                "{",
                "line 4, column 1: EOF while parsing an object (one complete object per line, as `journalctl -o json` writes)",
            ),
            ("{}{}", "line 4, column 3: trailing characters"),
            ("A=1", "line 4, column 1: expected value"),
            ("[]", "line 4, column 0: invalid type: sequence, expected an object"),
            (
                "{\"A\":{}}",
                "line 4, column 7: invalid type: map, expected a text, an array or null as the value of `A`",
            ),
            (
                "{\"A\":[{}]}",
                "line 4, column 8: invalid type: map, expected a text, an array of bytes or null as a value of `A`",
            ),
            ("{\"A\":[[300]]}", "line 4, column 10: invalid value: integer `300`, expected u8"),
            ("{\"A\":[[\"\"]]}", "line 4, column 9: invalid type: string \"\", expected u8"),
            ("{\"A\":\"\\ud800\"}", "line 4, column 13: unexpected end of hex escape"),
        ] {
            let (entries, error) =
                read(format!("{{\"A\":\"1\"}}\n\n \n{line}\n{{\"A\":\"3\"}}\n").as_bytes());
            assert_eq!(entries, [[field("A", b"1")]], "{line}");
            assert_eq!(error.as_deref(), Some(format!("test: {message}").as_str()), "{line}");
        }
        let deep = format!("{{\"A\":{}", "[".repeat(1 << 20));
        assert!(read(deep.as_bytes()).1.is_some_and(|error| error.starts_with("test: line 1, column ")));
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_broken() {
        let (entries, error) = read(b"{\"A\":\"\xff\"}\n");
        assert_eq!(
            (entries.len(), error.as_deref()),
            (0, Some("test: line 1, column 7: invalid unicode code point"))
        );
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let endless = std::io::BufReader::new(std::io::repeat(b' '));
        let mut reader = JsonReader::new(Box::new(endless), "test".into(), 0, 0);
        let error = reader.next(&mut MemoryRecord::default()).unwrap_err();
        assert_eq!(error.to_string(), "test: line 1 is longer than 64 MiB");
        assert!(reader.line.len() <= LINE_LIMIT);
    }
}
