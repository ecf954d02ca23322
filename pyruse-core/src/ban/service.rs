//! The service of a firewall: owns the courier, and puts bans back.

use std::collections::BTreeSet;

use super::configured::{Notes, kind};
use super::courier::BanCourier;
use super::firewall::Firewall;
use super::held::StoredBan;
use super::import::FormerBans;
use super::order::QueuedOrder;
use super::store::Bans;
use crate::courier::Courier;
use crate::operation::{BanKeeper, BanSet};
use crate::plugin::{Importer, Service, ServicePlugin, Start};
use crate::state::{Handle, Queue, State, StateError};
use crate::time::{ClockStep, Timestamp};

/// Returns the service of a firewall: `inventory::submit!(ban::service::<MyFirewall>());`
pub const fn service<F: Firewall>() -> ServicePlugin {
    ServicePlugin::new(F::NAME, start::<F>).that_boots()
}

fn start<F: Firewall>(start: &mut Start<'_>) -> Result<Box<dyn Service>, StateError> {
    let settings = start.settings::<F::Settings>();
    let configured = start.shared::<Notes>().of(F::NAME).clone();
    let bans = Bans::open(start.layout(), kind::<F>(), F::max_bans(&settings), configured.warned)?;
    let set_name = |text: &str| F::set_name(text).ok();
    let courier = Courier::new(F::NAME, BanCourier(F::new(&settings))).batch(F::BATCH);
    // A power cut empties a set of the kernel. What a program has done stays: it must be known how to undo it.
    let courier = if F::EXPIRES { courier.ahead() } else { courier };
    Ok(Box::new(BanService {
        former: F::FORMER_FILE.map(|file| FormerBans { file, bans: bans.clone(), set_name }),
        bans,
        sets: configured.sets,
        set_name,
        longest_timeout: F::LONGEST_TIMEOUT,
        put_back: None,
        courier: Some(courier),
    }))
}

/// The service of a firewall.
pub(super) struct BanService {
    pub(super) bans: Bans,
    /// The sets that the configuration names.
    pub(super) sets: BTreeSet<BanSet>,
    /// Returns the normal form of a set's name, or `None` if the text is not one.
    pub(super) set_name: fn(&str) -> Option<String>,
    /// The longest timeout that the firewall supports, in seconds.
    pub(super) longest_timeout: Option<u64>,
    /// When the bans that the firewall expires too early are put back.
    pub(super) put_back: Option<Timestamp>,
    pub(super) former: Option<FormerBans>,
    pub(super) courier: Option<Courier>,
}

impl BanService {
    /// Puts back the bans that last for more than `longer_than` seconds, and sets when to do so again. A ban that is
    /// longer than the firewall's longest timeout begins with that one. At every half of it, all bans are put back that
    /// last longer than the other half. So each is put back before its element expires, at the latest in the middle of
    /// its timeout, and nothing needs to be remembered.
    pub(super) fn put_back_from(&mut self, state: &mut State, longer_than: u64, now: Timestamp) {
        self.bans.put_back(state, longer_than, now);
        self.put_back = self.next_put_back(now);
    }

    fn next_put_back(&self, now: Timestamp) -> Option<Timestamp> {
        self.longest_timeout.map(|longest| now.plus_seconds(longest / 2))
    }
}

impl Service for BanService {
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        Some((self.bans.orders, self.courier.take()?))
    }

    fn queue(&self) -> Option<Handle<Queue>> {
        Some(self.bans.orders)
    }

    fn describe(&self, payload: &str) -> String {
        match serde_json::from_str::<QueuedOrder>(payload) {
            Ok(QueuedOrder { set, net, lift: false, .. }) => format!("ban {net} in {set}"),
            Ok(QueuedOrder { set, net, lift: true, .. }) => format!("remove the ban of {net} in {set}"),
            Err(_) => "not a ban order".into(),
        }
    }

    fn bans(&mut self) -> Option<&mut dyn BanKeeper> {
        Some(self)
    }

    fn importer(&mut self) -> Option<&mut dyn Importer> {
        self.former.as_mut().map(|former| former as &mut dyn Importer)
    }

    fn boot(&mut self, state: &mut State, now: Timestamp) {
        // Earlier versions stored no span with the end.
        let step = ClockStep::loaded(state.now());
        state.get_mut(self.bans.held).complete(StoredBan::length, step);
        // The operator who reloads may have made the set that orders wait for.
        state.get_mut(self.bans.orders).retry_now();
        self.bans.lift_ended(state, now);
        self.put_back_from(state, 0, now);
    }

    fn deadline(&self, state: &State, now: Timestamp) -> Option<Timestamp> {
        // The deadline is never further away than that, even if the clock was wrong when it was set.
        let put_back = self.put_back.min(self.next_put_back(now));
        let next = [put_back, self.bans.next_uncovered(state, now), self.bans.next_end(state, now)];
        next.into_iter().flatten().min()
    }

    fn due(&mut self, state: &mut State, now: Timestamp) {
        self.bans.lift_ended(state, now);
        self.bans.uncover_ended(state, now);
        if self.put_back.min(self.next_put_back(now)).is_some_and(|at| at <= now) {
            self.put_back_from(state, self.longest_timeout.unwrap_or(0) / 2, now);
        }
    }
}
