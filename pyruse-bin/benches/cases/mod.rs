//! Pieces of the engine, set up with realistic rules and lines, ready to be timed: by criterion (`units`), and side by
//! side, as ratios within one run (`whole`).
//!
//! A case does its work `n` times and returns how long that took, without the preparation.

#![allow(dead_code, reason = "each bench uses a part of this")]

pub mod counter;
pub mod dnat;
pub mod expressions;
pub mod held;
pub mod ladder;
pub mod lists;
pub mod report;
pub mod state;
pub mod template;

use std::time::{Duration, Instant};

use pyruse_bin as _;
use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Fields, MemoryRecord};
use pyruse_core::plugin::Registry;
use pyruse_core::pump::Pump;
use pyruse_core::state::{Position, State};
use pyruse_core::time::{Now, Timestamp};
use pyruse_core::workflow::NoObserver;
use serde_json::Value;

/// Does its work this many times; returns how long that took.
pub type Case = Box<dyn FnMut(u64) -> Duration>;

/// The number of entries in a batch of the daemon during a backlog.
pub const BATCH: u64 = 2000;

/// A compiled configuration with its state.
pub struct Rules {
    pub pump: Pump,
}

impl Rules {
    /// These chains, with a state in memory.
    pub fn new(actions: &Value, optimized: bool) -> Rules {
        let text = serde_json::json!({ "actions": actions }).to_string();
        Rules::load(&text, State::in_memory(), optimized)
    }

    /// This configuration on that state.
    pub fn load(text: &str, mut state: State, optimized: bool) -> Rules {
        let source = ConfigText::new("bench", text);
        let registry = Registry::linked().unwrap();
        let mut diagnostics = Diagnostics::default();
        let engine = Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics);
        let mut engine = engine.unwrap().unwrap_or_else(|| panic!("{}", source.draw(&diagnostics, false)));
        if optimized {
            engine.workflow.optimize();
        }
        // Nothing is delivered.
        Rules { pump: Pump::dry_run(engine, state).unwrap() }
    }

    pub fn ride(&mut self, record: &mut MemoryRecord) {
        record.rewind();
        self.pump.engine.workflow.run(record, &mut self.pump.state, &mut NoObserver);
    }

    /// Writes the state, and discards what is queued.
    pub fn commit(&mut self, time: Timestamp) {
        self.pump.state.set_position("journal", Position { place: Vec::new(), time });
        self.pump.settle(Now::read()).unwrap();
    }
}

/// Rides these records, one after the other and again from the first.
pub fn rides(mut rules: Rules, mut records: Vec<MemoryRecord>) -> Case {
    let mut at = 0;
    Box::new(move |n| {
        let start = Instant::now();
        for _ in 0..n {
            rules.ride(&mut records[at]);
            at = (at + 1) % records.len();
        }
        start.elapsed()
    })
}
