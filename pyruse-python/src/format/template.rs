//! A format string, compiled: its pieces, written in order with the values of a rendering.

use std::fmt::Write;

use jiff::tz::TimeZone;

use super::error::{Found, RenderError, TemplateError};
use super::moment::Moment;
use super::parse::{self, Conversion, Field, Piece};
use super::refusal::Refusal;
use super::repr;
use super::spec::Spec;
use super::value::Value;

/// A part of a rendered template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'p> {
    /// Text of the template itself.
    Literal(&'p str),
    /// A value.
    Value {
        /// Index into [`Template::names`].
        name: usize,
        /// The text that is inserted; empty if nothing is rendered.
        text: &'p str,
        /// Whether the field does not exist.
        is_missing: bool,
    },
}

/// A compiled format string.
#[derive(Clone, Debug)]
pub struct Template {
    source: Box<str>,
    pieces: Vec<Piece>,
    names: Vec<String>,
}

impl Template {
    /// Compiles a format string as Python's `str.format_map` reads it.
    ///
    /// # Errors
    /// Fails if Python refuses the text whatever the values are, and if the text uses what the module's documentation
    /// lists as refused. A spec is only checked when rendering, because its validity depends on the value's type.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let parsed = parse::parse(text)?;
        Ok(Template { source: text.into(), pieces: parsed.pieces, names: parsed.names })
    }

    /// Returns the names of the fields, each once, in the order of their first use.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether rendering fails when the field with this index is missing: the field has a spec, and no conversion turns
    /// the value into text first.
    #[must_use]
    pub fn needs(&self, name: usize) -> bool {
        let needs = |field: &Field| field.name == name && field.spec.is_some() && field.conversion.is_none();
        self.pieces.iter().any(|piece| matches!(piece, Piece::Field(field) if needs(field)))
    }

    /// Returns the text of the template.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Appends the text for the given values to `out`. Times are printed in `zone`.
    ///
    /// `lookup` gets an index into [`Template::names`], once for each use of the field. `None` means that the field
    /// does not exist; it prints as `None`.
    ///
    /// # Errors
    /// Fails if a spec does not apply to the type of its value. Then `out` is unchanged.
    pub fn render<'v, V: Into<Value<'v>>>(
        &self,
        out: &mut String,
        zone: &TimeZone,
        mut lookup: impl FnMut(usize) -> Option<V>,
    ) -> Result<(), RenderError> {
        let start = out.len();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Field(field) => {
                    let value = lookup(field.name).map(Into::into);
                    if let Err(refusal) = write_field(out, zone, field, value) {
                        out.truncate(start);
                        return Err(self.failure(field, value, refusal));
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives the parts for the given values to `emit`, in order, as [`Template::render`] would append them: for a caller
    /// that must encode each value for its place.
    ///
    /// # Errors
    /// Fails like [`Template::render`]; parts before the failing one have been given.
    pub fn render_parts<'v, V: Into<Value<'v>>>(
        &self,
        zone: &TimeZone,
        mut lookup: impl FnMut(usize) -> Option<V>,
        mut emit: impl FnMut(Part<'_>),
    ) -> Result<(), RenderError> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => emit(Part::Literal(literal)),
                Piece::Field(field) => {
                    let value = lookup(field.name).map(Into::into);
                    text.clear();
                    write_field(&mut text, zone, field, value)
                        .map_err(|refusal| self.failure(field, value, refusal))?;
                    emit(Part::Value { name: field.name, text: &text, is_missing: value.is_none() });
                }
            }
        }
        Ok(())
    }

    /// Returns the parts without values, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Literal(text) => Part::Literal(text),
            Piece::Field(field) => Part::Value { name: field.name, text: "", is_missing: true },
        })
    }

    fn failure(&self, field: &Field, value: Option<Value<'_>>, refusal: Refusal) -> RenderError {
        let out_of_range = matches!(refusal, Refusal::OutOfRange(_));
        let found = match value {
            // A conversion makes text of any value.
            _ if field.conversion.is_some() && !out_of_range => Found::Text,
            Some(Value::Text(_)) => Found::Text,
            Some(Value::Integer(_)) => Found::Integer,
            Some(Value::Time { .. }) => Found::Time,
            None => Found::Nothing,
        };
        let spec = field.spec.as_ref().map_or("", |spec| &spec.source);
        RenderError::new(&self.names[field.name], spec, found, refusal)
    }
}

#[inline]
fn write_field(
    out: &mut String,
    zone: &TimeZone,
    field: &Field,
    value: Option<Value<'_>>,
) -> Result<(), Refusal> {
    match (field.conversion, &field.spec) {
        (None, None) => write_plain(out, zone, value),
        (None, Some(spec)) => write_with_spec(out, zone, spec, value),
        (Some(conversion), None) => write_converted(out, zone, conversion, value),
        (Some(conversion), Some(spec)) => {
            let layout = spec.text?;
            if let (Conversion::Text, Some(Value::Text(text))) = (conversion, value) {
                layout.write(out, text);
                return Ok(());
            }
            let mut scratch = String::new();
            write_converted(&mut scratch, zone, conversion, value)?;
            layout.write(out, &scratch);
            Ok(())
        }
    }
}

/// Appends a value as Python's `str` prints it.
#[inline]
fn write_plain(out: &mut String, zone: &TimeZone, value: Option<Value<'_>>) -> Result<(), Refusal> {
    match value {
        None => out.push_str("None"),
        Some(Value::Text(text)) => out.push_str(text),
        Some(Value::Integer(number)) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{number}");
        }
        Some(Value::Time { micros }) => Moment::new(micros, zone)?.write(out),
    }
    Ok(())
}

fn write_converted(
    out: &mut String,
    zone: &TimeZone,
    conversion: Conversion,
    value: Option<Value<'_>>,
) -> Result<(), Refusal> {
    match (conversion, value) {
        (Conversion::Quoted(charset), Some(Value::Text(text))) => {
            repr::write(out, text, charset);
            Ok(())
        }
        _ => write_plain(out, zone, value),
    }
}

fn write_with_spec(
    out: &mut String,
    zone: &TimeZone,
    spec: &Spec,
    value: Option<Value<'_>>,
) -> Result<(), Refusal> {
    match value {
        None => return Err(Refusal::Missing),
        Some(Value::Text(text)) => spec.text?.write(out, text),
        Some(Value::Integer(number)) => spec.integer?.write(out, number)?,
        Some(Value::Time { micros }) => spec.time.write(out, &Moment::new(micros, zone)?),
    }
    Ok(())
}
