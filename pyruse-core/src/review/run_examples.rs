//! Runs the examples of lints, for tests.

use super::lints;
use crate::config::{ConfigText, Diagnostics, Lint};
use crate::engine::Engine;
use crate::entry::Fields;
use crate::plugin::Registry;
use crate::state::State;

/// Reviews the bad and the good example of every linked lint; returns one line for each failure. A lint must be the only
/// one that finds something in its bad example, and no lint may find anything in a good one.
pub fn run_examples(registry: &Registry) -> Vec<String> {
    lints().filter_map(|lint| run(registry, lint).err().map(|why| format!("{}: {why}", lint.code))).collect()
}

fn run(registry: &Registry, lint: &Lint) -> Result<(), String> {
    let Some([bad, good]) = lint.examples.rules() else { return Ok(()) };
    let (found, drawn) = findings(registry, &bad)?;
    if found != [(lint.code, lint.severity)] {
        return Err(format!("the bad example must have this one finding, but it has:\n{drawn}"));
    }
    let (found, drawn) = findings(registry, &good)?;
    if found.is_empty() { Ok(()) } else { Err(format!("the good example has findings:\n{drawn}")) }
}

type Found = Vec<(&'static str, crate::config::Severity)>;

/// Returns the code and severity of each finding, and all findings as text.
fn findings(registry: &Registry, text: &str) -> Result<(Found, String), String> {
    let source = ConfigText::new("pyruse.json", text);
    let (mut state, mut diagnostics) = (State::in_memory(), Diagnostics::default());
    let engine = Engine::load(&source, registry, Fields::default(), &mut state, &mut diagnostics);
    let Some(engine) = engine.map_err(|e| e.to_string())? else {
        return Err(format!("an example cannot be used:\n{}", source.draw(&diagnostics, false)));
    };
    super::review(&source, &engine, &mut diagnostics);
    let found = diagnostics.in_order();
    let code = |lint: Option<&'static Lint>| lint.map_or("without a code", |lint| lint.code);
    let found = found.iter().map(|finding| (code(finding.lint), finding.severity)).collect();
    Ok((found, source.draw(&diagnostics, false)))
}
