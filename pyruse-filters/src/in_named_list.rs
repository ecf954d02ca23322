//! `filter_inList`: passes when a field holds an address that is in a named list.

use pyruse_core::address;
use pyruse_core::entry::{Entry, Slot};
use pyruse_core::plugin::fact::{Fact, Test};
use pyruse_core::plugin::{Compile, Example, Expected, Filter, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use crate::lists::{self, ListReader};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field with an IP address.
    field: String,
    /// The name of the list, as in the top-level key `lists`.
    list: String,
}

struct InNamedList {
    field: Slot,
    list: ListReader,
}

impl Module for InNamedList {
    const NAME: &'static str = "filter_inList";
    const DOC: &'static str = "Passes when the IP address in the field is in the named list.";
    const SETTINGS: &'static [&'static str] = &["lists"];
    const EXAMPLE_SETTINGS: &'static str = r#"{"lists": {"friends": {"nets": ["192.0.2.0/24", "2001:db8::/32"]}, "feed": {"optionalFiles": ["/no/feed"]}}}"#;
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let field = cx.reads_at("field", &args.field);
        let everything = lists::holds_everything(cx, &args.list).then(|| cx.span("list"));
        cx.states("field", Fact::Tests(field, Test::Networks { everything }));
        match lists::reader(cx, "list", &args.list)? {
            Some(list) => Ok(InNamedList { field, list }),
            None => Err(unknown(cx, "list", &args.list, &format!("there is no list `{}`", args.list))),
        }
    }

    fn examples() -> Vec<Example> {
        let example = |title, list, entry, expected| Example { title, args: list, entry, expected };
        let [friends, feed] =
            [r#"{"field": "thatIP", "list": "friends"}"#, r#"{"field": "thatIP", "list": "feed"}"#];
        vec![
            example("inside", friends, &[("thatIP", "192.0.2.7")], Expected::Passes),
            example(
                "an IPv4-mapped address is treated as that IPv4 address",
                friends,
                &[("thatIP", "::ffff:192.0.2.7")],
                Expected::Passes,
            ),
            example("outside", friends, &[("thatIP", "2001:db9::1")], Expected::Fails),
            example(
                "one of several elements is inside",
                friends,
                &[("thatIP", "198.51.100.1"), ("thatIP", "2001:db8::1")],
                Expected::Passes,
            ),
            example("an empty list", feed, &[("thatIP", "192.0.2.7")], Expected::Fails),
            example("a missing field", friends, &[], Expected::Fails),
            example(
                "not an address",
                friends,
                &[("thatIP", "example.org")],
                Expected::Error("`example.org` is not an IP address"),
            ),
        ]
    }
}

/// Reports that no list has this name.
pub(crate) fn unknown(cx: &mut Compile<'_>, path: &str, written: &str, message: &str) -> Invalid {
    let names = lists::names(cx);
    let help = if names.is_empty() {
        "the top-level key `lists` has the lists: `\"lists\": {\"friends\": {\"nets\": [\"192.0.2.0/24\"]}}`"
            .to_owned()
    } else {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("the lists are {}", names.join(", "))
    };
    cx.error_about_name(path, message, help, (written, &names))
}

impl Filter for InNamedList {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        let now = entry.time();
        let found = entry.find_text(self.field, |text| match address::parse(text) {
            Some(ip) => Ok(self.list.contains(ip, now)),
            None => {
                Err(StepError::new(format!("`{}` is not an IP address", pyruse_core::plugin::excerpt(text))))
            }
        })?;
        Ok(found.is_some())
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<InNamedList>());
