//! `filter_userExists`: passes when a user with this name exists.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nix::unistd::User;
use pyruse_core::entry::{Entry, Slot};
use pyruse_core::plugin::fact::{Fact, Test};
use pyruse_core::plugin::{Compile, Example, Expected, Filter, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field with a user name.
    field: String,
}

/// How long an answer is kept: a query may go over the network, and attackers who guess names cause many.
const FRESH: Duration = Duration::from_secs(10);

/// At most this many answers are kept.
const KEPT: usize = 1024;

struct UserExists {
    field: Slot,
    /// The answers since `asked`.
    known: HashMap<Box<str>, bool>,
    asked: Instant,
}

impl Module for UserExists {
    const NAME: &'static str = "filter_userExists";
    const DOC: &'static str = "Passes when the user in the field exists on the system (NSS: files, LDAP, …); an \
                               answer is cached for up to ten seconds.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let field = cx.reads_at("field", &args.field);
        cx.states("field", Fact::Tests(field, Test::Machine));
        Ok(UserExists { field, known: HashMap::new(), asked: Instant::now() })
    }

    fn examples() -> Vec<Example> {
        let example =
            |title, entry, expected| Example { title, args: r#"{"field": "thatUser"}"#, entry, expected };
        vec![
            example("known", &[("thatUser", "root")], Expected::Passes),
            example("unknown", &[("thatUser", "no such user")], Expected::Fails),
            example("a number is not a name", &[("thatUser", "0")], Expected::Fails),
        ]
    }
}

impl Filter for UserExists {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        if self.known.len() >= KEPT || self.asked.elapsed() >= FRESH {
            self.known.clear();
            self.asked = Instant::now();
        }
        let known = &mut self.known;
        let found = entry.find_text(self.field, |name| {
            // A text that cannot be a name needs no query; and a NUL would end the name early.
            if name.is_empty() || name.len() > 256 || name.contains('\0') {
                return Ok(false);
            }
            if let Some(exists) = known.get(name) {
                return Ok(*exists);
            }
            let user = User::from_name(name)
                .map_err(|e| StepError::new(format!("looking up the user failed: {e}")))?;
            known.insert(name.into(), user.is_some());
            Ok(user.is_some())
        })?;
        Ok(found.is_some())
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<UserExists>());
