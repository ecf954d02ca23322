//! Named lists of addresses and networks: the top-level key `lists`.
//!
//! A list has parts: networks of the configuration, files, DNS names, the machine's own addresses, and what an operator
//! has added for some time. All parts together are one immutable [`Snapshot`](snapshot::Snapshot), which filters look
//! into without a lock ([`ListReader`]). Two threads follow what changes ([`watch`], [`resolver`]); they make a new
//! snapshot, and the service puts it in force between two batches, so that an entry never sees a change.
//!
//! Commands that look back have no threads: files were read when the configuration was, and names are resolved when the
//! first entry reaches the list.

mod dns;
mod file;
mod hosts;
mod inspect;
mod keeper;
mod list;
mod look_up;
mod own;
mod part;
mod resolver;
mod service;
mod settings;
mod snapshot;
mod stored;
mod unused;
mod updates;
mod watch;

pub(crate) use self::list::ListReader;

use std::sync::Arc;

use pyruse_core::plugin::fact::Fact;
use pyruse_core::plugin::{Compile, Invalid};

use self::list::List;
use self::settings::ListSettings;

/// The lists of one configuration; its filters and the service share them.
#[derive(Default)]
struct Lists(Option<Arc<[Arc<List>]>>);

impl Lists {
    /// Returns the lists, which are made on the first call.
    fn get(&mut self, settings: &ListSettings) -> Arc<[Arc<List>]> {
        self.0.get_or_insert_with(|| settings.lists().into()).clone()
    }
}

/// Returns a reader of the list with this name, which the argument at `path` names; `None`: there is no such list. An
/// error means that the lists have errors.
pub(crate) fn reader(cx: &mut Compile<'_>, path: &str, name: &str) -> Result<Option<ListReader>, Invalid> {
    let settings = cx.valid_settings::<ListSettings>()?;
    let lists = cx.shared::<Lists>().get(&settings);
    let Some(list) = lists.iter().find(|list| list.name == name) else { return Ok(None) };
    cx.states(path, Fact::Uses { key: settings::KEY, name: name.to_owned() });
    Ok(Some(ListReader::of(list)))
}

/// Returns the names of all lists.
pub(crate) fn names(cx: &Compile<'_>) -> Vec<String> {
    cx.settings::<ListSettings>().names().map(str::to_owned).collect()
}

/// Returns `true` if the configuration itself puts all of IPv4, or all of IPv6, into the list.
pub(crate) fn holds_everything(cx: &Compile<'_>, name: &str) -> bool {
    cx.settings::<ListSettings>().holds_everything(name)
}
