//! How the delivery of one message went.

/// How the delivery of one message went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is delivered, or needs no more delivery.
    Done,
    /// It failed for now, and why.
    Retry(String),
    /// It fails until somebody changes a setting, and why. It is logged as an error, and the wait between two tries
    /// grows to an hour.
    Blocked(String),
    /// It will never succeed, and why.
    GiveUp(String),
}
