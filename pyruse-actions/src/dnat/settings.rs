//! The part of the state that contains the mappings, and its limits.

use pyruse_core::plugin::{Compile, Invalid, ModuleSettings, SettingsPlugin};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::Handle;

use super::mappings::Mappings;

const PART: &str = "dnat/mappings";

/// Limits for the memory of the mappings of `action_dnatCapture`.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
struct DnatSettings {
    /// How many mappings are kept; beyond that, or beyond 1 KiB for each of these, the oldest are forgotten.
    #[serde(rename = "maxMappings")]
    max_mappings: u32,
}

impl Default for DnatSettings {
    fn default() -> Self {
        DnatSettings { max_mappings: 100_000 }
    }
}

impl ModuleSettings for DnatSettings {
    const KEY: &'static str = "dnat";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if self.max_mappings == 0 {
            report("maxMappings", "`maxMappings` must be at least 1: otherwise nothing is captured".into());
        }
    }
}

/// Opens the mappings, with the limits of the configuration.
pub(super) fn open(cx: &mut Compile<'_>) -> Result<Handle<Mappings>, Invalid> {
    let handle = cx.state::<Mappings>(PART)?;
    let limit = cx.settings::<DnatSettings>().max_mappings as usize;
    cx.on_bind(move |state| state.get_mut(handle).set_limit(limit));
    Ok(handle)
}

pyruse_core::inventory::submit!(SettingsPlugin::of::<DnatSettings>());
