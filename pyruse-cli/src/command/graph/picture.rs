//! The workflow as people see it: chains of steps, and the target of each exit.
//!
//! The compiler's graph has a node for each step and continuation; here, each chain occurs once. The targets of a
//! chain's open exits are collected over all of its instances.

use std::collections::HashMap;

use pyruse_core::config::{Config, Step as ConfigStep};
use pyruse_core::workflow::{SiteId, Workflow};
use serde::Serialize;
use serde_json::Value;

use crate::command::text::printable;

/// The module that stops entries without an effect.
const NOOP: &str = "action_noop";

/// The number of a chain: its position in the file.
pub(super) type ChainNumber = usize;

#[derive(Serialize)]
pub(super) struct Picture {
    pub(super) file: String,
    pub(super) chains: Vec<Chain>,
}

#[derive(Serialize)]
pub(super) struct Chain {
    pub(super) label: String,
    #[serde(rename = "place")]
    pub(super) kind: ChainKind,
    pub(super) steps: Vec<Step>,
    /// The targets of exits without a jump; `None`: the entry stops.
    pub(super) goes_on_at: Vec<Option<ChainNumber>>,
    /// The chains that jump here, each once.
    pub(super) callers: Vec<ChainNumber>,
    /// Whether it only stops the entry.
    pub(super) quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ChainKind {
    /// On the main path, with its number from 1.
    TopLevel(usize),
    /// Entered only by jumps.
    Jump,
    /// Never entered.
    Unreachable,
}

#[derive(Serialize)]
pub(super) struct Step {
    pub(super) kind: &'static str,
    pub(super) module: String,
    /// The most important argument: what the step reads or does.
    #[serde(rename = "telling")]
    pub(super) main_argument: String,
    pub(super) then: Option<ChainNumber>,
    #[serde(rename = "else")]
    pub(super) otherwise: Option<ChainNumber>,
    /// False after a step with `then`.
    pub(super) reachable: bool,
    /// Whether it is an action at the end of its chain.
    pub(super) ends: bool,
}

impl Chain {
    /// The chains that its steps jump to, as often as they do.
    pub(super) fn targets(&self) -> impl Iterator<Item = ChainNumber> {
        self.steps.iter().flat_map(Step::jumps).map(|(_, to)| to)
    }
}

impl Step {
    /// Returns its jumps, as written.
    pub(super) fn jumps(&self) -> impl Iterator<Item = (Exit, ChainNumber)> {
        let then = self.then.map(|to| (Exit::Then, to));
        then.into_iter().chain(self.otherwise.map(|to| (Exit::Else, to))).filter(|_| self.reachable)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exit {
    Then,
    Else,
}

impl Exit {
    pub(super) fn word(self) -> &'static str {
        match self {
            Exit::Then => "then",
            Exit::Else => "else",
        }
    }
}

impl Picture {
    pub(super) fn of(file: &str, config: &Config, workflow: &Workflow) -> Picture {
        let numbers: HashMap<&str, ChainNumber> =
            config.chains.iter().enumerate().map(|(n, chain)| (chain.label.text.as_str(), n)).collect();
        let mut sites: HashMap<(ChainNumber, usize), SiteId> = HashMap::new();
        let nodes: Vec<_> = workflow.graph().collect();
        let chain_of = |id: SiteId| numbers[workflow.site(id).chain.as_str()];
        for (id, ..) in &nodes {
            sites.insert((chain_of(*id), workflow.site(*id).step), *id);
        }
        let mut chains: Vec<Chain> = Vec::with_capacity(config.chains.len());
        for (number, chain) in config.chains.iter().enumerate() {
            let mut reachable = true;
            let steps = chain.steps.iter().enumerate().map(|(n, step)| {
                let target = |label: &Option<pyruse_core::config::Spanned>| {
                    label.as_ref().and_then(|label| numbers.get(label.text.as_str()).copied())
                };
                let fields = sites.get(&(number, n)).map(|id| touched(workflow, *id)).unwrap_or_default();
                let (kind, module) = step
                    .module
                    .as_ref()
                    .map_or(("filter", String::new()), |(kind, name)| (kind.word(), name.text.clone()));
                let shown = Step {
                    kind,
                    module,
                    main_argument: main_argument(step, &fields),
                    then: target(&step.then),
                    otherwise: target(&step.otherwise),
                    reachable,
                    ends: kind == "action" && step.then.is_none() && n + 1 == chain.steps.len(),
                };
                reachable &= step.then.is_none();
                shown
            });
            let steps: Vec<Step> = steps.collect();
            let quiet = matches!(steps.as_slice(), [only] if only.module == NOOP && only.then.is_none());
            chains.push(Chain {
                label: chain.label.text.clone(),
                kind: ChainKind::Unreachable,
                steps,
                goes_on_at: Vec::new(),
                callers: Vec::new(),
                quiet,
            });
        }
        let mut picture = Picture { file: file.to_owned(), chains };
        picture.link(workflow, &nodes, chain_of);
        picture
    }

    /// Returns the target of the open exits of a top-level chain, for entries from above.
    pub(super) fn next_on_main_way(&self, chain: ChainNumber) -> Option<ChainNumber> {
        let ChainKind::TopLevel(number) = self.chains[chain].kind else { return None };
        let next = ChainKind::TopLevel(number + 1);
        self.chains[chain].goes_on_at.iter().flatten().copied().find(|to| self.chains[*to].kind == next)
    }

    /// Returns the only target of a chain's open exits; on the main path, the next chain.
    pub(super) fn goes_on_at_only(&self, chain: ChainNumber) -> Option<ChainNumber> {
        self.next_on_main_way(chain).or(
            match (self.chains[chain].kind, self.chains[chain].goes_on_at.as_slice()) {
                (ChainKind::Jump, [only]) => *only,
                _ => None,
            },
        )
    }

    /// Adds what is only known from the linked graph.
    fn link(
        &mut self,
        workflow: &Workflow,
        nodes: &[(SiteId, bool, [u32; 2])],
        chain_of: impl Fn(SiteId) -> ChainNumber,
    ) {
        let mut entered = vec![false; self.chains.len()];
        let mut top = vec![false; self.chains.len()];
        let mut seen = vec![false; nodes.len()];
        let mut unvisited = vec![0_usize];
        while let Some(at) = unvisited.pop() {
            let Some((id, is_filter, exits)) = nodes.get(at) else { continue };
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let (chain, step) = (chain_of(*id), workflow.site(*id).step);
            entered[chain] = true;
            top[chain] |= at == 0;
            let shown = &self.chains[chain].steps[step];
            let is_last = step + 1 == self.chains[chain].steps.len();
            let open =
                [shown.then.is_none() && is_last && *is_filter, shown.otherwise.is_none() && *is_filter];
            for (exit, open) in exits.iter().zip(open) {
                let target = *exit as usize;
                let to = nodes.get(target).map(|(id, ..)| chain_of(*id));
                if open {
                    if let Some(to) = to {
                        top[to] = true;
                    }
                    if !self.chains[chain].goes_on_at.contains(&to) {
                        self.chains[chain].goes_on_at.push(to);
                    }
                }
                unvisited.push(target);
            }
        }
        let mut number = 0;
        for (n, chain) in self.chains.iter_mut().enumerate() {
            chain.goes_on_at.sort_unstable();
            if entered[n] {
                number += usize::from(top[n]);
                chain.kind = if top[n] { ChainKind::TopLevel(number) } else { ChainKind::Jump };
            }
        }
        for caller in 0..self.chains.len() {
            if self.chains[caller].kind == ChainKind::Unreachable {
                continue;
            }
            let targets: Vec<ChainNumber> = self.chains[caller].targets().collect();
            for to in targets {
                if !self.chains[to].callers.contains(&caller) {
                    self.chains[to].callers.push(caller);
                }
            }
        }
    }
}

/// Returns the fields that a step reads and saves.
fn touched(workflow: &Workflow, id: SiteId) -> (Vec<String>, Vec<String>) {
    let site = workflow.site(id);
    let name = |slot| workflow.fields().name(slot).to_owned();
    (site.reads().map(name).collect(), site.saves().map(name).collect())
}

/// Returns the most important part of a step, on one line: the field it reads, and the value it is compared with; the
/// template of a message; the rest of the arguments.
fn main_argument(step: &ConfigStep, (reads, saves): &(Vec<String>, Vec<String>)) -> String {
    let args = step.args.as_ref().map(pyruse_core::config::JsonNode::to_json);
    let Some(args) = args.as_ref().and_then(Value::as_object) else { return String::new() };
    let is_shown = |name: &str| reads.iter().chain(saves).any(|field| field == name);
    let names_fields = |value: &Value| match value {
        Value::String(name) => is_shown(name),
        Value::Array(names) => {
            !names.is_empty() && names.iter().all(|name| name.as_str().is_some_and(is_shown))
        }
        _ => false,
    };
    let rest: Vec<(&String, &Value)> = args.iter().filter(|(_, value)| !names_fields(value)).collect();
    let is_template = |value: &Value| {
        value.as_str().is_some_and(|text| reads.iter().any(|field| text.contains(&format!("{{{field}"))))
    };
    if let Some((_, template)) = rest.iter().find(|(_, value)| is_template(value)) {
        return printable(&plain(template));
    }
    let mut fields: Vec<&str> = Vec::new();
    for field in reads {
        if !fields.contains(&field.as_str()) {
            fields.push(field);
        }
    }
    let fields = fields.join(", ");
    let asked = match rest.as_slice() {
        [] => String::new(),
        [(_, only)] => plain(only),
        several => several
            .iter()
            .map(|(name, value)| format!("{name}={}", plain(value)))
            .collect::<Vec<_>>()
            .join(" "),
    };
    printable(&match (fields.is_empty(), asked.is_empty()) {
        (false, false) => format!("{fields}: {asked}"),
        _ => format!("{fields}{asked}"),
    })
}

/// Formats a value without JSON's quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
