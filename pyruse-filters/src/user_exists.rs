//! `filter_userExists`

use nix::unistd::User;
use pyruse_core::entry::{Entry, Slot};
use pyruse_core::plugin::{Compile, Example, Filter, FilterModule, Invalid, Outcome, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field that holds a user's name.
    field: String,
}

struct UserExists {
    field: Slot,
}

impl FilterModule for UserExists {
    const NAME: &'static str = "filter_userExists";
    const DOC: &'static str = "Passes when the system knows the user in the field (NSS: files, LDAP, …).";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        Ok(UserExists { field: cx.reads(&args.field) })
    }

    fn examples() -> Vec<Example> {
        let example =
            |title, entry, outcome| Example { title, args: r#"{"field": "thatUser"}"#, entry, outcome };
        vec![
            example("known", &[("thatUser", "root")], Outcome::Passes),
            example("unknown", &[("thatUser", "no such user")], Outcome::Fails),
            example("a number is no name", &[("thatUser", "0")], Outcome::Fails),
        ]
    }
}

impl Filter for UserExists {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        let found = entry.find_text(self.field, |name| {
            // What cannot be a name need not be asked for; and a NUL would end the name early.
            if name.is_empty() || name.len() > 256 || name.contains('\0') {
                return Ok(false);
            }
            let user = User::from_name(name);
            user.map(|user| user.is_some())
                .map_err(|e| StepError::new(format!("asking for the user failed: {e}")))
        })?;
        Ok(found.is_some())
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<UserExists>());
