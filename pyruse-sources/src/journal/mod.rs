//! The source `source_journal`: the systemd journal.

mod any;
mod arrivals;
mod completeness;
mod descriptors;
mod direct;
mod fallback;
mod fields;
mod file;
mod follow;
mod fresh;
mod hidden;
mod inspect;
mod left_out;
mod lookup3;
mod losses;
mod open;
mod places;
mod position;
mod raw;
mod reading;
mod record;
mod resume;
mod settings;
mod survey;
mod whole;

use pyruse_core::entry::FieldTable;
use pyruse_core::plugin::{
    Compile, Example, Excluded, Expected, Inspection, Invalid, LeftOut, Module, Plugin, Reader,
    SettingsPlugin, Source, SourceError, SourceModule,
};
use pyruse_core::state::Position;

use self::any::AnyReader;
pub(crate) use self::descriptors::raise_descriptor_limit;
pub(crate) use self::fields::JournalFields;
pub(crate) use self::open::JOURNAL_FILE;
use self::position::JournalPosition;
use self::settings::JournalSettings;

/// The journal that the configuration names.
struct JournalSource {
    settings: JournalSettings,
}

impl Module for JournalSource {
    const NAME: &'static str = "source_journal";
    const DOC: &'static str = "Reads the systemd journal: every entry once, from the stored position on.";
    type Args = JournalSettings;

    fn compile(args: JournalSettings, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let mut invalid = None;
        args.check(&mut |path, message| invalid = Some(cx.error(path, message)));
        invalid.map_or(Ok(JournalSource { settings: args }), Err)
    }

    fn examples() -> Vec<Example> {
        let of = |title, args| Example { title, args, entry: &[], expected: Expected::Nothing };
        vec![
            of("the journal of the whole machine, with those of its users", r#"{"scope": "all"}"#),
            of(
                "the entries of two units only",
                r#"{"matches": ["_SYSTEMD_UNIT=ssh.service", "_SYSTEMD_UNIT=nginx.service"]}"#,
            ),
        ]
    }
}

impl SourceModule for JournalSource {
    const FIELDS: &'static dyn FieldTable = &JournalFields;
}

impl Source for JournalSource {
    fn open(&self) -> Result<Box<dyn Reader>, SourceError> {
        Ok(Box::new(AnyReader::open(&self.settings)?))
    }

    fn describe(&self) -> Option<String> {
        Some(self.settings.describe())
    }

    fn inspect(&self, inspection: &mut Inspection) {
        inspect::inspect(&self.settings, inspection);
    }

    fn show(&self, position: &Position) -> Option<String> {
        JournalPosition::read(position).cursor
    }

    fn left_out(&self) -> Vec<LeftOut> {
        any::left_out(&self.settings)
    }

    fn excluded(&self) -> Option<Excluded> {
        let units = hidden::units_without_read_entries(&self.settings);
        let text = hidden::sentence(&units)?;
        Some(Excluded { names: units.into_iter().collect(), text })
    }
}

/// The name of the source if the configuration has no `sources`, and the top-level key with its arguments.
const DEFAULT: &str = "journal";

pyruse_core::inventory::submit!(Plugin::source::<JournalSource>().by_default(DEFAULT));
pyruse_core::inventory::submit!(SettingsPlugin::of_default_source::<JournalSource>(DEFAULT));
