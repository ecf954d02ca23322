//! The mappings against a model that is as simple as their rules: a list of all mappings, which is scanned.

use std::array;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use pyruse_core::state::{Handle, State};
use pyruse_core::time::{Clock, Now, Timestamp};
use tempfile::TempDir;

use super::mapping::{Captured, Mapping};
use super::mappings::{IndexNumber, Mappings};
use super::property::{Combination, Property, Texts};
use super::retention;

/// Texts of all four properties: few, so that mappings meet. The empty one is no missing one.
const TEXTS: [&str; 4] = ["", "1", "11", "10.0.0.1"];

const KEEP: [u64; 5] = [0, 3, 20, 63, 700];

type Properties = [Option<usize>; 4];

#[derive(Clone, Debug)]
enum Operation {
    /// A mapping for so many seconds; its client is its number, its port is missing where that is odd.
    Capture(Properties, u64),
    Find(usize, [usize; 4]),
    /// Time goes on, or back a little.
    Wait(i64),
    /// The program ends and begins anew, with indexes for other combinations.
    Restart(Vec<u8>),
    Commit,
}

fn operation() -> impl Strategy<Value = Operation> {
    let text = || 0..TEXTS.len();
    let properties = [
        text().prop_map(Some).boxed(),
        option::weighted(0.9, text()).boxed(),
        option::weighted(0.5, text()).boxed(),
        option::weighted(0.5, text()).boxed(),
    ];
    prop_oneof![
        40 => (properties, prop::sample::select(&KEEP)).prop_map(|(properties, keep)| Operation::Capture(properties, keep)),
        40 => (0..3_usize, [text(), text(), text(), text()]).prop_map(|(index, texts)| Operation::Find(index, texts)),
        15 => prop_oneof![4 => 0..4_i64, 2 => -40..0_i64, 1 => 0..300_i64].prop_map(Operation::Wait),
        1 => combinations().prop_map(Operation::Restart),
        3 => Just(Operation::Commit),
    ]
}

/// Three combinations, by their bits.
fn combinations() -> impl Strategy<Value = Vec<u8>> {
    vec(1..16_u8, 3)
}

struct Known {
    properties: Properties,
    client: i64,
    end: i64,
}

/// All mappings that may be found, the oldest first.
#[derive(Default)]
struct Model {
    known: Vec<Known>,
    limit: usize,
}

impl Model {
    fn capture(&mut self, properties: Properties, client: i64, end: i64, now: i64) {
        for _ in 0..2 {
            let over = |known: &&Known| known.end + 60 <= now;
            let first = self.known.iter().filter(over).map(|known| (known.end, known.client)).min();
            self.known.retain(|known| Some((known.end, known.client)) != first);
        }
        self.known.retain(|known| known.properties != properties || known.end > end);
        self.known.push(Known { properties, client, end });
        if self.known.len() > self.limit {
            self.known.remove(0);
        }
    }

    fn find(&self, combination: u8, texts: [usize; 4], now: i64) -> Option<i64> {
        let agrees = |known: &&Known| {
            let pairs = (0..4).zip(known.properties.iter().zip(texts));
            pairs.into_iter().all(|(n, (held, asked))| combination & 1 << n == 0 || *held == Some(asked))
        };
        let alive = |known: &&Known| now < known.end;
        self.known.iter().rev().find(|known| agrees(known) && alive(known)).map(|known| known.client)
    }
}

/// The mappings of a program, with their indexes.
struct Running {
    state: State,
    mappings: Handle<Mappings>,
    /// With the bits of their combinations.
    indexes: Vec<(u8, IndexNumber)>,
}

impl Running {
    fn start(directory: &TempDir, limit: usize, combinations: &[u8]) -> Running {
        // Later than all that this test does.
        let later = Now::at(Timestamp::from_seconds(1_796_000_000));
        let mut state =
            State::open_file(&directory.path().join("state")).unwrap().with_clock(Clock::of(move || later));
        let mappings = state.open::<Mappings>("mappings").unwrap();
        state.get_mut(mappings).set_limit(limit);
        let of = |bits: u8| {
            Combination::of(Property::ALL.into_iter().filter(|property| bits & 1 << *property as u8 != 0))
        };
        let indexes =
            combinations.iter().map(|bits| (*bits, state.get_mut(mappings).index(of(*bits)))).collect();
        Running { state, mappings, indexes }
    }

    fn capture(&mut self, properties: Properties, client: i64, (end, bits): (i64, u32), now: i64) {
        let properties = properties.map(|text| text.map(|text| TEXTS[text].into()));
        let mapping = Mapping {
            number: 0,
            saddr: Captured::Integer(client),
            sport: port(client),
            properties,
            end,
            bits,
        };
        self.state.get_mut(self.mappings).capture(mapping, now);
    }

    /// The client and its port.
    fn find(&self, index: usize, texts: [usize; 4], now: i64) -> Option<Client> {
        let (bits, index) = self.indexes[index];
        let asked: Texts<'_> = array::from_fn(|n| (bits & 1 << n != 0).then_some(TEXTS[texts[n]]));
        let found = self.state.get(self.mappings).find(index, &asked, now);
        found.map(|mapping| (mapping.saddr.clone(), mapping.sport.clone()))
    }
}

type Client = (Captured, Option<Captured>);

fn port(client: i64) -> Option<Captured> {
    (client % 2 == 0).then(|| Captured::Text("port".into()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_found_and_held_is_what_a_scan_of_all_mappings_says(
        limit in prop_oneof![Just(3_usize), Just(20), Just(1000)],
        combinations in combinations(),
        operations in vec(operation(), 320..480),
    ) {
        let directory = TempDir::new().unwrap();
        let mut running = Running::start(&directory, limit, &combinations);
        let mut model = Model { known: Vec::new(), limit };
        let mut now = 1_795_000_000;
        for (client, operation) in (0..).zip(operations) {
            match operation {
                Operation::Capture(properties, keep) => {
                    let bits = retention::bits(keep);
                    let end = retention::end(Timestamp::from_seconds(now), bits);
                    running.capture(properties, client, (end, bits), now);
                    model.capture(properties, client, end, now);
                }
                Operation::Find(index, texts) => {
                    let expected = model.find(running.indexes[index].0, texts, now);
                    let expected = expected.map(|client| (Captured::Integer(client), port(client)));
                    prop_assert_eq!(running.find(index, texts, now), expected);
                }
                Operation::Wait(seconds) => now += seconds,
                Operation::Commit => running.state.commit().unwrap(),
                Operation::Restart(combinations) => {
                    running.state.commit().unwrap();
                    running = Running::start(&directory, limit, &combinations);
                }
            }
            prop_assert_eq!(running.state.get(running.mappings).len(), model.known.len());
        }
        let mut rows = 0;
        running.state.scan(running.mappings, |_, _| rows += 1).unwrap();
        prop_assert_eq!(rows, model.known.len());
    }
}
