//! Gives a mail to an SMTP server.
//!
//! Which step of the conversation fails decides what becomes of the mail. Until the server has let us in, a failure is
//! not the mail's: the server is down, its name or certificate or our password is wrong, and the mail waits until that
//! is mended. Once it has, a 5xx answer is about this mail or one of its recipients, and asking again would not change
//! it.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::time::{Duration, Instant};

use lettre::address::Address;
use lettre::message::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use super::settings::host;
use super::smtp_settings::{SmtpSettings, Tls, read_password};

/// How much of an answer is told.
const ANSWER: usize = 400;

/// How long its answer to our farewell is waited for.
const FAREWELL: Duration = Duration::from_secs(1);

/// Answers that are about who we are: the operator will mend that.
const NOT_LET_IN: [u16; 4] = [530, 534, 535, 538];

/// Why a mail was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It may be taken later.
    ForNow(String),
    /// It will not be.
    ForGood(String),
}

/// A server, and who has got which mail from it.
pub(super) struct Relay {
    settings: SmtpSettings,
    limit: Duration,
    /// Recipients that have got a mail that others still wait for, by the number of its letter. It is forgotten at the
    /// end of the program; then they get it once more, with the same Message-ID.
    served: HashMap<u64, HashSet<Address>>,
}

impl Relay {
    pub(super) fn new(settings: SmtpSettings, limit: Duration) -> Relay {
        Relay { settings, limit, served: HashMap::new() }
    }

    /// Sends a mail to all of its recipients that have not got it yet.
    pub(super) fn send(&mut self, letter: u64, message: &Message) -> Result<(), Refusal> {
        let sent = self.converse(letter, message);
        if !matches!(sent, Err(Refusal::ForNow(_))) {
            self.served.remove(&letter);
        }
        sent.map_err(|refusal| match refusal {
            Refusal::ForNow(why) => Refusal::ForNow(self.named(&why)),
            Refusal::ForGood(why) => Refusal::ForGood(self.named(&why)),
        })
    }

    fn named(&self, why: &str) -> String {
        format!("SMTP server {} port {}: {why}", self.settings.host, self.settings.port())
    }

    fn converse(&mut self, letter: u64, message: &Message) -> Result<(), Refusal> {
        let mut line = Line::open(&self.settings, self.limit).map_err(Refusal::ForNow)?;
        let done = self.hand_over(&mut line, letter, message);
        // What it says to our farewell changes nothing.
        let _ = line.connection.set_timeout(Some(FAREWELL));
        line.connection.abort();
        done
    }

    fn hand_over(&mut self, line: &mut Line, letter: u64, message: &Message) -> Result<(), Refusal> {
        let (envelope, text) = (message.envelope(), message.formatted());
        let served = self.served.entry(letter).or_default();
        let waiting: Vec<&Address> = envelope.to().iter().filter(|to| !served.contains(*to)).collect();
        let parameters =
            line.parameters(envelope.from().into_iter().chain(waiting.iter().copied()), &text)?;
        line.ask("the sender", |line| {
            line.connection.command(Mail::new(envelope.from().cloned(), parameters))
        })?;
        let (mut taken, mut for_now, mut for_good) = (Vec::new(), Vec::new(), Vec::new());
        for to in waiting {
            match line.ask(to, |line| line.connection.command(Rcpt::new(to.clone(), vec![]))) {
                Ok(()) => taken.push(to),
                Err(Refusal::ForGood(why)) => for_good.push(why),
                Err(Refusal::ForNow(why)) => for_now.push(why),
            }
        }
        if !taken.is_empty() {
            let data = line
                .ask("the mail", |line| line.connection.command(Data))
                .and_then(|()| line.ask("the mail", |line| line.connection.message(&text)));
            match data {
                Ok(()) => served.extend(taken.into_iter().cloned()),
                Err(Refusal::ForGood(why)) => for_good.push(why),
                Err(Refusal::ForNow(why)) => for_now.push(why),
            }
        }
        // While somebody may still get it, it is not given up for the others; they refuse it again then.
        match (for_now.is_empty(), for_good.is_empty()) {
            (true, true) => Ok(()),
            (false, _) => {
                for_now.extend(for_good);
                Err(Refusal::ForNow(for_now.join("; ")))
            }
            (true, false) => {
                let others = match served.len() {
                    0 => String::new(),
                    n => format!(" (it has reached {n} other{})", if n == 1 { "" } else { "s" }),
                };
                Err(Refusal::ForGood(for_good.join("; ") + &others))
            }
        }
    }
}

/// A connection over which we are let in, and when our patience with it ends.
struct Line {
    connection: SmtpConnection,
    end: Instant,
}

impl Line {
    fn open(settings: &SmtpSettings, limit: Duration) -> Result<Line, String> {
        let end = Instant::now() + limit;
        let tls = if settings.tls == Tls::None { None } else { Some(settings.tls_parameters()?) };
        let credentials = match (&settings.user, &settings.password_file) {
            (Some(user), Some(file)) => Some(Credentials::new(user.clone(), read_password(file)?)),
            _ => None,
        };
        let server = (settings.host.as_str(), settings.port());
        let from_the_start = tls.as_ref().filter(|_| settings.tls == Tls::Implicit);
        let hello = hello();
        let connection = SmtpConnection::connect(server, Some(limit), &hello, from_the_start, None);
        let mut line = Line { connection: connection.map_err(|e| told(&"connecting", &e))?, end };
        let mut step = |what: &str, step: &dyn Fn(&mut SmtpConnection) -> Result<(), Error>| {
            line.set_limit()?;
            step(&mut line.connection).map_err(|e| told(&what, &e))
        };
        if let Some(tls) = tls.as_ref().filter(|_| settings.tls == Tls::Starttls) {
            step("STARTTLS", &|connection| connection.starttls(tls, &hello))?;
        }
        if let Some(credentials) = credentials {
            step("logging in", &|connection| connection.auth(DEFAULT_MECHANISMS, &credentials).map(drop))?;
        }
        Ok(line)
    }

    /// What is left of our patience is for the next answer.
    fn set_limit(&mut self) -> Result<(), String> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("it took too long".into());
        }
        self.connection.set_timeout(Some(left)).map_err(|e| e.to_string())
    }

    fn ask<T>(
        &mut self,
        what: impl Display,
        question: impl FnOnce(&mut Line) -> Result<T, Error>,
    ) -> Result<(), Refusal> {
        self.set_limit().map_err(Refusal::ForNow)?;
        match question(self) {
            Ok(_) => Ok(()),
            Err(e) => {
                let why = told(&what, &e);
                let code = e.status().map_or(0, u16::from);
                let for_good = e.is_permanent() && !NOT_LET_IN.contains(&code);
                Err(if for_good { Refusal::ForGood(why) } else { Refusal::ForNow(why) })
            }
        }
    }

    /// What the server must know beforehand of a mail that is not all ASCII.
    fn parameters<'a>(
        &self,
        mut addresses: impl Iterator<Item = &'a Address>,
        text: &[u8],
    ) -> Result<Vec<MailParameter>, Refusal> {
        let mut parameters = Vec::new();
        let mut need = |extension: Extension, name: &str, parameter: MailParameter| {
            if !self.connection.server_info().supports_feature(extension) {
                return Err(Refusal::ForNow(format!("it has no {name}, which this mail's addresses need")));
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

/// As whom we greet: by our name if it is a full one, since many servers refuse any other.
fn hello() -> ClientId {
    let name = host();
    if name.contains('.') { ClientId::Domain(name) } else { ClientId::default() }
}

/// What went wrong, on one line however the server puts it.
fn told(what: &impl Display, error: &Error) -> String {
    let text = format!("{what}: {error}");
    let mut line: String = text.chars().take(ANSWER).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(ANSWER).is_some() {
        line.push('…');
    }
    line
}
