//! Chains and steps as text: a step per line, so that a comment that allows a finding has its place above it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

/// A chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    pub(super) label: String,
    pub(super) steps: Vec<Step>,
}

/// A step.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Printed above it.
    comments: Vec<String>,
    kind: &'static str,
    module: &'static str,
    args: Value,
    then: Option<String>,
    otherwise: Option<String>,
    /// Codes of findings that are as they are in fail2ban.
    pub(super) allowed: BTreeSet<String>,
}

impl Step {
    pub(super) fn filter(module: &'static str, args: Value) -> Step {
        Step::new("filter", module, args)
    }

    pub(super) fn action(module: &'static str, args: Value) -> Step {
        Step::new("action", module, args)
    }

    /// Never passes: the entry goes on to the next chain that is not entered by jumps.
    pub(super) fn go_on() -> Step {
        Step::filter("filter_in", serde_json::json!({"field": "MESSAGE", "values": []}))
            .comment("Never passes: the entry goes on to the next jail.")
    }

    /// Passes if the field has something that may be an address.
    pub(super) fn may_be_address(field: &str) -> Step {
        Step::filter("filter_pcre", serde_json::json!({"field": field, "re": "[.:]"}))
    }

    /// Passes if the count is two or more.
    pub(super) fn several(field: &str) -> Step {
        Step::filter("filter_greaterOrEquals", serde_json::json!({"field": field, "value": 2}))
    }

    fn new(kind: &'static str, module: &'static str, args: Value) -> Step {
        let (comments, allowed) = (Vec::new(), BTreeSet::new());
        Step { comments, kind, module, args, then: None, otherwise: None, allowed }
    }

    pub(super) fn comment(mut self, comment: impl Into<String>) -> Step {
        self.comments.push(comment.into());
        self
    }

    /// Where it leads if it passes.
    pub(super) fn then(mut self, label: &str) -> Step {
        self.then = Some(label.into());
        self
    }

    /// Where it leads if it does not pass.
    pub(super) fn otherwise(mut self, label: &str) -> Step {
        self.otherwise = Some(label.into());
        self
    }

    /// Names the source whose entries it takes, if it tests that.
    pub(super) fn name_source(&mut self, name: &str) {
        if self.args["field"] == "_SOURCE" {
            self.args["value"] = name.into();
        }
    }

    fn write(&self, out: &mut String) {
        for comment in &self.comments {
            let _ = writeln!(out, "            // {}", one_line(comment));
        }
        if !self.allowed.is_empty() {
            let codes: Vec<&str> = self.allowed.iter().map(String::as_str).collect();
            let _ = writeln!(out, "            // allow {}: it is so in fail2ban", codes.join(", "));
        }
        let Step { kind, module, args, .. } = self;
        let _ = write!(out, r#"            {{"{kind}": "{module}", "args": {}"#, spaced(args));
        for (key, label) in [("then", &self.then), ("else", &self.otherwise)] {
            if let Some(label) = label {
                let _ = write!(out, r#", "{key}": {}"#, Value::from(label.as_str()));
            }
        }
        out.push('}');
    }
}

/// Writes the chains as the members of `actions`.
pub(super) fn write(chains: &[Chain], out: &mut String) {
    for (n, chain) in chains.iter().enumerate() {
        let comma = if n == 0 { "" } else { ",\n" };
        let _ = writeln!(out, "{comma}        {}: [", Value::from(chain.label.as_str()));
        for (n, step) in chain.steps.iter().enumerate() {
            out.push_str(if n == 0 { "" } else { ",\n" });
            step.write(out);
        }
        out.push_str("\n        ]");
    }
    out.push('\n');
}

/// Returns a text for a comment: nothing in it ends the line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || "\u{2028}\u{2029}".contains(c) { ' ' } else { c }).collect()
}

/// Returns JSON on one line, with spaces.
pub(super) fn spaced(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), spaced(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}
