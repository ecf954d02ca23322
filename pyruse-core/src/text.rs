//! Prepares texts for people to read: on a terminal, in a report, in a mail.
//!
//! People who write a log line may put anything into it. When parts of it are shown, a terminal must not obey them,
//! they must not hide from the reader, and they must not push the columns of a table out of line. So the characters to
//! escape are listed here, once, and the width of a text is the width that a terminal shows.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Returns the text on one line; whatever a terminal would obey or not show is escaped.
pub fn printable(text: &str) -> String {
    // Nearly all texts are plain; a report may have hundreds of thousands of them.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        // These join pictures to one, or choose their form: `👩‍🚒`.
        let is_of_picture = is_picture(before)
            && (c == '\u{fe0f}' || c == '\u{200d}' && chars.peek().is_some_and(|next| is_picture(*next)));
        if c != '\u{fe0f}' {
            before = c;
        }
        match c {
            '\n' => out.push('⏎'),
            c if is_of_picture => out.push(c),
            c if is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character is a picture that others can be joined to.
fn is_picture(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// Returns `true` if a terminal obeys this character, if nobody can see it, or if it changes how its neighbours are
/// shown.
///
/// This is the only list of such characters in the project: terminals, JSON, reports, mails and findings all escape
/// them. It holds the control characters, the marks of writing direction, the line and paragraph separators, and what
/// Unicode calls `Default_Ignorable_Code_Point`: the characters without their own shape.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns how many columns of a terminal the text takes.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// Breaks a text at words into lines of at most `room` columns. Only a word that is longer makes a longer line.
///
/// Text between back-ticks is one word, as long as it fits on a line: so a command stays whole.
pub fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in words(paragraph, room) {
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

/// Like [`wrapped`], but a line that fits stays as it is, with its blanks.
pub fn folded(text: &str, room: usize) -> String {
    let fold =
        |line: &str| if columns(line) <= room { line.to_owned() } else { wrapped(line, room).join("\n") };
    text.split('\n').map(fold).collect::<Vec<_>>().join("\n")
}

/// Returns the words of a line. Back-ticks hold words together if the whole fits into `room` columns.
fn words(line: &str, room: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let blank = |text: &str| text.find(char::is_whitespace).unwrap_or(text.len());
        let mut end = blank(rest);
        // The word has an opening back-tick without its partner: the word extends to the one with the partner.
        if rest[..end].matches('`').count() % 2 == 1 {
            let close = rest[end..].find('`').map(|at| end + at + 1);
            let whole = close.map(|close| close + blank(&rest[close..]));
            end = whole.filter(|whole| columns(&rest[..*whole]) <= room).unwrap_or(end);
        }
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    words
}

/// Breaks a text into at most `most` lines of `room` columns, with `…` for what is omitted. A break is between words
/// where that is possible within the last third of the line.
pub fn wrapped_anywhere(text: &str, room: usize, most: usize) -> Vec<String> {
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

/// Returns how many bytes of the text fit into `room` columns; at least one character.
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

/// Returns the text, or as much of it as fits into `room` columns, with `…` for the rest.
pub fn cut(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut kept = 0;
    // A character may have no width, but not all of them: so the look-ahead is bounded.
    for (at, c) in text.char_indices().take(8 * room) {
        let end = at + c.len_utf8();
        if columns(&text[..end]) >= room {
            break;
        }
        kept = end;
    }
    format!("{}…", text[..kept].trim_end())
}

/// Returns the text, cut or padded to exactly `room` columns.
pub fn fitted(text: &str, room: usize) -> String {
    let mut text = cut(text, room);
    text.extend(std::iter::repeat_n(' ', room.saturating_sub(columns(&text))));
    text
}

/// Returns the last position, at most `limit` bytes in, where the text can be cut between two characters.
// `str::floor_char_boundary` is this, from Rust 1.91 on.
pub fn floor_char_boundary(text: &str, limit: usize) -> usize {
    (0..=limit.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Formats a number with separated thousands: `1,234,567`.
pub fn grouped(number: u64) -> String {
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

/// Formats a number with its noun: `1 entry`, `2 entries`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
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
        for whole in ["👩\u{200d}🚒", "❤\u{fe0f}\u{200d}🔥", "👨🏽\u{200d}🔬 ⚠\u{fe0f}"] {
            assert_eq!(printable(whole), whole);
        }
        assert_eq!(printable("a\u{200d}b👩\u{200d}x"), "a\\u{200d}b👩\\u{200d}x");
    }

    #[test]
    fn every_character_without_a_shape_is_hidden_and_no_other_is() {
        // One of each kind: a control, a soft hyphen, a joiner, a filler, a variation selector, a tag.
        for c in "\u{7}\u{85}\u{ad}\u{34f}\u{200d}\u{2066}\u{2069}\u{3164}\u{fe0f}\u{fff9}\u{e0041}\u{e0100}"
            .chars()
        {
            assert!(is_hidden(c), "{c:?}");
        }
        for c in "aä日\u{301}\u{a0}\u{2026}\u{20ac}\u{fffd}\u{1f600}\u{10ffff}".chars() {
            assert!(!is_hidden(c), "{c:?}");
        }
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
    fn text_between_back_ticks_stays_on_one_line_if_it_fits() {
        assert_eq!(wrapped("run `a b c` now", 8), ["run", "`a b c`", "now"]);
        assert_eq!(wrapped("(see `a b c`) now", 8), ["(see", "`a b c`)", "now"]);
        assert_eq!(wrapped("run `a b c d e` now", 8), ["run `a b", "c d e`", "now"]);
        assert_eq!(wrapped("a lone ` is a word", 8), ["a lone `", "is a", "word"]);
        assert_eq!(folded("  as it is\nrun `a b c`  now", 10), "  as it is\nrun\n`a b c`\nnow");
    }

    #[test]
    fn long_words_are_broken_where_the_line_ends_and_what_is_too_long_is_cut() {
        assert_eq!(wrapped_anywhere("aaaa bbbb cccccccccccc", 10, 9), ["aaaa bbbb", "cccccccccc", "cc"]);
        assert_eq!(wrapped_anywhere("aaaa bbbb cccccccccccc", 10, 2), ["aaaa bbbb", "ccccccccc…"]);
        assert_eq!(wrapped_anywhere("日本語日本語", 5, 9), ["日本", "語日", "本語"]);
        assert_eq!(wrapped_anywhere("", 5, 9), [""]);
    }

    #[test]
    fn bytes_are_cut_between_characters() {
        let places: Vec<usize> = (0..8).map(|limit| floor_char_boundary("aé😀", limit)).collect();
        assert_eq!(places, [0, 1, 1, 3, 3, 3, 3, 7]);
        assert_eq!([floor_char_boundary("aé", 9), floor_char_boundary("", 9)], [3, 0]);
    }

    #[test]
    fn thousands_are_separated() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
        assert_eq!([counted(1, "line", "lines"), counted(0, "line", "lines")], ["1 line", "0 lines"]);
    }
}
