//! Generates a journal: what a small server with mail, chat, web and many attackers writes in a day.
//!
//! A count and a seed enter; the same entries leave each time, as fields or in the journal export format. The mix of
//! identifiers is that of a real machine: a few that talk all the time, a tail of rare ones. A few hundred addresses do
//! most of the failing, so that thresholds are crossed; time advances in small steps with gaps, so that windows,
//! graces, bans and mappings end in between; and one entry in sixty is odd: repeated fields, bytes that are no UTF-8,
//! no MESSAGE, line ends, text in place of a number, an invalid address.

#![allow(dead_code, reason = "each test and bench uses a part of this")]

mod messages;

/// The first entry's time, in microseconds since the epoch.
pub const START: u64 = 1_795_000_000_000_000;

/// Identifiers, and how often of about 187,000 each of them speaks.
const MIX: [(&str, u32); 26] = [
    ("uwsgi", 55_930),
    ("gitea", 38_923),
    ("prosody", 25_596),
    ("haproxy", 21_877),
    ("postgres", 12_990),
    ("nginx", 12_808),
    ("dovecot", 7_062),
    ("exim", 2_540),
    ("systemd", 1_997),
    ("su", 1_458),
    ("ownCloud", 1_067),
    ("sshd", 1_051),
    ("mandb", 953),
    ("spamd", 855),
    ("pyruse", 615),
    ("kernel", 420),
    ("msmtp", 295),
    ("sa-compile", 255),
    ("systemd-coredump", 120),
    ("ansible-command", 103),
    ("systemd-logind", 102),
    ("python", 78),
    ("smartd", 60),
    ("minidlnad", 39),
    ("sudo", 26),
    ("cron", 90),
];

/// How often each program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// As on a real server: most of it is of no interest.
    Server,
    /// Everybody as often as everybody else: what is rare happens often.
    Even,
}

impl Mix {
    fn weights(self) -> [u64; MIX.len()] {
        MIX.map(|(_, weight)| if self == Mix::Even { 1 } else { weight.into() })
    }
}

/// A small generator of random numbers (splitmix64), the same on all machines.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Is it one of `n` in `of` cases?
    pub fn chance(&mut self, n: u64, of: u64) -> bool {
        self.below(of) < n
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// One entry: names and values, in the order of the journal, `__CURSOR`, `__REALTIME_TIMESTAMP` and
/// `__MONOTONIC_TIMESTAMP` first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub fields: Vec<(String, Vec<u8>)>,
}

impl Entry {
    fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.fields.push((name.to_owned(), value.into()));
    }

    fn value(&mut self, name: &str) -> Option<&mut Vec<u8>> {
        self.fields.iter_mut().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    fn remove(&mut self, name: &str) {
        self.fields.retain(|(found, _)| found != name);
    }

    /// Appends the entry in the journal export format.
    pub fn export(&self, out: &mut Vec<u8>) {
        for (name, value) in &self.fields {
            out.extend_from_slice(name.as_bytes());
            // As in journalctl: a value that is not plain text on one line is written with its length.
            if std::str::from_utf8(value)
                .is_ok_and(|text| !text.contains(|c: char| c.is_control() && c != '\t'))
            {
                out.push(b'=');
            } else {
                out.push(b'\n');
                out.extend((value.len() as u64).to_le_bytes());
            }
            out.extend_from_slice(value);
            out.push(b'\n');
        }
        out.push(b'\n');
    }
}

/// The entries, one after the other.
pub struct Journal {
    weights: [u64; MIX.len()],
    random: Random,
    number: u64,
    left: u64,
    time: u64,
    scene: messages::Scene,
}

/// `count` entries; another seed gives others.
pub fn journal(mix: Mix, count: u64, seed: u64) -> Journal {
    let scene = messages::Scene::default();
    Journal { weights: mix.weights(), random: Random::new(seed), number: 0, left: count, time: START, scene }
}

/// The same, in the journal export format.
pub fn export(mix: Mix, count: u64, seed: u64) -> Vec<u8> {
    let mut out = Vec::new();
    journal(mix, count, seed).for_each(|entry| entry.export(&mut out));
    out
}

impl Iterator for Journal {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.left = self.left.checked_sub(1)?;
        let (n, random) = (self.number, &mut self.random);
        self.number += 1;
        // All times lie on a grid of 5 ms, so that now and then one is exactly the end of something.
        self.time += match random.below(10_000) {
            0 => 1_805_000_000,
            1..=4 => 5_000_000 * (1 + random.below(24)),
            5..=300 => 0,
            _ => 5_000 * (1 + random.below(2)),
        };
        let mut at = random.below(self.weights.iter().sum());
        let mut speaker = 0;
        while at >= self.weights[speaker] {
            at -= self.weights[speaker];
            speaker += 1;
        }
        let ident = MIX[speaker].0;
        let (priority, message) = self.scene.message(ident, random);
        let forks = matches!(ident, "sshd" | "su" | "exim" | "sudo");
        let pid = 500 + 13 * speaker as u64 + if forks { random.below(200) } else { 0 };
        let uid = match ident {
            "uwsgi" | "nginx" => 33,
            "sshd" if message.starts_with(messages::SESSION_END) => 1000,
            _ => 0,
        };
        let mut entry = Entry::default();
        let t = self.time;
        entry.push("__CURSOR", format!("s=0123456789abcdef;i={n:x};b=7;m={n:x};t={t:x};x=0"));
        entry.push("__REALTIME_TIMESTAMP", t.to_string());
        entry.push("__MONOTONIC_TIMESTAMP", (t - START + 1).to_string());
        entry.push("_BOOT_ID", "00000000000000000000000000000007");
        entry.push("_MACHINE_ID", "00000000000000000000000000000009");
        entry.push("_HOSTNAME", "server");
        entry.push("PRIORITY", priority.to_string());
        entry.push("SYSLOG_FACILITY", "3");
        entry.push("SYSLOG_IDENTIFIER", ident);
        entry.push("SYSLOG_PID", pid.to_string());
        entry.push("_PID", pid.to_string());
        entry.push("_UID", uid.to_string());
        entry.push("_GID", uid.to_string());
        entry.push("_COMM", ident);
        entry.push("_EXE", format!("/usr/bin/{ident}"));
        entry.push("_CMDLINE", format!("/usr/bin/{ident} --daemon"));
        entry.push("_CAP_EFFECTIVE", "1ffffffffff");
        entry.push("_SYSTEMD_CGROUP", format!("/system.slice/{ident}.service"));
        entry.push("_SYSTEMD_UNIT", format!("{ident}.service"));
        entry.push("_SYSTEMD_SLICE", "system.slice");
        entry.push("_TRANSPORT", if ident == "kernel" { "kernel" } else { "syslog" });
        entry.push("_SOURCE_REALTIME_TIMESTAMP", (t - 40).to_string());
        if ident == "systemd-coredump" {
            entry.push("COREDUMP_SIGNAL", random.pick(&["6", "11"]));
            entry.push("COREDUMP_TIMESTAMP", (t - t % 1_000_000).to_string());
        }
        entry.push("MESSAGE", message);
        if random.chance(1, 60) {
            make_odd(&mut entry, random);
        }
        Some(entry)
    }
}

/// What programs should not write, and do.
fn make_odd(entry: &mut Entry, random: &mut Random) {
    match random.below(14) {
        0 => entry.remove("MESSAGE"),
        1 => entry.push("MESSAGE", "a second message of the same entry"),
        2 => entry.push("PRIORITY", random.pick(&["1", "3", "7"])),
        3 => {
            entry.push("SYSLOG_IDENTIFIER", "sshd");
            entry.push(
                "MESSAGE",
                format!("Failed password for root from {} port 22 ssh2", messages::attacker(random)),
            );
        }
        4 => {
            if let Some(message) = entry.value("MESSAGE") {
                message.extend_from_slice(b" caf\xe9 \x80\xff");
            }
        }
        5 => {
            if let Some(message) = entry.value("MESSAGE") {
                message.extend_from_slice("\nPRIORITY=0\n\tüber — „Zeilen“\n".as_bytes());
            }
        }
        6 => {
            if let Some(priority) = entry.value("PRIORITY") {
                *priority = random.pick(&[b"six".as_slice(), b"", b"3 ", b"0x3", b"\xff"]).to_vec();
            }
        }
        7 => {
            if let Some(message) = entry.value("MESSAGE") {
                message.clear();
            }
        }
        8 => entry.remove("SYSLOG_IDENTIFIER"),
        9 => entry.remove("PRIORITY"),
        10 if random.chance(1, 4) => {
            if let Some(message) = entry.value("MESSAGE") {
                // Longer than what is kept of a field, with a character across the cut.
                message.extend(std::iter::repeat_n("xé", 30_000).flat_map(str::bytes));
            }
        }
        10 => entry.remove("_UID"),
        11 => {
            entry.push("_UID", "1000");
            entry.push("OBJECT_PID", "1");
        }
        12 => {
            if let Some(message) = entry.value("MESSAGE") {
                message.extend_from_slice(b"\x00\x1b[31m");
            }
        }
        _ => {
            if let Some(uid) = entry.value("_UID") {
                *uid = random.pick(&["1000", "-1", "65534", "99999999999999999999"]).as_bytes().to_vec();
            }
        }
    }
}
