//! Generated pages that are in the repository: `docs/reference`, `docs/lints.md`, manual pages.
//!
//! They are made from the command line (clap's definitions) and the texts of modules. `make reference` writes the
//! pages; a test fails if one of them is out of date. The program itself does not contain them.

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

/// Returns all pages, for the linked modules. In manual pages, `@DOCDIR@` and `@DATE@` are replaced at installation.
pub fn pages() -> anyhow::Result<Vec<Page>> {
    let registry = Registry::linked()?;
    let program = command_line();
    let mut pages = reference::pages(&program, &registry);
    pages.push(("docs/lints.md".to_owned(), lints::page()));
    pages.extend(man::pages(&program, &registry));
    Ok(pages)
}
