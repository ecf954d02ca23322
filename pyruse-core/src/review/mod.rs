//! Reviews a configuration that compiles, like a colleague who knows the journal, the firewall and what attackers
//! write: it finds what can never happen, what anybody can forge, what grows for ever.
//!
//! A loaded configuration goes in; findings come out. Each kind of finding is a [`Lint`](crate::config::Lint) in one
//! file, which holds its code, its texts, a bad and a good example (a test runs both), and its check. The file
//! registers itself ([`LintPlugin`]); a plugin crate can do the same. The checks know no module: they look at the graph
//! (`flow`) and at the facts that each step's module states ([`crate::plugin::fact`]). What depends on the path of an
//! entry is computed for all paths at once, never path by path. So the time for a review grows only with the size of
//! the graph.
//!
//! A comment next to a step allows a finding there (`allow`).

mod allow;
mod check;
mod copied;
mod findings;
mod flow;
mod live;
mod run_examples;
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
mod counter_prefixes;
mod fed_back;
mod field_unknown;
mod forgeable_ban;
mod forgeable_mail;
mod format_of_missing;
mod journal_overwritten;
mod no_allow_list;
mod one_set;
mod save_unread;
mod source_unknown;
mod value_type;
mod wide_networks;

pub use self::check::{Check, LintPlugin, lints};
pub use self::findings::Findings;
pub use self::live::inspect;
pub use self::run_examples::run_examples;
pub use self::subject::Review;

use crate::config::{Config, ConfigText, Diagnostics};
use crate::engine::Engine;

/// Reviews a loaded configuration: findings are added to `diagnostics`, and those that a comment allows are removed,
/// including findings from loading.
pub fn review(source: &ConfigText, engine: &Engine, diagnostics: &mut Diagnostics) {
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
        findings.report(diagnostics);
    }
    allow::apply(source, &engine.config, diagnostics, true);
    // Only now: findings that a comment allows are not counted.
    diagnostics.bound(findings::MOST);
}

/// Removes the findings that a comment allows, after a configuration was only loaded.
pub fn apply_allows(source: &ConfigText, config: &Config, diagnostics: &mut Diagnostics) {
    allow::apply(source, config, diagnostics, false);
}
