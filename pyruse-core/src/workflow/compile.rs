//! Compiles a configuration to a workflow that runs.
//!
//! Every step's module is compiled once, wherever its chain is used; the graph only refers to it. All errors of all
//! modules, and those about links, are collected before the configuration is refused.

use std::collections::HashMap;

use super::graph::{self, Graph, STOP, Shape};
use super::node::{Node, Op};
use super::site::Site;
use crate::config::lint;
use crate::config::{Config, ConfigText, Diagnostics, ModuleKind, Spanned, Step, StepPlace};
use crate::entry::Fields;
use crate::plugin::{Action, Compile, Compiled, Filter, Registry, Settings, Setup};

/// The steps of a configuration, compiled and linked.
pub(crate) struct Steps {
    pub(super) nodes: Vec<Node>,
    pub(super) filters: Vec<Box<dyn Filter>>,
    pub(super) actions: Vec<Box<dyn Action>>,
    pub(super) sites: Vec<Site>,
}

/// Inputs of the compiler.
pub(crate) struct Compiler<'a> {
    /// The source text, for positions within it.
    pub(crate) source: &'a ConfigText,
    /// The linked modules.
    pub(crate) registry: &'a Registry,
    /// The modules' settings.
    pub(crate) settings: &'a Settings,
}

impl Compiler<'_> {
    /// Compiles the steps; `fields` and `setup` get what the steps need. `None` means errors, all of which are in
    /// `diagnostics`.
    pub(crate) fn compile(
        &self,
        config: &Config,
        fields: &mut Fields,
        setup: &mut Setup,
        diagnostics: &mut Diagnostics,
    ) -> Option<Steps> {
        let shapes = shapes(config, diagnostics);
        let graph = match graph::link(&shapes) {
            Ok(graph) => Some(graph),
            Err(loops) => {
                for found in &loops {
                    report_loop(config, found, diagnostics);
                }
                None
            }
        };
        let mut filters = Vec::new();
        let mut actions = Vec::new();
        let mut sites = Vec::new();
        let mut ops = HashMap::new();
        for (c, chain) in config.chains.iter().enumerate() {
            for (s, step) in chain.steps.iter().enumerate() {
                let place = StepPlace { chain: chain.label.text.clone(), step: Some(s) };
                let mut site = Site { chain: chain.label.text.clone(), step: s, facts: Vec::new() };
                let compiled = self.step(step, place, &mut site, fields, setup, diagnostics);
                let number = |n: usize| u32::try_from(n).expect("a configuration has fewer than 2^32 steps");
                let op = match compiled {
                    Some(Compiled::Filter(filter)) => {
                        filters.push(filter);
                        Op::Filter(number(filters.len() - 1))
                    }
                    Some(Compiled::Action(action)) => {
                        let inert = action.is_inert();
                        actions.push(action);
                        Op::Action { action: number(actions.len() - 1), inert }
                    }
                    // No step names a source.
                    Some(Compiled::Source(_)) | None => continue,
                };
                ops.insert((c, s), (op, number(sites.len())));
                sites.push(site);
            }
        }
        let graph = graph?;
        if diagnostics.has_errors() {
            return None;
        }
        warn_of_unreachable(config, &shapes, &graph, diagnostics);
        let nodes = graph.nodes.iter().map(|link| {
            let (op, site) = ops[&(link.chain as usize, link.step as usize)];
            Node { op, pass: link.pass, fail: link.fail, site, asks: None }
        });
        Some(Steps { nodes: nodes.collect(), filters, actions, sites })
    }

    fn step(
        &self,
        step: &Step,
        place: StepPlace,
        site: &mut Site,
        fields: &mut Fields,
        setup: &mut Setup,
        diagnostics: &mut Diagnostics,
    ) -> Option<Compiled> {
        let (kind, name) = step.module.as_ref()?;
        let Some(plugin) = self.registry.plugin(*kind, &name.text) else {
            self.registry.report_unknown(*kind, name, Some(place), diagnostics);
            return None;
        };
        let mut cx = Compile {
            source: self.source,
            diagnostics,
            fields,
            setup,
            settings: self.settings,
            facts: &mut site.facts,
            node: step.args.as_ref().unwrap_or(&step.node),
            place: Some(place),
            source_name: "",
            title: format!("arguments of `{}`", name.text),
        };
        (plugin.compile)(step.args.as_ref(), &mut cx)
    }
}

fn shapes(config: &Config, diagnostics: &mut Diagnostics) -> Vec<Vec<Shape>> {
    let numbers: HashMap<&str, usize> =
        config.chains.iter().enumerate().map(|(n, chain)| (chain.label.text.as_str(), n)).collect();
    let mut shapes = Vec::with_capacity(config.chains.len());
    for chain in &config.chains {
        let steps = chain.steps.iter().enumerate().map(|(n, step)| {
            let mut find = |label: &Option<Spanned>| {
                let label = label.as_ref()?;
                let found = numbers.get(label.text.as_str()).copied();
                if found.is_none() {
                    let place = StepPlace { chain: chain.label.text.clone(), step: Some(n) };
                    let message = format!("there is no chain `{}`", label.text);
                    let finding = diagnostics.error(label.span.clone(), Some(place), message);
                    finding.suggest(&label.text, numbers.keys().copied());
                }
                found
            };
            let (then, otherwise) = (find(&step.then), find(&step.otherwise));
            // A step that names no module was already reported; treated as a filter, it causes no further errors.
            let is_filter = step.module.as_ref().is_none_or(|(kind, _)| *kind == ModuleKind::Filter);
            Shape { is_filter, then, otherwise }
        });
        shapes.push(steps.collect());
    }
    shapes
}

fn report_loop(config: &Config, found: &graph::Loop, diagnostics: &mut Diagnostics) {
    let label = |chain: usize| config.chains[chain].label.text.as_str();
    let mut way: Vec<&str> = found.0.iter().map(|(chain, _)| label(*chain)).collect();
    let Some((last, first)) = found.0.last().zip(way.first().copied()) else { return };
    way.push(first);
    let step = &config.chains[last.0].steps[last.1];
    let closing = [&step.then, &step.otherwise].into_iter().flatten().find(|to| to.text == first);
    let span = closing.map_or(step.node.span.clone(), |to| to.span.clone());
    let place = StepPlace { chain: label(last.0).to_owned(), step: Some(last.1) };
    diagnostics
        .error(span, Some(place), format!("the chains form a loop: {}", way.join(" → ")))
        .label("this jump closes it");
}

fn warn_of_unreachable(config: &Config, shapes: &[Vec<Shape>], graph: &Graph, diagnostics: &mut Diagnostics) {
    let mut reached = vec![false; config.chains.len()];
    let mut seen = vec![false; graph.nodes.len()];
    let mut unvisited = if graph.nodes.is_empty() { Vec::new() } else { vec![0] };
    while let Some(at) = unvisited.pop() {
        if at == STOP || std::mem::replace(&mut seen[at as usize], true) {
            continue;
        }
        let node = graph.nodes[at as usize];
        reached[node.chain as usize] = true;
        unvisited.extend([node.pass, node.fail]);
    }
    for (n, chain) in config.chains.iter().enumerate() {
        let place = |step| Some(StepPlace { chain: chain.label.text.clone(), step });
        if !reached[n] {
            let message =
                "this chain can never run: no entry passes beyond the chains before it, and none jumps here";
            diagnostics
                .lint(&lint::CHAIN_NEVER_RUNS, chain.label.span.clone(), place(None), message)
                .help("remove it, or jump to it with `then` or `else`");
            continue;
        }
        let live = graph::live(&shapes[n]).len();
        if let Some(step) = chain.steps.get(live) {
            let message = "this step can never run: the one before it continues elsewhere with `then`";
            diagnostics
                .lint(&lint::STEP_NEVER_RUNS, step.node.span.clone(), place(Some(live)), message)
                .help("remove it, or put it before the step with `then`");
        }
    }
}
