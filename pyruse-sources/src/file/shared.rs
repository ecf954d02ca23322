//! What all followed paths of a source use.

use pyruse_core::losses::Losses;

use super::refused::Refused;
use super::settings::Settings;
use super::watch::Watch;

/// See the module.
pub(super) struct Shared<'a> {
    pub(super) settings: &'a Settings,
    pub(super) watch: &'a mut Watch,
    pub(super) losses: &'a mut Losses,
    pub(super) refused: &'a mut Refused,
    /// How many bytes may still be read before others have their turn.
    pub(super) budget: usize,
}
