//! The outcome of one delivery.

/// The outcome of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The message is delivered, or needs no more delivery.
    Done,
    /// The delivery failed for now; with the reason.
    Retry(String),
    /// The delivery fails until somebody changes a setting; with the reason. It is logged as an error, and the wait
    /// between two tries grows to an hour.
    Blocked(String),
    /// The delivery will never succeed; with the reason.
    GiveUp(String),
}
