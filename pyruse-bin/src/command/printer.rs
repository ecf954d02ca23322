//! Effects, one a line: as JSON, or for people.

use std::io::{self, Write};

use pyruse_core::effect::{Effect, PlacedEffect};
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::rehearsal::Telling;
use super::text::{is_hidden, printable};

/// Prints effects as they happen.
pub(crate) struct EffectPrinter<W> {
    pub(crate) out: W,
    json: bool,
}

impl<W: Write> EffectPrinter<W> {
    pub(crate) fn new(out: W, json: bool) -> EffectPrinter<W> {
        EffectPrinter { out, json }
    }
}

impl<W: Write> Telling for EffectPrinter<W> {
    fn effect(&mut self, effect: &PlacedEffect<'_>) -> io::Result<()> {
        if self.json {
            effect.serialize(&mut Serializer::with_formatter(&mut self.out, Harmless))?;
            return self.out.write_all(b"\n");
        }
        let line = match effect.effect {
            Effect::Ban { set, ip, seconds, renewed, .. } => {
                let length = if *seconds == 0 { "for ever".to_owned() } else { format!("for {seconds} s") };
                format!("ban     {ip} in `{set}` {length}{}", if *renewed { " (again)" } else { "" })
            }
            Effect::Email { subject, to, body } => {
                format!("mail    {subject} (to {}): {body}", to.join(", "))
            }
            Effect::Log { level, message } => format!("log     {level}: {message}"),
            Effect::Report { level, message, .. } => format!("report  {level}: {message}"),
            Effect::Error { message } => format!("error   {message}"),
            other => format!("effect  {}", serde_json::to_string(other).unwrap_or_default()),
        };
        writeln!(
            self.out,
            "{}  {}  [{} #{}]",
            effect.at,
            printable(&line),
            printable(effect.chain),
            effect.step
        )
    }
}

/// JSON that may be looked at: serde_json writes all but ASCII's control characters as they are, and a terminal obeys
/// others too. Whoever parses it reads the same.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
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
    fn a_line_of_json_holds_nothing_that_a_terminal_obeys() {
        let text = "a\u{1b}[m\u{9b}m\u{7f}\u{202e}\u{e0041}ä\n\"日本\u{feff}";
        let mut line = Vec::new();
        text.serialize(&mut Serializer::with_formatter(&mut line, Harmless)).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert_eq!(line, r#""a\u001b[m\u009bm\u007f\u202e\udb40\udc41ä\n\"日本\ufeff""#);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
