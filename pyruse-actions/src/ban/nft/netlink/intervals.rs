//! The intervals that a set holds, as the kernel lists them.
//!
//! To the kernel, an interval is two elements: its first address, and the one behind its last, which is marked as the
//! end. It does not notice every overlap: an element that is already there as the begin or end of another interval would
//! be shared, and would be gone for both when one of them ends, so that the other would have no end. So the kernel is
//! told to refuse elements that exist (`NLM_F_EXCL`), and only an interval that is in the list is ever deleted.

use std::collections::BTreeMap;

use netlink_packet_core::Parseable;
use netlink_packet_netfilter::nftables::{
    DataAttribute, ListAttribute, SetElementAttribute, SetElementFlags, SetElementList, SetElementMessage,
};
use pyruse_core::network::Network;

use super::bounds::{behind, key};
use super::error::NetlinkError;
use super::request;
use super::set::SetName;
use super::socket::{Reply, Socket};

/// The header of nfnetlink, before the attributes.
const NFGENMSG: usize = 4;

/// `NLMSG_DONE`: the end of a list.
const NLMSG_DONE: u16 = 3;

/// The intervals of a set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Intervals {
    /// The first address of each, and the one behind its last; `None`: it has no end.
    all: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Intervals {
    /// Asks the kernel.
    pub(super) fn list(name: &SetName, socket: &mut Socket) -> Result<Intervals, NetlinkError> {
        let number = socket.numbers(1);
        let answers = socket.ask(&request::list(name, number))?;
        let mut bounds = Vec::new();
        for answer in answers.all.iter().filter(|answer| answer.sequence == number) {
            match &answer.reply {
                Reply::Message(NLMSG_DONE, _) => return Ok(Intervals::of(bounds)),
                Reply::Message(_, message) => read(message, &mut bounds).ok_or_else(|| {
                    NetlinkError("it lists a set in a way that is not understood".to_owned())
                })?,
                Reply::Error(errno) => return Err(NetlinkError::from(*errno)),
                Reply::Ack => {}
            }
        }
        Err(NetlinkError("its list of a set has no end".to_owned()))
    }

    /// Makes it from addresses, each with whether it is an end, in any order.
    fn of(mut bounds: Vec<(Vec<u8>, bool)>) -> Intervals {
        // At the same address, one interval ends before the next begins.
        bounds.sort_by(|(a, a_ends), (b, b_ends)| (a, !a_ends).cmp(&(b, !b_ends)));
        let mut all = BTreeMap::new();
        let mut open: Option<Vec<u8>> = None;
        for (key, is_end) in bounds {
            if is_end {
                // Without a begin, it is that of an interval that has expired.
                if let Some(first) = open.take() {
                    all.insert(first, Some(key));
                }
            } else if let Some(first) = open.replace(key) {
                all.insert(first, None);
            }
        }
        all.extend(open.map(|first| (first, None)));
        Intervals { all }
    }

    /// Removes an interval that has expired.
    pub(super) fn forget(&mut self, net: Network) {
        self.all.remove(&key(net.first()));
    }

    /// Returns `true` if exactly this network is in the set.
    pub(super) fn has(&self, net: Network) -> bool {
        self.all.get(&key(net.first())) == Some(&behind(net.last()).map(key))
    }
}

/// Reads a part of the list; `None` if it cannot be parsed.
fn read(message: &[u8], bounds: &mut Vec<(Vec<u8>, bool)>) -> Option<()> {
    let message = SetElementMessage::parse(message.get(NFGENMSG..)?).ok()?;
    for list in message.attributes {
        let SetElementList::Elements(elements) = list else { continue };
        for element in elements {
            let ListAttribute::Element(attributes) = element else { continue };
            let (mut found, mut is_end) = (None, false);
            for attribute in attributes {
                match attribute {
                    SetElementAttribute::Key(DataAttribute::Value(key)) => found = Some(key),
                    SetElementAttribute::Flags(flags) => {
                        is_end = flags.contains(SetElementFlags::IntervalEnd);
                    }
                    _ => {}
                }
            }
            bounds.push((found?, is_end));
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_there_only_if_an_interval_has_its_begin_and_its_end() {
        let bound = |text: &str, is_end| (key(text.parse().unwrap()), is_end);
        let found = Intervals::of(vec![
            bound("192.0.3.0", true),
            bound("192.0.3.0", false),
            bound("0.0.0.0", true),
            bound("192.0.2.0", false),
            bound("192.0.4.0", true),
            // Its begin has expired.
            bound("198.51.100.1", true),
            bound("255.255.255.0", false),
        ]);
        let has = |text: &str| found.has(Network::parse(text).unwrap());
        assert!(has("192.0.2.0/24") && has("192.0.3.0/24") && has("255.255.255.0/24"));
        for not in ["192.0.2.0/23", "192.0.2.0", "198.51.100.0", "192.0.3.0/25", "255.255.255.0/25"] {
            assert!(!has(not), "{not}");
        }
    }
}
