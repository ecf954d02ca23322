//! The compile step of a module: names become numbers here, and mistakes get their place.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Diagnostics, Node, Source, StepPlace};
use crate::entry::{Entry, Fields, Slot};
use crate::pattern::Pattern;
use crate::plugin::{ModuleSettings, StepError};
use crate::state::{Handle, Resource, State};
use crate::template::Template;

/// A mistake was found and reported: nothing can be compiled. Only [`Compile`] makes one.
#[derive(Debug)]
pub struct Invalid(());

/// A field that a module asked for.
pub type Field = Slot;

/// How a step touches a field: for reviews of the whole graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It reads the field.
    Reads(Slot),
    /// It saves into the field.
    Saves(Slot),
}

/// The parsed top-level settings of the modules, by their type.
#[derive(Clone, Default)]
pub struct Settings {
    by_key: HashMap<&'static str, Arc<dyn Any + Send + Sync>>,
}

impl Settings {
    pub(crate) fn insert(&mut self, key: &'static str, settings: Arc<dyn Any + Send + Sync>) {
        self.by_key.insert(key, settings);
    }

    /// The settings of that type; their defaults, where the module that owns them is not linked.
    pub fn get<S: ModuleSettings>(&self) -> Arc<S> {
        let settings = self.by_key.get(S::KEY).cloned();
        settings.and_then(|settings| settings.downcast().ok()).unwrap_or_default()
    }
}

/// What a module has at hand while it is compiled.
pub struct Compile<'a> {
    pub(crate) source: &'a Source,
    pub(crate) diagnostics: &'a mut Diagnostics,
    pub(crate) fields: &'a mut Fields,
    pub(crate) state: &'a mut State,
    pub(crate) settings: &'a Settings,
    pub(crate) touches: &'a mut Vec<Touch>,
    /// The step's `args`, or the step where it has none.
    pub(crate) node: &'a Node,
    pub(crate) place: StepPlace,
}

impl Compile<'_> {
    /// A field that the module will read.
    pub fn reads(&mut self, name: &str) -> Slot {
        let slot = self.fields.slot(name);
        self.touches.push(Touch::Reads(slot));
        slot
    }

    /// A field that the module will set.
    pub fn saves(&mut self, name: &str) -> Slot {
        let slot = self.fields.slot(name);
        self.touches.push(Touch::Saves(slot));
        slot
    }

    /// Reports a mistake at an argument; `path` is its key, or key and index as in `re.2`.
    pub fn error(&mut self, path: &str, message: impl Into<String>) -> Invalid {
        let span = self.node.at(path).span.clone();
        self.diagnostics.error(span, Some(self.place.clone()), message);
        Invalid(())
    }

    /// The same, with a suggestion.
    pub fn error_with_help(
        &mut self,
        path: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Invalid {
        let span = self.node.at(path).span.clone();
        self.diagnostics.error(span, Some(self.place.clone()), message).help(help);
        Invalid(())
    }

    /// Reports a mistake at byte `offset` of a text argument.
    pub fn error_within(&mut self, path: &str, offset: usize, message: impl Into<String>) -> Invalid {
        let span = self.node.at(path).span_within(&self.source.text, offset);
        self.diagnostics.error(span, Some(self.place.clone()), message);
        Invalid(())
    }

    /// Compiles an expression in the syntax of Python's `re`.
    pub fn pattern(&mut self, path: &str, expression: &str) -> Result<Pattern, Invalid> {
        Pattern::new(expression)
            .map_err(|e| self.error_within(path, e.offset, format!("bad expression: {}", e.message)))
    }

    /// Compiles a template and resolves its names.
    pub fn message(&mut self, path: &str, text: &str) -> Result<Message, Invalid> {
        let template = Template::parse(text)
            .map_err(|e| self.error_within(path, e.offset, format!("bad template: {}", e.message)))?;
        let slots = template.names().iter().map(|name| self.fields.slot(name)).collect::<Vec<_>>();
        self.touches.extend(slots.iter().map(|slot| Touch::Reads(*slot)));
        Ok(Message { template, slots })
    }

    /// Opens a part of the durable state; all that open the same name share it.
    pub fn state<R: Resource>(&mut self, name: &str) -> Result<Handle<R>, Invalid> {
        self.state.open(name).map_err(|e| self.error("", e.to_string()))
    }

    /// The top-level settings of that type.
    pub fn settings<S: ModuleSettings>(&self) -> Arc<S> {
        self.settings.get()
    }

    /// Where the state's part stands, to set it up beyond what [`Compile::state`] does.
    pub fn state_mut(&mut self) -> &mut State {
        self.state
    }
}

/// A template with its names resolved.
#[derive(Clone, Debug)]
pub struct Message {
    template: Template,
    slots: Vec<Slot>,
}

impl Message {
    /// Appends the text for this entry.
    pub fn render(&self, entry: &mut Entry<'_>, out: &mut String) -> Result<(), StepError> {
        entry.render(&self.template, &self.slots, out)
    }
}
