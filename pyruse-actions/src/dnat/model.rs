//! The mappings against a model that is as simple as their rules: a list of all mappings, which is scanned.

use std::array;
use std::net::Ipv4Addr;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use pyruse_core::state::{Handle, State};
use pyruse_core::time::{Clock, Now, Timestamp};
use tempfile::TempDir;

use super::mapping::{Client, Mapping, Properties};
use super::mappings::{IndexNumber, Mappings};
use super::property::{Combination, Property};
use super::retention;
use super::value::Value;

/// Texts of all four properties: few, so that mappings meet. The empty one is no missing one.
const TEXTS: [&str; 4] = ["", "1", "::1", "10.0.0.1"];

const KEEP: [u64; 5] = [0, 3, 20, 63, 700];

type Numbers = [Option<usize>; 4];

#[derive(Clone, Debug)]
enum Operation {
    /// A mapping for this number of seconds; its client comes from its number.
    Capture(Numbers, u64),
    Find(usize, [usize; 4]),
    /// Time passes, or goes back a little.
    Wait(i64),
    /// The program restarts, with indexes for other combinations.
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
    properties: Numbers,
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
    fn capture(&mut self, properties: Numbers, client: i64, end: i64, now: i64) {
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
        let are_equal = |known: &&Known| {
            let pairs = (0..4).zip(known.properties.iter().zip(texts));
            pairs.into_iter().all(|(n, (held, asked))| combination & 1 << n == 0 || *held == Some(asked))
        };
        let alive = |known: &&Known| now < known.end;
        self.known.iter().rev().find(|known| are_equal(known) && alive(known)).map(|known| known.client)
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

    fn capture(&mut self, properties: Numbers, client: i64, (end, bits): (i64, u8), now: i64) {
        let properties = properties.map(|text| text.map(|text| Value::of(TEXTS[text])));
        let mapping = Mapping::new(self::client(client), properties, end, bits);
        self.state.get_mut(self.mappings).capture(mapping, now);
    }

    fn find(&self, index: usize, texts: [usize; 4], now: i64) -> Option<Client> {
        let (bits, index) = self.indexes[index];
        let asked: Properties = array::from_fn(|n| (bits & 1 << n != 0).then(|| Value::of(TEXTS[texts[n]])));
        self.state.get(self.mappings).find(index, &asked, now).map(Mapping::client)
    }
}

/// The client of a number: of two that follow each other, one is plain.
fn client(number: i64) -> Client {
    if number % 2 == 0 {
        let address = Ipv4Addr::from_bits(u32::try_from(number).unwrap());
        [Some(Value::Address(address.into())), None]
    } else {
        [Some(Value::Integer(number)), Some(Value::of("port"))]
    }
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
        for (number, operation) in (0..).zip(operations) {
            match operation {
                Operation::Capture(properties, keep) => {
                    let bits = retention::bits(keep);
                    let end = retention::end(Timestamp::from_seconds(now), bits);
                    running.capture(properties, number, (end, bits), now);
                    model.capture(properties, number, end, now);
                }
                Operation::Find(index, texts) => {
                    let expected = model.find(running.indexes[index].0, texts, now);
                    prop_assert_eq!(running.find(index, texts, now), expected.map(client));
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
