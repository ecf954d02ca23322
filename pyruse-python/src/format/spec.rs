//! A format spec and what it means for each type.
//!
//! In: the text after the `:` of a field. Out: its meaning for each type that the field's value may have. It is
//! computed once, at load: the type is only known with the value, and rendering must not parse.

use super::integer::IntegerSpec;
use super::parts::{Parts, TooLarge};
use super::refusal::Refusal;
use super::text::TextSpec;
use super::time::TimeSpec;

/// A spec, compiled for every type of value.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub source: Box<str>,
    pub text: Result<TextSpec, Refusal>,
    pub integer: Result<IntegerSpec, Refusal>,
    pub time: TimeSpec,
}

impl Spec {
    pub fn compile(source: &str) -> Result<Spec, TooLarge> {
        let parts = Parts::parse(source);
        // The limit only applies to a spec that is valid in the mini-language: in `{T:20261118!}` the digits can only
        // be text in the spec of a time.
        if parts.as_ref().is_ok_and(Parts::is_too_large) {
            return Err(TooLarge);
        }
        Ok(Spec {
            text: parts.and_then(|parts| TextSpec::new(&parts)),
            integer: parts.and_then(|parts| IntegerSpec::new(&parts)),
            time: TimeSpec::compile(source)?,
            source: source.into(),
        })
    }
}
