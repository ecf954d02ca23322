//! `action_noop`

use pyruse_core::plugin::{
    Act, Action, Compile, Example, Expected, Invalid, Module, NoArgs, Plugin, StepError,
};

struct Noop;

impl Module for Noop {
    const NAME: &'static str = "action_noop";
    const DOC: &'static str = "Does nothing: an entry that needs no further step stops here.";
    type Args = NoArgs;

    fn compile(_: NoArgs, _: &mut Compile<'_>) -> Result<Self, Invalid> {
        Ok(Noop)
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "nothing happens",
            args: "",
            entry: &[("MESSAGE", "x")],
            expected: Expected::Nothing,
        }]
    }
}

impl Action for Noop {
    fn act(&mut self, _: &mut Act<'_, '_>) -> Result<(), StepError> {
        Ok(())
    }

    fn is_inert(&self) -> bool {
        true
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Noop>());
