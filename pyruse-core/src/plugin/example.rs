//! Examples as data: shown to users, printed in the docs, and run by a test ([`super::run_examples`]).

/// Arguments, an entry, and what comes out.
#[derive(Clone, Debug)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// The step's `args`, as JSON; empty for a module without arguments.
    pub args: &'static str,
    /// The fields of the entry.
    pub entry: &'static [(&'static str, &'static str)],
    /// What comes out.
    pub outcome: Outcome,
}

/// What comes out of an example.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The filter passes.
    Passes,
    /// The filter does not pass.
    Fails,
    /// It passes, and these fields have these values then.
    Saves(&'static [(&'static str, &'static str)]),
    /// The step cannot do its work, and says this.
    Error(&'static str),
    /// The action has this effect, as JSON without its place.
    Effect(&'static str),
    /// The action has no visible effect.
    Nothing,
}
