//! The pump does everything for every program that runs the engine: the daemon and embedders.

use std::sync::Arc;

use pyruse_bin as _;
use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::engine::{DIAGNOSTIC, Engine};
use pyruse_core::entry::{Fields, MemoryRecord};
use pyruse_core::plugin::{Registry, ReportForm};
use pyruse_core::pump::Pump;
use pyruse_core::serde_json::Value;
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;
use pyruse_core::workflow::NoObserver;

const RULES: &str = r#"{
    "actions": {"all": [
        {"action": "action_dailyReport", "args": {"level": "WARN", "message": "{MESSAGE}"}}
    ]}
}"#;

fn engine(state: &mut State) -> Engine {
    let source = ConfigText::new("pyruse.json", RULES);
    let mut diagnostics = Diagnostics::default();
    let registry = Registry::linked().unwrap();
    let engine = Engine::load(&source, &registry, Fields::default(), state, &mut diagnostics).unwrap();
    engine.unwrap_or_else(|| panic!("{}", source.draw(&diagnostics, false)))
}

fn entry(second: i64) -> MemoryRecord {
    let time = Timestamp::from_seconds(1_795_000_000 + second);
    MemoryRecord::at(time).with("SYSLOG_IDENTIFIER", "backup").with("MESSAGE", "no space left")
}

fn report(pump: &mut Pump) -> Value {
    let now = Timestamp::from_seconds(1_795_000_100);
    let report = pump.engine.services.report(&mut pump.state, now, ReportForm::Json);
    serde_json::from_str(&report.expect("a linked module makes it").unwrap()).unwrap()
}

#[test]
fn the_report_of_an_embedder_counts_all_entries() {
    let mut state = State::in_memory();
    let engine = engine(&mut state);
    let mut pump = Pump::new(engine, state, Arc::new(|| ())).unwrap();
    for second in 0..3 {
        pump.run(&mut entry(second), &mut NoObserver);
    }
    let report = report(&mut pump);
    assert_eq!(report["counts"]["entries"], 3, "{report:#}");
    assert_eq!(report["counts"]["lines"]["WARN"], 3, "{report:#}");
}

#[test]
fn our_own_diagnostics_have_no_consequences_in_any_program_with_a_pump() {
    let mut state = State::in_memory();
    let engine = engine(&mut state);
    let mut pump = Pump::new(engine, state, Arc::new(|| ())).unwrap();
    pump.run(&mut entry(0).with(DIAGNOSTIC, "1"), &mut NoObserver);
    pump.run(&mut entry(1), &mut NoObserver);
    let report = report(&mut pump);
    assert_eq!(report["counts"]["lines"]["WARN"], 1, "{report:#}");
}

#[test]
fn a_dry_run_shows_entries_to_no_service() {
    let mut state = State::in_memory();
    let engine = engine(&mut state);
    let mut pump = Pump::dry_run(engine, state).unwrap();
    pump.run(&mut entry(0), &mut NoObserver);
    assert_eq!(report(&mut pump)["counts"]["entries"], 0);
}
