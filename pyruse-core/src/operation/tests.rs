//! Tests operations with a module from outside.

use super::{Answer, BanKeeper, BanSet, CounterKeeper, CounterValue, Family, HeldBan, Operation, Refusal};
use crate::network::Network;
use crate::plugin::Service;
use crate::services::Services;
use crate::state::{Handle, Queue, State};
use crate::time::Timestamp;

/// A module from outside: it locks doors, and counts knocks.
struct Doors {
    queue: Handle<Queue>,
    sets: Vec<BanSet>,
    locked: Vec<HeldBan>,
    knocks: Vec<CounterValue>,
}

impl Service for Doors {
    fn queue(&self) -> Option<Handle<Queue>> {
        Some(self.queue)
    }

    fn describe(&self, payload: &str) -> String {
        format!("door {payload}")
    }

    fn bans(&mut self) -> Option<&mut dyn BanKeeper> {
        Some(self)
    }

    fn counters(&mut self) -> Option<&mut dyn CounterKeeper> {
        Some(self)
    }
}

impl BanKeeper for Doors {
    fn sets(&self, _: &State) -> Vec<BanSet> {
        self.sets.clone()
    }

    fn set_name(&self, text: &str) -> Option<String> {
        Some(text.to_lowercase())
    }

    fn bans(&self, _: &State, _: Timestamp) -> Vec<HeldBan> {
        self.locked.clone()
    }

    fn add(&mut self, state: &mut State, set: &str, net: Network, _: u64, now: Timestamp) -> HeldBan {
        let order = Some(state.get_mut(self.queue).push(None, net.to_string()));
        let held = HeldBan {
            set: set.to_owned(),
            net,
            since: Some(now),
            until: None,
            reason: None,
            nth: None,
            order,
            within: None,
        };
        self.locked.push(held.clone());
        held
    }

    fn remove(&mut self, _: &mut State, set: &str, net: Network, _: Timestamp) -> Option<u64> {
        self.locked.retain(|held| held.set != set || held.net != net);
        None
    }
}

impl CounterKeeper for Doors {
    fn categories(&self, _: &State) -> Vec<String> {
        vec!["knocks".into()]
    }

    fn counts(&self, _: &State, _: &str, _: Timestamp) -> Vec<CounterValue> {
        self.knocks.clone()
    }

    fn reset(&mut self, _: &mut State, _: &str, key: &str, _: Timestamp) -> Option<CounterValue> {
        let at = self.knocks.iter().position(|count| count.key == key)?;
        Some(self.knocks.remove(at))
    }
}

const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

/// Makes a service with this name, with sets for IPv4.
fn doors(state: &mut State, name: &'static str, sets: &[&str]) -> (&'static str, Box<dyn Service>) {
    let sets = sets.iter().map(|name| BanSet { name: (*name).to_owned(), family: Family::V4 });
    let count = |key: &str, count| CounterValue {
        is_least: false,
        category: "knocks".into(),
        key: key.into(),
        count,
        grace: None,
        ends: None,
    };
    let doors = Doors {
        queue: state.open(name).unwrap(),
        sets: sets.collect(),
        locked: Vec::new(),
        knocks: vec![count("10.0.0.10", 1), count("bob", 1), count("10.0.0.9", 1), count("eve", 7)],
    };
    (name, Box::new(doors))
}

fn add(ip: &str, set: Option<&str>) -> Operation {
    Operation::AddBan {
        net: Network::parse(ip).unwrap(),
        set: set.map(str::to_owned),
        seconds: 60,
        allow_special: false,
    }
}

fn bans(answer: Result<Answer, Refusal>) -> Vec<String> {
    match answer {
        Ok(Answer::Bans(bans)) => {
            bans.iter().map(|ban| format!("{} {} {}", ban.module, ban.set, ban.net)).collect()
        }
        other => vec![format!("{other:?}")],
    }
}

#[test]
fn modules_of_other_crates_answer_operations_like_the_built_in_ones() {
    let mut state = State::in_memory();
    let list = vec![
        doors(&mut state, "action_front", &["front"]),
        doors(&mut state, "action_back", &["back", "both"]),
    ];
    let mut services = Services::with(list);
    let mut operate = |operation: &Operation| services.operate(operation, &mut state, NOW);
    let refusal = |answer: Result<Answer, Refusal>| answer.unwrap_err().0;
    assert_eq!(
        refusal(operate(&add("10.0.0.1", None))),
        "the configuration names several sets for IPv4 addresses: choose one of `back`, `both`, `front` with --set"
    );
    assert_eq!(
        refusal(operate(&add("10.0.0.1", Some("frnt")))),
        "there is no set `frnt`; the configuration names `back`, `both`, `front`; did you mean `front`?"
    );
    assert_eq!(
        refusal(operate(&add("2001:db8::1", None))),
        "the configuration names no set for IPv6 addresses, but 2001:db8::1 is one"
    );
    assert_eq!(bans(operate(&add("::ffff:10.0.0.1", Some("FRONT")))), ["action_front front 10.0.0.1"]);
    assert_eq!(bans(operate(&add("10.0.0.2", Some("back")))), ["action_back back 10.0.0.2"]);
    assert_eq!(
        refusal(operate(&add("::ffff:127.0.0.1", Some("front")))),
        "127.0.0.1 is a loopback address: no remote host has it, so a ban would affect your own \
         services; use --allow-special to ban it anyway"
    );
    assert_eq!(bans(operate(&add("10.0.0.1", Some("both")))), ["action_back both 10.0.0.1"]);
    assert_eq!(
        bans(operate(&Operation::ListBans)),
        ["action_back back 10.0.0.2", "action_back both 10.0.0.1", "action_front front 10.0.0.1"]
    );
    let remove = |set: Option<&str>| Operation::RemoveBan {
        net: Network::parse("10.0.0.1").unwrap(),
        set: set.map(str::to_owned),
    };
    assert_eq!(
        refusal(operate(&remove(Some("back")))),
        "10.0.0.1 is not banned in `back`, but in `both`, `front`"
    );
    assert_eq!(bans(operate(&remove(None))).len(), 2);
    assert_eq!(refusal(operate(&remove(None))), "10.0.0.1 is not banned");
    let Ok(Answer::Overview(overview)) = operate(&Operation::Overview) else { panic!("an overview") };
    assert_eq!((overview.bans, overview.counters, overview.waiting), (1, 8, 3));
}

#[test]
fn what_counts_most_comes_first_and_addresses_stand_in_their_order() {
    let mut state = State::in_memory();
    let mut services = Services::with(vec![doors(&mut state, "action_front", &[])]);
    let list = Operation::ListCounters { category: None };
    let Ok(Answer::Counters(counts)) = services.operate(&list, &mut state, NOW) else { panic!("counters") };
    let keys: Vec<&str> = counts.iter().map(|count| count.key.as_str()).collect();
    assert_eq!(keys, ["eve", "10.0.0.9", "10.0.0.10", "bob"]);
}

#[test]
fn every_delivery_has_an_identity_of_its_own_whatever_the_modules_are_called() {
    let mut state = State::in_memory();
    let names = ["action_door", "door", "action_gate"];
    let list = names.into_iter().map(|name| doors(&mut state, name, &[name])).collect();
    let mut services = Services::with(list);
    for name in names {
        services.operate(&add("10.0.0.1", Some(name)), &mut state, NOW).unwrap();
    }
    let ids = |services: &mut Services, state: &mut State, operation: &Operation| match services
        .operate(operation, state, NOW)
    {
        Ok(Answer::Deliveries(deliveries)) => {
            deliveries.into_iter().map(|delivery| (delivery.id, delivery.module)).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let listed = ids(&mut services, &mut state, &Operation::ListOutbox);
    let printed: Vec<&str> = listed.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(printed, ["action_door:0", "door:0", "gate:0"]);
    for (id, module) in listed {
        let drop = Operation::DropDelivery { id: id.clone() };
        assert_eq!(ids(&mut services, &mut state, &drop), [(id.clone(), module)]);
        let again = services.operate(&drop, &mut state, NOW).unwrap_err().0;
        assert!(again.contains("is not in the outbox"), "{again}");
    }
    assert!(ids(&mut services, &mut state, &Operation::ListOutbox).is_empty());
}
