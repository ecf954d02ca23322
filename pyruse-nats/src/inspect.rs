//! What `check --live` asks: it connects, and does what the program will do, without leaving anything behind.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::stream::{Config, RetentionPolicy, Stream};
use async_nats::{Client, HeaderMap};
use pyruse_core::plugin::{Inspection, Severity};

use crate::connection::{Link, LiveLink, consumer_name, in_words};
use crate::monitor::syncs_always;

/// A server that takes longer than this is given up.
const LIMIT: Duration = Duration::from_secs(5);

/// A finding about an argument.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// The argument; `None`: that which names the connection.
    pub(crate) argument: Option<&'static str>,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

impl Finding {
    fn error(argument: Option<&'static str>, message: String, help: &'static str) -> Finding {
        Finding { argument, severity: Severity::Error, message, help }
    }

    fn warning(argument: &'static str, message: String, help: &'static str) -> Finding {
        Finding { argument: Some(argument), severity: Severity::Warning, message, help }
    }
}

/// Returns the name of this machine.
pub(crate) fn hostname() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

/// Checks the files and the connection; returns the client, or what is wrong.
fn connect(link: &Link, inspection: &mut Inspection) -> Result<(LiveLink, Client), Vec<Finding>> {
    let mut denied = Vec::new();
    for (key, file, what) in link.settings.secrets() {
        let user = inspection.service_user();
        let Some((file, obstacle)) = file.and_then(|file| Some((file, user?.obstacle(file)?))) else {
            continue;
        };
        let message = user.map(|user| user.denied_with_fix(file, &obstacle)).unwrap_or_default();
        let severity = if obstacle.may_be_passed() { Severity::Warning } else { Severity::Error };
        let message = format!("{message} (`{key}`, the {what} of the connection `{}`)", link.name);
        denied.push(Finding {
            argument: None,
            severity,
            message,
            help: "until it can be read, nothing is sent or read",
        });
    }
    let connected = inspection.once(&format!("nats {}", link.name), || {
        let live = link.begin()?;
        let client = live.first_client(LIMIT)?;
        Ok((live, client))
    });
    match connected {
        Ok(connected) if denied.is_empty() => Ok(connected),
        Ok(_) => Err(denied),
        Err(why) => {
            let why: String = why;
            let help = "messages wait, and the stream is read, when it can be used";
            denied.push(Finding::error(None, format!("the connection `{}`: {why}", link.name), help));
            Err(denied)
        }
    }
}

/// Runs work in the thread of the connection, and waits for it.
fn run<T: Send + 'static>(
    live: &LiveLink,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = std::sync::mpsc::channel();
    live.runtime.spawn(async move {
        let _ = sender.send(work.await);
    });
    receiver.recv().map_err(|_| "the connection was closed".to_owned())
}

/// Checks whether a stream can be read, and whether what is stored there is safe.
pub(crate) fn stream(
    link: &Arc<Link>,
    name: &str,
    subjects: &[String],
    inspection: &mut Inspection,
) -> Vec<Finding> {
    let (live, client) = match connect(link, inspection) {
        Ok(connected) => connected,
        Err(findings) => return findings,
    };
    let refusals = live.refusals.clone();
    let (stream, filters) = (name.to_owned(), subjects.to_vec());
    let context = live.context(client, LIMIT);
    let asked = run(&live, async move {
        let stream = context.get_stream(&stream).await.map_err(|e| in_words(&e))?;
        let consumed = consume(&stream, filters).await;
        Ok::<_, String>((stream.cached_info().config.clone(), consumed))
    });
    let (config, consumed) = match asked.and_then(|asked| asked) {
        Ok(found) => found,
        Err(why) => {
            let said =
                refusals.about_reading().map(|said| format!("; the server says: {said}")).unwrap_or_default();
            let message = format!("the stream {name} cannot be asked for: {why}{said}");
            let help =
                "create it (`nats stream add`), and let this user ask `$JS.API.STREAM.INFO.` and its name";
            return vec![Finding::error(Some("stream"), message, help)];
        }
    };
    let mut findings = limits(name, &config);
    findings.extend(syncing(link, inspection));
    if let Err(why) = consumed {
        let said =
            refusals.about_reading().map(|said| format!("; the server says: {said}")).unwrap_or_default();
        let message = format!("the stream {name} cannot be read: {why}{said}");
        let help = "let this user publish to `$JS.API.CONSUMER.CREATE.` and `$JS.API.CONSUMER.MSG.NEXT.`, each with the name \
                    of the stream and `.>`, and subscribe to its inbox";
        findings.push(Finding::error(Some("stream"), message, help));
    }
    findings
}

/// Creates a consumer as the source does, and removes it.
async fn consume(stream: &Stream, filter_subjects: Vec<String>) -> Result<(), String> {
    let config = pull::Config {
        name: Some(consumer_name()),
        ack_policy: AckPolicy::None,
        filter_subjects,
        inactive_threshold: LIMIT,
        num_replicas: 1,
        memory_storage: true,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(|e| in_words(&e))?;
    // If it may not be removed, it ends by itself.
    let _ = stream.delete_consumer(&consumer.cached_info().name).await;
    Ok(())
}

/// Asks whether an acknowledged message survives a power cut.
fn syncing(link: &Link, inspection: &mut Inspection) -> Option<Finding> {
    const KEY: &str = "sync_interval: always";
    let Some(monitor) = &link.settings.monitor else {
        inspection.show(format!(
            "the connection `{}` has no `monitor`: whether its server has `{KEY}` is not known",
            link.name
        ));
        return None;
    };
    let (message, help) = match inspection.once(&format!("monitor {monitor}"), || syncs_always(monitor)) {
        Ok(true) => return None,
        Ok(false) => {
            let what = format!("the server at {monitor} acknowledges messages that are not on its disk yet");
            (
                what,
                "write `sync_interval: always` into `jetstream` of its configuration: a power cut then loses none",
            )
        }
        Err(why) => (why, "set `http_port` in the server's configuration, and correct `monitor` in `nats`"),
    };
    Some(Finding { argument: None, severity: Severity::Warning, message, help })
}

fn limits(name: &str, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut warn = |what: String, help: &'static str| findings.push(Finding::warning("stream", what, help));
    if config.num_replicas == 1 {
        let what = format!("the stream {name} is stored on one server only: what is lost there is lost");
        warn(what, "create it with 3 replicas, in a cluster of 3 servers");
    }
    let is_bounded = config.max_bytes > 0 || config.max_messages > 0 || !config.max_age.is_zero();
    if !is_bounded {
        let what = format!("the stream {name} has no limit: it grows until the disk is full");
        warn(what, "give it a limit of bytes and of age");
    }
    if config.retention != RetentionPolicy::Limits {
        let what = format!("the stream {name} removes messages that others have read");
        warn(what, "create it with the retention `limits`");
    }
    if config.max_message_size == -1 {
        let what = format!("the stream {name} stores messages of any size that the server allows");
        warn(what, "give it a maximum size of a message: Pyruse passes over those longer than 256 KiB");
    }
    findings
}

/// Checks whether a message with this subject can be published: by one that the server must refuse because of what it
/// expects, after it has checked everything else.
pub(crate) fn publishing(
    link: &Link,
    subject: &str,
    stream: Option<&str>,
    inspection: &mut Inspection,
) -> Vec<Finding> {
    let (live, client) = match connect(link, inspection) {
        Ok(connected) => connected,
        Err(findings) => return findings,
    };
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Expected-Last-Msg-Id", "pyruse check: no message has this identity");
    if let Some(stream) = stream {
        headers.insert("Nats-Expected-Stream", stream);
    }
    let refusals = live.refusals.clone();
    let to = subject.to_owned();
    let context = live.context(client, LIMIT);
    let asked = run(&live, async move {
        let sent = context.publish_with_headers(to, headers, "{}".into()).await;
        match sent {
            Ok(acknowledgement) => acknowledgement.await.map(drop),
            Err(e) => Err(e),
        }
    });
    let error = match asked {
        Ok(Err(e)) if e.kind() == PublishErrorKind::WrongLastMessageId => return Vec::new(),
        Ok(Err(e)) => e,
        Ok(Ok(())) => return Vec::new(),
        Err(why) => return vec![Finding::error(None, why, "")],
    };
    let (why, help) = match (error.kind(), refusals.about(subject)) {
        (PublishErrorKind::TimedOut, Some(said)) => {
            (format!("the server refuses it: {said}"), "let this user publish to it")
        }
        (PublishErrorKind::StreamNotFound, _) => {
            ("no stream of the server stores it".to_owned(), "create a stream with this subject")
        }
        _ => (in_words(&error), "messages wait until it can be"),
    };
    let message = format!("nothing can be published to {subject}: {why}");
    vec![Finding::error(Some("subject"), message, help)]
}
