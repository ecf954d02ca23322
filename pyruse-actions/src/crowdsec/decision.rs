//! A decision, as the API gives it.

use pyruse_core::serde::Deserialize;

/// A decision. All members may be missing or have another type in a wrong answer, which is then refused as a whole.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(crate = "pyruse_core::serde", default)]
pub(super) struct Decision {
    pub(super) id: u64,
    /// The time left, as Go writes it; of one that has ended, the time since then, with a `-`.
    pub(super) duration: String,
    pub(super) origin: String,
    pub(super) scenario: String,
    /// `Ip`, `Range`, `Country`, `AS`, or another one.
    pub(super) scope: String,
    /// `ban`, `captcha`, or another one.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) value: String,
}
