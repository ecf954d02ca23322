//! Rows as lines of a terminal of 80 columns, with hanging indents.

use pyruse_core::text::{columns, wrapped_anywhere};

/// The width of a text.
pub(super) const WIDTH: usize = 80;

/// The maximum number of lines of an example, and of its values.
const LINES: usize = 3;

/// The width of a count.
const COUNT: usize = 6;

/// Returns a row: count, times, and the message beside them.
pub(super) fn row(
    count: &str,
    when: &str,
    when_width: usize,
    priority: Option<&str>,
    message: &str,
    values: &[String],
) -> Vec<String> {
    let indent = COUNT + 1 + when_width + 1;
    let room = WIDTH - indent;
    let mark = priority.map_or_else(String::new, |priority| format!("[{priority}] "));
    let mut beside = wrapped_anywhere(&format!("{mark}{message}"), room, LINES);
    for values in values {
        let mut lines = wrapped_anywhere(values, room - 2, 2).into_iter();
        beside.extend(lines.next().map(|line| format!("- {line}")));
        beside.extend(lines.map(|line| format!("  {line}")));
    }
    let head = format!("{count:>COUNT$} {when}");
    let mut lines = Vec::new();
    for (n, line) in beside.into_iter().enumerate() {
        let before = if n == 0 { head.as_str() } else { "" };
        let padding = indent.saturating_sub(columns(before)).max(usize::from(n == 0));
        lines.push(format!("{before}{}{line}", " ".repeat(padding)));
    }
    lines
}

/// Returns a paragraph whose further lines are indented.
pub(super) fn hanging(text: &str, indent: usize, most: usize) -> Vec<String> {
    let mut lines = wrapped_anywhere(text, WIDTH - indent, most);
    for line in lines.iter_mut().skip(1) {
        line.insert_str(0, &" ".repeat(indent));
    }
    lines
}
