//! Texts for a terminal: what an entry holds must not reach it as commands, and columns must stand in line.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(crate) fn print_line(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// The text on one line, without anything that a terminal would obey or not show.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push('⏎'),
            c if is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Characters that a terminal obeys, or that cannot be seen, or that change the look of what stands around them.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// How many columns of a terminal it takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// The columns of the terminal that standard output leads to; of what is no terminal, those that mails and pagers have.
pub(crate) fn terminal_columns() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(80, |(width, _)| width.0.into())
}

/// The words of a text in lines of so many columns; only a word that is longer makes a longer line.
pub(crate) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && columns(&line) + 1 + columns(word) > room {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// A text in at most so many lines of so many columns, broken between words where that is possible within the line's last
/// third, with `…` for what is left out.
pub(crate) fn wrapped_anywhere(text: &str, room: usize, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text.trim_end();
    while columns(rest) > room && lines.len() + 1 < most {
        let fits = fitting(rest, room);
        let blank = rest[..fits].rfind(' ').filter(|at| columns(&rest[..*at]) * 3 > room * 2);
        let (line, next) = rest.split_at(blank.unwrap_or(fits));
        lines.push(line.to_owned());
        rest = next.trim_start();
    }
    lines.push(cut(rest, room));
    lines
}

/// How many bytes of the text fit into so many columns; at least one character.
fn fitting(text: &str, room: usize) -> usize {
    let mut taken = 0;
    let mut end = 0;
    for c in text.chars() {
        taken += c.width().unwrap_or(0);
        if taken > room && end > 0 {
            break;
        }
        end += c.len_utf8();
    }
    end
}

/// The text, or as much of it as fits into so many columns, with `…` for the rest.
pub(crate) fn cut(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut kept = 0;
    // A character may be without width, but not all of them: the look ahead has an end.
    for (at, c) in text.char_indices().take(8 * room) {
        let end = at + c.len_utf8();
        if columns(&text[..end]) >= room {
            break;
        }
        kept = end;
    }
    format!("{}…", text[..kept].trim_end())
}

/// The text, cut or filled up to exactly so many columns.
pub(crate) fn fitted(text: &str, room: usize) -> String {
    let mut text = cut(text, room);
    text.extend(std::iter::repeat_n(' ', room.saturating_sub(columns(&text))));
    text
}

/// A number with its thousands apart: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 entry`, `2 entries`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printed_is_a_command_or_hidden() {
        assert_eq!(
            printable("a\x1b[2J\r\nb\u{202e}c\u{9b}\u{2028}"),
            "a\\u{1b}[2J\\u{d}⏎b\\u{202e}c\\u{9b}\\u{2028}"
        );
        assert_eq!(printable("naïve 日本 e\u{301} 😀"), "naïve 日本 e\u{301} 😀");
    }

    #[test]
    fn texts_are_cut_and_filled_by_what_a_terminal_shows() {
        for (text, room, expected) in [
            ("ssh", 5, "ssh  "),
            ("exact", 5, "exact"),
            ("longer", 5, "long…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日… "),
            ("e\u{301}e\u{301}e\u{301}", 5, "e\u{301}e\u{301}e\u{301}  "),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("😀😀", 3, "😀…"),
            ("one two", 5, "one… "),
            ("", 2, "  "),
        ] {
            assert_eq!(fitted(text, room), expected, "{text}");
            assert_eq!(columns(&fitted(text, room)), room, "{text}");
        }
        let accents = format!("a{}b", "\u{301}".repeat(100_000));
        assert!(cut(&accents, 1).len() < 100);
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("a bb ccc dddddd e\n\nf", 5), ["a bb", "ccc", "dddddd", "e", "", "f"]);
        assert_eq!(wrapped("日本 語", 5), ["日本", "語"]);
        assert_eq!(wrapped("", 5), [] as [&str; 0]);
    }

    #[test]
    fn long_words_are_broken_where_the_line_ends_and_what_is_too_long_is_cut() {
        assert_eq!(wrapped_anywhere("aaaa bbbb cccccccccccc", 10, 9), ["aaaa bbbb", "cccccccccc", "cc"]);
        assert_eq!(wrapped_anywhere("aaaa bbbb cccccccccccc", 10, 2), ["aaaa bbbb", "ccccccccc…"]);
        assert_eq!(wrapped_anywhere("日本語日本語", 5, 9), ["日本", "語日", "本語"]);
        assert_eq!(wrapped_anywhere("", 5, 9), [""]);
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
        assert_eq!([counted(1, "line", "lines"), counted(0, "line", "lines")], ["1 line", "0 lines"]);
    }
}
