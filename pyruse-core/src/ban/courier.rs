//! The courier of a firewall: turns letters into orders, and drops those that must not reach the firewall.

use super::firewall::Firewall;
use super::order::{Order, QueuedOrder};
use crate::courier::{Deliver, Outcome};
use crate::plugin::excerpt;
use crate::state::Letter;
use crate::time::Timestamp;

/// Delivers to a firewall.
pub(super) struct BanCourier<F>(pub(super) F);

impl<F: Firewall> Deliver for BanCourier<F> {
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        let now = Timestamp::now();
        let mut outcomes = Vec::with_capacity(letters.len());
        let (mut orders, mut places) = (Vec::new(), Vec::new());
        for (place, letter) in letters.iter().enumerate() {
            outcomes.push(match read::<F>(letter, now) {
                Ok(Some(order)) => {
                    orders.push(order);
                    places.push(place);
                    Outcome::Retry("the firewall gave no answer".to_owned())
                }
                Ok(None) => Outcome::Done,
                Err(why) => Outcome::GiveUp(why),
            });
        }
        if !orders.is_empty() {
            for (place, outcome) in places.into_iter().zip(self.0.deliver(&orders)) {
                outcomes[place] = outcome;
            }
        }
        outcomes
    }
}

/// Returns the order of a letter; `None` if there is nothing to do. An error says why the letter is given up. Anyone
/// who can write the state may have written a queued order.
fn read<F: Firewall>(letter: &Letter, now: Timestamp) -> Result<Option<Order>, String> {
    let order = QueuedOrder::read(letter, now).map_err(|e| format!("not a ban order: {e}"))?;
    if !F::set_name(&order.set).is_ok_and(|name| name == order.set) {
        return Err(format!("`{}` is not a valid name of a set", excerpt(&order.set)));
    }
    match F::never_holds(order.ip) {
        // The element does not exist, as wanted.
        Some(_) if order.lift => Ok(None),
        Some(why) => Err(format!("{} is not banned: {why}", order.ip)),
        None => Ok(order.at(now, F::LONGEST_TIMEOUT)),
    }
}
