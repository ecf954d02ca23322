//! Entries as a source gives them whose values recur: by their numbers.

use std::collections::HashMap;

use pyruse_core::entry::{Combination, Known, MemoryRecord, Record, Sink};
use pyruse_core::time::Timestamp;

/// What a source remembers of values that recur.
#[derive(Default)]
pub struct Learnt {
    generation: u64,
    known: HashMap<Vec<u8>, Known>,
    combinations: HashMap<Vec<Known>, Combination>,
}

/// An entry whose values recur, those first, and then others.
pub struct Recurring<'l> {
    learnt: &'l mut Learnt,
    common: Vec<Vec<u8>>,
    is_begun: bool,
    rest: MemoryRecord,
}

/// Values that many entries have.
pub fn recurs(value: &[u8]) -> bool {
    [b"x".as_slice(), b"1", b"0", b"10.0.0.1"].contains(&value)
}

impl Recurring<'_> {
    pub fn new<'l>(learnt: &'l mut Learnt, fields: &[(String, Vec<u8>)]) -> Recurring<'l> {
        let mut entry =
            Recurring { learnt, common: Vec::new(), is_begun: false, rest: MemoryRecord::default() };
        for (name, value) in fields {
            if recurs(value) {
                entry.common.push([name.as_bytes(), b"=", value].concat());
            } else {
                entry.rest.push(name.as_bytes(), value.as_slice());
            }
        }
        entry
    }
}

impl Record for Recurring<'_> {
    fn realtime(&mut self) -> Timestamp {
        self.rest.realtime()
    }

    fn monotonic(&mut self) -> Option<i64> {
        self.rest.monotonic()
    }

    fn cursor(&mut self) -> Option<String> {
        Record::cursor(&mut self.rest)
    }

    fn next_field(&mut self, sink: &mut Sink<'_>) -> bool {
        if std::mem::replace(&mut self.is_begun, true) {
            return self.rest.next_field(sink);
        }
        let learnt = &mut *self.learnt;
        if learnt.generation != sink.generation() {
            *learnt = Learnt { generation: sink.generation(), ..Learnt::default() };
        }
        let mut values = Vec::new();
        for field in &self.common {
            let known = *learnt.known.entry(field.clone()).or_insert_with(|| sink.learn(field).unwrap());
            values.push(known);
        }
        if let Some(combination) = learnt.combinations.get(&values) {
            sink.combination(*combination, &values);
        } else {
            for known in &values {
                sink.known(*known);
            }
            learnt.combinations.insert(values, sink.combine());
        }
        true
    }
}
