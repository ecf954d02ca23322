//! A configuration that compiles is read once more, as a colleague would who knows the journal, the firewall and what
//! attackers write: what can never happen, what anybody can forge, what grows for ever.
//!
//! A loaded configuration goes in, findings come out. Each kind of finding is a [`Lint`]: one file, which holds its
//! code, its texts, a bad and a good example (both are run by a test), and its check. The checks know no module: they
//! look at the graph (`flow`) and at what each step's module states about it ([`crate::plugin::fact`]). What hangs on
//! the way by which an entry came is computed for all ways at once, never way by way, so that the largest graph is
//! reviewed in time that grows with its size.
//!
//! A comment next to a step allows a finding there (`allow`).

mod allow;
mod flow;
mod journal;
mod page;

mod addresses_chosen;
mod allow_list_of_all;
mod allows;
mod asked_twice;
mod backtracking;
mod ban_for_ever;
mod chain_never_runs;
mod costly_first;
mod counter_endless;
mod counter_not_compared;
mod field_unknown;
mod forgeable_ban;
mod forgeable_mail;
mod format_of_missing;
mod journal_overwritten;
mod key_unknown;
mod live;
mod no_allow_list;
mod one_set;
mod save_unread;
mod step_never_runs;
mod value_type;

pub use self::live::{inspect, tell_setting};
pub use self::page::page;

pub(crate) use self::chain_never_runs::LINT as CHAIN_NEVER_RUNS;
pub(crate) use self::key_unknown::LINT as KEY_UNKNOWN;
pub(crate) use self::step_never_runs::LINT as STEP_NEVER_RUNS;

use self::flow::{Exit, Flow};
use crate::config::{
    Config, Content, Diagnostic, Diagnostics, Node, Severity, Source, SourceSpan, Step, StepPlace,
};
use crate::engine::Engine;
use crate::entry::{Fields, Slot};
use crate::plugin::Fact;
use crate::workflow::{Site, Workflow};

/// At most this many findings of one kind are shown; the rest are counted.
const MOST: usize = 100;

/// A kind of finding.
#[derive(Debug)]
pub struct Lint {
    /// `P001`.
    pub code: &'static str,
    /// A name for people.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is found, in one sentence.
    pub what: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What to write instead.
    pub instead: &'static str,
    /// What it finds, and what it does not.
    pub examples: Examples,
    check: Option<fn(&Review<'_>, &mut Findings)>,
}

/// Examples of a lint.
#[derive(Clone, Copy, Debug)]
pub enum Examples {
    /// Configurations: the first gives just this finding, the second none.
    Rules {
        /// What it finds.
        bad: &'static str,
        /// How it is mended.
        good: &'static str,
    },
    /// It is about the machine, not the text alone.
    World,
}

impl Lint {
    /// The page that says more.
    pub fn page(&self) -> String {
        format!("docs/lints.md#{}", self.code.to_lowercase())
    }

    /// The command that shows the same on a terminal.
    pub fn explained_by(&self) -> String {
        format!("pyruse check --explain {}", self.code)
    }
}

/// All kinds of findings, in order of their codes.
pub const LINTS: &[&Lint] = &[
    &key_unknown::LINT,
    &chain_never_runs::LINT,
    &step_never_runs::LINT,
    &allows::LINT,
    &field_unknown::LINT,
    &value_type::LINT,
    &forgeable_ban::LINT,
    &forgeable_mail::LINT,
    &no_allow_list::LINT,
    &allow_list_of_all::LINT,
    &addresses_chosen::LINT,
    &ban_for_ever::LINT,
    &one_set::LINT,
    &counter_endless::LINT,
    &counter_not_compared::LINT,
    &save_unread::LINT,
    &journal_overwritten::LINT,
    &asked_twice::LINT,
    &costly_first::LINT,
    &backtracking::LINT,
    &format_of_missing::LINT,
    &live::BROKEN,
    &live::DOUBTFUL,
    &live::UNKNOWN,
];

/// The fields that the journal is known to have.
pub fn known_fields() -> impl Iterator<Item = &'static str> {
    journal::names()
}

/// Reviews a loaded configuration: what is found is added to `diagnostics`, and what a comment allows is taken away,
/// also of what was found while it was loaded.
pub fn review(source: &Source, engine: &Engine, diagnostics: &mut Diagnostics) {
    let review = Review::new(source, &engine.config, &engine.workflow);
    for lint in LINTS {
        let Some(check) = lint.check else { continue };
        let mut findings = Findings { lint, found: Vec::new() };
        check(&review, &mut findings);
        findings.tell(diagnostics);
    }
    allow::heed(source, &engine.config, diagnostics, true);
    // Only now: what a comment allows is not counted.
    diagnostics.bound(MOST);
}

/// Takes away what a comment allows, of what was found while a configuration was loaded.
pub fn heed_allows(source: &Source, config: &Config, diagnostics: &mut Diagnostics) {
    allow::heed(source, config, diagnostics, false);
}

/// What checks look at.
pub(crate) struct Review<'a> {
    source: &'a Source,
    config: &'a Config,
    workflow: &'a Workflow,
    /// The steps of the configuration, by site.
    steps: Vec<&'a Step>,
    flow: Flow,
}

impl<'a> Review<'a> {
    fn new(source: &'a Source, config: &'a Config, workflow: &'a Workflow) -> Review<'a> {
        let steps = config.chains.iter().flat_map(|chain| &chain.steps).collect();
        Review { source, config, workflow, steps, flow: Flow::new(workflow) }
    }

    fn fields(&self) -> &Fields {
        self.workflow.fields()
    }

    fn name(&self, slot: Slot) -> &str {
        self.fields().name(slot)
    }

    /// The steps that an entry can come to, with their numbers.
    fn sites(&self) -> impl Iterator<Item = (usize, &'a Site)> {
        let sites = self.workflow.sites().iter().enumerate();
        sites.filter(|(site, _)| !self.flow.nodes_of(*site).is_empty())
    }

    fn is_filter(&self, site: usize) -> bool {
        self.flow.nodes_of(site).first().is_some_and(|node| self.flow.is_filter(*node))
    }

    /// All facts, with the step that they are about.
    fn facts(&self) -> impl Iterator<Item = (usize, &'a Fact, &'a SourceSpan)> {
        let stated = |(site, found): (usize, &'a Site)| {
            found.facts.iter().map(move |stated| (site, &stated.fact, &stated.span))
        };
        self.sites().flat_map(stated)
    }

    fn place(&self, site: usize) -> StepPlace {
        let found = &self.workflow.sites()[site];
        StepPlace { chain: found.chain.clone(), step: Some(found.step) }
    }

    /// The character of an expression that stands at this span, at that byte.
    fn within(&self, span: &SourceSpan, expression: &str, at: usize) -> SourceSpan {
        let text = Node { span: span.clone(), content: Content::Text(expression.to_owned()) };
        text.span_within(&self.source.text, at)
    }

    /// A way through the graph, for people.
    fn tell_way(&self, way: &[(u32, Exit)]) -> String {
        const MOST_CHAINS: usize = 6;
        let mut chains: Vec<(&str, Vec<String>, bool)> = Vec::new();
        for (node, exit) in way {
            let site = self.flow.site(*node);
            // A chain that says at its first step that an entry is none of its business only makes the way long.
            let passed_by = *exit == Exit::Fail && self.steps[site].otherwise.is_none();
            let site = &self.workflow.sites()[site];
            let step = match (self.flow.is_filter(*node), exit) {
                (false, _) => format!("step {}", site.step),
                (true, Exit::Pass) => format!("step {} passes", site.step),
                (true, Exit::Fail) => format!("step {} does not pass", site.step),
            };
            match chains.last_mut() {
                Some((label, steps, passed_by)) if *label == site.chain => {
                    steps.push(step);
                    *passed_by = false;
                }
                _ => chains.push((&site.chain, vec![step], passed_by)),
            }
        }
        if chains.iter().any(|(.., passed_by)| !passed_by) {
            chains.retain(|(.., passed_by)| !passed_by);
        }
        let told: Vec<String> =
            chains.iter().map(|(label, steps, _)| format!("`{label}` ({})", brief(steps))).collect();
        if told.is_empty() {
            return "it is the first step of all".to_owned();
        }
        let shown = if told.len() <= MOST_CHAINS {
            told.join(", ")
        } else {
            let (first, last) = (&told[..MOST_CHAINS / 2], &told[told.len() - MOST_CHAINS / 2..]);
            format!("{}, …, {}", first.join(", "), last.join(", "))
        };
        format!("one way there: {shown}")
    }
}

fn brief(steps: &[String]) -> String {
    match steps {
        [first, second, .., last] if steps.len() > 6 => format!("{first}, {second}, …, {last}"),
        _ => steps.join(", "),
    }
}

/// What one check finds.
pub(crate) struct Findings {
    lint: &'static Lint,
    found: Vec<Diagnostic>,
}

impl Findings {
    /// Adds one, which belongs to a step.
    fn add(&mut self, span: &SourceSpan, place: StepPlace, message: impl Into<String>) -> &mut Diagnostic {
        let at = self.found.len();
        self.found.push(Diagnostic {
            severity: self.lint.severity,
            message: message.into(),
            span: span.clone(),
            label: None,
            place: Some(place),
            notes: Vec::new(),
            help: None,
            lint: Some(self.lint),
        });
        &mut self.found[at]
    }

    /// Are further ones only counted? Then what is costly to find out about them is not worth it.
    fn is_full(&self) -> bool {
        self.found.len() > MOST
    }

    /// A way to the next one, if that is shown.
    fn way(&self, review: &Review<'_>, way: impl FnOnce() -> Vec<(u32, Exit)>) -> Option<String> {
        (!self.is_full()).then(|| review.tell_way(&way()))
    }

    fn tell(mut self, diagnostics: &mut Diagnostics) {
        self.found.sort_by_key(|found| (found.span.start, found.span.end));
        // One step may be a node several times; what is told of it is told once.
        self.found.dedup_by(|b, a| a.span == b.span && a.message == b.message);
        for found in self.found {
            diagnostics.push(found);
        }
    }
}
