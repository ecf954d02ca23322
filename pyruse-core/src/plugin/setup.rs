//! What modules set up beside their steps while a configuration is compiled: parts of the state, values that they
//! share with their services, and work to do when the state is there.

use std::any::{Any, TypeId};
use std::collections::HashMap;

use crate::pattern::Pattern;
use crate::state::{Layout, State};

/// Work to do on the state, once.
pub(crate) type OnBind = Box<dyn FnOnce(&mut State) + Send>;

/// What modules have set up; see the module documentation.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) layout: Layout,
    shared: HashMap<TypeId, Box<dyn Any + Send>>,
    pub(crate) on_bind: Vec<OnBind>,
    /// The expressions that are compiled.
    pub(crate) patterns: HashMap<String, Pattern>,
}

impl Setup {
    pub(crate) fn new(layout: Layout) -> Setup {
        Setup { layout, ..Setup::default() }
    }

    /// Returns the shared value of this type, which is the default at first.
    pub(crate) fn shared<T: Default + Send + 'static>(&mut self) -> &mut T {
        let value = self.shared.entry(TypeId::of::<T>()).or_insert_with(|| Box::<T>::default());
        value.downcast_mut().expect("a value is stored under its own type")
    }
}
