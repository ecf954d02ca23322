//! The pages of docs to which manual pages refer.

use super::roff::Manual;

/// Returns the path of an installed page.
pub(super) fn doc(page: &str) -> String {
    format!("@DOCDIR@/docs/{page}")
}

/// Adds the end of SEE ALSO: the pages, one per line.
pub(super) fn lead_to(page: &mut Manual, names: &[&str]) {
    for name in names {
        page.verbatim(&doc(name));
    }
}
