//! The courier: publishes what waits, in order, and waits for the server's acknowledgements.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use pyruse_core::courier::{Deliver, Outcome};
use pyruse_core::state::DueMessage;

use super::letter::Letter;
use crate::connection::Link;
use crate::publisher::{Outgoing, publish};
use crate::source::WINDOW;

/// How long to wait before a message is published again.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) struct PublishCourier(pub(super) BTreeMap<String, Arc<Link>>);

impl Deliver for PublishCourier {
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut to_publish: BTreeMap<String, Vec<(usize, Outgoing)>> = BTreeMap::new();
        let mut first = None;
        for (n, message) in messages.iter().enumerate() {
            let letter = match self.read(message) {
                Ok(letter) => letter,
                Err(why) => {
                    outcomes.push(Outcome::GiveUp(why));
                    continue;
                }
            };
            // A reader knows a repeat by the latest numbers: what may have to be repeated must be among them.
            if letter.number >= first.get_or_insert(letter.number).saturating_add(WINDOW) {
                outcomes.push(Outcome::Postpone(Duration::ZERO));
                continue;
            }
            outcomes.push(Outcome::RetryAfter("the server gave no answer".to_owned(), AGAIN));
            to_publish.entry(letter.to.clone()).or_default().push((n, outgoing(letter)));
        }
        for (to, letters) in to_publish {
            let Some(link) = self.0.get(&to) else { continue };
            let (places, letters): (Vec<usize>, Vec<Outgoing>) = letters.into_iter().unzip();
            for (place, outcome) in places.into_iter().zip(publish(link, letters)) {
                outcomes[place] = outcome;
            }
        }
        outcomes
    }
}

impl PublishCourier {
    /// Returns the letter, or why it is given up.
    fn read(&self, message: &DueMessage) -> Result<Letter, String> {
        let letter: Letter =
            serde_json::from_str(&message.payload).map_err(|e| format!("not a message: {e}"))?;
        let link = self.0.get(&letter.to);
        let link = link.ok_or_else(|| format!("`nats` has no connection `{}` any more", letter.to))?;
        let limit = link.settings.give_up_seconds;
        if message.age > Duration::from_secs(limit.0) {
            return Err(format!("it could not be published within {} seconds (`giveUpSeconds`)", limit.0));
        }
        Ok(letter)
    }
}

fn outgoing(letter: Letter) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", letter.identity);
    if let Some(stream) = letter.stream {
        headers.insert("Nats-Expected-Stream", stream);
    }
    // An object of texts and numbers always serializes.
    let payload = serde_json::to_vec(&letter.fields).unwrap_or_default();
    Outgoing { subject: letter.subject, headers, payload }
}
