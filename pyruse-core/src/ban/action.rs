//! The action that bans, for every firewall.

use super::configured::{Notes, kind};
use super::duration::{BanSeconds, Duration};
use super::firewall::{BanArgs, Firewall};
use super::held::{StoredBan, ends};
use super::inspect::{Needed, inspect};
use super::store::Bans;
use crate::address;
use crate::effect::Effect;
use crate::entry::{Counted, Slot, StepError};
use crate::network::Network;
use crate::operation::{BanReason, BanSet, Family};
use crate::plugin::fact::{BannedAddress, Fact};
use crate::plugin::{Act, Action, Compile, Example, Inspection, Invalid, Module, ModuleSettings, excerpt};
use crate::prefixes::Prefixes;

/// The widest networks of IPv4 and IPv6 that a field of an entry may name, in bits.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 16;

/// The action of a firewall.
pub struct BanAction<F> {
    ip: Slot,
    /// The sets for IPv4 and IPv6.
    sets: [String; 2],
    duration: Duration,
    prefixes: Prefixes,
    allow_special: bool,
    allow_networks: bool,
    lift: bool,
    chain: Box<str>,
    bans: Bans,
    /// For inspections.
    firewall: F,
}

impl<F: Firewall> Module for BanAction<F> {
    const NAME: &'static str = F::NAME;
    const DOC: &'static str = F::DOC;
    const SETTINGS: &'static [&'static str] = &[F::Settings::KEY];
    const EXAMPLE_SETTINGS: &'static str = F::EXAMPLE_SETTINGS;
    type Args = F::Args;

    fn compile(args: F::Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let BanArgs {
            ip,
            duration,
            remember,
            sets: [v4, v6],
            prefixes: [prefix4, prefix6],
            allow_special,
            allow_networks,
            lift,
        } = args.into();
        if lift && (duration != BanSeconds::default() || remember.is_some()) {
            let argument = if remember.is_some() { "rememberSeconds" } else { "banSeconds" };
            let what = format!("`{argument}` has no effect with `lift`: this step bans nobody");
            return Err(cx.error(argument, what));
        }
        let [of_v4, of_v6] = F::SET_ARGUMENTS;
        let (v4, v6) = (set_name::<F>(of_v4, &v4, cx), set_name::<F>(of_v6, &v6, cx));
        let prefixes = cx.prefixes(prefix4, prefix6);
        let (sets, prefixes) = ([v4?, v6?], prefixes?);
        let ip = cx.reads_at("IP", &ip);
        let settings = cx.valid_settings::<F::Settings>()?;
        for (argument, set) in F::SET_ARGUMENTS.into_iter().zip(&sets) {
            if let Some(why) = F::unknown_set(&settings, set) {
                return Err(cx.error_with_help(argument, why, F::SET_HELP));
            }
        }
        let duration = Duration::new(duration, remember, (F::NAME, F::max_bans(&settings)), cx)?;
        let ban = BannedAddress { address: ip, ends: duration.ends(), sets: sets.clone(), prefixes };
        if !lift {
            cx.states("IP", Fact::Bans(ban));
        }
        F::state_facts(&sets[0], cx);
        if sets[1] != sets[0] {
            F::state_facts(&sets[1], cx);
        }
        let known = cx.shared::<Notes>().of(F::NAME);
        for (name, family) in sets.iter().zip([Family::V4, Family::V6]) {
            known.sets.insert(BanSet { name: name.clone(), family });
        }
        let warned = known.warned.clone();
        let bans = match Bans::open(cx.layout(), kind::<F>(), F::max_bans(&settings), warned) {
            Ok(bans) => bans,
            Err(e) => return Err(cx.error("", e.to_string())),
        };
        let chain = cx.chain().into();
        Ok(BanAction {
            ip,
            sets,
            duration,
            prefixes,
            allow_special,
            allow_networks,
            lift,
            chain,
            bans,
            firewall: F::new(&settings),
        })
    }

    fn examples() -> Vec<Example> {
        F::examples()
    }
}

fn set_name<F: Firewall>(argument: &str, set: &str, cx: &mut Compile<'_>) -> Result<String, Invalid> {
    F::set_name(set).map_err(|why| cx.error_with_help(argument, why, F::SET_HELP))
}

impl<F: Firewall> Action for BanAction<F> {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        run.entry.required_text(self.ip)?;
        let mut addresses = Vec::new();
        run.entry.find_text(self.ip, |text| {
            addresses.push(self.network(text));
            Ok(false)
        })?;
        // A value that cannot be banned does not protect the others; the first error is returned.
        let mut result = Ok(());
        for net in addresses {
            result = result.and(net.and_then(|net| {
                if self.lift {
                    self.lift(net, run);
                    return Ok(());
                }
                self.ban(net, run)
            }));
        }
        result
    }

    fn inspect(&self, inspection: &mut Inspection) {
        if self.lift {
            return;
        }
        let needs = Needed {
            seconds: self.duration.shortest(),
            prefixes: self.prefixes,
            networks: self.allow_networks,
        };
        inspect(&self.firewall, &self.sets, needs, inspection);
    }
}

impl<F: Firewall> BanAction<F> {
    /// Returns the network that a value of the field stands for.
    fn network(&self, text: &str) -> Result<Network, StepError> {
        let nothing = if self.lift { "nothing is lifted" } else { "nothing is banned" };
        let error = |why: &str| StepError::new(format!("`{}` {why}: {nothing}", excerpt(text)));
        if let Some(ip) = address::parse(text) {
            return Ok(self.prefixes.network(ip));
        }
        let Some(net) = Network::parse(text) else { return Err(error("is not an IP address")) };
        if !self.allow_networks {
            return Err(error("is a network, which is accepted with `allowNetworks` only"));
        }
        let widest = if net.first().is_ipv4() { WIDEST_V4 } else { WIDEST_V6 };
        if net.bits() < widest {
            return Err(error(&format!("is wider than a /{widest}")));
        }
        Ok(self.prefixes.around(net))
    }

    /// Returns the set for the network.
    fn set_of(&self, net: Network) -> &String {
        let [v4, v6] = &self.sets;
        if net.first().is_ipv4() { v4 } else { v6 }
    }

    /// Lifts the ban of the network, if there is one.
    fn lift(&self, net: Network, run: &mut Act<'_, '_>) {
        let (set, now) = (self.set_of(net), run.entry.time());
        if !self.bans.is_held(run.state, &Bans::key(set, net), now) {
            return;
        }
        self.bans.lift(run.state, set, net, now);
        run.effect(|| Effect::Lift { action: F::NAME, set: set.clone(), ip: net.to_string() });
    }

    fn ban(&mut self, net: Network, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        if let Some(kind) = net.special().filter(|_| !self.allow_special) {
            let has = if net.is_single() { "is" } else { "contains" };
            return Err(StepError::new(format!(
                "{net} {has} {kind}: nothing is banned; `allowSpecial` allows the ban"
            )));
        }
        let set = self.set_of(net);
        let now = run.entry.time();
        let key = Bans::key(set, net);
        let (seconds, nth) = self.duration.of(run, &self.bans, &key, now)?;
        let reason = self.reason(run.entry.counted());
        let ban = StoredBan { set: set.clone(), net, seconds, at: Some(now), why: Some(reason.clone()), nth };
        let renewed = self.bans.ban_key(run.state, &key, ban, ends(now, seconds), now);
        if nth.is_some()
            && let Some(end) = self.bans.end(run.state, &key)
        {
            self.duration.made(run.state, &key, end);
        }
        run.effect(|| Effect::Ban {
            action: F::NAME,
            set: set.clone(),
            ip: net.to_string(),
            seconds,
            renewed,
            reason,
        });
        Ok(())
    }

    /// If several counters count the address itself, the last one is taken as the cause.
    fn reason(&self, counted: &[Counted]) -> BanReason {
        let of_address = counted.iter().rfind(|counted| counted.key == self.ip);
        let counted = of_address.or(counted.last());
        BanReason::Rule {
            chain: self.chain.clone(),
            counter: counted.map(|counted| (*counted.category).into()),
            count: counted.map(|counted| counted.count),
        }
    }
}
