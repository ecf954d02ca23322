//! A format spec and what it means for each type.
//!
//! In: what stands behind the `:` of a field. Out: what it means for each type that the field may
//! turn out to have. That is worked out once, at load: whether a field holds text, a number or a
//! time is only known with the value, and rendering should not parse.

use super::integer::IntegerSpec;
use super::parts::{Parts, TooLarge};
use super::refusal::Refusal;
use super::text::TextSpec;
use super::time::TimeSpec;

/// What a spec means, whatever the type of the value will be.
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
        // Only a spec that reads as the mini-language is bound here: in `{T:20261118!}` the
        // digits can only be text around a time.
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
