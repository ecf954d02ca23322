//! The parts of the state that a configuration uses: their names and numbers, before anything is opened.
//!
//! A configuration is compiled against a layout, so that a refused one changes nothing. [`State::adopt`] opens its
//! parts when everything else has succeeded.

use std::any::{Any, TypeId};

use super::{Handle, Resource, State, StateError, handle};

/// Opens a part with this name.
type Open = fn(&mut State, &str) -> Result<(), StateError>;

/// The layout; see the module documentation.
#[derive(Clone, Default)]
pub struct Layout {
    parts: Vec<Reserved>,
}

#[derive(Clone)]
struct Reserved {
    name: String,
    kind: TypeId,
    /// `None` if the part is open already.
    open: Option<Open>,
}

impl Layout {
    /// Returns the part with this name. Callers that give the same name with the same type get the same part; another type
    /// is an error.
    pub fn open<R: Resource>(&mut self, name: &str) -> Result<Handle<R>, StateError> {
        if let Some(index) = self.parts.iter().position(|part| part.name == name) {
            let is_same = self.parts[index].kind == TypeId::of::<R>();
            return if is_same { Ok(handle(index)) } else { Err(StateError::Kind(name.to_owned())) };
        }
        let open = |state: &mut State, name: &str| state.open::<R>(name).map(|_| ());
        self.parts.push(Reserved { name: name.to_owned(), kind: TypeId::of::<R>(), open: Some(open) });
        Ok(handle(self.parts.len() - 1))
    }
}

impl State {
    /// Returns the parts that are open now: a configuration that is compiled against them can be used with this state.
    pub fn layout(&self) -> Layout {
        let reserved = |part: &super::Part| {
            let resource: &dyn Any = &*part.resource;
            Reserved { name: part.name.clone(), kind: resource.type_id(), open: None }
        };
        Layout { parts: self.parts.iter().map(reserved).collect() }
    }

    /// Opens the parts of a layout that are not open yet. After an error, you can try again with another state.
    pub fn adopt(&mut self, layout: &Layout) -> Result<(), StateError> {
        for (index, part) in layout.parts.iter().enumerate() {
            match (self.parts.get(index), part.open) {
                (Some(known), _) if known.name == part.name => {}
                (None, Some(open)) => open(self, &part.name)?,
                // The layout belongs to another state.
                _ => return Err(StateError::Kind(part.name.clone())),
            }
        }
        Ok(())
    }
}
