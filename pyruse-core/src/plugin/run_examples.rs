//! Runs the examples of modules, for tests.

use super::{Compile, Compiled, Example, Expected, Plugin, Setup};
use crate::config::{ConfigText, Diagnostics, StepPlace, parse};
use crate::entry::{Buffers, EightBit, Fields, MemoryRecord};
use crate::plugin::{Act, Registry};
use crate::state::State;
use crate::time::Timestamp;

/// Runs the examples of all linked modules; returns one line for each failure. Entries have the time 2026-11-18
/// 11:06:40 UTC.
pub fn run_examples(registry: &Registry) -> Vec<String> {
    let mut failures = Vec::new();
    for plugin in registry.plugins() {
        for example in (plugin.examples)() {
            if let Err(why) = run(registry, plugin, &example) {
                failures.push(format!("{}, example “{}”: {why}", plugin.name, example.title));
            }
        }
    }
    failures
}

fn run(registry: &Registry, plugin: &Plugin, example: &Example) -> Result<(), String> {
    let text = if example.args.is_empty() { "{}" } else { example.args };
    let source = ConfigText::new(plugin.name, text);
    let node = parse(text).map_err(|e| e.message)?;
    let mut diagnostics = Diagnostics::default();
    let mut fields = Fields::default();
    fields.set_tables(registry.field_tables());
    let mut setup = Setup::default();
    let settings = if plugin.example_settings.is_empty() { "{}" } else { plugin.example_settings };
    let settings = parse(settings).map_err(|e| e.message)?;
    let settings = registry.settings_in(&settings, &mut diagnostics);
    if diagnostics.has_errors() {
        return Err("its settings are wrong".to_owned());
    }
    let compiled = (plugin.compile)(
        Some(&node),
        &mut Compile {
            source: &source,
            diagnostics: &mut diagnostics,
            fields: &mut fields,
            setup: &mut setup,
            settings: &settings,
            facts: &mut Vec::new(),
            node: &node,
            place: Some(StepPlace { chain: "example".into(), step: Some(0) }),
            source_name: "",
            title: format!("arguments of `{}`", plugin.name),
        },
    );
    let Some(compiled) = compiled else { return Err(source.draw(&diagnostics, false)) };
    let mut state = State::in_memory();
    state.adopt(&setup.layout).map_err(|e| e.to_string())?;
    setup.on_bind.into_iter().for_each(|work| work(&mut state));

    let expected_fields = match example.expected {
        Expected::Saves(saved) => saved,
        _ => &[],
    };
    let slots: Vec<_> = expected_fields.iter().map(|(name, _)| fields.slot(name)).collect();
    let mut record = MemoryRecord::at(Timestamp(1_795_000_000_000_000));
    for (name, value) in example.entry {
        record.push(*name, *value);
    }
    let mut buffers = Buffers::new(fields, EightBit::default(), jiff::tz::TimeZone::UTC);
    let mut entry = buffers.entry(&mut record);
    let mut effects = Vec::new();
    let result = match compiled {
        // Opening it would depend on the machine.
        Compiled::Source(_) => return Ok(()),
        Compiled::Filter(mut filter) => filter.passes(&mut entry),
        Compiled::Action(mut action) => action
            .act(&mut Act { entry: &mut entry, state: &mut state, effects: Some(&mut effects) })
            .map(|()| true),
    };
    match (&example.expected, result) {
        (Expected::Passes | Expected::Nothing, Ok(true)) | (Expected::Fails, Ok(false))
            if effects.is_empty() =>
        {
            Ok(())
        }
        (Expected::Error(expected), Err(e)) if e.to_string() == *expected => Ok(()),
        (Expected::Saves(saved), Ok(true)) => {
            for (slot, (name, expected)) in slots.into_iter().zip(*saved) {
                let found = entry.text(slot).unwrap_or("None");
                if found != *expected {
                    return Err(format!("{name} is {found:?}, not {expected:?}"));
                }
            }
            Ok(())
        }
        (Expected::Effect(expected), Ok(true)) => {
            let expected: serde_json::Value = serde_json::from_str(expected).map_err(|e| e.to_string())?;
            let found: Vec<_> = effects
                .iter()
                .map(serde_json::to_value)
                .collect::<Result<_, _>>()
                .map_err(|e| e.to_string())?;
            if found == [expected] { Ok(()) } else { Err(format!("the effects are {found:?}")) }
        }
        (expected, result) => Err(format!("expected {expected:?}, got {result:?} with {effects:?}")),
    }
}
