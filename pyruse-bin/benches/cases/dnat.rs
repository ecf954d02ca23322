//! A proxy before a service: connections are captured and replaced.

use std::time::{Duration, Instant};

use pyruse_core::entry::MemoryRecord;
use pyruse_core::time::Timestamp;
use serde_json::json;

use super::{BATCH, Case, Rules};

/// How many mappings are held: as many as the proxy has ports.
const HELD: u64 = 60_000;

/// The beginnings of the client's, the proxy's and the service's addresses; the client's end follows.
pub const IPV4: [&str; 3] = ["198.51.", "192.0.2.12", "192.0.2.143"];
pub const IPV6: [&str; 3] = ["2001:db8:1111:2222:3333:4444:", "2001:db8::12", "2001:db8::143"];

/// The proxy's entry on a connection is followed by the service's. Commits are not counted.
pub fn connections([client, proxy, service]: [&'static str; 3]) -> Case {
    let rules = json!({"dnat": [
        {"filter": "filter_equals", "args": {"field": "by", "value": "proxy"}, "else": "replace"},
        {"action": "action_dnatCapture", "args": {"saddr": "client", "sport": "clientPort", "addrValue": proxy,
            "port": "port", "daddrValue": service, "dportValue": 443}},
    ], "replace": [
        {"action": "action_dnatReplace",
            "args": {"addr": "proxy", "port": "port", "saddrInto": "proxy", "sportInto": "port"}},
    ]});
    let mut rules = Rules::new(&rules, true);
    let mut record = MemoryRecord::default();
    let mut number = 0;
    let mut connect = move |n: u64| {
        let mut taken = Duration::ZERO;
        for _ in 0..n {
            number += 1;
            let at = number % HELD;
            let separator = if client.contains(':') { ':' } else { '.' };
            let (low, high) = (at & 255, (at >> 8) & 255);
            let (port, client) = ((at + 1024).to_string(), format!("{client}{high}{separator}{low}"));
            let start = Instant::now();
            for by in ["proxy", "service"] {
                record.clear();
                record.realtime = Timestamp::from_seconds(i64::try_from(number / (HELD / 100)).unwrap());
                record.push("by", by);
                record.push("port", port.as_str());
                record.push("client", client.as_str());
                record.push("clientPort", port.as_str());
                record.push("proxy", proxy);
                rules.ride(&mut record);
            }
            taken += start.elapsed();
            if number.is_multiple_of(BATCH) {
                rules.commit(record.realtime);
            }
        }
        taken
    };
    connect(2 * HELD);
    Box::new(connect)
}
