//! The courier of a firewall: turns messages into orders, and drops those that must not reach the firewall.

use super::firewall::Firewall;
use super::lifts::LIFT_TRIED;
use super::order::{Order, OrderKind, QueuedOrder};
use crate::courier::{Deliver, Outcome};
use crate::plugin::excerpt;
use crate::state::DueMessage;
use crate::time::Timestamp;

/// Delivers to a firewall.
pub(super) struct BanCourier<F>(pub(super) F);

impl<F: Firewall> Deliver for BanCourier<F> {
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
        let now = Timestamp::now();
        let mut outcomes = Vec::with_capacity(messages.len());
        let (mut orders, mut indices) = (Vec::new(), Vec::new());
        for (index, message) in messages.iter().enumerate() {
            outcomes.push(match read::<F>(message, now) {
                Ok(Some(order)) => {
                    orders.push(order);
                    indices.push(index);
                    Outcome::Retry("the firewall gave no answer".to_owned())
                }
                Ok(None) => Outcome::Done,
                Err(why) => Outcome::GiveUp(why),
            });
        }
        if !orders.is_empty() {
            let delivered = self.0.deliver(&orders);
            for ((index, order), outcome) in indices.into_iter().zip(&orders).zip(delivered) {
                outcomes[index] = bounded::<F>(order, &messages[index], outcome);
            }
        }
        outcomes
    }
}

/// Returns the order of a message; `None` if there is nothing to do. An error says why the message is given up. Anyone
/// who can write the state may have written a queued order.
fn read<F: Firewall>(message: &DueMessage, now: Timestamp) -> Result<Option<Order>, String> {
    let order = QueuedOrder::read(message, now).map_err(|e| format!("not a ban order: {e}"))?;
    if !F::set_name(&order.set).is_ok_and(|name| name == order.set) {
        return Err(format!("`{}` is not a valid name of a set", excerpt(&order.set)));
    }
    match F::never_holds(order.net) {
        // The element does not exist, as wanted.
        Some(_) if order.lift => Ok(None),
        Some(why) => Err(format!("{} is not banned: {why}", order.net)),
        None => Ok(order.at(now, F::LONGEST_TIMEOUT)),
    }
}

/// A lift that fails for too long is given up: a ban ends some day, but an order to lift it does not.
fn bounded<F: Firewall>(order: &Order, message: &DueMessage, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Retry(why) | Outcome::RetryAfter(why, _) | Outcome::Blocked(why)
            if !F::EXPIRES && order.kind == OrderKind::Lift && message.tried > LIFT_TRIED =>
        {
            Outcome::GiveUp(format!("{} is not lifted: {why}", order.net))
        }
        other => other,
    }
}
