//! What modules set up beside their steps while a configuration is compiled: parts of the state, notes for their
//! services, and work to do when the state is there.

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
    notes: HashMap<TypeId, Box<dyn Any + Send>>,
    pub(crate) on_bind: Vec<OnBind>,
    /// The expressions that are compiled.
    pub(crate) patterns: HashMap<String, Pattern>,
}

impl Setup {
    pub(crate) fn new(layout: Layout) -> Setup {
        Setup { layout, ..Setup::default() }
    }

    /// Returns the note of this type, which is empty at first.
    pub(crate) fn note<T: Default + Send + 'static>(&mut self) -> &mut T {
        let note = self.notes.entry(TypeId::of::<T>()).or_insert_with(|| Box::<T>::default());
        note.downcast_mut().expect("a note is stored under its own type")
    }
}
