//! The input of a check: the configuration, its workflow, and the facts about its steps.

use super::flow::{Exit, Flow};
use crate::config::{Config, ConfigText, JsonContent, JsonNode, SourceSpan, Step, StepPlace};
use crate::entry::{FieldTables, Fields, Slot};
use crate::plugin::Fact;
use crate::workflow::{Site, Workflow};

/// The input of a check.
pub struct Review<'a> {
    pub(super) source: &'a ConfigText,
    pub(super) config: &'a Config,
    pub(super) workflow: &'a Workflow,
    /// The steps of the configuration, by site.
    pub(super) steps: Vec<&'a Step>,
    pub(super) flow: Flow,
}

impl<'a> Review<'a> {
    pub(super) fn new(source: &'a ConfigText, config: &'a Config, workflow: &'a Workflow) -> Review<'a> {
        let steps = config.chains.iter().flat_map(|chain| &chain.steps).collect();
        Review { source, config, workflow, steps, flow: Flow::new(workflow) }
    }

    /// Returns all fields that the workflow names.
    pub fn fields(&self) -> &Fields {
        self.workflow.fields()
    }

    /// May files become a part of the configuration although none of it changes: does an `include` have a wildcard?
    pub fn may_include_more(&self) -> bool {
        self.source.has_include_pattern()
    }

    /// Returns what the sources say about fields.
    pub fn tables(&self) -> &FieldTables {
        self.fields().tables()
    }

    /// Returns the name of a field.
    pub fn name(&self, slot: Slot) -> &str {
        self.fields().name(slot)
    }

    /// Returns the steps that an entry can reach, with their numbers.
    pub fn sites(&self) -> impl Iterator<Item = (usize, &'a Site)> {
        let sites = self.workflow.sites().iter().enumerate();
        sites.filter(|(site, _)| !self.flow.nodes_of(*site).is_empty())
    }

    /// Returns `true` if the step is a filter.
    pub fn is_filter(&self, site: usize) -> bool {
        self.flow.nodes_of(site).first().is_some_and(|node| self.flow.is_filter(*node))
    }

    /// Returns all facts, with the step that each is about.
    pub fn facts(&self) -> impl Iterator<Item = (usize, &'a Fact, &'a SourceSpan)> {
        let stated = |(site, found): (usize, &'a Site)| {
            found.facts.iter().map(move |stated| (site, &stated.fact, &stated.span))
        };
        self.sites().flat_map(stated)
    }

    /// Returns the members of a top-level key that is an object: their names, with the position of each.
    pub fn members(&self, key: &str) -> impl Iterator<Item = (&'a str, &'a SourceSpan)> {
        let members = self.config.top(key).and_then(JsonNode::members).unwrap_or_default();
        members.iter().map(|member| (member.key.as_str(), &member.key_span))
    }

    /// Returns the chain and the number of a step.
    pub fn place(&self, site: usize) -> StepPlace {
        let found = &self.workflow.sites()[site];
        StepPlace { chain: found.chain.clone(), step: Some(found.step) }
    }

    /// Returns the name of a step, for people.
    pub(super) fn step(&self, site: usize) -> String {
        let found = &self.workflow.sites()[site];
        format!("step {} of `{}`", found.step, found.chain)
    }

    /// Returns the position of the character at byte `at` of the expression at this span.
    pub fn within(&self, span: &SourceSpan, expression: &str, at: usize) -> SourceSpan {
        let text = JsonNode { span: span.clone(), content: JsonContent::Text(expression.to_owned()) };
        text.span_within(self.source.text(), at)
    }

    /// Describes a path through the graph, for people.
    pub(super) fn describe_path(&self, path: &[(u32, Exit)]) -> String {
        const MOST_CHAINS: usize = 6;
        let mut chains: Vec<(&str, Vec<String>, bool)> = Vec::new();
        for (node, exit) in path {
            let site = self.flow.site(*node);
            // A chain whose first step rejects the entry only makes the path long.
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
        let names: Vec<String> =
            chains.iter().map(|(label, steps, _)| format!("`{label}` ({})", brief(steps))).collect();
        if names.is_empty() {
            return "it is the very first step".to_owned();
        }
        let shown = if names.len() <= MOST_CHAINS {
            names.join(", ")
        } else {
            let (first, last) = (&names[..MOST_CHAINS / 2], &names[names.len() - MOST_CHAINS / 2..]);
            format!("{}, …, {}", first.join(", "), last.join(", "))
        };
        format!("one path there: {shown}")
    }
}

fn brief(steps: &[String]) -> String {
    match steps {
        [first, second, .., last] if steps.len() > 6 => format!("{first}, {second}, …, {last}"),
        _ => steps.join(", "),
    }
}
