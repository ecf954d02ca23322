//! A configuration that compiles is read once more, as a colleague would who knows the journal, the firewall and what
//! attackers write: what can never happen, what anybody can forge, what grows for ever.
//!
//! A loaded configuration goes in, findings come out. Each kind of finding is a [`Lint`](crate::config::Lint): one file, which holds its
//! code, its texts, a bad and a good example (both are run by a test), and its check. The file registers itself
//! ([`LintPlugin`]); a plugin crate can do the same. The checks know no module: they
//! look at the graph (`flow`) and at what each step's module states about it ([`crate::plugin::fact`]). What hangs on
//! the way by which an entry came is computed for all ways at once, never way by way, so that the largest graph is
//! reviewed in time that grows with its size.
//!
//! A comment next to a step allows a finding there (`allow`).

mod allow;
mod check;
mod findings;
mod flow;
mod journal;
mod live;
mod page;
mod subject;

mod addresses_chosen;
mod allow_list_of_all;
mod allows;
mod asked_twice;
mod backtracking;
mod ban_for_ever;
mod costly_first;
mod counter_endless;
mod counter_not_compared;
mod field_unknown;
mod forgeable_ban;
mod forgeable_mail;
mod format_of_missing;
mod journal_overwritten;
mod no_allow_list;
mod one_set;
mod save_unread;
mod value_type;

pub use self::check::{Check, LintPlugin, lints};
pub use self::findings::Findings;
pub use self::live::{inspect, tell_setting};
pub use self::page::page;
pub use self::subject::Review;

use crate::config::{Config, Diagnostics, Source};
use crate::engine::Engine;

/// The fields that the journal is known to have.
pub fn known_fields() -> impl Iterator<Item = &'static str> {
    journal::names()
}

/// Reviews a loaded configuration: what is found is added to `diagnostics`, and what a comment allows is taken away,
/// also of what was found while it was loaded.
pub fn review(source: &Source, engine: &Engine, diagnostics: &mut Diagnostics) {
    let review = Review::new(source, &engine.config, &engine.workflow);
    let plugins = check::plugins();
    for pair in plugins.windows(2) {
        if let [a, b] = pair
            && a.lint.code == b.lint.code
        {
            let message =
                format!("two lints have the code {}: {} and {}", a.lint.code, a.lint.name, b.lint.name);
            diagnostics
                .error(0..0, None, message)
                .help("one of the linked plugin crates must choose another code");
        }
    }
    for plugin in plugins {
        let Some(check) = plugin.check else { continue };
        let mut findings = Findings::new(plugin.lint);
        check(&review, &mut findings);
        findings.tell(diagnostics);
    }
    allow::heed(source, &engine.config, diagnostics, true);
    // Only now: what a comment allows is not counted.
    diagnostics.bound(findings::MOST);
}

/// Takes away what a comment allows, of what was found while a configuration was loaded.
pub fn heed_allows(source: &Source, config: &Config, diagnostics: &mut Diagnostics) {
    allow::heed(source, config, diagnostics, false);
}
