//! What differs between two firewalls.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::duration::BanSeconds;
use super::order::Order;
use super::set_state::{SetNeeds, SetState};
use crate::courier::Outcome;
use crate::network::Network;
use crate::plugin::{Compile, Example, Inspection, ModuleSettings};
use crate::seconds::Seconds;

/// A firewall: how its sets are named, how orders are delivered, and how a set is looked at.
pub trait Firewall: Send + Sized + 'static {
    /// The name of the action in the configuration, `action_…`. It also names the bans in the state: it must not change.
    const NAME: &'static str;
    /// One sentence that says what the action does.
    const DOC: &'static str;
    /// The arguments that name the set for IPv4 addresses and the set for IPv6 addresses; they may be the same one.
    const SET_ARGUMENTS: [&'static str; 2];
    /// How to name a set: the help for an error of [`Firewall::set_name`].
    const SET_HELP: &'static str;
    /// The longest timeout that an element can have, in seconds. A longer ban is put back before its element expires.
    const LONGEST_TIMEOUT: Option<u64> = None;
    /// Whether the firewall itself removes an element when its time is over. If not, an order lifts each ban when it
    /// ends, and an order is stored on the disk before it is delivered.
    const EXPIRES: bool = true;
    /// How many orders [`Firewall::deliver`] gets together at most.
    const BATCH: usize = 2000;
    /// Whether no element of a set may overlap with another. Then the firewall only gets the widest bans: a ban within
    /// another one is ordered when that one ends.
    const EXCLUSIVE: bool = false;
    /// Top-level keys for the examples, as a JSON object; empty if they need none.
    const EXAMPLE_SETTINGS: &'static str = "";
    /// The file in which the first Pyruse kept these bans.
    const FORMER_FILE: Option<&'static str> = None;

    /// The arguments of the action; their doc comments are the reference. The argument `IP` is the field that holds
    /// the address.
    type Args: DeserializeOwned + JsonSchema + Into<BanArgs>;
    /// The settings: how the firewall is reached, and how many bans are held.
    type Settings: ModuleSettings;

    /// Makes the firewall. This must not change anything: every step has one for inspections, beside the one that
    /// delivers.
    fn new(settings: &Self::Settings) -> Self;

    /// Returns how many bans are held at most; [`MAX_BANS`](super::MAX_BANS) is a good default.
    fn max_bans(settings: &Self::Settings) -> u32;

    /// Returns the normal form of a set's name, or why the text is not one.
    fn set_name(text: &str) -> Result<String, String>;

    /// Returns why a step cannot use the set with this normal name, if the settings define all sets.
    fn unknown_set(_settings: &Self::Settings, _set: &str) -> Option<String> {
        None
    }

    /// States facts about a step that bans in the set with this normal name, beside the ban itself.
    fn state_facts(_set: &str, _cx: &mut Compile<'_>) {}

    /// Returns why no set of this firewall can hold the address or the network, if that is so.
    fn never_holds(_net: Network) -> Option<&'static str> {
        None
    }

    /// Delivers orders, at least one; returns their outcomes in the same order. It may wait. No two orders are about
    /// the same network in the same set. An order may be delivered twice.
    fn deliver(&mut self, orders: &[Order]) -> Vec<Outcome>;

    /// Looks at a set for `check --live`, without changing anything. `None`: this firewall cannot be asked.
    fn inspect_set(&self, _set: &str, _needs: SetNeeds, _inspection: &mut Inspection) -> Option<SetState> {
        None
    }

    /// Arguments, an entry, and the outcome: shown to users and run by a test.
    fn examples() -> Vec<Example>;
}

/// What the arguments of every firewall's action say.
pub struct BanArgs {
    /// The field that holds the address to ban: the argument `IP`.
    pub ip: String,
    /// The duration: the argument `banSeconds`.
    pub duration: BanSeconds,
    /// How long a ban counts for a list of durations, in seconds: the argument `rememberSeconds`.
    pub remember: Option<Seconds>,
    /// The set for IPv4 addresses, and that for IPv6 addresses: the arguments [`Firewall::SET_ARGUMENTS`].
    pub sets: [String; 2],
    /// How long the prefixes of the banned networks are, in bits: the arguments `prefix4` and `prefix6`. Without them,
    /// single addresses are banned.
    pub prefixes: [Option<u8>; 2],
    /// Whether to ban also an address that no single remote host has; see [`special`](crate::address::special).
    pub allow_special: bool,
    /// Whether the field may also hold a network.
    pub allow_networks: bool,
    /// Whether to lift the ban instead.
    pub lift: bool,
}
