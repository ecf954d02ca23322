//! Publishing: messages go out at once, and then all acknowledgements are waited for.

use std::sync::mpsc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use futures_util::future::join_all;
use pyruse_core::courier::Outcome;

use crate::connection::{Link, Refusals, in_words};

/// How long the server may take to acknowledge a message.
const ANSWER: Duration = Duration::from_secs(5);

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// How long to wait before a message is published again.
const AGAIN: Duration = Duration::from_secs(1);

/// A message.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Vec<u8>,
}

/// Publishes messages; returns their outcomes, in the same order. It waits.
pub(crate) fn publish(link: &Link, messages: Vec<Outgoing>) -> Vec<Outcome> {
    let count = messages.len();
    let all = |why: String| vec![Outcome::RetryAfter(why, AGAIN); count];
    let live = match link.begin() {
        Ok(live) => live,
        Err(why) => return all(why),
    };
    let client = match live.client(CONNECT) {
        Ok(client) => client,
        Err(why) => return all(why),
    };
    let context = live.context(client, ANSWER);
    let (sender, outcomes) = mpsc::channel();
    live.runtime.spawn(async move {
        // If nobody waits any more, nobody needs the outcomes.
        let _ = sender.send(publish_all(context, messages, &live.refusals).await);
    });
    outcomes.recv().unwrap_or_else(|_| all("the connection was closed".into()))
}

async fn publish_all(context: Context, messages: Vec<Outgoing>, refusals: &Refusals) -> Vec<Outcome> {
    let mut acknowledgements = Vec::with_capacity(messages.len());
    for message in messages {
        let Outgoing { subject, headers, payload } = message;
        let sent = context.publish_with_headers(subject.clone(), headers, payload.into()).await;
        acknowledgements.push(async move {
            match sent {
                Ok(acknowledgement) => (acknowledgement.await.map(drop), subject),
                Err(e) => (Err(e), subject),
            }
        });
    }
    let answers = join_all(acknowledgements).await;
    answers.into_iter().map(|(answer, subject)| outcome(answer, &subject, refusals)).collect()
}

fn outcome(answer: Result<(), PublishError>, subject: &str, refusals: &Refusals) -> Outcome {
    let Err(e) = answer else { return Outcome::Done };
    match e.kind() {
        PublishErrorKind::MaxPayloadExceeded => {
            Outcome::GiveUp(format!("the message to {subject} is longer than the server allows"))
        }
        PublishErrorKind::StreamNotFound => {
            Outcome::RetryAfter(format!("no stream of the server stores the subject {subject}"), AGAIN)
        }
        // The server does not answer a message that it refuses; it says why beside.
        PublishErrorKind::TimedOut if let Some(said) = refusals.about(subject) => {
            Outcome::GiveUp(format!("the server refuses the subject {subject}: {said}"))
        }
        _ => Outcome::RetryAfter(format!("the message to {subject} is not stored: {}", in_words(&e)), AGAIN),
    }
}
