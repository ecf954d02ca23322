//! The outcome of one delivery.

use std::time::Duration;

/// The outcome of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The message is delivered, or needs no more delivery.
    Done,
    /// The delivery failed for now; with the reason.
    Retry(String),
    /// The delivery failed for now, with the reason, and is tried again after this time: the other side said so, or it is
    /// known to be unreachable.
    RetryAfter(String, Duration),
    /// The delivery was not tried, and is due after this time. This is not a failure.
    Postpone(Duration),
    /// The delivery fails until somebody changes a setting; with the reason. It is logged as an error, and the wait
    /// between two tries grows to an hour.
    Blocked(String),
    /// The delivery will never succeed; with the reason.
    GiveUp(String),
}
