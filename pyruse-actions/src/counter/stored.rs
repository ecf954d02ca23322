//! A category as a part of the state.

use std::collections::BTreeSet;

use pyruse_core::state::{Changes, ItemIndex, Resource, Row};
use pyruse_core::time::ClockStep;

use super::category::Category;
use super::keys::Key;
use super::rows::{self, Content};

impl Resource for Category {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut category = Category::default();
        // The number of each key's newest tick restores the order of raising.
        let mut raised: Vec<(u64, ItemIndex)> = Vec::new();
        let mut with_values: BTreeSet<ItemIndex> = BTreeSet::new();
        for (key, value) in rows {
            let (text, content) =
                rows::read(&key, &value).ok_or("a stored row of a counter cannot be parsed")?;
            let at = category.keys.find(text).unwrap_or_else(|| category.keys.insert(Key::new(text)));
            let held = &mut category.keys[at];
            match content {
                Content::Tick(tick) => {
                    held.ticks.add(tick);
                    raised.push((tick.number, at));
                    if tick.value != 0 {
                        with_values.insert(at);
                    }
                }
                Content::Folded(count, newest) => {
                    held.ticks.set_folded(count);
                    raised.push((newest, at));
                }
                Content::Reset(time) => {
                    held.marks.get_or_insert_default().add_reset(time);
                }
                Content::Value(value, text) => {
                    held.values.get_or_insert_default().insert(value, text);
                }
                Content::Grace(grace) => {
                    held.marks.get_or_insert_default().add_grace(grace);
                }
            }
        }
        raised.sort_unstable();
        for (number, at) in raised {
            category.next_tick = number + 1;
            category.keys.touch(at);
        }
        for at in with_values {
            category.keys[at].ticks.find_overlaps();
        }
        Ok(category)
    }

    fn adjust(&mut self, step: ClockStep) {
        self.adjust_keys(step);
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        self.rows.move_to(changes);
    }
}
