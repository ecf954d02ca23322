//! Notes the log lines of a workflow that does nothing else.

use pyruse_core::effect::Effect;
use pyruse_core::entry::Entry;
use pyruse_core::plugin::StepError;
use pyruse_core::workflow::{Observer, Site, SiteId};

#[derive(Default)]
pub struct LoggedLines(pub Vec<String>);

impl Observer for LoggedLines {
    const EFFECTS: bool = true;

    fn effect(&mut self, _: &Site, _: &mut Entry<'_>, effect: &Effect) {
        match effect {
            Effect::Log { message, .. } => self.0.push(message.clone()),
            other => panic!("{other:?}"),
        }
    }

    fn error(&mut self, _: SiteId, site: &Site, _: &mut Entry<'_>, error: &StepError) {
        panic!("{} {}: {error}", site.chain, site.step);
    }
}
