//! JSON for standard output: one object per line, without characters that a terminal executes.
//!
//! Texts of entries are part of it, and people view it. serde_json escapes only ASCII's control characters, but a
//! terminal also executes others: those are escaped here. A JSON parser reads the same.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::text::is_hidden;

/// Prints the single object of a command.
pub(crate) fn print(value: &impl Serialize) -> io::Result<()> {
    write_line(&mut io::stdout().lock(), value)
}

/// Writes an object as one line.
pub(crate) fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Harmless))?;
    out.write_all(b"\n")
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // Without a way out, this takes many bytes at once.
        if fragment.bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte)) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut written = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_hidden(*c)) {
            writer.write_all(&fragment.as_bytes()[written..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_contains_nothing_that_a_terminal_executes() {
        let text = "a\u{1b}[m\u{9b}m\u{7f}\u{202e}\u{e0041}ä\n\"日本\u{feff}";
        let mut line = Vec::new();
        write_line(&mut line, &text).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert_eq!(line, r#""a\u001b[m\u009bm\u007f\u202e\udb40\udc41ä\n\"日本\ufeff""#.to_owned() + "\n");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
