//! A number or a text in a filter's arguments, and how it compares with a field's value.

use std::cmp::Ordering;

use pyruse_core::entry::Value;
use pyruse_core::plugin::fact::Literal;
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::de::{Deserialize, Deserializer, Error, Visitor};
use pyruse_core::{schemars, serde_json};

/// A number or a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Integer(i64),
    Float(f64),
    Text(String),
}

impl Scalar {
    /// Returns `true` if both are equal and of the same type: 1 equals 1.0, `"1"` does not.
    pub(crate) fn equals(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Scalar::Text(ours), Value::Text(theirs)) => ours == theirs,
            (Scalar::Integer(ours), Value::Integer(theirs)) => *ours == theirs,
            (Scalar::Float(ours), Value::Integer(theirs)) => compare(theirs, *ours) == Some(Ordering::Equal),
            _ => false,
        }
    }

    /// Compares the field's value with this one; `None` for different types.
    pub(crate) fn order_of(&self, value: Value<'_>) -> Option<Ordering> {
        match (self, value) {
            // The order of UTF-8 bytes is the order of code points.
            (Scalar::Text(ours), Value::Text(theirs)) => Some(theirs.cmp(ours.as_str())),
            (Scalar::Integer(ours), Value::Integer(theirs)) => Some(theirs.cmp(ours)),
            (Scalar::Float(ours), Value::Integer(theirs)) => compare(theirs, *ours),
            _ => None,
        }
    }

    /// Returns it as a literal, for facts about the step.
    #[allow(
        clippy::cast_precision_loss,
        reason = "facts are for reviews, which do not count on the last digit"
    )]
    pub(crate) fn literal(&self) -> Literal {
        match self {
            Scalar::Integer(integer) => Literal::Number(*integer as f64),
            Scalar::Float(float) => Literal::Number(*float),
            Scalar::Text(text) => Literal::Text(text.clone()),
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Scalar::Text(_) => "text",
            Scalar::Integer(_) | Scalar::Float(_) => "a number",
        }
    }
}

/// Compares exactly, where a conversion of the integer to a float would round.
#[allow(clippy::cast_possible_truncation, reason = "the float is within the range of i64 there")]
fn compare(integer: i64, float: f64) -> Option<Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return None;
    }
    if float >= LIMIT {
        return Some(Ordering::Less);
    }
    if float < -LIMIT {
        return Some(Ordering::Greater);
    }
    let whole = float.floor();
    let fraction = if float > whole { Ordering::Less } else { Ordering::Equal };
    Some(integer.cmp(&(whole as i64)).then(fraction))
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number or a text")
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(value))
    }

    #[allow(clippy::cast_precision_loss, reason = "beyond every i64, where only the order matters")]
    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::Schema::try_from(serde_json::json!({"type": ["number", "string"]})).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_exactly() {
        assert_eq!(compare(1, 1.0), Some(Ordering::Equal));
        assert_eq!(compare(1, 1.5), Some(Ordering::Less));
        assert_eq!(compare(-1, -1.5), Some(Ordering::Greater));
        assert_eq!(compare(i64::MAX, 9_223_372_036_854_775_807.0), Some(Ordering::Less));
        assert_eq!(compare(9_007_199_254_740_993, 9_007_199_254_740_992.0), Some(Ordering::Greater));
        assert_eq!(compare(i64::MIN, f64::NEG_INFINITY), Some(Ordering::Greater));
    }

    #[test]
    fn types_do_not_mix() {
        assert!(!Scalar::Text("3".into()).equals(Value::Integer(3)));
        assert!(Scalar::Float(3.0).equals(Value::Integer(3)));
        assert_eq!(Scalar::Text("3".into()).order_of(Value::Integer(3)), None);
    }
}
