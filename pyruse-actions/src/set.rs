//! `action_set`: sets a field, from a template or from the first of several fields that the entry has.

use pyruse_core::entry::Slot;
use pyruse_core::plugin::fact::{Fact, Origin, SavedAs};
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Expected, Invalid, Message, Module, Plugin, StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use crate::text;

/// The maximum size of the text, in bytes: it may come from several fields, and be used in further ones.
const TEXT_LIMIT: usize = 64 * 1024;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field to set.
    field: String,
    /// The text, a template. This or `first` is required.
    #[serde(default)]
    value: Option<String>,
    /// The fields to read: the first that the entry has gives the text. If it has none, `field` is left as it is.
    #[serde(default)]
    first: Vec<String>,
}

enum From {
    Template(Message),
    First(Vec<Slot>),
}

struct Set {
    field: Slot,
    from: From,
    /// Reused by each entry.
    text: String,
}

impl Module for Set {
    const NAME: &'static str = "action_set";
    const DOC: &'static str = "Sets a field, from a template or from the first of several fields.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let from = match (&args.value, &*args.first) {
            (Some(value), []) => From::Template(cx.message("value", value)?),
            (None, first @ [_, ..]) => {
                let read = |(n, name): (usize, &String)| cx.reads_at(&format!("first.{n}"), name);
                From::First(first.iter().enumerate().map(read).collect())
            }
            _ => {
                let help = "write a template as `value`, or the names of fields as `first`";
                return Err(cx.error_with_help("", "`action_set` needs either `value` or `first`", help));
            }
        };
        let surely = matches!(from, From::Template(_));
        let field = cx.saves_at("field", &args.field, SavedAs::Text, surely);
        let copied = match &from {
            From::Template(template) => template.only_field().into_iter().collect(),
            From::First(fields) => fields.clone(),
        };
        if !copied.is_empty() {
            let from = copied.into_iter().map(Origin::Field).collect();
            cx.states("field", Fact::Copies { field, from });
        }
        Ok(Set { field, from, text: String::new() })
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "one text for several fields",
                args: r#"{"field": "where", "value": "{_HOSTNAME} {SYSLOG_IDENTIFIER}[{_PID}]"}"#,
                entry: &[("_HOSTNAME", "mail"), ("SYSLOG_IDENTIFIER", "sshd"), ("_PID", "17")],
                expected: Expected::Saves(&[("where", "mail sshd[17]")]),
            },
            Example {
                title: "the first of several fields that the entry has",
                args: r#"{"field": "unit", "first": ["_SYSTEMD_USER_UNIT", "UNIT", "_SYSTEMD_UNIT"]}"#,
                entry: &[("UNIT", "backup.service"), ("_SYSTEMD_UNIT", "init.scope")],
                expected: Expected::Saves(&[("unit", "backup.service")]),
            },
            Example {
                title: "none of them",
                args: r#"{"field": "unit", "first": ["_SYSTEMD_USER_UNIT", "UNIT"]}"#,
                entry: &[("MESSAGE", "m")],
                expected: Expected::Nothing,
            },
        ]
    }
}

impl Action for Set {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        self.text.clear();
        match &self.from {
            From::Template(template) => template.render(run.entry, &mut self.text)?,
            From::First(fields) => {
                let text = &mut self.text;
                let mut copy = |field| run.entry.text(field).map(|first| text.push_str(first));
                if fields.iter().find_map(|field| copy(*field)).is_none() {
                    return Ok(());
                }
            }
        }
        text::cut(&mut self.text, TEXT_LIMIT);
        run.entry.set_text(self.field, &self.text);
        Ok(())
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Set>());
