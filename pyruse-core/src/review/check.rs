//! Registers a lint, together with the check that finds it.

use super::findings::Findings;
use super::subject::Review;
use crate::config::Lint;

/// The check of a lint: reads the configuration, and adds its findings.
pub type Check = fn(&Review<'_>, &mut Findings);

/// A linked lint: `inventory::submit!(LintPlugin::new(&LINT, check));`
#[non_exhaustive]
pub struct LintPlugin {
    /// The lint.
    pub lint: &'static Lint,
    pub(super) check: Option<Check>,
}

inventory::collect!(LintPlugin);

impl LintPlugin {
    /// Makes a lint that [`review`](super::review) checks.
    pub const fn new(lint: &'static Lint, check: Check) -> LintPlugin {
        LintPlugin { lint, check: Some(check) }
    }

    /// Makes a lint that other code than a check reports.
    pub(crate) const fn reported_elsewhere(lint: &'static Lint) -> LintPlugin {
        LintPlugin { lint, check: None }
    }
}

inventory::submit!(LintPlugin::reported_elsewhere(&crate::config::lint::KEY_UNKNOWN));
inventory::submit!(LintPlugin::reported_elsewhere(&crate::config::lint::CHAIN_NEVER_RUNS));
inventory::submit!(LintPlugin::reported_elsewhere(&crate::config::lint::STEP_NEVER_RUNS));

pub(super) fn plugins() -> Vec<&'static LintPlugin> {
    let mut plugins: Vec<_> = inventory::iter::<LintPlugin>.into_iter().collect();
    plugins.sort_by_key(|plugin| plugin.lint.code);
    plugins
}

/// Returns all linked lints, in order of their codes.
pub fn lints() -> impl Iterator<Item = &'static Lint> + Clone {
    plugins().into_iter().map(|plugin| plugin.lint)
}
