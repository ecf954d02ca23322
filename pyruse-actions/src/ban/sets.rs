//! The sets that the configuration names: noted while steps are compiled, for operators who ban by hand.

use std::collections::BTreeSet;

use pyruse_core::operation::BanSet;
use pyruse_core::state::{Changes, Resource, Row};

/// See the module. In memory only: every load of a configuration begins anew.
#[derive(Default)]
pub(super) struct Sets(pub(super) BTreeSet<BanSet>);

impl Resource for Sets {
    fn load(_: Vec<Row>) -> Result<Self, String> {
        Ok(Sets::default())
    }

    fn changes(&mut self, _: &mut Changes<'_>) {}
}
