//! Entries whose address is looked up in a named list.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Instant;

use pyruse_core::entry::{Record, Sink};
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;
use pyruse_core::workflow::NoObserver;
use serde_json::json;

use super::{Case, Rules};

/// How many different addresses there are.
const ADDRESSES: u32 = 100_000;

/// Entries against a list of this many networks, read from a file; every second address is in one of them.
pub fn look_up(networks: u32) -> Case {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("list");
    let mut text = String::new();
    for n in 0..networks {
        let _ = writeln!(text, "{}/{}", address(network(n)), bits(n));
    }
    std::fs::write(&file, text).unwrap();
    let config = json!({
        "lists": {"feed": {"files": [file]}},
        "actions": {
            "listed": [
                {"filter": "filter_inList", "args": {"field": "thatIP", "list": "feed"}},
                {"action": "action_noop"},
            ],
            "other": [{"action": "action_noop"}],
        },
    });
    let mut rules = Rules::load(&config.to_string(), State::in_memory(), true);
    // Scattered, so that no look-up is near the one before.
    let addresses = (0..ADDRESSES).map(|n| {
        let scattered = n.wrapping_mul(2_654_435_761);
        address(if n % 2 == 0 { network(scattered % networks) } else { scattered })
    });
    let addresses: Vec<Ipv4Addr> = addresses.collect();
    let mut login = Login { ip: String::new(), next: 0 };
    let mut at = 0;
    Box::new(move |n| {
        let start = Instant::now();
        for _ in 0..n {
            login.next = 0;
            login.ip.clear();
            let _ = write!(login.ip, "{}", addresses[at]);
            rules.pump.engine.workflow.run(&mut login, &mut rules.pump.state, &mut NoObserver);
            at = (at + 1) % addresses.len();
        }
        start.elapsed()
    })
}

/// Networks of several lengths, in all parts of the address space.
fn network(n: u32) -> u32 {
    n.wrapping_mul(2_246_822_519)
}

fn bits(n: u32) -> u32 {
    [24, 32, 28, 22, 32][n as usize % 5]
}

/// Never 0.0.0.0.
fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(number | 0x0100_0000)
}

/// An entry; as with a journal, all entries use the same memory.
struct Login {
    ip: String,
    next: usize,
}

impl Record for Login {
    fn realtime(&mut self) -> Timestamp {
        Timestamp::from_seconds(1_795_000_000)
    }

    fn monotonic(&mut self) -> Option<i64> {
        None
    }

    fn cursor(&mut self) -> Option<String> {
        None
    }

    fn next_field(&mut self, sink: &mut Sink<'_>) -> bool {
        let field: (&[u8], &[u8]) = match self.next {
            0 => (b"PRIORITY", b"6"),
            1 => (b"SYSLOG_IDENTIFIER", b"sshd"),
            2 => (b"thatIP", self.ip.as_bytes()),
            3 => (b"MESSAGE", b"something happened"),
            _ => return false,
        };
        self.next += 1;
        sink.field(field.0, field.1);
        true
    }
}
