//! Where manual pages lead to: the installed pages of docs.

use super::roff::Manual;

/// Where a page will be.
pub(super) fn doc(page: &str) -> String {
    format!("@DOCDIR@/docs/{page}")
}

/// What stands at the end of SEE ALSO: the pages, one a line.
pub(super) fn lead_to(page: &mut Manual, names: &[&str]) {
    for name in names {
        page.verbatim(&doc(name));
    }
}
