//! The chains that join the lines of a session (`<F-MLFID>`, `<F-NOFAIL>`, `<F-MLFFORGET>`, `<F-MLFGAINED>`).
//!
//! A session has an identity, usually the beginning of its lines with the process. fail2ban's rules, as it was seen to
//! act:
//! - A line without an address has that of the session. If the session has none yet, a failure waits for one; the next
//!   line with an address then counts once, whatever it says.
//! - A line that is no failure in itself (`nofail`) counts only if a failure waits, or if the session has tried the names
//!   of several users.
//! - `forget` ends the session behind the line. So does `gained`, a success: it is a failure only if the session has tried
//!   the names of several users.

use serde_json::json;

use super::chain::{Chain, Step};

/// What the expressions of a jail have.
#[expect(clippy::struct_excessive_bools, reason = "a mark is there or not, each by itself")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    pub(super) nofail: bool,
    pub(super) forget: bool,
    pub(super) gained: bool,
    pub(super) user: bool,
}

/// A jail whose lines are joined.
pub(super) struct Session<'j> {
    pub(super) label: &'j str,
    pub(super) prefix: &'j str,
    pub(super) marks: Marks,
    /// How long a session lasts, in seconds.
    pub(super) keep: u64,
}

/// What a session is remembered to have in place of an address that was forgotten.
const NOTHING: &str = "-";

impl Session<'_> {
    /// The label of the first chain.
    pub(super) fn entrance(label: &str) -> String {
        format!("{label}: session")
    }

    /// Returns the chains; a line that counts leads to `next`.
    pub(super) fn chains(&self, next: &str) -> Vec<Chain> {
        let mut chains = vec![self.chain("session", self.first_steps())];
        chains.push(self.chain(
            "address known",
            vec![
                Step::action(
                    "action_set",
                    json!({"field": self.field("known_ip"), "first": [self.field("ip")]}),
                ),
                self.remember("known_ip").then(&self.name("whose")),
            ],
        ));
        chains.push(self.chain(
            "no address",
            vec![
                self.recall("known_ip"),
                Step::may_be_address(&self.field("known_ip"))
                    .then(&self.name("recalled"))
                    .otherwise(&self.name("waiting")),
            ],
        ));
        chains.push(self.chain(
            "recalled",
            vec![
                    Step::action(
                        "action_set",
                        json!({"field": self.field("ip"), "first": [self.field("known_ip")]}),
                    )
                    .then(&self.name("whose")),
                ],
        ));
        chains.push(self.chain("waiting", self.waiting()));
        let decide = self.name("counts?");
        let ends = self.marks.forget || self.marks.gained;
        let forget = if ends { self.name("over?") } else { decide.clone() };
        let mut whose = vec![self.recall("waits")];
        if self.marks.user {
            whose.push(self.is_missing("user").then(&forget).otherwise(&self.name("users")));
        } else {
            whose[0] = self.recall("waits").then(&forget);
        }
        chains.push(self.chain("whose", whose));
        if self.marks.user {
            let users = Step::action(
                "action_counterRaise",
                json!({"counter": self.name("users"), "for": self.field("session"), "distinct": self.field("user"),
                    "keepSeconds": self.keep, "save": self.field("users")}),
            );
            chains.push(self.chain("users", vec![users.then(&forget)]));
        }
        if ends {
            chains.extend(self.ends(&decide));
        }
        let counts = self.name("counts");
        chains.push(self.chain(
            "counts?",
            vec![if self.marks.nofail {
                self.is_missing("nofail").then(&counts).otherwise(&self.name("waited?"))
            } else {
                Step::action("action_noop", json!({})).then(&counts)
            }],
        ));
        if self.marks.nofail {
            let waited = Step::filter("filter_equals", json!({"field": self.field("waits"), "value": "yes"}));
            let waited = waited.then(&counts);
            if self.marks.user {
                chains.push(self.chain("waited?", vec![waited.otherwise(&self.name("several users?"))]));
                let several = Step::several(&self.field("users")).then(&counts);
                chains.push(self.chain("several users?", vec![several]));
            } else {
                chains.push(self.chain("waited?", vec![waited]));
            }
        }
        chains.push(self.chain("counts", vec![self.set("waits", "no"), self.remember("waits").then(next)]));
        chains
    }

    /// The ends of a session; any other line leads to `decide`.
    fn ends(&self, decide: &str) -> Vec<Chain> {
        let mut over = Vec::new();
        let mut chains = Vec::new();
        if self.marks.gained {
            over.push(self.is_missing("gained").otherwise(&self.name("gained")));
            let steps = [self.forget(), vec![self.set("waits", "no"), self.remember("waits")]].concat();
            let next = if self.marks.user {
                vec![Step::several(&self.field("users")).then(&self.name("counts"))]
            } else {
                vec![Step::go_on()]
            };
            chains.push(self.chain("gained", [steps, next].concat()));
        }
        if self.marks.forget {
            over.push(self.is_missing("forget").then(decide).otherwise(&self.name("over")));
            let mut steps = self.forget();
            if let Some(last) = steps.pop() {
                steps.push(last.then(decide));
            }
            chains.push(self.chain("over", steps));
        } else if let Some(last) = over.pop() {
            over.push(last.then(decide));
        }
        chains.insert(0, self.chain("over?", over));
        chains
    }

    fn first_steps(&self) -> Vec<Step> {
        vec![
            Step::may_be_address(&self.field("ip"))
                .then(&self.name("address known"))
                .otherwise(&self.name("no address")),
        ]
    }

    fn waiting(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.marks.nofail {
            steps.push(self.is_missing("nofail"));
        }
        steps.push(self.set("waits", "yes"));
        steps.push(self.remember("waits"));
        steps.push(Step::go_on());
        steps
    }

    fn forget(&self) -> Vec<Step> {
        let mut steps = vec![self.set("known_ip", NOTHING), self.remember("known_ip")];
        if self.marks.user {
            let of = json!({"counter": self.name("users"), "for": self.field("session")});
            steps.push(Step::action("action_counterReset", of));
        }
        steps
    }

    fn chain(&self, name: &str, steps: Vec<Step>) -> Chain {
        Chain { label: self.name(name), steps }
    }

    fn name(&self, name: &str) -> String {
        format!("{}: {name}", self.label)
    }

    fn field(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }

    fn is_missing(&self, field: &str) -> Step {
        Step::filter("filter_in", json!({"field": self.field(field), "values": [null]}))
    }

    fn set(&self, field: &str, value: &str) -> Step {
        Step::action("action_set", json!({"field": self.field(field), "value": value}))
    }

    fn remember(&self, field: &str) -> Step {
        let what = json!({"memory": self.label, "for": self.field("session"), "fields": [self.field(field)],
            "keepSeconds": self.keep});
        Step::action("action_remember", what)
    }

    fn recall(&self, field: &str) -> Step {
        let what = json!({"memory": self.label, "for": self.field("session"), "fields": [self.field(field)]});
        Step::action("action_recall", what)
    }
}
