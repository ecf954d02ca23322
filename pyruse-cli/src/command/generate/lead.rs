//! Where manual pages lead to: the installed pages of docs.

use std::path::Path;

use super::roff::Manual;

/// Where a page will be.
pub(super) fn doc(docs: &Path, page: &str) -> String {
    docs.join(page).display().to_string()
}

/// What stands at the end of SEE ALSO: the pages, one a line.
pub(super) fn lead_to(page: &mut Manual, docs: &Path, names: &[&str]) {
    for name in names {
        page.verbatim(&doc(docs, name));
    }
}
