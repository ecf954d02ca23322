//! Ways through the graph that are remembered for values that come together again and again.
//!
//! Most entries of a journal have nearly all their fields in common with entries before them: only the message and the
//! times differ. A ladder that asks for the identifier, then for the priority, and then for another identifier, has the
//! same answers for all of them. So a source may give such values as one [`Combination`], and the ride from one node
//! over others that only ask for these values is remembered: next time, it is one look-up.
//!
//! A way is the same again if no field that was asked for has another value than those of the combination, neither from
//! the record nor from a step; and if it was asked whether there are others, if the record was read to its end.

use crate::entry::{Combination, Entry, Slot, SlotSet};

/// How many ways are remembered. A power of two.
const PLACES: usize = 4096;

/// See the module.
#[derive(Default)]
pub(super) struct Ways {
    places: Vec<Way>,
}

#[derive(Clone, Copy, Default)]
struct Way {
    combination: Combination,
    from: u32,
    to: u32,
    asked: SlotSet,
    /// The end of the record had to be reached, to know that there are no other values.
    is_whole: bool,
}

/// A way that is being made.
pub(super) struct Begun {
    combination: Combination,
    pub(super) from: u32,
    asked: SlotSet,
}

/// What is known of a way.
pub(super) enum Found {
    /// It leads to this node.
    To(u32),
    /// Nothing yet.
    New(Begun),
    /// The entry has no values that come again.
    Never,
}

impl Ways {
    /// Looks for a way from this node, which asks for values of a field.
    pub(super) fn find(&mut self, entry: &mut Entry<'_>, from: u32, asks: Slot) -> Found {
        let Some(combination) = entry.combination() else { return Found::Never };
        if entry.different().has(asks) {
            return Found::Never;
        }
        if let Some(way) = self.places.get(place(combination, from))
            && (way.combination, way.from) == (combination, from)
        {
            if way.is_whole && !entry.different().meets(way.asked) {
                entry.read_all();
            }
            // Another answer is no reason to forget the way.
            return if entry.different().meets(way.asked) { Found::Never } else { Found::To(way.to) };
        }
        Found::New(Begun { combination, from, asked: SlotSet::default() })
    }

    /// Remembers a way to this node.
    pub(super) fn end(&mut self, begun: &Begun, to: u32, entry: &Entry<'_>) {
        let Begun { combination, from, asked } = *begun;
        if from == to || entry.different().meets(asked) {
            return;
        }
        if self.places.is_empty() {
            self.places.resize(PLACES, Way::default());
        }
        self.places[place(combination, from)] =
            Way { combination, from, to, asked, is_whole: entry.is_exhausted() };
    }
}

impl Begun {
    /// Takes the answer to a question about a field; false: it is not about the combination's values.
    pub(super) fn takes(&mut self, asks: Slot, entry: &Entry<'_>) -> bool {
        let is_common = !entry.different().has(asks);
        if is_common {
            self.asked.add(asks);
        }
        is_common
    }
}

/// Anybody can have two ways that share a place: then one of them is not remembered.
fn place(combination: Combination, from: u32) -> usize {
    let number = combination.0 << 16 ^ u64::from(from);
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PLACES.trailing_zeros());
    usize::try_from(mixed).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use jiff::tz::TimeZone;

    use super::super::compile::Steps;
    use super::super::graph::STOP;
    use super::super::node::{Node, Op};
    use super::super::site::Site;
    use super::super::{NoObserver, Observer, Workflow};
    use crate::entry::{Combination, EightBit, Entry, Fields, Known, Record, Sink, Slot, StepError, Value};
    use crate::plugin::{Act, Action, Filter};
    use crate::state::State;
    use crate::time::Timestamp;

    type Seen = std::sync::Arc<std::sync::Mutex<String>>;

    /// Passes if the field has this value; says that it was asked.
    struct Has(Slot, &'static str, char, Seen);

    impl Filter for Has {
        fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
            self.3.lock().unwrap().push(self.2);
            Ok(entry.any(self.0, |value| Ok(value == Value::Text(self.1)))?.unwrap_or(false))
        }

        fn depends_on(&self) -> Option<Slot> {
            Some(self.0)
        }
    }

    /// Sets a field; says that it did.
    struct Set(Slot, &'static str, char, Seen);

    impl Action for Set {
        fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
            self.3.lock().unwrap().push(self.2);
            run.entry.set_text(self.0, self.1);
            Ok(())
        }
    }

    #[derive(Default)]
    struct Learnt(Vec<(Vec<&'static str>, Vec<Known>, Combination)>);

    /// Gives what is common by number, and then others.
    struct Recurring {
        learnt: Rc<RefCell<Learnt>>,
        common: Vec<&'static str>,
        others: Vec<&'static str>,
        given: usize,
    }

    impl Record for Recurring {
        fn realtime(&mut self) -> Timestamp {
            Timestamp(0)
        }

        fn monotonic(&mut self) -> Option<i64> {
            None
        }

        fn cursor(&mut self) -> Option<String> {
            None
        }

        fn next_field(&mut self, sink: &mut Sink<'_>) -> bool {
            self.given += 1;
            if self.given > 1 {
                let Some(other) = self.others.get(self.given - 2) else { return false };
                sink.assignment(other.as_bytes());
                return true;
            }
            let Learnt(all) = &mut *self.learnt.borrow_mut();
            if !all.iter().any(|(common, ..)| *common == self.common) {
                let known = self.common.iter().map(|field| sink.learn(field.as_bytes()).unwrap()).collect();
                all.push((self.common.clone(), known, sink.combine()));
            }
            let (_, known, combination) = all.iter().find(|(common, ..)| *common == self.common).unwrap();
            sink.combination(*combination, known);
            true
        }
    }

    struct EachStep;

    impl Observer for EachStep {}

    /// `a` asks for NAME, `b` for LEVEL, `1` sets LEVEL, `c` asks for LEVEL, `d` for NAME, `2` ends.
    fn workflow(seen: &Seen) -> Workflow {
        let mut fields = Fields::default();
        let (name, level) = (fields.slot("NAME"), fields.slot("LEVEL"));
        let filter =
            |field, text, letter| -> Box<dyn Filter> { Box::new(Has(field, text, letter, seen.clone())) };
        let filters = vec![
            filter(name, "sshd", 'a'),
            filter(level, "high", 'b'),
            filter(level, "low", 'c'),
            filter(name, "cron", 'd'),
        ];
        let actions: Vec<Box<dyn Action>> =
            vec![Box::new(Set(level, "low", '1', seen.clone())), Box::new(Set(name, "", '2', seen.clone()))];
        let node = |op, pass, fail| Node { op, pass, fail, site: 0, asks: None };
        let action = |action, to| node(Op::Action { action, inert: false }, to, to);
        let nodes = vec![
            node(Op::Filter(0), 1, 3),
            node(Op::Filter(1), 2, 3),
            action(0, 3),
            node(Op::Filter(2), 5, 4),
            node(Op::Filter(3), 5, STOP),
            action(1, STOP),
        ];
        let sites = vec![Site { chain: "x".into(), step: 0, facts: Vec::new() }];
        let steps = Steps { nodes, filters, actions, sites };
        let mut workflow = Workflow::new(steps, fields, EightBit::default(), TimeZone::UTC);
        workflow.optimize();
        workflow
    }

    #[test]
    fn a_way_over_common_values_is_gone_at_once_until_one_of_them_is_another() {
        let seen = Seen::default();
        let mut workflow = workflow(&seen);
        let mut state = State::in_memory();
        let learnt = Rc::<RefCell<Learnt>>::default();
        let record = |common: &[&'static str], others: &[&'static str]| Recurring {
            learnt: learnt.clone(),
            common: common.to_vec(),
            others: others.to_vec(),
            given: 0,
        };
        let mut run = |common: &[&'static str], others: &[&'static str]| {
            seen.lock().unwrap().clear();
            workflow.run(&mut record(common, others), &mut state, &mut NoObserver);
            seen.lock().unwrap().clone()
        };
        let high = ["NAME=sshd", "LEVEL=high"];
        assert_eq!(run(&high, &[]), "ab1c2");
        // After a step has set it, the level is not that of the combination.
        assert_eq!(run(&high, &["MESSAGE=x"]), "1c2");
        let cron = ["NAME=cron", "LEVEL=high"];
        assert_eq!(run(&cron, &[]), "acd2");
        assert_eq!(run(&cron, &["MESSAGE=x"]), "2");
        // A field that occurs once more.
        assert_eq!(run(&cron, &["NAME=sshd"]), "ab1c2");
        assert_eq!(run(&cron, &["LEVEL=low"]), "ac2");
        assert_eq!(run(&cron, &["OTHER=x", "LEVEL=low"]), "ac2");
        assert_eq!(run(&cron, &[]), "2");
        // A field that is among the common ones in some entries only.
        assert_eq!(run(&["NAME=sshd"], &["LEVEL=high"]), "ab1c2");
        assert_eq!(run(&["NAME=sshd"], &["LEVEL=high"]), "b1c2");
        assert_eq!(run(&["NAME=sshd"], &[]), "bcd");
        assert_eq!(run(&["NAME=sshd"], &["LEVEL=low"]), "bc2");
        // An observer of steps gets each of them.
        seen.lock().unwrap().clear();
        workflow.run(&mut record(&high, &[]), &mut state, &mut EachStep);
        assert_eq!(*seen.lock().unwrap(), "ab1c2");
    }
}
