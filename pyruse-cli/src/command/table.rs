//! Tables for a terminal: columns with headings, printable and bounded texts, and no line wider than the terminal.
//!
//! Rows are fitted to the given width. First, columns of running text ([`Column::text`]) are narrowed, and their cells
//! take several lines. If that is not enough, the last columns are written below their row, as `name: value`. Nothing
//! is left out but the end of a very long text. Values that people copy (an address, the name of a set) are only split
//! if the terminal itself is narrower.

use std::io::{self, Write};

use pyruse_core::time::Timestamp;

use super::text::{columns, cut, fitted, printable, wrapped_anywhere};

/// The space between two columns.
const GAP: &str = "  ";

/// The indent of columns below a row.
const INDENT: &str = "    ";

/// The minimum width of a column of running text; with less space, it is written below the row.
const NARROWEST: usize = 20;

/// The maximum width of a column of running text, however wide the terminal is.
const WIDEST: usize = 100;

/// The maximum number of lines in a cell.
const LINES: usize = 4;

/// How the cells of a column are aligned and wrapped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Name,
    Text,
}

/// A column.
#[derive(Clone, Copy)]
pub(super) struct Column {
    head: &'static str,
    kind: Kind,
}

impl Column {
    /// A column of numbers, aligned right.
    pub(super) const fn number(head: &'static str) -> Column {
        Column { head, kind: Kind::Number }
    }

    /// A column of values that are never split: addresses, names, times.
    pub(super) const fn name(head: &'static str) -> Column {
        Column { head, kind: Kind::Name }
    }

    /// A column of texts that may be long, and may take several lines.
    pub(super) const fn text(head: &'static str) -> Column {
        Column { head, kind: Kind::Text }
    }
}

/// A table with `N` columns.
pub(super) struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(columns: [Column; N]) -> Table<N> {
        Table { columns, rows: Vec::new() }
    }

    /// Adds a row; its texts may contain any character.
    pub(super) fn row(&mut self, cells: [String; N]) {
        // Longer texts than any cell can show need not be stored.
        self.rows.push(cells.map(|cell| cut(&printable(&cell), WIDEST * LINES)));
    }

    /// Writes the table in lines of at most `room` columns.
    pub(super) fn write(&self, out: &mut dyn Write, room: usize) -> io::Result<()> {
        let widths = self.widths(room);
        let head = self.columns.map(|column| vec![column.head.to_owned()]);
        self.write_lines(out, &head, widths)?;
        for row in &self.rows {
            let mut cells = self.columns.map(|_| Vec::new());
            let mut beneath = Vec::new();
            for (n, cell) in row.iter().enumerate() {
                match widths[n] {
                    Some(width) if self.columns[n].kind == Kind::Text => {
                        cells[n] = wrapped_anywhere(cell, width, LINES);
                    }
                    Some(_) => cells[n] = vec![cell.clone()],
                    None if cell.is_empty() => {}
                    None => beneath.push(format!("{}: {cell}", self.columns[n].head.to_lowercase())),
                }
            }
            self.write_lines(out, &cells, widths)?;
            write_beneath(out, &beneath, room)?;
        }
        Ok(())
    }

    /// Returns the width of each column; `None`: it is written below the row.
    fn widths(&self, room: usize) -> [Option<usize>; N] {
        let mut natural = self.columns.map(|column| columns(column.head));
        for row in &self.rows {
            for (width, cell) in natural.iter_mut().zip(row) {
                *width = (*width).max(columns(cell));
            }
        }
        let mut widths = [None; N];
        let mut left = room;
        for n in 0..N {
            let gap = if n == 0 { 0 } else { GAP.len() };
            let least = match self.columns[n].kind {
                // The first column is cut, so that the others can stay beside it.
                Kind::Text if n == 0 => natural[n].min(NARROWEST),
                // The whole text, with space for words that do not fill their line.
                Kind::Text => natural[n].min(NARROWEST.max(natural[n].div_ceil(LINES) * 5 / 4)),
                Kind::Number | Kind::Name => natural[n],
            };
            // The first column identifies the row: it is never written below it.
            if n == 0 || least + gap <= left {
                left = left.saturating_sub(least + gap);
                widths[n] = Some(least);
            }
        }
        // The remaining space is given to the texts, from left to right.
        for n in 0..N {
            if let Some(width) = widths[n].as_mut().filter(|_| self.columns[n].kind == Kind::Text) {
                let more = natural[n].min(WIDEST).saturating_sub(*width).min(left);
                *width += more;
                left -= more;
            }
        }
        widths
    }

    /// Writes cells that may have several lines.
    fn write_lines(
        &self,
        out: &mut dyn Write,
        cells: &[Vec<String>; N],
        widths: [Option<usize>; N],
    ) -> io::Result<()> {
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let mut written = String::new();
            for (n, width) in widths.iter().enumerate() {
                let Some(width) = *width else { continue };
                if n > 0 {
                    written.push_str(GAP);
                }
                let cell = cells[n].get(line).map_or("", String::as_str);
                let room = width.saturating_sub(columns(cell));
                match self.columns[n].kind {
                    Kind::Number => written.extend([" ".repeat(room).as_str(), cell]),
                    Kind::Name => written.extend([cell, " ".repeat(room).as_str()]),
                    Kind::Text => written.push_str(&fitted(cell, width)),
                }
            }
            writeln!(out, "{}", written.trim_end())?;
        }
        Ok(())
    }
}

/// Writes the columns below a row: as many per line as fit.
fn write_beneath(out: &mut dyn Write, parts: &[String], room: usize) -> io::Result<()> {
    let room = room.saturating_sub(INDENT.len()).max(1);
    let mut line = String::new();
    let mut lines = Vec::new();
    for part in parts {
        if !line.is_empty() && columns(&line) + GAP.len() + columns(part) <= room {
            line.push_str(GAP);
            line.push_str(part);
            continue;
        }
        lines.extend(wrapped_anywhere(&std::mem::take(&mut line), room, usize::MAX));
        line.clone_from(part);
    }
    lines.extend(wrapped_anywhere(&line, room, usize::MAX));
    for line in lines.iter().filter(|line| !line.is_empty()) {
        writeln!(out, "{INDENT}{line}")?;
    }
    Ok(())
}

/// Formats a time for people: local, to the second, with its zone.
pub(super) fn local(time: Timestamp) -> String {
    time.local()
}

/// Formats a duration in its two largest units: `1d 3h`, `59s`.
pub(super) fn length(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let Some(first) = units.iter().position(|(unit, _)| seconds >= *unit) else { return "0s".into() };
    let mut rest = seconds;
    let mut words = Vec::new();
    for (unit, name) in units.iter().skip(first).take(2) {
        if rest / unit > 0 {
            words.push(format!("{}{name}", rest / unit));
        }
        rest %= unit;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_two_units() {
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (3661, "1h 1m"), (90_000, "1d 1h"), (86_401, "1d")]
        {
            assert_eq!(length(seconds), expected);
        }
    }

    fn written<const N: usize>(columns: [Column; N], rows: &[[&str; N]], room: usize) -> String {
        let mut table = Table::new(columns);
        for row in rows {
            table.row(row.map(str::to_owned));
        }
        let mut out = Vec::new();
        table.write(&mut out, room).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_with_their_heads_whatever_the_texts_contain() {
        let columns = [Column::text("KEY"), Column::number("N"), Column::name("END")];
        let rows = [["日本", "1", ""], ["a\x1b[2J", "1,000", "x"]];
        let expected = "KEY             N  END\n日本            1\na\\u{1b}[2J  1,000  x\n";
        assert_eq!(written(columns, &rows, 80), expected);
    }

    const BANS: [Column; 4] =
        [Column::name("ADDRESS"), Column::name("SET"), Column::name("UNTIL"), Column::text("WHY")];
    const LONG: [&str; 4] = [
        "2001:db8:1111:2222:3333:4444:5555:6666",
        "ip6 filter the_set_for_mail",
        "2026-11-18 12:06:40+01:00",
        "5 within 600 s of failed logins, in the chain `ban`",
    ];

    #[test]
    fn a_column_that_does_not_fit_is_printed_below() {
        let short = ["192.0.2.1", "ip filter ssh", "for ever", ""];
        let expected = "\
ADDRESS                                 SET                          UNTIL                      WHY
192.0.2.1                               ip filter ssh                for ever
2001:db8:1111:2222:3333:4444:5555:6666  ip6 filter the_set_for_mail  2026-11-18 12:06:40+01:00  5 within 600 s of failed logins, in the chain `ban`
";
        assert_eq!(written(BANS, &[short, LONG], 200), expected);
        let expected = "\
ADDRESS                                 SET
192.0.2.1                               ip filter ssh
    until: for ever
2001:db8:1111:2222:3333:4444:5555:6666  ip6 filter the_set_for_mail
    until: 2026-11-18 12:06:40+01:00
    why: 5 within 600 s of failed logins, in the chain `ban`
";
        assert_eq!(written(BANS, &[short, LONG], 80), expected);
        let expected = "\
ADDRESS
2001:db8:1111:2222:3333:4444:5555:6666
    set: ip6 filter the_set_for_mail
    until: 2026-11-18 12:06:40+01:00
    why: 5 within 600 s of failed
    logins, in the chain `ban`
";
        assert_eq!(written(BANS, &[LONG], 40), expected);
    }

    #[test]
    fn a_text_is_narrowed_before_a_column_is_moved_below() {
        let columns = [Column::text("KEY"), Column::number("COUNT")];
        let key = "a key that somebody has made long, to push the count out of sight";
        let expected = "\
KEY                              COUNT
a key that somebody has made         7
long, to push the count out of
sight
b                                    1
";
        assert_eq!(written(columns, &[[key, "7"], ["b", "1"]], 38), expected);
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal_and_no_name_is_broken(
            room in 20..200_usize,
            rows in proptest::collection::vec(("[a-f0-9:.]{1,18}", "[ -~]{0,300}", "[0-9]{1,9}", "[a-z日 ]{0,30}", "\\PC{0,80}"), 0..6),
        ) {
            let columns = [
                Column::name("ADDRESS"), Column::text("WHY"), Column::number("N"), Column::name("SET"), Column::text("ERROR"),
            ];
            let rows: Vec<_> = rows.iter().map(|(a, b, c, d, e)| [a.as_str(), b, c, d.trim(), e]).collect();
            let text = written(columns, &rows, room);
            for line in text.lines() {
                proptest::prop_assert!(super::columns(line) <= room, "{room}: {line}");
            }
            for [address, ..] in rows {
                proptest::prop_assert!(text.contains(address), "{address}");
            }
        }
    }
}
