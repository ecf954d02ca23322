//! The compile step of a module: names become numbers here, and errors get their position.

use std::ops::Range;
use std::sync::Arc;

use super::fact::{Fact, Save, SavedAs, Search, Stated};
use super::settings::{ModuleSettings, Settings};
use super::setup::Setup;
use crate::config::{ConfigText, Diagnostics, JsonNode, SourceSpan, StepPlace};
use crate::entry::{Entry, Fields, Slot, StepError};
use crate::pattern::{self, Pattern};
use crate::prefixes::Prefixes;
use crate::state::{Handle, Layout, Resource, State};
use crate::template::{Part, Template};

/// An error was found and reported: nothing can be compiled. Only [`Compile`] makes one.
#[derive(Debug)]
pub struct Invalid(());

/// What a module can use while it is compiled.
pub struct Compile<'a> {
    pub(crate) source: &'a ConfigText,
    pub(crate) diagnostics: &'a mut Diagnostics,
    pub(crate) fields: &'a mut Fields,
    pub(crate) setup: &'a mut Setup,
    pub(crate) settings: &'a Settings,
    pub(crate) facts: &'a mut Vec<Stated>,
    /// The `args`, or the whole step or source if it has none.
    pub(crate) node: &'a JsonNode,
    /// The step; `None` for a source.
    pub(crate) place: Option<StepPlace>,
    /// The name of the source; empty for a step.
    pub(crate) source_name: &'a str,
    /// What the arguments are called in errors.
    pub(crate) title: String,
}

impl Compile<'_> {
    /// Compiles the arguments `prefix4` and `prefix6`, as they are in the configuration; without one, it is full.
    pub fn prefixes(&mut self, v4: Option<u8>, v6: Option<u8>) -> Result<Prefixes, Invalid> {
        let mut length = |argument: &str, bits: Option<u8>, most: u8| match bits.unwrap_or(most) {
            bits if (1..=most).contains(&bits) => Ok(bits),
            _ => Err(self.error(argument, format!("`{argument}` is a number of bits from 1 to {most}"))),
        };
        let (v4, v6) = (length("prefix4", v4, 32), length("prefix6", v6, 128));
        Ok(Prefixes { v4: v4?, v6: v6? })
    }

    /// Returns the label of the chain that the step is in; empty for a source.
    pub fn chain(&self) -> &str {
        self.place.as_ref().map_or("", |place| &place.chain)
    }

    /// Returns the name of the source; empty for a step.
    pub fn source_name(&self) -> &str {
        self.source_name
    }

    /// Registers a field that the module will read. Its position is the argument that names it.
    pub fn reads(&mut self, name: &str) -> Slot {
        let span = self.naming(name);
        let slot = self.fields.slot(name);
        self.facts.push(Stated { fact: Fact::Reads(slot), span });
        slot
    }

    /// Like [`Compile::reads`], where several arguments may have the same text: `path` is the one that names the field.
    pub fn reads_at(&mut self, path: &str, name: &str) -> Slot {
        let slot = self.fields.slot(name);
        self.states(path, Fact::Reads(slot));
        slot
    }

    /// Registers a field that the module records beside what its arguments ask for. An entry may lack it.
    pub fn notes(&mut self, name: &str) -> Slot {
        let slot = self.fields.slot(name);
        self.states("", Fact::Notes(slot));
        slot
    }

    /// Registers a field that the module will set, to any value. Its position is the argument that names it.
    pub fn saves(&mut self, name: &str) -> Slot {
        let span = self.naming(name);
        let field = self.fields.slot(name);
        let save = Save { field, content: SavedAs::Either, surely: false, asked: true };
        self.facts.push(Stated { fact: Fact::Saves(save), span });
        field
    }

    /// Like [`Compile::saves`], with details: `content` is the type of what is saved; `surely` is true if the previous
    /// value is gone whenever a filter has passed, or an action is done.
    pub fn saves_at(&mut self, path: &str, name: &str, content: SavedAs, surely: bool) -> Slot {
        let field = self.fields.slot(name);
        self.states(path, Fact::Saves(Save { field, content, surely, asked: true }));
        field
    }

    /// States a fact that follows from the argument at `path`, for reviews of the whole workflow.
    pub fn states(&mut self, path: &str, fact: Fact) {
        let span = self.span(path);
        self.facts.push(Stated { fact, span });
    }

    /// Returns the position of an argument, for facts that refer to several positions.
    pub fn span(&self, path: &str) -> SourceSpan {
        self.node.at(path).span.clone()
    }

    /// Returns the position of a part of a text argument, given by its bytes in the text.
    fn span_in(&self, path: &str, part: Range<usize>) -> SourceSpan {
        let node = self.node.at(path);
        let start = node.span_within(self.source.text(), part.start).start;
        start..node.span_within(self.source.text(), part.end).start.max(start)
    }

    /// Returns the position of the argument that has this text; if there is none, the position of all arguments.
    fn naming(&self, text: &str) -> SourceSpan {
        fn find<'n>(node: &'n JsonNode, text: &str, depth: usize) -> Option<&'n JsonNode> {
            use crate::config::JsonContent::{Array, Object, Text};
            match &node.content {
                Text(found) if found == text => Some(node),
                Array(items) if depth > 0 => items.iter().find_map(|item| find(item, text, depth - 1)),
                Object(members) if depth > 0 => {
                    members.iter().find_map(|member| find(&member.value, text, depth - 1))
                }
                _ => None,
            }
        }
        find(self.node, text, 3).unwrap_or(self.node).span.clone()
    }

    /// States that the field is searched for the expression at `path`, and that its named groups are saved; `listed`
    /// are the names that groups 1, 2, … have in addition, at `list`. Returns where each group is saved.
    ///
    /// `surely` returns whether a name is saved whenever the filter passes: other expressions may be found instead.
    pub fn searches(
        &mut self,
        path: &str,
        field: Slot,
        pattern: &Pattern,
        (list, listed): (&str, &[String]),
        surely: &dyn Fn(&str) -> bool,
    ) -> Vec<(usize, Slot)> {
        let mut groups = Vec::new();
        for (group, name) in pattern.group_names() {
            let slot = self.fields.slot(name);
            let at = pattern.source().find(&format!("(?P<{name}>")).map_or(0, |at| at + 4);
            let span = self.span_in(path, at..at + name.len());
            let save = Save { field: slot, content: SavedAs::Text, surely: surely(name), asked: false };
            self.facts.push(Stated { fact: Fact::Saves(save), span });
            groups.push((group, slot));
        }
        for (n, name) in listed.iter().enumerate() {
            groups.push((n + 1, self.saves_at(&format!("{list}.{n}"), name, SavedAs::Text, surely(name))));
        }
        let search = Search { field, pattern: pattern.clone(), groups: groups.clone() };
        self.states(path, Fact::Searches(search));
        groups
    }

    /// Reports an error in an argument; `path` is its key, or key and index as in `re.2`.
    pub fn error(&mut self, path: &str, message: impl Into<String>) -> Invalid {
        let span = self.node.at(path).span.clone();
        self.diagnostics.error(span, self.place.clone(), message);
        Invalid(())
    }

    /// Reports an error in an argument, with a suggestion.
    pub fn error_with_help(
        &mut self,
        path: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Invalid {
        let span = self.node.at(path).span.clone();
        self.diagnostics.error(span, self.place.clone(), message).help(help);
        Invalid(())
    }

    /// Reports that an argument names something that does not exist; `known` is what was written, and the names that
    /// exist: a similar one is suggested.
    pub fn error_about_name(
        &mut self,
        path: &str,
        message: impl Into<String>,
        help: impl Into<String>,
        (written, known): (&str, &[String]),
    ) -> Invalid {
        let span = self.node.at(path).span.clone();
        let finding = self.diagnostics.error(span, self.place.clone(), message);
        finding.help(help).suggest(written, known.iter().map(String::as_str));
        Invalid(())
    }

    /// Reports an error at byte `offset` of a text argument.
    pub fn error_within(&mut self, path: &str, offset: usize, message: impl Into<String>) -> Invalid {
        let span = self.node.at(path).span_within(self.source.text(), offset);
        self.diagnostics.error(span, self.place.clone(), message);
        Invalid(())
    }

    /// Warns about a part of a text argument, given by its bytes in the text: the configuration can be used, but this
    /// may not be what was meant.
    pub fn warning_within(
        &mut self,
        path: &str,
        part: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let span = self.span_in(path, part);
        self.diagnostics.warning(span, self.place.clone(), message).help(help);
    }

    /// Compiles an expression in the syntax of Python's `re`; an error in it is reported at its position in the
    /// argument. Equal expressions of one configuration share their memory.
    pub fn pattern(&mut self, path: &str, expression: &str) -> Result<Pattern, Invalid> {
        let known = self.setup.patterns.get(expression).cloned();
        let pattern = known.map_or_else(|| Pattern::new(expression), Ok).map_err(|e| {
            let span = self.node.at(path).span_within(self.source.text(), e.offset);
            let message = format!("bad expression: {}", e.message);
            let finding = self.diagnostics.error(span, self.place.clone(), message);
            if let Some(advice) = pattern::advice(expression, &e) {
                finding.help(advice);
            }
            Invalid(())
        })?;
        for tag in pattern::fail2ban_tags(expression) {
            let message = format!(
                "`{}` is a tag of fail2ban: here it only matches this literal text",
                &expression[tag.at.clone()]
            );
            self.warning_within(path, tag.at, message, tag.instead);
        }
        self.setup.patterns.insert(expression.to_owned(), pattern.clone());
        Ok(pattern)
    }

    /// Compiles a template and resolves its names; an error in it is reported at its position in the argument.
    pub fn message(&mut self, path: &str, text: &str) -> Result<Message, Invalid> {
        self.message_with(path, text, &[])
    }

    /// Like [`Compile::message`], for a template in which the names in `own` are not fields: the module inserts
    /// something else there, see [`Message::render_parts`].
    pub fn message_with(&mut self, path: &str, text: &str, own: &[&str]) -> Result<Message, Invalid> {
        let template = Template::parse(text)
            .map_err(|e| self.error_within(path, e.offset, format!("bad template: {}", e.message)))?;
        let slots = template.names().iter().map(|name| self.fields.slot(name)).collect::<Vec<_>>();
        let fields = template.names().iter().zip(&slots).enumerate();
        for (n, (name, slot)) in fields.filter(|(_, (name, _))| !own.contains(&name.as_str())) {
            let uses = ["}", ":", "!"].iter().filter_map(|end| text.find(&format!("{{{name}{end}")));
            let at = uses.min().map_or(0, |at| at + 1);
            let span = self.span_in(path, at..at + name.len());
            if template.needs(n) {
                self.facts.push(Stated { fact: Fact::Formats(*slot), span: span.clone() });
            }
            self.facts.push(Stated { fact: Fact::Reads(*slot), span });
        }
        Ok(Message { template, slots })
    }

    /// Registers a part of the durable state; all callers that give the same name share it. It is opened when the whole
    /// configuration is known to be valid. A part of this name with another type is an error.
    pub fn state<R: Resource>(&mut self, name: &str) -> Result<Handle<R>, Invalid> {
        self.setup.layout.open(name).map_err(|e| self.error("", e.to_string()))
    }

    /// Returns the layout, for code that opens several parts.
    pub fn layout(&mut self) -> &mut Layout {
        &mut self.setup.layout
    }

    /// Returns the value of this type that the steps and services of this configuration share. It is the default before
    /// the first step.
    pub fn shared<T: Default + Send + 'static>(&mut self) -> &mut T {
        self.setup.shared()
    }

    /// Runs `work` when the configuration is put in force. It must not fail.
    pub fn on_bind(&mut self, work: impl FnOnce(&mut State) + Send + 'static) {
        self.setup.on_bind.push(Box::new(work));
    }

    /// Returns the top-level settings of this type.
    pub fn settings<S: ModuleSettings>(&self) -> Arc<S> {
        self.settings.get()
    }

    /// Like [`Compile::settings`], for modules that refer to what the settings define: settings with errors define
    /// nothing, and to say that would be a second error with the same cause.
    pub fn valid_settings<S: ModuleSettings>(&self) -> Result<Arc<S>, Invalid> {
        if self.settings.are_wrong::<S>() { Err(Invalid(())) } else { Ok(self.settings.get()) }
    }
}

/// A template with its names resolved.
#[derive(Clone, Debug)]
pub struct Message {
    template: Template,
    slots: Vec<Slot>,
}

impl Message {
    /// Appends the text for this entry. A format that the value of a field does not support is an error.
    pub fn render(&self, entry: &mut Entry<'_>, out: &mut String) -> Result<(), StepError> {
        entry.render(&self.template, &self.slots, out)
    }

    /// Gives the parts of the text for this entry to `emit`, in order, so that the caller can encode each value for its
    /// place. Errors are those of [`Message::render`].
    pub fn render_parts(
        &self,
        entry: &mut Entry<'_>,
        emit: &mut dyn FnMut(Part<'_>),
    ) -> Result<(), StepError> {
        entry.render_parts(&self.template, &self.slots, emit)
    }

    /// Returns the parts without values, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.template.parts()
    }

    /// Returns its only field, if the text is the value of that field, unchanged.
    pub fn only_field(&self) -> Option<Slot> {
        match (self.names(), &*self.slots) {
            ([name], [slot]) if self.template.source() == format!("{{{name}}}") => Some(*slot),
            _ => None,
        }
    }

    /// Returns the names of its fields; [`Part::Value`] has an index into them.
    pub fn names(&self) -> &[String] {
        self.template.names()
    }
}
