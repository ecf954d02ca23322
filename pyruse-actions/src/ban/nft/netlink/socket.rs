//! The netlink socket to the kernel's netfilter: requests go out, answers come back.
//!
//! The kernel processes a datagram while it is being sent, and all of its answers are in our queue when sending ends
//! (`netlink_sendmsg` ends in `nfnetlink_rcv`). So nothing here ever waits, and an answer that does not exist will not
//! come.

use std::os::fd::{AsRawFd, OwnedFd};

use netlink_packet_core::{ErrorBuffer, NetlinkBuffer};
use nix::errno::Errno;
use nix::sys::socket::sockopt::RcvBufForce;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, setsockopt,
    socket,
};

/// `NLMSG_ERROR` of `linux/netlink.h`: an error, or, with the error 0, an acknowledgement.
const NLMSG_ERROR: u16 = 2;

/// The size of the receive queue: every refused element is an answer, which counts as about a kilobyte.
const QUEUE: usize = 4 << 20;

/// The size of the largest answer. Answers repeat what they answer, which is one small message; the kernel's own
/// messages are at most a page.
const DATAGRAM: usize = 32 * 1024;

/// The kernel's answer to one message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The number of the message.
    pub(super) sequence: u32,
    /// The content of the answer.
    pub(super) reply: Reply,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Ack,
    Error(Errno),
    /// A message of this type, with the bytes that follow the netlink header.
    Message(u16, Vec<u8>),
}

/// The kernel's answers to one datagram.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// In the order in which they came.
    pub(super) all: Vec<Answer>,
}

impl Answers {
    /// Returns the first answer to the message with that number.
    pub(super) fn to(&self, sequence: u32) -> Option<&Reply> {
        self.all.iter().find(|answer| answer.sequence == sequence).map(|answer| &answer.reply)
    }
}

/// The socket; see the module. It belongs to the network namespace in which it was opened.
pub(super) struct Socket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    pub(super) fn open() -> Result<Socket, Errno> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkNetFilter,
        )?;
        // Connect to the kernel only: other programs can send to netlink sockets that are not connected.
        connect(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        // A process that may not do this may not ban either; the first request reports that.
        let _ = setsockopt(&fd, RcvBufForce, &QUEUE);
        Ok(Socket { fd, sequence: 0, buffer: vec![0; DATAGRAM] })
    }

    /// Returns the first of `count` numbers for messages. No earlier datagram has used these.
    pub(super) fn numbers(&mut self, count: u32) -> u32 {
        // The kernel uses 0 for its own messages.
        let first = if self.sequence > u32::MAX - count { 1 } else { self.sequence + 1 };
        self.sequence = first + (count - 1);
        first
    }

    /// Sends a datagram of one or many messages. Returns the kernel's answers.
    pub(super) fn ask(&mut self, datagram: &[u8]) -> Result<Answers, Errno> {
        loop {
            match send(self.fd.as_raw_fd(), datagram, MsgFlags::empty()) {
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e),
            }
        }
        let mut answers = Answers::default();
        loop {
            match recv(self.fd.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Ok(length) => read(&self.buffer[..length], &mut answers.all),
                Err(Errno::EAGAIN) => return Ok(answers),
                // There were more answers than the queue could hold; those that it holds are valid.
                Err(Errno::EINTR | Errno::ENOBUFS) => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// Reads the messages of a datagram. Bytes that are not a message end it.
fn read(mut datagram: &[u8], answers: &mut Vec<Answer>) {
    while let Ok(message) = NetlinkBuffer::new_checked(datagram) {
        let payload = message.payload();
        let reply = if message.message_type() == NLMSG_ERROR {
            let Ok(error) = ErrorBuffer::new_checked(payload) else { return };
            match error.code() {
                None => Reply::Ack,
                Some(code) => Reply::Error(Errno::from_raw(code.get().saturating_neg())),
            }
        } else {
            Reply::Message(message.message_type(), payload.to_vec())
        };
        answers.push(Answer { sequence: message.sequence_number(), reply });
        // `NLMSG_ALIGN`
        let length = usize::try_from(message.length()).unwrap_or(usize::MAX).next_multiple_of(4);
        datagram = datagram.get(length..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_of_several_messages_is_read_to_its_end() {
        let message = |kind: u16, sequence: u32, payload: &[u8]| {
            let mut bytes = vec![0; (16 + payload.len()).next_multiple_of(4)];
            let mut buffer = NetlinkBuffer::new(&mut bytes[..]);
            buffer.set_length(u32::try_from(16 + payload.len()).unwrap());
            buffer.set_message_type(kind);
            buffer.set_sequence_number(sequence);
            bytes[16..16 + payload.len()].copy_from_slice(payload);
            bytes
        };
        let mut datagram = message(2601, 7, b"abcde");
        datagram.extend(message(NLMSG_ERROR, 8, &(-2_i32).to_ne_bytes()));
        datagram.extend(message(NLMSG_ERROR, 9, &[0; 20]));
        datagram.extend([1, 2, 3]);
        let mut answers = Vec::new();
        read(&datagram, &mut answers);
        let answer = |sequence, reply| Answer { sequence, reply };
        let expected = [
            answer(7, Reply::Message(2601, b"abcde".to_vec())),
            answer(8, Reply::Error(Errno::ENOENT)),
            answer(9, Reply::Ack),
        ];
        assert_eq!(answers, expected);
        for end in 0..datagram.len() {
            read(&datagram[..end], &mut Vec::new());
        }
    }

    #[test]
    fn numbers_are_never_those_of_the_datagram_before() {
        let fd = std::fs::File::open("/dev/null").unwrap().into();
        let mut socket = Socket { fd, sequence: 0, buffer: Vec::new() };
        assert_eq!((socket.numbers(1), socket.numbers(10), socket.numbers(1)), (1, 2, 12));
        socket.sequence = u32::MAX - 5;
        assert_eq!((socket.numbers(5), socket.numbers(1)), (u32::MAX - 4, 1));
    }
}
