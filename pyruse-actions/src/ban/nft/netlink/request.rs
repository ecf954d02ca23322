//! Requests to the kernel, as bytes: questions, and transactions on the elements of sets.
//!
//! The names are those of `linux/netfilter/nfnetlink.h` and `linux/netfilter/nf_tables.h`. Each element has its own
//! message. The kernel's answers carry the message's number, and so distinguish the bad elements from the good.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader,
    NetlinkMessage,
};
use netlink_packet_netfilter::nftables::{
    DataAttribute, GenMessage, ListAttribute, NfTablesMessage, SetAttribute, SetElementAttribute,
    SetElementFlags, SetElementList, SetElementMessage, SetMessage,
};
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily, NetfilterSubsystem,
};

use pyruse_core::network::Network;

use super::bounds::{behind, key};
use super::set::SetName;

/// One change to a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Adds the element, with a timeout in milliseconds or, without one, with the set's own.
    Add(Option<u64>),
    /// The same, but an element that exists is an error.
    AddNew(Option<u64>),
    Delete,
}

/// Asks which generation of the rules is in force. Every kernel with nf_tables answers that to every user.
pub(super) fn generation(sequence: u32) -> Vec<u8> {
    let message = NfTablesMessage::GetGen(GenMessage { attributes: Vec::new() });
    let mut datagram = Vec::new();
    append(&mut datagram, NetfilterProtoFamily::Unspec, 0, message, (sequence, 0));
    datagram
}

/// Asks for the description of a set.
pub(super) fn describe(name: &SetName, sequence: u32) -> Vec<u8> {
    let attributes = vec![SetAttribute::Table(name.table.clone()), SetAttribute::Name(name.set.clone())];
    let message = NfTablesMessage::GetSet(SetMessage { attributes });
    let mut datagram = Vec::new();
    append(&mut datagram, name.family, 0, message, (sequence, 0));
    datagram
}

/// Asks for all elements of a set.
pub(super) fn list(name: &SetName, sequence: u32) -> Vec<u8> {
    let attributes = vec![SetElementList::Table(name.table.clone()), SetElementList::Set(name.set.clone())];
    let message = NfTablesMessage::GetSetElement(SetElementMessage { attributes });
    let mut datagram = Vec::new();
    append(&mut datagram, name.family, 0, message, (sequence, NLM_F_DUMP));
    datagram
}

/// Changes that happen together or not at all.
pub(super) struct Transaction {
    datagram: Vec<u8>,
    last: usize,
}

impl Transaction {
    pub(super) fn begin(sequence: u32) -> Transaction {
        let mut datagram = Vec::new();
        control(&mut datagram, ControlMessage::BatchBegin, sequence);
        Transaction { datagram, last: 0 }
    }

    /// Adds a change of this element; the answer carries this number. In a set of intervals, a network is two elements:
    /// its first address, and the one behind its last, if there is one, which is marked as the end.
    pub(super) fn change(
        &mut self,
        (name, has_intervals): (&SetName, bool),
        net: Network,
        change: Change,
        sequence: u32,
    ) {
        let mut element = vec![SetElementAttribute::Key(DataAttribute::Value(key(net.first())))];
        if let Change::Add(Some(timeout)) | Change::AddNew(Some(timeout)) = change {
            element.push(SetElementAttribute::Timeout(timeout));
        }
        let mut elements = vec![ListAttribute::Element(element)];
        if let Some(behind) = behind(net.last()).filter(|_| has_intervals) {
            elements.push(ListAttribute::Element(vec![
                SetElementAttribute::Flags(SetElementFlags::IntervalEnd),
                SetElementAttribute::Key(DataAttribute::Value(key(behind))),
            ]));
        }
        let message = SetElementMessage {
            attributes: vec![
                SetElementList::Table(name.table.clone()),
                SetElementList::Set(name.set.clone()),
                SetElementList::Elements(elements),
            ],
        };
        let (message, flags) = match change {
            Change::Add(_) => (NfTablesMessage::NewSetElement(message), NLM_F_CREATE),
            Change::AddNew(_) => (NfTablesMessage::NewSetElement(message), NLM_F_CREATE | NLM_F_EXCL),
            Change::Delete => (NfTablesMessage::DeleteSetElement(message), 0),
        };
        self.last = self.datagram.len();
        append(&mut self.datagram, name.family, 0, message, (sequence, flags));
    }

    /// Returns the size so far, in bytes.
    pub(super) fn len(&self) -> usize {
        self.datagram.len()
    }

    /// Returns the datagram. Its last change is also answered if it succeeds, which shows that all changes were
    /// processed.
    pub(super) fn end(mut self, sequence: u32) -> Vec<u8> {
        let mut last = NetlinkBuffer::new(&mut self.datagram[self.last..]);
        last.set_flags(last.flags() | NLM_F_ACK);
        control(&mut self.datagram, ControlMessage::BatchEnd, sequence);
        self.datagram
    }
}

fn control(datagram: &mut Vec<u8>, message: ControlMessage, sequence: u32) {
    let nftables = u8::from(NetfilterSubsystem::NfTables).into();
    append(datagram, NetfilterProtoFamily::Unspec, nftables, message, (sequence, 0));
}

fn append(
    datagram: &mut Vec<u8>,
    family: NetfilterProtoFamily,
    resource: u16,
    message: impl Into<NetfilterMessageInner>,
    (sequence, flags): (u32, u16),
) {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    header.sequence_number = sequence;
    // Version 0 is `NFNETLINK_V0`, the only one.
    let message = NetfilterMessage::new(NetfilterHeader::new(family, 0, resource), message);
    let mut message = NetlinkMessage::new(header, message.into());
    message.finalize();
    let start = datagram.len();
    // The attributes are aligned, and so is their end.
    datagram.resize(start + message.buffer_len(), 0);
    message.serialize(&mut datagram[start..]);
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    /// Compares with what nft 1.0.6 sends, as `nft --debug=mnl` prints it, except for the set's number, which is for
    /// sets that are made in the same transaction.
    #[test]
    fn an_element_is_added_as_nft_adds_it() {
        let name = SetName::parse("ip t s").unwrap();
        let mut transaction = Transaction::begin(1);
        transaction.change((&name, false), IpAddr::from([1, 2, 3, 8]).into(), Change::Add(Some(600_000)), 2);
        let datagram = transaction.end(3);
        let word = |n: usize| &datagram[4 * n..4 * n + 4];
        let little = |n: u32| n.to_ne_bytes();
        let header = |length: u16, kind: u16| (length.to_ne_bytes(), kind.to_ne_bytes());
        assert_eq!(datagram.len(), 20 + 68 + 20);
        assert_eq!((word(0), word(2), word(4)), (&little(20)[..], &little(1)[..], &[0, 0, 0, 10][..]));
        assert_eq!(datagram[4..8], [16_u16.to_ne_bytes(), NLM_F_REQUEST.to_ne_bytes()].concat());
        let element = &datagram[20..88];
        let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
        let expected: Vec<u8> = [
            &little(68)[..],
            &2572_u16.to_ne_bytes(),
            &flags.to_ne_bytes(),
            &little(2),
            &little(0),
            &[2, 0, 0, 0],
            &header(6, 1).0,
            &header(6, 1).1,
            b"t\0\0\0",
            &header(6, 2).0,
            &header(6, 2).1,
            b"s\0\0\0",
            &header(32, 0x8003).0,
            &header(32, 0x8003).1,
            &header(28, 0x8001).0,
            &header(28, 0x8001).1,
            &header(12, 0x8001).0,
            &header(12, 0x8001).1,
            &header(8, 1).0,
            &header(8, 1).1,
            &[1, 2, 3, 8],
            &header(12, 4).0,
            &header(12, 4).1,
            &600_000_u64.to_be_bytes(),
        ]
        .concat();
        assert_eq!(element, expected);
        let end = &datagram[88..];
        assert_eq!(end[4..6], 17_u16.to_ne_bytes());
    }
}
