//! `action_counterRaise`.

use pyruse_core::entry::Slot;
use pyruse_core::plugin::fact::{CounterChange, Fact, Origin, SavedAs};
use pyruse_core::plugin::{Act, Action, Compile, Example, Expected, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::Handle;
use pyruse_core::time::Timestamp;

use super::Counter;
use super::by::{By, ByArg};
use super::category::Category;
use super::service::Categories;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct RaiseArgs {
    /// The category; all actions with the same category share it.
    counter: String,
    /// The field with the key.
    #[serde(rename = "for")]
    key: String,
    /// The field to store the resulting count in.
    #[serde(default)]
    save: Option<String>,
    /// How long this tick counts, in seconds or as `10m` or `1h`; absent or 0: for ever.
    #[serde(rename = "keepSeconds", default)]
    keep_seconds: Option<Seconds>,
    /// The number of ticks for an entry, or the field that has it, 1 or more: for what weighs more, or for programs that
    /// write one line for several attempts. An entry without the field is one tick. More than 1,000 count as 1,000.
    #[serde(default)]
    by: Option<ByArg>,
    /// A field: the count is the number of its distinct values among the entries that count, up to 1,024, and at least
    /// that beyond. All actions that raise the counter must have it, or none. It excludes `by`.
    #[serde(default)]
    distinct: Option<String>,
    /// The field to store these values in; it then has several values. An action that bans it bans each of them.
    #[serde(rename = "saveValues", default)]
    save_values: Option<String>,
    /// How many bits of an IPv4 address make the network that is the key, e.g. 24; absent: 32. A value that is no address
    /// is the key itself.
    #[serde(default)]
    prefix4: Option<u8>,
    /// How many bits of an IPv6 address make the network that is the key, e.g. 64; absent: 128.
    #[serde(default)]
    prefix6: Option<u8>,
}

struct Raise {
    counter: Counter,
    keep: Option<u64>,
    by: By,
    distinct: Option<Distinct>,
}

/// Which field's values are counted, and where they are saved.
#[derive(Clone, Copy)]
struct Distinct {
    field: Slot,
    save: Option<Slot>,
}

impl Distinct {
    fn new(
        args: &RaiseArgs,
        category: Handle<Category>,
        cx: &mut Compile<'_>,
    ) -> Result<Option<Distinct>, Invalid> {
        let is_distinct = args.distinct.is_some();
        let known = *cx.shared::<Categories>().1.entry(args.counter.clone()).or_insert(is_distinct);
        if known != is_distinct {
            let (argument, how) =
                if is_distinct { ("distinct", "without `distinct`") } else { ("counter", "with `distinct`") };
            let message =
                format!("`{}` is also raised {how}: it counts either entries or values", args.counter);
            return Err(cx.error(argument, message));
        }
        let Some(field) = &args.distinct else {
            return match args.save_values {
                Some(_) => Err(cx.error("saveValues", "`saveValues` needs `distinct`: which values?")),
                None => Ok(None),
            };
        };
        if args.by.is_some() {
            return Err(cx.error("by", "`by` and `distinct` exclude each other: a value counts once"));
        }
        let field = cx.reads_at("distinct", field);
        let save = args.save_values.as_ref();
        let save = save.map(|name| cx.saves_at("saveValues", name, SavedAs::Text, true));
        let store = format!("counter/{}", args.counter);
        cx.states("distinct", Fact::Keeps { field, store: store.clone() });
        if let Some(save) = save {
            cx.states("saveValues", Fact::Copies { field: save, from: vec![Origin::Store(store)] });
            cx.on_bind(move |state| state.get_mut(category).keeps_values = true);
        }
        Ok(Some(Distinct { field, save }))
    }

    /// Counts the value of the entry; the number of distinct values is the count.
    fn raise(self, counter: &Counter, keep: Option<u64>, run: &mut Act<'_, '_>) -> Result<usize, StepError> {
        let value = run.entry.required_text(self.field)?.to_owned();
        let mut values = Vec::new();
        let count = counter.act(run, |category, key, now| {
            let count = category.raise_value(key, &value, now, ends(keep, now));
            if self.save.is_some() && count > 0 {
                values.extend(category.values(key, now).into_iter().map(str::to_owned));
            }
            count
        })?;
        if let Some(save) = self.save {
            run.entry.set_texts(save, values.iter().map(String::as_str));
        }
        Ok(count)
    }
}

fn ends(keep: Option<u64>, now: Timestamp) -> Timestamp {
    keep.map_or(Timestamp::NEVER, |seconds| now.plus_seconds(seconds))
}

impl Module for Raise {
    const NAME: &'static str = "action_counterRaise";
    const DOC: &'static str =
        "Counts one more, or `by` more, or distinct values, for a key, unless the key is in its grace.";
    const SETTINGS: &'static [&'static str] = &["counter"];
    type Args = RaiseArgs;

    fn compile(args: RaiseArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let counter =
            Counter::new((&args.counter, &args.key, args.save.as_deref()), [args.prefix4, args.prefix6], cx)?;
        let distinct = Distinct::new(&args, counter.category, cx)?;
        let by = By::new(args.by, cx)?;
        let keep = args.keep_seconds.map(|seconds| seconds.0).filter(|seconds| *seconds > 0);
        let category = counter.category;
        cx.on_bind(move |state| state.get_mut(category).note_durations(keep.unwrap_or(0), 0));
        let change = CounterChange::Raises { expires: keep.is_some(), save: counter.save };
        counter.states(change, cx);
        Ok(Raise { counter, keep, by, distinct })
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "the first of an address",
                args: r#"{"counter": "ssh", "for": "thatIP", "keepSeconds": 300, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1")],
                expected: Expected::Saves(&[("tries", "1")]),
            },
            Example {
                title: "a line that stands for three tries",
                args: r#"{"counter": "imap", "for": "thatIP", "by": "attempts", "keepSeconds": 600, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1"), ("attempts", "3")],
                expected: Expected::Saves(&[("tries", "3")]),
            },
            Example {
                title: "a line that does not say how many is one",
                args: r#"{"counter": "imap", "for": "thatIP", "by": "attempts", "keepSeconds": 600, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1")],
                expected: Expected::Saves(&[("tries", "1")]),
            },
            Example {
                title: "no more than 1,000 at once",
                args: r#"{"counter": "imap", "for": "thatIP", "by": "attempts", "keepSeconds": 600, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1"), ("attempts", "99999999999999999999")],
                expected: Expected::Saves(&[("tries", "1000")]),
            },
            Example {
                title: "an attempt that weighs more",
                args: r#"{"counter": "ssh", "for": "thatIP", "by": 3, "keepSeconds": 600, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1")],
                expected: Expected::Saves(&[("tries", "3")]),
            },
            Example {
                title: "an address counts for its network",
                args: r#"{"counter": "ssh", "for": "thatIP", "keepSeconds": 300, "prefix6": 64, "save": "tries"}"#,
                entry: &[("thatIP", "2001:db8:1:2:3::4")],
                expected: Expected::Saves(&[("tries", "1")]),
            },
            Example {
                title: "a host name is no address: it is its own key",
                args: r#"{"counter": "ssh", "for": "rhost", "keepSeconds": 300, "prefix6": 64, "save": "tries"}"#,
                entry: &[("rhost", "client.example")],
                expected: Expected::Saves(&[("tries", "1")]),
            },
            Example {
                title: "from how many addresses a user fails",
                args: r#"{"counter": "users", "for": "user", "distinct": "thatIP", "keepSeconds": 600, "save": "addresses", "saveValues": "who"}"#,
                entry: &[("user", "alice"), ("thatIP", "192.0.2.1")],
                expected: Expected::Saves(&[("addresses", "1"), ("who", "192.0.2.1")]),
            },
            Example {
                title: "not a number",
                args: r#"{"counter": "imap", "for": "thatIP", "by": "attempts", "keepSeconds": 600, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1"), ("attempts", "many")],
                expected: Expected::Error("`by`: `many` is not a number of ticks: nothing is counted"),
            },
        ]
    }
}

impl Action for Raise {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let keep = self.keep;
        let count = if let Some(distinct) = self.distinct {
            distinct.raise(&self.counter, keep, run)?
        } else {
            let ticks = self.by.ticks(run)?;
            self.counter.act(run, |category, key, now| {
                (0..ticks).fold(0, |_, _| category.raise(key, now, ends(keep, now)))
            })?
        };
        run.entry.note_count(&self.counter.name, self.counter.key, count as u64);
        Ok(())
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Raise>());
