//! Asks name servers for the addresses of a name, as the stub resolver of a machine does: the servers of
//! `/etc/resolv.conf`, by UDP, and by TCP if an answer does not fit.
//!
//! The system's own function (`getaddrinfo`) does not say how long an answer is valid. The packets are written and read
//! by the crate `simple-dns`. An answer may be false: it must fit the question, and its size, its addresses and
//! the time for it are bounded.

use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use pyruse_core::address;
use resolv_conf::ScopedIp;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, Question, RCODE, TYPE};

/// The most addresses of one name.
pub(super) const MAX_ADDRESSES: usize = 256;

/// The longest time for one name.
const TIME_LIMIT: Duration = Duration::from_secs(6);

/// The longest wait for one server.
const MAX_TIMEOUT: u32 = 3;

/// The longest chain of aliases.
const MAX_ALIASES: usize = 16;

/// The addresses of a name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The IPv4 addresses; `None`: only the other family could be resolved.
    pub(super) v4: Option<Vec<IpAddr>>,
    /// The IPv6 addresses, likewise.
    pub(super) v6: Option<Vec<IpAddr>>,
    /// For how long they are valid.
    pub(super) ttl: Duration,
    /// An address in the answer that no host has, and was left out.
    pub(super) left_out: Option<IpAddr>,
}

/// Why a name cannot be resolved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) why: String,
    /// Whether no server answers at all: then no other name can be resolved either.
    pub(super) is_silence: bool,
}

/// The addresses of one family.
#[derive(Debug, PartialEq, Eq)]
struct Records {
    addresses: Vec<IpAddr>,
    ttl: Duration,
}

/// Why a server did not help.
enum Unhelpful {
    /// It did not answer.
    Silent(String),
    /// It answered, but not what was asked.
    Refused(String),
    /// The answer does not fit into a packet.
    Truncated,
}

/// Resolves a name. Waits for at most [`TIME_LIMIT`], and a little more.
pub(super) fn resolve(name: &str) -> Result<Answer, Failure> {
    let (servers, timeout, attempts) = servers();
    resolve_with(name, &servers, timeout, attempts)
}

/// Returns the configured servers, how long to wait for one, and how often to try.
fn servers() -> (Vec<SocketAddr>, Duration, u32) {
    let text = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    let (mut config, _) = resolv_conf::Config::parse_with_errors(&text);
    config.glibc_normalize();
    let servers = config.get_nameservers_or_local().into_iter().map(|server| match server {
        ScopedIp::V4(ip) => SocketAddr::from((ip, 53)),
        ScopedIp::V6(ip, zone) => {
            let scope = zone.map_or(0, |zone| {
                zone.parse().ok().or_else(|| nix::net::if_::if_nametoindex(zone.as_str()).ok()).unwrap_or(0)
            });
            SocketAddrV6::new(ip, 53, 0, scope).into()
        }
    });
    let timeout = Duration::from_secs(config.timeout.clamp(1, MAX_TIMEOUT).into());
    (servers.collect(), timeout, config.attempts.clamp(1, 3))
}

fn resolve_with(
    name: &str,
    servers: &[SocketAddr],
    timeout: Duration,
    attempts: u32,
) -> Result<Answer, Failure> {
    let end = Instant::now() + TIME_LIMIT;
    let mut found: [Option<Records>; 2] = [None, None];
    let mut why = None;
    let mut is_silence = true;
    'tries: for _ in 0..attempts {
        for server in servers {
            for (family, kind) in [TYPE::A, TYPE::AAAA].into_iter().enumerate() {
                if found[family].is_some() {
                    continue;
                }
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break 'tries;
                }
                match ask(*server, name, kind, timeout.min(left)) {
                    Ok(records) => {
                        found[family] = Some(records);
                        is_silence = false;
                    }
                    Err(Unhelpful::Silent(reason)) => {
                        why.get_or_insert(format!("{}: {reason}", server.ip()));
                        // It will not answer the other question either.
                        break;
                    }
                    Err(Unhelpful::Refused(reason)) => {
                        why.get_or_insert(format!("{}: {reason}", server.ip()));
                        is_silence = false;
                    }
                    Err(Unhelpful::Truncated) => {}
                }
            }
        }
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    let ttl =
        found.iter().flatten().filter(|records| !records.addresses.is_empty()).map(|records| records.ttl);
    let ttl = ttl.min();
    let [v4, v6] = found.map(|records| records.map(|records| records.addresses));
    let mut answer = Answer { v4, v6, ttl: ttl.unwrap_or_default(), left_out: None };
    answer.leave_out_special();
    let count = answer.addresses().count();
    if count == 0 {
        let why = match (why, answer.left_out) {
            (_, Some(ip)) => format!("its address is {ip}, which no other host has"),
            (Some(why), None) => why,
            (None, None) => "it has no address".to_owned(),
        };
        return Err(Failure { why, is_silence });
    }
    if count > MAX_ADDRESSES {
        let why = format!("it has {count} addresses; at most {MAX_ADDRESSES} are taken from one name");
        return Err(Failure { why, is_silence: false });
    }
    Ok(answer)
}

impl Answer {
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        [&self.v4, &self.v6].into_iter().flatten().flatten().copied()
    }

    /// Leaves out addresses that no single host has, such as 0.0.0.0: filters that block a name answer so.
    fn leave_out_special(&mut self) {
        for addresses in [&mut self.v4, &mut self.v6].into_iter().flatten() {
            self.left_out =
                self.left_out.or(addresses.iter().copied().find(|ip| address::special(*ip).is_some()));
            addresses.retain(|ip| address::special(*ip).is_none());
        }
    }
}

/// Asks one server for the addresses of one family.
fn ask(server: SocketAddr, name: &str, kind: TYPE, timeout: Duration) -> Result<Records, Unhelpful> {
    let silent = |e: std::io::Error| {
        let timed_out = matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
        Unhelpful::Silent(if timed_out { "the server does not answer".to_owned() } else { e.to_string() })
    };
    // The keys of the hasher are random, and a port is chosen at random by the kernel: an answer can hardly be forged.
    let id = u16::try_from(RandomState::new().hash_one(name) & 0xffff).unwrap_or(0);
    let query = query(id, name, kind).map_err(Unhelpful::Refused)?;
    let end = Instant::now() + timeout;
    match ask_by_udp(server, &query, id, (name, kind), end).map_err(silent)? {
        Err(Unhelpful::Truncated) => ask_by_tcp(server, &query, id, (name, kind), end).map_err(silent)?,
        answered => answered,
    }
}

fn query(id: u16, name: &str, kind: TYPE) -> Result<Vec<u8>, String> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).map_err(|e| format!("not a name: {e:?}"))?;
    packet.questions.push(Question::new(name, kind.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().map_err(|e| format!("not a name: {e:?}"))
}

type Asked<'a> = (&'a str, TYPE);

fn ask_by_udp(
    server: SocketAddr,
    query: &[u8],
    id: u16,
    asked: Asked<'_>,
    end: Instant,
) -> std::io::Result<Result<Records, Unhelpful>> {
    let any: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0))?;
    // Only datagrams from this server come.
    socket.connect(server)?;
    socket.send(query)?;
    let mut buffer = [0; 4096];
    loop {
        socket.set_read_timeout(Some(left(end)?))?;
        let length = match socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        // Anything else may be late, or forged; the answer may still come.
        if let Some(answer) = read_answer(&buffer[..length], id, asked) {
            return Ok(answer);
        }
    }
}

fn ask_by_tcp(
    server: SocketAddr,
    query: &[u8],
    id: u16,
    asked: Asked<'_>,
    end: Instant,
) -> std::io::Result<Result<Records, Unhelpful>> {
    let mut stream = TcpStream::connect_timeout(&server, left(end)?)?;
    stream.set_write_timeout(Some(left(end)?))?;
    let length = u16::try_from(query.len()).unwrap_or(u16::MAX);
    stream.write_all(&[&length.to_be_bytes(), query].concat())?;
    let mut head = [0; 2];
    read_until(&mut stream, &mut head, end)?;
    let mut answer = vec![0; u16::from_be_bytes(head).into()];
    read_until(&mut stream, &mut answer, end)?;
    Ok(read_answer(&answer, id, asked)
        .unwrap_or_else(|| Err(Unhelpful::Refused("the answer does not fit the question".to_owned()))))
}

fn read_until(stream: &mut TcpStream, mut buffer: &mut [u8], end: Instant) -> std::io::Result<()> {
    while !buffer.is_empty() {
        stream.set_read_timeout(Some(left(end)?))?;
        match stream.read(buffer) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => buffer = &mut buffer[length..],
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Returns the time left, which is more than zero.
fn left(end: Instant) -> std::io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(std::io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn folded(name: &Name<'_>) -> String {
    name.to_string().trim_end_matches('.').to_ascii_lowercase()
}

/// Reads a packet; `None`: it does not answer this question.
fn read_answer(bytes: &[u8], id: u16, (name, kind): Asked<'_>) -> Option<Result<Records, Unhelpful>> {
    let packet = Packet::parse(bytes).ok()?;
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let [question] = packet.questions.as_slice() else { return None };
    let is_ours = packet.id() == id
        && packet.has_flags(PacketFlag::RESPONSE)
        && folded(&question.qname) == name
        && question.qtype == QTYPE::TYPE(kind);
    if !is_ours {
        return None;
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Some(Err(Unhelpful::Truncated));
    }
    match packet.rcode() {
        RCODE::NoError | RCODE::NameError => {}
        RCODE::ServerFailure => return Some(Err(Unhelpful::Refused("the server has failed".to_owned()))),
        other => return Some(Err(Unhelpful::Refused(format!("the server refuses ({other:?})")))),
    }
    let answers: Vec<(String, u32, &RData<'_>)> =
        packet.answers.iter().map(|record| (folded(&record.name), record.ttl, &record.rdata)).collect();
    let mut current = name;
    let mut ttl = u32::MAX;
    for _ in 0..MAX_ALIASES {
        let mut addresses = Vec::new();
        let mut alias = None;
        for (owner, lifetime, data) in &answers {
            let address: Option<IpAddr> = match data {
                _ if *owner != current => None,
                RData::A(a) if kind == TYPE::A => Some(IpAddr::V4(a.address.into())),
                RData::AAAA(aaaa) if kind == TYPE::AAAA => Some(IpAddr::V6(aaaa.address.into())),
                RData::CNAME(target) => {
                    alias = Some((folded(&target.0), *lifetime));
                    None
                }
                _ => None,
            };
            if let Some(address) = address {
                ttl = ttl.min(*lifetime);
                addresses.push(address.to_canonical());
            }
        }
        match alias {
            Some((target, lifetime)) if addresses.is_empty() => {
                ttl = ttl.min(lifetime);
                current = target;
            }
            _ => return Some(Ok(Records { addresses, ttl: Duration::from_secs(ttl.into()) })),
        }
    }
    Some(Err(Unhelpful::Refused("its aliases have no end".to_owned())))
}

#[cfg(test)]
mod tests {
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, CNAME};

    use super::*;

    fn reply(id: u16, asked: &str, records: Vec<ResourceRecord<'static>>) -> Vec<u8> {
        let mut packet = Packet::new_reply(id);
        packet.set_flags(PacketFlag::RESPONSE);
        let name = Name::new(asked).unwrap();
        packet.questions.push(Question::new(name, TYPE::A.into(), CLASS::IN.into(), false));
        packet.answers = records;
        packet.build_bytes_vec_compressed().unwrap()
    }

    fn a(name: &'static str, ttl: u32, last: u32) -> ResourceRecord<'static> {
        let data = RData::A(A { address: 0xc000_0200 + last });
        ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, ttl, data)
    }

    fn alias(name: &'static str, ttl: u32, target: &'static str) -> ResourceRecord<'static> {
        let data = RData::CNAME(CNAME(Name::new(target).unwrap()));
        ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, ttl, data)
    }

    fn read(bytes: &[u8]) -> Option<Result<Records, ()>> {
        read_answer(bytes, 7, ("home.example.org", TYPE::A)).map(|answer| answer.map_err(drop))
    }

    #[test]
    fn aliases_are_followed_and_the_shortest_lifetime_counts() {
        let records = vec![
            a("other.example.org", 1, 9),
            a("host.example.net", 300, 1),
            a("HOST.example.net", 200, 2),
            alias("home.example.org", 60, "host.example.net"),
        ];
        let found = read(&reply(7, "HOME.example.org", records)).unwrap().unwrap();
        let addresses: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
        assert_eq!((addresses, found.ttl.as_secs()), (vec!["192.0.2.1".into(), "192.0.2.2".into()], 60));
    }

    #[test]
    fn an_answer_must_fit_the_question() {
        let good = || vec![a("home.example.org", 60, 1)];
        assert_eq!(read(&reply(8, "home.example.org", good())), None, "another number");
        assert_eq!(read(&reply(7, "home.example.com", good())), None, "another name");
        let mut query = reply(7, "home.example.org", good());
        query[2] &= 0x7f;
        assert_eq!(read(&query), None, "a question");
        let found = read(&reply(7, "home.example.org", vec![a("x.example.org", 60, 1)])).unwrap().unwrap();
        assert!(found.addresses.is_empty(), "a record of another name");
        let ring = vec![
            alias("home.example.org", 9, "b.example.org"),
            alias("b.example.org", 9, "home.example.org"),
        ];
        assert_eq!(read(&reply(7, "home.example.org", ring)), Some(Err(())));
    }

    #[test]
    fn a_damaged_packet_is_not_an_answer_and_ends() {
        let records = vec![a("home.example.org", 60, 1), alias("home.example.org", 9, "b.example.org")];
        let good = reply(7, "home.example.org", records);
        let mut random = RandomState::new().hash_one(0u8);
        for round in 0..20_000_u32 {
            let mut bytes = good.clone();
            for _ in 0..=round % 4 {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let [at, value, ..] = (random >> 32).to_le_bytes();
                let at = usize::from(at) % bytes.len();
                bytes[at] = value;
            }
            bytes.truncate(good.len() - (round as usize % good.len()));
            let _ = read(&bytes);
        }
    }

    #[test]
    fn without_an_answer_the_failure_says_which_server_is_silent() {
        // Nothing listens there.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = socket.local_addr().unwrap();
        drop(socket);
        let failure = resolve_with("home.example.org", &[server], Duration::from_secs(1), 1).unwrap_err();
        assert!(failure.is_silence && failure.why.starts_with("127.0.0.1: "), "{failure:?}");
    }
}
