//! Output on a terminal: its width, and texts without characters that it executes ([`pyruse_core::text`]).

use std::io::{self, IsTerminal, Write};

pub(crate) use pyruse_core::text::{
    columns, counted, cut, fitted, folded, grouped, is_hidden, printable, wrapped, wrapped_anywhere,
};

/// The number of columns without a terminal (a pipe, a file, a log): the usual width of mails and pagers.
const USUAL: usize = 80;

/// With fewer columns, a terminal wraps lines itself.
const FEWEST: usize = 20;

pub(crate) fn print_line(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Returns the number of columns for standard output.
pub(crate) fn terminal_columns() -> usize {
    columns_of(&io::stdout())
}

/// Returns the number of columns for that stream: from `COLUMNS`, or from its terminal, or 80.
pub(crate) fn columns_of(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let has = || terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0));
    said.filter(|columns| *columns > 0).or_else(has).unwrap_or(USUAL).max(FEWEST)
}

/// Returns `true` if the output may have colours: on a terminal that supports them, unless `NO_COLOR` is not empty
/// (no-color.org).
pub(crate) fn has_colours(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
    !refused && !dumb && stream.is_terminal()
}
