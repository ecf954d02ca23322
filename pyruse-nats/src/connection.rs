//! Connections: each has one thread, in which all work of the NATS client runs.
//!
//! When a connection is lost, a new one is made from the beginning, so that new credentials, certificates and addresses
//! are used. Whoever uses a connection watches its [`Status`].

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_nats::jetstream::{Context, ContextBuilder};
use async_nats::{Client, Event, ServerError};
use pyruse_core::plugin::{Compile, Invalid, Start, excerpt};
use pyruse_core::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::settings::{Connection, NatsSettings};

/// The longest wait between two attempts to connect.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The first wait.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// A server that does not answer is asked this often, and given up the third time.
const PING: Duration = Duration::from_secs(15);

/// How many subjects are kept that the server did not let us use.
const REFUSALS: usize = 100;

/// The connections of one configuration.
#[derive(Default)]
struct Links(BTreeMap<String, Arc<Link>>);

/// A connection of the configuration. It is made when it is first used.
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) settings: Connection,
    running: Mutex<Option<Running>>,
}

struct Running {
    link: LiveLink,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A connection in use.
#[derive(Clone)]
pub(crate) struct LiveLink {
    pub(crate) runtime: Handle,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) refusals: Refusals,
    api_prefix: Arc<str>,
}

/// Whether there is a connection.
#[derive(Clone, Default)]
pub(crate) struct Status {
    /// The client, if it is connected.
    pub(crate) client: Option<Client>,
    /// Why it is not.
    pub(crate) problem: Option<String>,
}

/// What the server did not let us do, in its words; the latest last.
#[derive(Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<VecDeque<String>>>);

impl Refusals {
    fn note(&self, text: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| *known != text);
        if all.len() == REFUSALS {
            all.pop_front();
        }
        all.push_back(text);
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns what the server said about a subject, if it refused it.
    pub(crate) fn about(&self, subject: &str) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let quoted = format!("\"{subject}\"");
        all.iter().rev().find(|text| text.contains(&quoted)).cloned()
    }

    /// Returns the latest refusal of what reading a stream needs.
    pub(crate) fn about_reading(&self) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_about = |text: &&String| {
            text.contains(".STREAM.") || text.contains(".CONSUMER.") || text.contains("Subscription")
        };
        all.iter().rev().find(is_about).cloned()
    }
}

impl Link {
    pub(crate) fn new(name: &str, settings: &Connection) -> Arc<Link> {
        Arc::new(Link { name: name.to_owned(), settings: settings.clone(), running: Mutex::default() })
    }

    /// Returns the connection that the argument at `path` names; all that name it share it.
    pub(crate) fn compile(path: &str, name: &str, cx: &mut Compile<'_>) -> Result<Arc<Link>, Invalid> {
        let settings = cx.valid_settings::<NatsSettings>()?;
        let connection = settings.find(name).map_err(|why| {
            let help = "write the name of a member of the top-level key `nats`";
            cx.error_with_help(path, why, help)
        })?;
        let link = cx.shared::<Links>().0.entry(name.to_owned());
        Ok(link.or_insert_with(|| Link::new(name, connection)).clone())
    }

    /// Returns all connections of the settings; steps and sources of the configuration share them.
    pub(crate) fn all(settings: &NatsSettings, start: &mut Start<'_>) -> BTreeMap<String, Arc<Link>> {
        let links = &mut start.shared::<Links>().0;
        for (name, connection) in &settings.0 {
            links.entry(name.clone()).or_insert_with(|| Link::new(name, connection));
        }
        links.clone()
    }

    /// Begins to connect, if nobody has yet.
    pub(crate) fn begin(&self) -> Result<LiveLink, String> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*running {
            return Ok(running.link.clone());
        }
        let failed = |e: std::io::Error| {
            format!("the thread of the connection `{}` cannot be started: {e}", self.name)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (sender, status) = watch::channel(Status::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let refusals = Refusals::default();
        let api_prefix = self.settings.api_prefix.as_str().into();
        let link =
            LiveLink { runtime: runtime.handle().clone(), status, refusals: refusals.clone(), api_prefix };
        let settings = self.settings.clone();
        let thread = std::thread::Builder::new().name("nats".to_owned()).spawn(move || {
            runtime.spawn(keep_connected(settings, sender, refusals));
            // The other side is dropped, and never sends.
            let _ = runtime.block_on(stopped);
            // A name may still be looked up, which takes as long as it takes.
            runtime.shutdown_background();
        });
        let thread = thread.map_err(failed)?;
        *running = Some(Running { link: link.clone(), stop: Some(stop), thread: Some(thread) });
        Ok(link)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl LiveLink {
    /// Returns what asks for streams and publishes to them. An answer may take this long.
    pub(crate) fn context(&self, client: Client, limit: Duration) -> Context {
        // It starts a task of its own.
        let _within = self.runtime.enter();
        let context = ContextBuilder::new().timeout(limit).ack_timeout(limit);
        context.api_prefix(&*self.api_prefix).build(client)
    }

    /// Returns the client, or why there is none after this time. Not for the thread of the connection itself.
    pub(crate) fn client(&self, limit: Duration) -> Result<Client, String> {
        self.wait(limit, |_| false)
    }

    /// The same, or why the first attempt to connect has failed.
    pub(crate) fn first_client(&self, limit: Duration) -> Result<Client, String> {
        self.wait(limit, |status| status.problem.is_some())
    }

    fn wait(&self, limit: Duration, is_enough: fn(&Status) -> bool) -> Result<Client, String> {
        let mut status = self.status.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        self.runtime.spawn(async move {
            let is_known = |status: &Status| status.client.is_some() || is_enough(status);
            let _ = tokio::time::timeout(limit, status.wait_for(is_known)).await;
            let status = status.borrow().clone();
            let _ = sender.send(status.client.ok_or(status.problem));
        });
        let found = receiver.recv().unwrap_or(Err(None));
        found.map_err(|problem| problem.unwrap_or_else(|| "the server does not answer".to_owned()))
    }
}

/// Waits until there is a client; `None`: there will never be one.
pub(crate) async fn connected(status: &mut watch::Receiver<Status>) -> Option<Client> {
    loop {
        if let Some(client) = status.borrow_and_update().client.clone() {
            return Some(client);
        }
        status.changed().await.ok()?;
    }
}

/// Connects, and connects again whenever the connection is lost.
async fn keep_connected(settings: Connection, status: watch::Sender<Status>, refusals: Refusals) {
    let mut wait = FIRST_WAIT;
    loop {
        let problem = match connect(&settings).await {
            Ok((client, mut events)) => {
                wait = FIRST_WAIT;
                refusals.clear();
                status.send_replace(Status { client: Some(client), problem: None });
                until_lost(&mut events, &refusals).await
            }
            Err(problem) => problem,
        };
        status.send_replace(Status { client: None, problem: Some(problem) });
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Returns why the connection is lost, when it is.
async fn until_lost(events: &mut mpsc::Receiver<Event>, refusals: &Refusals) -> String {
    while let Some(event) = events.recv().await {
        match event {
            Event::Disconnected | Event::Closed | Event::LameDuckMode => break,
            Event::ServerError(ServerError::Other(text)) => refusals.note(excerpt(&text)),
            Event::ServerError(error @ ServerError::AuthorizationViolation) => {
                return format!("the server says: {error}");
            }
            _ => {}
        }
    }
    "the connection to the server is lost".to_owned()
}

/// Connects to one of the servers. The events are those of the connection.
pub(crate) async fn connect(settings: &Connection) -> Result<(Client, mpsc::Receiver<Event>), String> {
    let (sender, events) = mpsc::channel(REFUSALS);
    let options = settings.login().map_err(|(_, why)| why)?;
    let options = options.name("pyruse").ping_interval(PING).event_callback(move |event| {
        // If nobody reads them, there are enough.
        let _ = sender.try_send(event);
        std::future::ready(())
    });
    let servers: Vec<&str> = settings.servers.iter().map(String::as_str).collect();
    let client = options
        .connect(servers.as_slice())
        .await
        .map_err(|e| format!("{} cannot be used: {}", settings.servers.join(", "), in_words(&e)))?;
    Ok((client, events))
}

/// Returns an error with its causes, on one line.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    excerpt(&text)
}

/// Returns a new name for a consumer.
pub(crate) fn consumer_name() -> String {
    format!("pyruse-{:016x}", RandomState::new().hash_one(Timestamp::now().0))
}
