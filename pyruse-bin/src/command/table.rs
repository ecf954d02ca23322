//! Tables for a terminal: columns under their heads, texts printable and bounded.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use pyruse_core::time::Timestamp;

use super::text::{columns, cut, fitted, printable};

/// A cell is at most so wide.
const WIDEST: usize = 100;

/// How the cells of a column stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// A table with so many columns.
pub(super) struct Table<const N: usize> {
    heads: [(&'static str, Align); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(heads: [(&'static str, Align); N]) -> Table<N> {
        Table { heads, rows: Vec::new() }
    }

    /// Adds a row; its texts may hold anything.
    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| cut(&printable(&cell), WIDEST)));
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut widths = self.heads.map(|(head, _)| columns(head));
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(columns(cell));
            }
        }
        let line = |cells: [&str; N]| {
            let mut line = String::new();
            for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(self.heads) {
                let room = width - columns(cell).min(width);
                if !line.is_empty() {
                    line.push_str("  ");
                }
                match align {
                    Align::Left => line.push_str(&fitted(cell, width)),
                    Align::Right => line.extend([" ".repeat(room).as_str(), cell]),
                }
            }
            line.trim_end().to_owned()
        };
        writeln!(out, "{}", line(self.heads.map(|(head, _)| head)))?;
        for row in &self.rows {
            writeln!(out, "{}", line(row.each_ref().map(String::as_str)))?;
        }
        Ok(())
    }
}

/// A point in time as a person reads it: local, to the second.
pub(super) fn local(time: Timestamp) -> String {
    time.to_jiff().to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A length of time in its two largest units: `1d 3h`, `59s`.
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

    #[test]
    fn columns_stand_under_their_heads_whatever_the_texts_hold() {
        let mut table = Table::new([("KEY", Align::Left), ("N", Align::Right), ("END", Align::Left)]);
        table.row(["日本".into(), "1".into(), String::new()]);
        table.row(["a\x1b[2J".into(), "1,000".into(), "x".repeat(200)]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        let expected =
            format!("KEY             N  END\n日本            1\na\\u{{1b}}[2J  1,000  {}…\n", "x".repeat(99));
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
