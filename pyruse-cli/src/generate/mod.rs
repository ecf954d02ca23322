//! Pages that are made from the source and kept beside it: `docs/reference`, `docs/lints.md`, manual pages.
//!
//! The command line (clap's definitions) and the modules' own words go in. `make reference` writes the pages; a test
//! fails when one of them is out of date. The program itself knows nothing of them.

mod lead;
mod lints;
mod man;
mod manual_configuration;
mod page;
mod reference;
mod roff;

use pyruse_core::plugin::Registry;

pub use self::page::Page;
use crate::cli::command_line;

/// All pages, for the modules that are linked. In manual pages, `@DOCDIR@` and `@DATE@` stand for what only the
/// installation knows.
pub fn pages() -> anyhow::Result<Vec<Page>> {
    let registry = Registry::linked()?;
    let program = command_line();
    let mut pages = reference::pages(&program, &registry);
    pages.push(("docs/lints.md".to_owned(), lints::page()));
    pages.extend(man::pages(&program, &registry));
    Ok(pages)
}
