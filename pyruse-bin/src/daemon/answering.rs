//! Answers the requests of operators. A request is carried out between two batches; its changes are committed with the
//! next one, and only then is the answer sent.

use pyruse_cli::request::{DaemonStatus, Reply, Request};
use pyruse_core::operation::{Answer, Operation, Overview, Refusal};
use pyruse_core::plugin::excerpt;
use pyruse_core::time::Timestamp;

use super::Daemon;
use super::control::{Control, PendingRequest};
use super::metrics::Values;

/// A request, with the answer that waits for the commit; or why there is none.
pub(super) type Answered = (PendingRequest, Result<Answer, Refusal>);

impl Daemon {
    /// Carries out the pending requests, in memory; the answers are sent after the next commit.
    pub(super) fn answer_requests(&mut self, now: Timestamp) -> Vec<Answered> {
        let mut answered = Vec::new();
        while let Some(pending) = self.control.as_ref().and_then(Control::next) {
            let answer = match &pending.request {
                Request::Status => {
                    Ok(Answer::Overview(self.pump.engine.services.overview(&self.pump.state, now)))
                }
                Request::Operate(operation) => {
                    if operation.changes() {
                        self.pump.state.wait_for_disk();
                    }
                    let services = &mut self.pump.engine.services;
                    let done = services.operate(operation, &mut self.pump.state, now);
                    if operation.changes() && done.is_ok() {
                        // Changes by an operator are logged.
                        tracing::info!("as user {} asked: {}", pending.user, described(operation));
                    }
                    done
                }
            };
            answered.push((pending, answer));
        }
        answered
    }

    /// Sends the answers; called after the commit.
    pub(super) fn reply(&mut self, answered: Vec<Answered>) {
        for (pending, answer) in answered {
            let reply = match (&pending.request, answer) {
                (_, Err(Refusal(why))) => Reply::Refused(why),
                (Request::Status, Ok(Answer::Overview(overview))) => {
                    Reply::Status(Box::new(self.status(overview)))
                }
                (Request::Operate(operation), Ok(answer)) if operation.changes() => match self.unstored() {
                    Some(why) => Reply::Unwritten(answer, why.clone()),
                    None => Reply::Done(answer),
                },
                (_, Ok(answer)) => Reply::Done(answer),
            };
            pending.answer(reply);
        }
    }

    /// Returns why changes are not on the disk, if they are not.
    fn unstored(&self) -> Option<&String> {
        self.unwritten.as_ref().or(self.storage.lost.as_ref())
    }

    /// Publishes the metrics, if somebody waits for them.
    pub(super) fn publish_metrics(&mut self) {
        if self.metrics.is_due() {
            let now = self.pump.state.now();
            let sites = self.pump.engine.workflow.sites();
            let values = Values {
                now: now.wall,
                since: now.wall_at(self.since),
                loaded: now.wall_at(self.loaded),
                is_stored: self.unstored().is_none(),
                hits: self.hits.by_chain(sites),
                errors: self.errors.counts.by_step(sites),
                sources: self.pump.sources.status(&self.pump.state),
                counts: self.pump.engine.services.counts(&self.pump.state, now.wall),
            };
            self.metrics.publish(values);
        }
    }

    fn status(&mut self, overview: Overview) -> DaemonStatus {
        // The clock may have been set since.
        let now = self.pump.state.now();
        DaemonStatus {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            since: now.wall_at(self.since),
            config: self.config_path.clone(),
            loaded: now.wall_at(self.loaded),
            entries: self.pump.sources.entries(),
            errors: self.errors.total(),
            unwritten: self.unwritten.clone(),
            without_state: self.storage.lost.clone(),
            sources: self.pump.sources.status(&self.pump.state),
            overview,
        }
    }
}

/// Describes an operation for the log.
fn described(operation: &Operation) -> String {
    let within =
        |set: &Option<String>| set.as_ref().map(|set| format!(" in {}", excerpt(set))).unwrap_or_default();
    match operation {
        Operation::AddBan { net, set, seconds: 0, .. } => format!("ban {net}{} for ever", within(set)),
        Operation::AddBan { net, set, seconds, .. } => format!("ban {net}{} for {seconds} s", within(set)),
        Operation::RemoveBan { net, set } => format!("remove the ban of {net}{}", within(set)),
        Operation::RemoveBans { set } => format!("remove all bans in {}", excerpt(set)),
        Operation::ResetCounter { category, key } => {
            format!("reset the counter of {} in {}", excerpt(key), excerpt(category))
        }
        Operation::AllowInList { network, list, seconds } => {
            let to = list.as_ref().map(|list| format!(" `{}`", excerpt(list))).unwrap_or_default();
            format!("add {network} to the list{to} for {seconds} s")
        }
        Operation::RemoveFromLists { network, list } => {
            let from = list.as_ref().map(|list| format!(" `{}`", excerpt(list))).unwrap_or_default();
            format!("remove {network} from the list{from}")
        }
        Operation::RetryDelivery { id } => format!("retry {}", excerpt(id)),
        Operation::DropDelivery { id } => format!("drop {}", excerpt(id)),
        Operation::SendReport => "send the report".into(),
        other => format!("{other:?}"),
    }
}
