//! What each program says.

use super::Random;

/// The state between entries: connections that the proxy has opened and the chat server will log.
#[derive(Default)]
pub(super) struct Scene {
    /// Ports of the proxy, as the chat server sees them.
    open: Vec<u64>,
}

const USERS: [&str; 8] = ["root", "admin", "nobody", "daemon", "alice", "bob", "oracle", "jürgen"];

/// An address from anywhere.
fn visitor(random: &mut Random) -> String {
    let net = random.pick(&["203", "198", "192", "45", "91", "185"]);
    format!("{net}.{}.{}.{}", random.below(250), random.below(250), 1 + random.below(249))
}

/// One of 400 addresses with failures, usually one of the first; some are IPv6, some IPv4-mapped, and some are our own,
/// which must not be banned.
pub(super) fn attacker(random: &mut Random) -> String {
    let n = random.below(20) * random.below(20);
    match n % 11 {
        _ if random.chance(1, 40) => {
            random.pick(&["10.0.0.7", "2001:db8:1::7", "::ffff:10.0.0.9", "127.0.0.1"]).to_owned()
        }
        _ if random.chance(1, 200) => {
            random.pick(&["unknown", "1.2.3.4}; flush ruleset", "fe80::1%eth0", "999.1.1.1"]).to_owned()
        }
        3 => format!("2001:db8:{n:x}::{:x}", 1 + n % 9),
        7 => format!("::ffff:198.51.{}.{}", 100 + n / 200, n % 200 + 1),
        _ => format!("198.51.{}.{}", 100 + n / 200, n % 200 + 1),
    }
}

fn port(random: &mut Random) -> u64 {
    1024 + random.below(64_000)
}

impl Scene {
    /// A priority and a message.
    pub(super) fn message(&mut self, ident: &str, random: &mut Random) -> (u64, String) {
        let user = random.pick(&USERS);
        let p = random.below(1000);
        match ident {
            "uwsgi" => (6, uwsgi(random, p)),
            "gitea" => (6, gitea(random, p)),
            "prosody" => (6, self.prosody(random, p, user)),
            "haproxy" => (6, self.haproxy(random)),
            "postgres" => postgres(random, p, user),
            "nginx" => nginx(random, p),
            "dovecot" => (6, dovecot(random, p, user)),
            "exim" => (6, exim(random, p, user)),
            "systemd" => systemd(random, p),
            "su" | "sudo" => su(random, p, user, ident),
            "ownCloud" => own_cloud(random, p, user),
            "sshd" => (6, sshd(random, p, user)),
            "pyruse" => pyruse(random, p),
            "kernel" => kernel(random, p),
            "systemd-coredump" => (
                2,
                format!("Process {} (job{}) of user 33 dumped core.", random.below(9999), random.below(5)),
            ),
            "smartd" => (
                if p < 100 { 2 } else { 6 },
                format!(
                    "Device: /dev/sd{}, SMART Usage Attribute: 194 Temperature_Celsius changed from {} to {}",
                    random.pick(&["a", "b"]),
                    random.below(50),
                    random.below(50)
                ),
            ),
            "mandb" => (6, format!("{} man subdirectories contained newer manual pages.", random.below(9))),
            "spamd" => (
                6,
                format!(
                    "spamd: result: {} {} - BAYES_99,HTML scantime={}.{},size={},user={user}",
                    if p < 300 { "Y" } else { "." },
                    random.below(30),
                    random.below(9),
                    random.below(9),
                    random.below(90_000)
                ),
            ),
            "systemd-logind" => (6, format!("New session c{} of user {user}.", random.below(999))),
            "cron" => (6, format!("({user}) CMD (/usr/local/bin/job{} >/dev/null)", random.below(9))),
            _ => (
                random.below(5) + 3,
                format!("{ident} event {} on thing {}", random.below(100_000), random.below(300)),
            ),
        }
    }

    fn haproxy(&mut self, random: &mut Random) -> String {
        let seen_as = port(random);
        self.open.push(seen_as);
        if self.open.len() > 200 {
            self.open.remove(0);
        }
        let client = if random.chance(2, 3) { attacker(random) } else { visitor(random) };
        let (backend, service) = if random.chance(2, 3) { ("xmpp", 5222) } else { ("web", 8443) };
        format!(
            "{client}:{} [21/Nov/2026:10:00:00.000] tls~ {backend}[10.0.0.1:{seen_as}->10.0.0.2:{service}]/{backend} 1/0/{} {} -- 3/1/1/1/0 0/0",
            port(random),
            random.below(999),
            random.below(99_999)
        )
    }

    fn prosody(&mut self, random: &mut Random, p: u64, user: &str) -> String {
        let session = format!("c2s{:x}", random.below(1 << 48));
        if p >= 350 {
            return format!(
                "{session}\t{}",
                random.pick(&[
                    "Client connected",
                    "Client disconnected: connection closed",
                    "Stream encrypted (TLSv1.3)"
                ])
            );
        }
        // Usually a connection that the proxy has logged, sometimes an unknown one.
        let known = self.open.get(usize::try_from(random.below(256)).unwrap()).copied();
        let port = known.unwrap_or_else(|| port(random));
        if p < 100 {
            return format!("{session}\tAuthenticated as {user}@example.org from 10.0.0.1:{port}");
        }
        let address = if p < 120 { "10.0.0.3" } else { "10.0.0.1" };
        format!(
            "{session}\tFailed authentication attempt (not-authorized) for user {user}@example.org from IP: {address} port: {port}"
        )
    }
}

fn uwsgi(random: &mut Random, p: u64) -> String {
    let status = if p < 10 {
        500
    } else if p < 20 {
        404
    } else {
        200
    };
    format!(
        "[pid: {}] {} () {{64 vars in 1200 bytes}} [Sat Nov 21] GET /index.php/apps/files?x={} => generated {} bytes in {} msecs (HTTP/1.1 {status})",
        random.below(999),
        visitor(random),
        random.below(9999),
        random.below(9999),
        random.below(400) + if (20..40).contains(&p) { 5000 } else { 0 }
    )
}

fn gitea(random: &mut Random, p: u64) -> String {
    if p < 20 {
        return format!(
            "2026/11/21 10:00:00 ...ers/web/auth/auth.go:292:SignInPost() [I] Failed authentication attempt for admin from {}:0: user does not exist",
            attacker(random)
        );
    }
    format!(
        "2026/11/21 10:00:00 ...eb/routing/logger.go:102:func1() [I] router: completed GET /api/v1/repos/{}/x for {}:0, 200 OK in {}.{}ms @ repo/repo.go:{}",
        random.below(99),
        visitor(random),
        random.below(99),
        random.below(9),
        random.below(900)
    )
}

fn postgres(random: &mut Random, p: u64, user: &str) -> (u64, String) {
    match p {
        0..5 => (
            3,
            format!("[{}-1] FATAL:  password authentication failed for user \"{user}\"", random.below(99)),
        ),
        5..9 => (
            2,
            format!(
                "[{}-1] PANIC:  could not write to file \"pg_wal/xlogtemp.{}\": No space left on device",
                random.below(99),
                random.below(999)
            ),
        ),
        9..60 => (
            6,
            format!(
                "[{}-1] LOG:  duration: {}.{} ms  statement: SELECT * FROM oc_filecache",
                random.below(99),
                random.below(9000),
                random.below(9)
            ),
        ),
        _ => (
            6,
            format!(
                "[{}-1] LOG:  checkpoint complete: wrote {} buffers (0.{}%); 0 WAL file(s) added",
                random.below(99),
                random.below(9999),
                random.below(9)
            ),
        ),
    }
}

fn nginx(random: &mut Random, p: u64) -> (u64, String) {
    match p {
        0..150 => (
            6,
            format!(
                "{} - - \"GET /wp-login{}.php HTTP/1.1\" 404 {} \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"",
                attacker(random),
                random.below(20),
                random.below(999)
            ),
        ),
        150..170 => (
            3,
            format!(
                "2026/11/21 10:00:00 [error] 71#71: *{} limiting requests, excess: {}.{} by zone \"one\", client: {}",
                random.below(99_999),
                random.below(20),
                random.below(999),
                attacker(random)
            ),
        ),
        _ => (
            6,
            format!(
                "{} - - \"GET /static/{}.css HTTP/2.0\" 200 {} \"https://example.org/\" \"Mozilla/5.0 (X11; Linux x86_64)\"",
                visitor(random),
                random.below(9999),
                random.below(99_999)
            ),
        ),
    }
}

fn dovecot(random: &mut Random, p: u64, user: &str) -> String {
    match p {
        0..600 => format!(
            "imap-login: Login: user=<alice>, method=PLAIN, rip={}, lip=10.0.0.1, mpid={}, TLS, session=<{:x}>",
            visitor(random),
            random.below(99_999),
            random.below(1 << 60)
        ),
        600..620 => format!(
            "imap-login: Login: user=<{user}>, method=PLAIN, rip={}, lip=10.0.0.1, mpid={}, TLS",
            attacker(random),
            random.below(99_999)
        ),
        620..800 => format!(
            "imap-login: Disconnected (auth failed, {} attempts in {} secs): user=<{user}>, method=PLAIN, rip={}, lip=10.0.0.1",
            1 + random.below(4),
            2 + random.below(18),
            attacker(random)
        ),
        800..820 => format!(
            "lmtp({user}): save failed to INBOX: Quota exceeded (mailbox for {} is full)",
            random.pick(&[user, "somebody else"])
        ),
        _ => format!("imap(alice): Logged out in={} out={}", random.below(9999), random.below(9999)),
    }
}

fn exim(random: &mut Random, p: u64, user: &str) -> String {
    match p {
        0..300 => format!(
            "2026-11-21 10:00:00 login_server authenticator failed for (host) [{}]: 535 Incorrect authentication data (set_id={user})",
            attacker(random)
        ),
        300..380 => format!(
            "2026-11-21 10:00:00 H=({}) [{}] F=<{user}@example.net> rejected RCPT <{user}@example.org>: relay not permitted",
            random.pick(&["ylmf-pc", "localhost", "mail.example.net"]),
            attacker(random)
        ),
        380..400 => format!(
            "2026-11-21 10:00:00 1kx{:x} == {user}@example.com R=smarthost T=remote_smtp defer ({}): Connection timed out",
            random.below(1 << 40),
            random.below(120)
        ),
        _ => format!(
            "2026-11-21 10:00:00 1kx{:x} => {user}@example.org R=smarthost T=remote_smtp H=mx.example.net [{}] C=\"250 OK\"",
            random.below(1 << 40),
            visitor(random)
        ),
    }
}

fn systemd(random: &mut Random, p: u64) -> (u64, String) {
    match p {
        0..40 => (4, format!("unit{}.service: Failed with result 'exit-code'.", random.below(12))),
        40..60 => (
            4,
            format!(
                "unit{}.service: Scheduled restart job, restart counter is at {}.",
                random.below(12),
                random.below(9)
            ),
        ),
        60..160 => (6, format!("Started /usr/bin/job{} --run.", random.below(40))),
        _ => (6, format!("unit{}.service: Succeeded.", random.below(60))),
    }
}

fn su(random: &mut Random, p: u64, user: &str, ident: &str) -> (u64, String) {
    if ident == "sudo" {
        return match p {
            0..200 => (
                1,
                format!(
                    "{user} : user NOT in sudoers ; TTY=pts/1 ; PWD=/home/{user} ; USER=root ; COMMAND=/bin/sh"
                ),
            ),
            _ => (
                5,
                format!(
                    "{user} : TTY=pts/1 ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/apt{}",
                    random.below(9)
                ),
            ),
        };
    }
    match p {
        0..20 => (5, format!("FAILED SU (to root) {user} on pts/1")),
        20..40 => (5, format!("(to root) {user} on pts/{}", random.below(9))),
        40..60 => (5, format!("({user} to {user}) {user} on none")),
        _ => (5, format!("(to {}) {user} on none", random.pick(&["postgres", "http", "git"]))),
    }
}

fn own_cloud(random: &mut Random, p: u64, user: &str) -> (u64, String) {
    match p {
        0..400 => (4, format!("{{core}} Login failed: '{user}' (Remote IP: '{}')", attacker(random))),
        400..440 => (
            3,
            format!("{{files}} Cannot write: disk quota of „{user}“ exceeded — {} MiB", random.below(4000)),
        ),
        _ => (
            2,
            "{index} Undefined offset: 3 at /usr/share/webapps/nextcloud/lib/private/x.php#120".to_owned(),
        ),
    }
}

/// What sshd says as the user whose session it was.
pub(super) const SESSION_END: &str = "Disconnected from user ";

fn sshd(random: &mut Random, p: u64, user: &str) -> String {
    match p {
        0..450 => format!("Failed password for {user} from {} port {} ssh2", attacker(random), port(random)),
        450..500 => format!(
            "Failed password for invalid user {user} from {} port {} ssh2",
            attacker(random),
            port(random)
        ),
        500..550 => format!("Invalid user {user} from {} port {}", attacker(random), port(random)),
        550..700 => {
            let how = ["Connection closed by", "Connection reset by", "Disconnected from"][(p % 3) as usize];
            let kind = if p.is_multiple_of(2) { "authenticating" } else { "invalid" };
            format!("{how} {kind} user {user} {} port {} [preauth]", attacker(random), port(random))
        }
        700..750 => format!(
            "Accepted publickey for alice from {} port {} ssh2: ED25519 SHA256:{:x}",
            visitor(random),
            port(random),
            random.next()
        ),
        750..800 => {
            format!("Accepted password for {user} from {} port {} ssh2", attacker(random), port(random))
        }
        800..850 => format!("{SESSION_END}alice {} port {}", visitor(random), port(random)),
        _ => format!("Connection closed by {} port {} [preauth]", visitor(random), port(random)),
    }
}

/// Lines of `action_log` that have come back.
fn pyruse(random: &mut Random, p: u64) -> (u64, String) {
    match p {
        0..800 => (
            5,
            format!(
                "BAN {} for {} after {} failures",
                attacker(random),
                random.pick(&["ssh", "mail", "web", "chat"]),
                3 + random.below(9)
            ),
        ),
        _ => (6, format!("seen {} today", attacker(random))),
    }
}

fn kernel(random: &mut Random, p: u64) -> (u64, String) {
    match p {
        0..20 => (
            3,
            format!(
                "Out of memory: Killed process {} (php-fpm) total-vm:{}kB",
                random.below(30_000),
                random.below(9_999_999)
            ),
        ),
        20..60 => (3, format!("ata{}.00: failed command: READ FPDMA QUEUED", random.below(4))),
        60..100 => (
            4,
            format!(
                "CPU{}: Core temperature above threshold, cpu clock throttled (total events = {})",
                random.below(8),
                random.below(900)
            ),
        ),
        100..600 => (
            4,
            format!(
                "nft drop: IN=eth0 OUT= SRC={} DST=10.0.0.1 PROTO=TCP SPT={} DPT={}",
                attacker(random),
                port(random),
                random.pick(&["23", "445", "3389", "5900"])
            ),
        ),
        _ => (
            6,
            format!(
                "audit: type=1400 audit({}): apparmor=\"DENIED\" operation=\"open\" profile=\"job{}\"",
                random.below(99_999),
                random.below(9)
            ),
        ),
    }
}
