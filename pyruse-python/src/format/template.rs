//! One format string, compiled: its pieces, written in order with the values of a rendering.

use std::fmt::Write;

use jiff::tz::TimeZone;

use super::error::{Found, RenderError, TemplateError};
use super::moment::Moment;
use super::parse::{self, Conversion, Field, Piece};
use super::refusal::Refusal;
use super::repr;
use super::spec::Spec;
use super::value::Value;

/// A format string, ready to be rendered.
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
    /// If Python would refuse it whatever the values, and for what the module's head says is not
    /// supported. A spec is only judged when rendering, for it depends on the value's type.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let parsed = parse::parse(text)?;
        Ok(Template { source: text.into(), pieces: parsed.pieces, names: parsed.names })
    }

    /// The names of the fields it reads, each once, in the order of their first use.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Cannot be rendered when the field of that index is missing: it has a spec, and no conversion makes it text
    /// before.
    #[must_use]
    pub fn needs(&self, name: usize) -> bool {
        let needs = |field: &Field| field.name == name && field.spec.is_some() && field.conversion.is_none();
        self.pieces.iter().any(|piece| matches!(piece, Piece::Field(field) if needs(field)))
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Appends the text for some values to `out`; times are shown in `zone`.
    ///
    /// `lookup` gets an index into [`Template::names`], once for each use of the field; `None`
    /// means that there is no such field, which prints as `None`.
    ///
    /// # Errors
    /// If a spec does not apply to the type of its value. Then `out` is as it was before.
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

    fn failure(&self, field: &Field, value: Option<Value<'_>>, refusal: Refusal) -> RenderError {
        let out_of_range = matches!(refusal, Refusal::OutOfRange(_));
        let found = match value {
            // What a conversion has made of it is text.
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

/// As Python's `str`.
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
