//! The identities of messages: they are counted, in the state, so that neither a crash nor a restart gives one twice.

use std::hash::{BuildHasher, RandomState};

use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Changes, Resource, Row};
use pyruse_core::time::Timestamp;

/// The file with the identity of this machine.
const MACHINE: &str = "/etc/machine-id";

/// The last number that was given, and who gives them.
#[derive(Default, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Numbers {
    /// Made with the state: another state counts from the beginning, and must not be taken for this one.
    publisher: String,
    last: u64,
    #[serde(skip)]
    is_changed: bool,
}

impl Numbers {
    /// Returns the next number, and the identity that a message with it has.
    pub(super) fn next(&mut self) -> (u64, String) {
        if self.publisher.is_empty() {
            self.publisher = new_publisher();
        }
        self.last += 1;
        self.is_changed = true;
        (self.last, format!("{}/{}", self.publisher, self.last))
    }
}

/// Returns this machine and, because it may have several states, 64 bits that nobody can guess.
fn new_publisher() -> String {
    let machine = std::fs::read_to_string(MACHINE).unwrap_or_default();
    let machine: String = machine.trim().chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    let machine = if machine.is_empty() { "unknown" } else { &machine };
    let random = RandomState::new().hash_one(Timestamp::now().0);
    format!("{machine}/{random:016x}")
}

impl Resource for Numbers {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        match rows.first() {
            Some((_, value)) => serde_json::from_slice(value).map_err(|e| e.to_string()),
            None => Ok(Numbers::default()),
        }
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        if std::mem::take(&mut self.is_changed)
            && let Ok(value) = serde_json::to_vec(self)
        {
            changes.put(*b"numbers", value);
        }
    }
}

#[cfg(test)]
mod tests {
    use pyruse_core::state::State;

    use super::*;

    #[test]
    fn no_number_is_given_twice_over_a_restart_and_another_state_is_another_publisher() {
        let directory = tempfile::tempdir().unwrap();
        let next = |file: &str| {
            let mut state = State::open_file(&directory.path().join(file)).unwrap();
            let numbers = state.open::<Numbers>("numbers").unwrap();
            let given = [state.get_mut(numbers).next(), state.get_mut(numbers).next()];
            state.commit().unwrap();
            given
        };
        let (first, second, other) = (next("a"), next("a"), next("b"));
        assert_eq!([first[0].0, first[1].0, second[0].0, second[1].0, other[0].0], [1, 2, 3, 4, 1]);
        let publisher = |identity: &str| identity.rsplit_once('/').unwrap().0.to_owned();
        assert_eq!(publisher(&first[0].1), publisher(&second[1].1));
        assert_ne!(publisher(&first[0].1), publisher(&other[0].1));
    }
}
