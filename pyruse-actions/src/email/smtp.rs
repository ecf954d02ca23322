//! Sends a mail to an SMTP server.
//!
//! The step of the conversation that fails decides what happens to the mail. Until the server has accepted the login,
//! the mail is not the cause of a failure: the server is down, or its name, its certificate or our password is wrong.
//! The mail waits until that is corrected. After that, a 5xx answer to our sender, or one that refuses to relay, is
//! about a setting: the mail waits as well. Any other 5xx answer is about this mail or one of its recipients, and a
//! retry would not change it.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display};
use std::time::{Duration, Instant};

use lettre::address::Address;
use lettre::message::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use super::settings::full_host;
use super::smtp_settings::{Proof, SmtpSettings, Tls, read_password};

/// How many characters of an answer are reported.
const ANSWER: usize = 400;

/// What the TLS library reports about a certificate that it does not trust.
const UNTRUSTED: &str = "invalid peer certificate";

/// How long to wait for the answer to our `QUIT`.
const FAREWELL: Duration = Duration::from_secs(1);

/// Answers about our identity: the operator must correct that.
const LOGIN_CODES: [u16; 4] = [530, 534, 535, 538];

/// The mail, not its sender, is too large, or there is no room for it.
const TOO_LARGE: u16 = 552;

/// The code for the same (RFC 3463).
const TOO_LARGE_CODE: &str = "5.3.4";

/// Answers to a recipient which say that this server does not take mails for it from us (RFC 5321).
const RELAY_CODES: [u16; 3] = [551, 553, 554];

/// The reason why a mail was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: RefusalKind,
    pub(super) why: String,
}

/// What a refusal means for the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusalKind {
    /// No server answers.
    Unreachable,
    /// The server may accept it later.
    ForNow,
    /// The server will accept it when a setting is changed, ours or the server's.
    Setting,
    /// The server would accept a smaller one.
    TooLarge,
    /// The server will never accept it.
    ForGood,
}

impl Refusal {
    /// Returns a refusal of a mail that may be accepted later.
    pub(super) fn for_now(why: impl Into<String>) -> Refusal {
        Refusal { kind: RefusalKind::ForNow, why: why.into() }
    }
}

/// What the server is asked.
#[derive(Clone, Copy)]
enum Request<'a> {
    Sender,
    Recipient(&'a Address),
    Mail,
}

impl Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Sender => f.write_str("the sender"),
            Request::Recipient(address) => write!(f, "{address}"),
            Request::Mail => f.write_str("the mail"),
        }
    }
}

impl Request<'_> {
    /// Returns which setting this permanent refusal is about, if any.
    fn setting(self, code: u16, answer: &str) -> Option<&'static str> {
        let relays = "use a server that relays for this machine, or log in (`email.smtp.user`)";
        match self {
            _ if LOGIN_CODES.contains(&code) => Some("set `email.smtp.user` and `passwordFile`"),
            Request::Sender => Some("set `email.from` to an address that this server accepts as a sender"),
            // `5.7.x` is the code for what a policy forbids (RFC 3463); not every server sends such codes.
            Request::Recipient(_)
                if RELAY_CODES.contains(&code)
                    || answer.contains("5.7.")
                    || answer.to_ascii_lowercase().contains("relay") =>
            {
                Some(relays)
            }
            _ => None,
        }
    }
}

/// A server, and the recipients that it has already accepted for each mail.
pub(super) struct Relay {
    settings: SmtpSettings,
    limit: Duration,
    /// For each message id, the recipients that have got the mail while others still wait for it. The list is lost
    /// at the end of the program; then these recipients get the mail again, with the same Message-ID.
    served: HashMap<u64, HashSet<Address>>,
}

impl Relay {
    pub(super) fn new(settings: SmtpSettings, limit: Duration) -> Relay {
        Relay { settings, limit, served: HashMap::new() }
    }

    /// Sends a mail to all recipients that have not got it yet.
    pub(super) fn send(&mut self, id: u64, message: &Message) -> Result<(), Refusal> {
        let sent = self.deliver(id, message);
        if matches!(sent, Ok(()) | Err(Refusal { kind: RefusalKind::ForGood, .. })) {
            self.served.remove(&id);
        }
        let (host, port) = (&self.settings.host, self.settings.port());
        sent.map_err(|Refusal { kind, why }| Refusal {
            kind,
            why: format!("SMTP server {host} port {port}: {why}"),
        })
    }

    fn deliver(&mut self, id: u64, message: &Message) -> Result<(), Refusal> {
        let mut session = Session::open(&self.settings, self.limit)?;
        let done = self.hand_over(&mut session, id, message);
        session.close();
        done
    }

    fn hand_over(&mut self, session: &mut Session, id: u64, message: &Message) -> Result<(), Refusal> {
        let (envelope, text) = (message.envelope(), message.formatted());
        let served = self.served.entry(id).or_default();
        let waiting: Vec<&Address> = envelope.to().iter().filter(|to| !served.contains(*to)).collect();
        let parameters =
            session.parameters(envelope.from().into_iter().chain(waiting.iter().copied()), &text)?;
        session.send(Request::Sender, |session| {
            session.connection.command(Mail::new(envelope.from().cloned(), parameters))
        })?;
        let (mut taken, mut refusals) = (Vec::new(), Vec::new());
        for to in waiting {
            let asked = session.send(Request::Recipient(to), |session| {
                session.connection.command(Rcpt::new(to.clone(), vec![]))
            });
            match asked {
                Ok(()) => taken.push(to),
                Err(refusal) => refusals.push(refusal),
            }
        }
        if !taken.is_empty() {
            let data = session
                .send(Request::Mail, |session| session.connection.command(Data))
                .and_then(|()| session.send(Request::Mail, |session| session.connection.message(&text)));
            match data {
                Ok(()) => served.extend(taken.into_iter().cloned()),
                Err(refusal) => refusals.push(refusal),
            }
        }
        summary(&refusals, served.len()).map_or(Ok(()), Err)
    }
}

/// Returns what the refusals mean for the mail. While a recipient may still get it, it is not given up for the others,
/// who are tried and refused again then.
fn summary(refusals: &[Refusal], served: usize) -> Option<Refusal> {
    let any = |kind: RefusalKind| refusals.iter().any(|refusal| refusal.kind == kind);
    let mut why = refusals.iter().map(|refusal| refusal.why.as_str()).collect::<Vec<_>>().join("; ");
    let kind = if refusals.is_empty() {
        return None;
    } else if any(RefusalKind::ForNow) || any(RefusalKind::Unreachable) {
        RefusalKind::ForNow
    } else if any(RefusalKind::Setting) {
        RefusalKind::Setting
    } else if any(RefusalKind::TooLarge) {
        RefusalKind::TooLarge
    } else {
        if served > 0 {
            why = format!("{why} (it has reached {served} other{})", if served == 1 { "" } else { "s" });
        }
        RefusalKind::ForGood
    };
    Some(Refusal { kind, why })
}

/// Asks the server whether it would accept mails from this sender to these recipients. No mail is sent. Returns what
/// the server refuses: a recipient, by its index, the sender, or the connection.
pub(super) fn try_mail(
    settings: &SmtpSettings,
    limit: Duration,
    from: &Address,
    to: &[Address],
) -> Vec<(RefusedPart, Refusal)> {
    let mut session = match Session::open(settings, limit) {
        Ok(session) => session,
        Err(refusal) => return vec![(RefusedPart::Connection, refusal)],
    };
    let mut refused = Vec::new();
    let asked = session.parameters(std::iter::once(from).chain(to), b"").and_then(|parameters| {
        session.send(Request::Sender, |session| {
            session.connection.command(Mail::new(Some(from.clone()), parameters))
        })
    });
    if let Err(refusal) = asked {
        refused.push((RefusedPart::Sender, refusal));
    } else {
        for (n, to) in to.iter().enumerate() {
            let asked = session.send(Request::Recipient(to), |session| {
                session.connection.command(Rcpt::new(to.clone(), vec![]))
            });
            if let Err(refusal) = asked {
                refused.push((RefusedPart::Recipient(n), refusal));
            }
        }
        // Whatever the answer is, the connection is closed next.
        let _ = session.connection.command("RSET\r\n");
    }
    session.close();
    refused
}

/// What [`try_mail`] asks the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusedPart {
    /// To accept our connection and login.
    Connection,
    Sender,
    /// The index of the recipient.
    Recipient(usize),
}

/// An open connection, logged in, and when its time limit ends.
struct Session {
    connection: SmtpConnection,
    end: Instant,
}

impl Session {
    fn open(settings: &SmtpSettings, limit: Duration) -> Result<Session, Refusal> {
        let opened = Session::open_with(settings, limit, Proof::Authority);
        match opened {
            // No authority signed the certificate. It may be the one in `caFile`.
            Err(refusal) if settings.ca_file.is_some() && refusal.why.contains(UNTRUSTED) => {
                Session::open_with(settings, limit, Proof::Pinned).map_err(|_| refusal)
            }
            opened => opened,
        }
    }

    fn open_with(settings: &SmtpSettings, limit: Duration, proof: Proof) -> Result<Session, Refusal> {
        let end = Instant::now() + limit;
        let tls = match settings.tls {
            Tls::None => None,
            Tls::Starttls | Tls::Implicit => Some(settings.tls_parameters(proof).map_err(Refusal::for_now)?),
        };
        let credentials = match (&settings.user, &settings.password_file) {
            (Some(user), Some(file)) => {
                Some(Credentials::new(user.clone(), read_password(file).map_err(Refusal::for_now)?))
            }
            _ => None,
        };
        let server = (settings.host.as_str(), settings.port());
        let from_the_start = tls.as_ref().filter(|_| settings.tls == Tls::Implicit);
        let hello = hello();
        let connection = SmtpConnection::connect(server, Some(limit), &hello, from_the_start, None);
        let mut session = Session { connection: connection.map_err(|e| not_connected(&e))?, end };
        if let Some(tls) = tls.as_ref().filter(|_| settings.tls == Tls::Starttls) {
            session.step("STARTTLS", |connection| connection.starttls(tls, &hello))?;
        }
        if proof == Proof::Pinned {
            let shown = session.connection.peer_certificate().unwrap_or_default();
            if !settings.is_pinned(&shown) {
                return Err(Refusal::for_now("its certificate is not the one in `caFile`"));
            }
        }
        if let Some(credentials) = credentials {
            session.step("logging in", |connection| {
                connection.auth(DEFAULT_MECHANISMS, &credentials).map(drop)
            })?;
        }
        Ok(session)
    }

    /// Runs one step of opening the connection.
    fn step(
        &mut self,
        what: &str,
        step: impl FnOnce(&mut SmtpConnection) -> Result<(), Error>,
    ) -> Result<(), Refusal> {
        self.set_limit()?;
        step(&mut self.connection).map_err(|e| Refusal::for_now(explain(&what, &e)))
    }

    /// Says goodbye. The server's answer to that changes nothing.
    fn close(mut self) {
        let _ = self.connection.set_timeout(Some(FAREWELL));
        self.connection.abort();
    }

    /// Sets the time limit of the next answer to the time that is left.
    fn set_limit(&mut self) -> Result<(), Refusal> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Refusal::for_now("it took too long"));
        }
        self.connection.set_timeout(Some(left)).map_err(|e| Refusal::for_now(e.to_string()))
    }

    fn send<T>(
        &mut self,
        request: Request<'_>,
        ask: impl FnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<(), Refusal> {
        self.set_limit()?;
        let Err(e) = ask(self) else { return Ok(()) };
        let why = explain(&request, &e);
        if !e.is_permanent() {
            return Err(Refusal::for_now(why));
        }
        let code = e.status().map_or(0, u16::from);
        // For a recipient, 552 means that its mailbox is full.
        if !matches!(request, Request::Recipient(_)) && (code == TOO_LARGE || why.contains(TOO_LARGE_CODE)) {
            return Err(Refusal { kind: RefusalKind::TooLarge, why });
        }
        Err(match request.setting(code, &why) {
            Some(setting) => Refusal { kind: RefusalKind::Setting, why: format!("{why}; {setting}") },
            None => Refusal { kind: RefusalKind::ForGood, why },
        })
    }

    /// Returns the parameters that announce a mail that is not all ASCII.
    fn parameters<'a>(
        &self,
        mut addresses: impl Iterator<Item = &'a Address>,
        text: &[u8],
    ) -> Result<Vec<MailParameter>, Refusal> {
        let mut parameters = Vec::new();
        let mut need = |extension: Extension, name: &str, parameter: MailParameter| {
            if !self.connection.server_info().supports_feature(extension) {
                return Err(Refusal::for_now(format!(
                    "it does not support {name}, which the addresses of this mail \
                                                    need"
                )));
            }
            parameters.push(parameter);
            Ok(())
        };
        if addresses.any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
            need(Extension::SmtpUtfEight, "SMTPUTF8", MailParameter::SmtpUtfEight)?;
        }
        if !text.is_ascii() {
            let parameter = MailParameter::Body(MailBodyParameter::EightBitMime);
            need(Extension::EightBitMime, "8BITMIME", parameter)?;
        }
        Ok(parameters)
    }
}

/// Distinguishes whether no server answers, or a server refuses us.
fn not_connected(error: &Error) -> Refusal {
    let why = explain(&"connecting", error);
    let has_answered = error.status().is_some() || error.is_timeout() || why.contains(UNTRUSTED);
    Refusal { kind: if has_answered { RefusalKind::ForNow } else { RefusalKind::Unreachable }, why }
}

/// Returns the name for our greeting: our own if it is a full one, because many servers refuse any other.
fn hello() -> ClientId {
    let name = full_host();
    if name.contains('.') { ClientId::Domain(name) } else { ClientId::default() }
}

/// Returns what went wrong, on one session even if the server's answer has several.
fn explain(what: &impl Display, error: &Error) -> String {
    let text = format!("{what}: {error}");
    let mut session: String =
        text.chars().take(ANSWER).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(ANSWER).is_some() {
        session.push('…');
    }
    session
}
