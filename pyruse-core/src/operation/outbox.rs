//! The deliveries of all services, each with its own identity.

use super::{Delivery, Refusal};
use crate::config::nearest;
use crate::plugin::excerpt;
use crate::services::Services;
use crate::state::{Handle, Queue, QueuedMessage, State};

/// The prefix of most module names; identities omit it.
const PREFIX: &str = "action_";

impl Services {
    pub(super) fn outbox(&self, state: &State) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for (at, (_, service)) in self.all.iter().enumerate() {
            if let Some(queue) = service.queue() {
                let messages = state.get(queue).messages();
                deliveries.extend(messages.map(|(number, message)| self.described(at, number, message)));
            }
        }
        deliveries
    }

    pub(super) fn described(&self, at: usize, number: u64, message: &QueuedMessage) -> Delivery {
        let (module, service) = &self.all[at];
        Delivery {
            id: format!("{}:{number}", self.label(module)),
            module: (*module).to_owned(),
            status: message.status.into(),
            queued: message.created,
            tries: message.tries,
            next: message.next_try(),
            error: message.error.clone(),
            what: service.describe(&message.payload),
        }
    }

    /// Returns a module's name for identities: the short one, unless it is the whole name of another module.
    fn label<'n>(&self, module: &'n str) -> &'n str {
        let short = module.strip_prefix(PREFIX).unwrap_or(module);
        if self.all.iter().any(|(other, _)| *other == short) { module } else { short }
    }

    /// Returns the delivery with this identity, with its queue and its number there.
    pub(super) fn delivery(
        &self,
        state: &State,
        id: &str,
    ) -> Result<(Handle<Queue>, u64, Delivery), Refusal> {
        let wrong = || {
            Refusal::new(format!(
                "`{}` does not name a delivery: write its identity as shown by `outbox list`, e.g. `email:12`",
                excerpt(id)
            ))
        };
        let (label, number) = id.rsplit_once(':').ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let queues: Vec<(usize, &str, Handle<Queue>)> = (self.all.iter().enumerate())
            .filter_map(|(at, (name, service))| Some((at, *name, service.queue()?)))
            .collect();
        let named = |(_, name, _): &&(usize, &str, _)| *name == label || self.label(name) == label;
        let Some((at, _, queue)) = queues.iter().find(named) else {
            let labels: Vec<&str> = queues.iter().map(|(_, name, _)| self.label(name)).collect();
            let hint = nearest(label, labels.iter().copied())
                .map(|near| format!("; did you mean `{near}:{number}`?"))
                .unwrap_or_default();
            return Err(Refusal::new(format!(
                "no module `{}` delivers anything; those that do: {}{hint}",
                excerpt(label),
                labels.join(", ")
            )));
        };
        match state.get(*queue).get(number) {
            Some(message) => Ok((*queue, number, self.described(*at, number, message))),
            None => Err(Refusal::new(format!(
                "`{}` is not in the outbox: it was delivered, dropped, or replaced by a newer message",
                excerpt(id)
            ))),
        }
    }

    pub(super) fn retry(&mut self, state: &mut State, id: &str) -> Result<Vec<Delivery>, Refusal> {
        let (queue, number, delivery) = self.delivery(state, id)?;
        if !state.get_mut(queue).retry(number) {
            return Err(Refusal::new(format!("`{id}` is being delivered right now")));
        }
        Ok(vec![delivery])
    }

    pub(super) fn drop_delivery(&mut self, state: &mut State, id: &str) -> Result<Vec<Delivery>, Refusal> {
        let (queue, number, delivery) = self.delivery(state, id)?;
        state.get_mut(queue).remove(number);
        Ok(vec![delivery])
    }
}
