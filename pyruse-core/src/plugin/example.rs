//! Examples as data: shown to users, printed in the docs, and run by a test ([`super::run_examples`]).

/// Arguments, an entry, and what is expected then.
#[derive(Clone, Debug)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// The step's `args`, as JSON; empty for a module without arguments.
    pub args: &'static str,
    /// The fields of the entry.
    pub entry: &'static [(&'static str, &'static str)],
    /// What the step does with it.
    pub expected: Expected,
}

/// What a step does in an example.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Expected {
    /// The filter passes.
    Passes,
    /// The filter does not pass.
    Fails,
    /// The filter passes, and these fields then have these values.
    Saves(&'static [(&'static str, &'static str)]),
    /// The step cannot do its work, with this error message.
    Error(&'static str),
    /// The action has this effect, as JSON without chain, step and time.
    Effect(&'static str),
    /// The action has no visible effect.
    Nothing,
}
