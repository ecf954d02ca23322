//! Many expressions in one `filter_pcreAny`, as users have them: failed logins of every program that ever ran here.

use pyruse_core::entry::MemoryRecord;
use pyruse_core::pattern::Pattern;
use pyruse_core::time::Timestamp;
use serde_json::json;

use super::{Case, Rules, rides};
use crate::generator::{Mix, journal};

/// What a text is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Each is matched by one of the first thirty expressions.
    Matching,
    /// None is.
    Others,
}

/// Expressions for programs that speak in the generated journal.
const HERE: [&str; 30] = [
    r"^Failed password for invalid user (?P<user>.*) from (?P<thatIP>\S+) port \d+ ssh2$",
    r"^Failed password for (?P<user>.*) from (?P<thatIP>\S+) port \d+ ssh2$",
    r"^Invalid user (?P<user>.*) from (?P<thatIP>\S+) port \d+$",
    r"^Accepted password for (?P<user>\S+) from (?P<thatIP>\S+) port",
    r"^Connection closed by (?P<thatIP>\S+) port \d+ \[preauth\]$",
    r"auth failed, \d+ attempts in \d+ secs\): user=<(?P<user>[^>]*)>.* rip=(?P<thatIP>[^,\s]+)",
    r"^imap-login: Aborted login \(no auth attempts\): .* rip=(?P<thatIP>[^,\s]+)",
    r"authenticator failed for \([^)]*\) \[(?P<thatIP>[^]]+)\]: 535 .*\(set_id=(?P<user>[^)]*)\)$",
    r"H=\((?P<helo>[^)]*)\) \[(?P<thatIP>[^]]+)\] F=<[^>]*> rejected RCPT <(?P<user>[^>]*)>: relay not permitted",
    r"\[(?P<thatIP>[^]]+)\] .*: Sender verify failed$",
    r"^\{core\} Login failed: '(?P<user>.*)' \(Remote IP: '(?P<thatIP>[^']+)'\)",
    r"^\{core\} Bruteforce attempt from (?P<thatIP>\S+) detected",
    r"Failed authentication attempt for (?P<user>\S+) from (?P<thatIP>.+):\d+: ",
    r"Failed authentication attempt \([^)]*\) for user (?P<user>[^@\s]+)@(?P<domain>\S+) from IP: (?P<thatIP>\S+)",
    r#"open\(\) "/srv/http/(?P<path>(?:wp-|xmlrpc|\.env|phpmyadmin)[^"]*)" failed .* client: (?P<thatIP>[^,]+),"#,
    r#"limiting requests, excess: [\d.]+ by zone "(?P<zone>[^"]+)", client: (?P<thatIP>[^,]+)"#,
    r#"user "(?P<user>[^"]*)":? (?:was not found in|password mismatch).* client: (?P<thatIP>[^,]+),"#,
    r"access forbidden by rule, client: (?P<thatIP>[^,]+),",
    r#"^(?P<thatIP>\S+) - - "(?:GET|POST) /(?:wp-login|administrator)\S* HTTP/[\d.]+" 40[134] "#,
    r#"FATAL:  password authentication failed for user "(?P<user>[^"]*)""#,
    r"no pg_hba\.conf entry for host .(?P<thatIP>[^,]+).,",
    r"^FAILED SU \(to (?P<target>\S+)\) (?P<user>\S+) on (?P<tty>\S+)$",
    r"^(?P<user>\S+) : user NOT in sudoers",
    r"^(?P<user>\S+) : \d+ incorrect password attempts?",
    r"nft drop: .*SRC=(?P<thatIP>\S+) .*DPT=(?P<port>\d+)",
    r"^SYN flooding on port (?P<port>\d+)",
    r"BAN (?P<thatIP>\S+) for (?P<what>\w+)",
    r"(?i)authentication failure; .* rhost=(?P<thatIP>\S+)",
    r"^unit\d+\.service: Failed with result '(?P<why>[^']+)'",
    r"client (?P<thatIP>\S+)#\d+ .*: query \(cache\) '[^']*' denied$",
];

/// For programs that do not: `{}` is the program.
const ELSEWHERE: [&str; 27] = [
    r"^{}: authentication failure for (?P<user>.*) from (?P<thatIP>\S+)$",
    r"{} login failed: user=(?P<user>\S+),? (?:ip|addr)=(?P<thatIP>\S+)",
    r"^rejected {} connection from (?P<thatIP>[0-9a-f.:]+)(?:, port \d+)?$",
    r"\[{}\] (?:warning|error): (?P<thatIP>\S+): too many failures$",
    r"{}\[\d+\]: badlogin: \S* ?\[(?P<thatIP>[^]]+)\] (?:plaintext|LOGIN) (?P<user>\S+)",
    r"^(?:\S+ )?{} refused (?P<user>[^@]*)@(?P<thatIP>\S+): (?:bad|wrong|expired) (?:key|password)",
    r"{}: client (?P<thatIP>[^#]+)#\d+: .* denied",
    r"host (?P<thatIP>\S+) sent an invalid {} request(?: \(\d+ bytes\))?",
    r"{}-auth: user (?P<user>'[^']*'|\S+) not known, from (?P<thatIP>\S+)",
    r"(?i)failed {} logon .* source network address:\s+(?P<thatIP>\S+)",
    r"^{} \(\S+\[(?P<thatIP>[^]]+)\]\) - (?:Maximum login attempts|no such user)",
    r"NOTICE: {} registration from '[^']*' failed for '(?P<thatIP>[^:']+)(?::\d+)?'",
    r"peer (?P<thatIP>\S+) violates the {} protocol: (?P<why>.*)$",
    r"{} scan by (?P<thatIP>[\d.]+), \d+ ports",
    r"error: maximum {} attempts exceeded for (?P<user>\S+) from (?P<thatIP>\S+)",
    r"<HTTP> {} 401 (?P<thatIP>\S+) (?P<path>/\S*)",
    r"^(?P<thatIP>\S+): {} handshake failed: (?:no shared cipher|unknown ca|wrong version)",
    r"lost {} connection after (?:AUTH|UNKNOWN|EHLO) from \S*\[(?P<thatIP>[^]]+)\]",
    r"{}: relay access denied.* from \[(?P<thatIP>[^]]+)\]",
    r"blocked {} bot (?P<agent>.+) at (?P<thatIP>\S+)$",
    r"invalid {} token (?:[0-9a-f]{8,}) used by (?P<thatIP>\S+)",
    r"{} quota of (?P<user>\S+) exceeded",
    r"^warning: {}: non-SMTP command from \S+\[(?P<thatIP>[^]]+)\]",
    r"{} denied: (?P<user>\w+) -> (?P<target>\w+) \(tty (?P<tty>\S+)\)$",
    r"challenge for {} not answered by (?P<thatIP>\S+) in \d+ s",
    r"spam score of {} from (?P<thatIP>\S+) is (?P<score>[\d.]+)",
    r"session of {}@(?P<thatIP>\S+) killed: (?:idle|abuse)",
];

const PROGRAMS: [&str; 10] = [
    "vsftpd",
    "proftpd",
    "cyrus",
    "courier",
    "asterisk",
    "squid",
    "openvpn",
    "roundcube",
    "mongod",
    "rdiffd",
];

/// The first thirty, or all three hundred of them; those that match are between others.
pub fn expressions(count: usize) -> Vec<String> {
    let elsewhere = PROGRAMS.iter().flat_map(|name| ELSEWHERE.map(|shape| shape.replacen("{}", name, 1)));
    let mut all: Vec<String> = elsewhere.take(count - HERE.len()).collect();
    let gap = count / HERE.len();
    for (n, here) in HERE.iter().enumerate() {
        all.insert((n * gap).min(all.len()), (*here).to_owned());
    }
    all
}

/// One `filter_pcreAny` with this many expressions, over lines of the journal.
pub fn any_of(count: usize, lines: Lines) -> Case {
    let rules = json!({"logins": [
        {"filter": "filter_pcreAny", "args": {"field": "MESSAGE", "re": expressions(count)}},
        {"action": "action_noop"},
    ]});
    let here = HERE.map(|expression| Pattern::new(expression).unwrap());
    let texts = journal(Mix::Even, 20_000, 3).filter_map(|entry| {
        let (_, message) = entry.fields.into_iter().find(|(name, _)| name == "MESSAGE")?;
        String::from_utf8(message).ok()
    });
    let wanted = |text: &String| {
        let is_found = here.iter().any(|pattern| pattern.is_match(text).unwrap());
        is_found == (lines == Lines::Matching) && text.len() < 1000
    };
    let record = |text| MemoryRecord::at(Timestamp::default()).with("MESSAGE", text);
    let records: Vec<_> = texts.filter(wanted).take(2000).map(record).collect();
    assert_eq!(records.len(), 2000, "too few such lines");
    rides(Rules::new(&rules, true), records)
}
