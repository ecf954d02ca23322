//! Orders: what a firewall must do, and how an order is stored in the queue.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::state::DueMessage;
use crate::time::Timestamp;

/// An order to the firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The set, by its normal name.
    pub set: String,
    /// The address, or the network.
    pub net: Network,
    /// What the firewall must do.
    pub kind: OrderKind,
}

/// What the firewall must do about an address or a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Add it to the set.
    Ban {
        /// The time left, in seconds; `None`: for ever.
        timeout: Option<u64>,
    },
    /// Add it to the set, which may already hold it with another timeout: afterwards, it has this one.
    Renew {
        /// The time left, in seconds; `None`: for ever.
        timeout: Option<u64>,
    },
    /// Remove it from the set, which may not hold it.
    Lift,
}

/// An order in the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct QueuedOrder {
    pub(super) set: String,
    #[serde(rename = "ip")]
    pub(super) net: Network,
    /// The end; `None`: for ever.
    until: Option<Timestamp>,
    /// The time left when the order was queued, in microseconds. Absent: for ever, or an earlier version queued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
    /// The maximum duration in seconds; 0: no limit.
    #[serde(default)]
    seconds: u64,
    /// The set may already hold the element, with another end.
    renew: bool,
    /// The order lifts the ban: the set must not hold the element any more.
    #[serde(default)]
    pub(super) lift: bool,
}

impl QueuedOrder {
    /// Makes an order to ban a network until `end`, for at most `seconds` seconds (0: no limit). `wall` is the wall
    /// clock.
    pub(super) fn ban(set: &str, net: Network, seconds: u64, end: Timestamp, wall: Timestamp) -> QueuedOrder {
        let order = QueuedOrder {
            set: set.to_owned(),
            net,
            until: None,
            left: None,
            seconds,
            renew: false,
            lift: false,
        };
        if end == Timestamp::NEVER {
            return order;
        }
        let left = wall.until(end);
        let left = if seconds == 0 { left } else { left.min(Duration::from_secs(seconds)) };
        QueuedOrder {
            until: Some(end),
            left: Some(u64::try_from(left.as_micros()).unwrap_or(u64::MAX)),
            ..order
        }
    }

    /// Makes an order to lift a ban. It expires at `end`, when the element does.
    pub(super) fn lift(set: &str, net: Network, end: Timestamp, wall: Timestamp) -> QueuedOrder {
        QueuedOrder { lift: true, ..QueuedOrder::ban(set, net, 0, end, wall) }
    }

    /// States whether the set may already hold the element.
    pub(super) fn renewing(self, renew: bool) -> QueuedOrder {
        QueuedOrder { renew, ..self }
    }

    /// Returns the payload of its message.
    pub(super) fn payload(&self) -> String {
        // A struct of texts and numbers can always be serialized.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the order of a message, with its end by the wall clock, which may have been set since the order was queued.
    pub(super) fn read(message: &DueMessage, wall: Timestamp) -> serde_json::Result<QueuedOrder> {
        let order: QueuedOrder = serde_json::from_str(&message.payload)?;
        let end = order.left.map(|left| wall.plus(Duration::from_micros(left).saturating_sub(message.age)));
        Ok(QueuedOrder { until: end.or(order.until), ..order })
    }

    /// Returns the order as the firewall gets it, with at most the longest timeout; `None`: it has expired.
    pub(super) fn at(self, now: Timestamp, longest_timeout: Option<u64>) -> Option<Order> {
        let most = if self.seconds == 0 { u64::MAX } else { self.seconds };
        let timeout = match self.until.map(|until| now.until(until)) {
            Some(left) if left.is_zero() => return None,
            // Rounded up: a ban must not end early.
            Some(left) => Some(left.as_secs() + u64::from(left.subsec_nanos() > 0)),
            None => None,
        };
        let timeout = timeout.map(|left| left.min(most).min(longest_timeout.unwrap_or(u64::MAX)));
        let kind = match self {
            QueuedOrder { lift: true, .. } => OrderKind::Lift,
            QueuedOrder { renew: true, .. } => OrderKind::Renew { timeout },
            _ => OrderKind::Ban { timeout },
        };
        Some(Order { set: self.set, net: self.net, kind })
    }
}
