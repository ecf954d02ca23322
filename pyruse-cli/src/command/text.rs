//! What goes to a terminal: how wide it is, and texts that it neither obeys nor breaks ([`pyruse_core::text`]).

use std::io::{self, IsTerminal, Write};

pub(crate) use pyruse_core::text::{
    columns, counted, cut, fitted, folded, grouped, is_hidden, printable, wrapped, wrapped_anywhere,
};

/// The columns where there is no terminal (a pipe, a file, a log): what mails and pagers have.
const USUAL: usize = 80;

/// With fewer columns, a terminal breaks lines itself.
const FEWEST: usize = 20;

pub(crate) fn print_line(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// How many columns to write for standard output.
pub(crate) fn terminal_columns() -> usize {
    columns_of(&io::stdout())
}

/// How many columns to write for that stream: what `COLUMNS` says, else what its terminal has, else 80.
pub(crate) fn columns_of(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let has = || terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0));
    said.filter(|columns| *columns > 0).or_else(has).unwrap_or(USUAL).max(FEWEST)
}

/// May what goes there have colours? On a terminal that knows them, unless `NO_COLOR` holds anything (no-color.org).
pub(crate) fn has_colours(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
    !refused && !dumb && stream.is_terminal()
}
