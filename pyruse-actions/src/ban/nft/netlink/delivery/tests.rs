use super::*;

fn order(n: u8) -> Order {
    Order {
        set: "ip a b".into(),
        net: std::net::IpAddr::from([192, 0, 2, n]).into(),
        kind: OrderKind::Ban { timeout: None },
    }
}

fn orders(count: u8) -> Vec<Order> {
    (0..count).map(order).collect()
}

fn sent(orders: &[Order]) -> (Delivery<'_>, Numbers, Vec<Outcome>) {
    let numbers = Numbers { begin: 100, orders: u32::try_from(orders.len()).unwrap() };
    (Delivery::of(orders), numbers, vec![Outcome::Done; orders.len()])
}

fn replies(answers: &[(u32, Reply)]) -> Answers {
    let answer = |(sequence, reply): &(u32, Reply)| {
        let reply = match reply {
            Reply::Error(errno) => Reply::Error(*errno),
            _ => Reply::Ack,
        };
        crate::ban::nft::netlink::socket::Answer { sequence: *sequence, reply }
    };
    Answers { all: answers.iter().map(answer).collect() }
}

#[test]
fn without_a_refusal_all_orders_are_done_only_if_the_last_was_answered() {
    let three = orders(3);
    let (mut delivery, numbers, mut outcomes) = sent(&three);
    assert!(delivery.settle(&replies(&[]), &numbers, &mut outcomes).is_err());
    assert!(delivery.settle(&replies(&[(102, Reply::Ack)]), &numbers, &mut outcomes).is_err());
    assert_eq!(delivery.orders.len(), 3, "nft gets them");
    assert!(delivery.settle(&replies(&[(103, Reply::Ack)]), &numbers, &mut outcomes).is_ok());
    assert!(delivery.orders.is_empty() && outcomes == vec![Outcome::Done; 3]);
}

#[test]
fn a_refused_order_has_its_answer_and_the_others_are_sent_again() {
    let mut four = orders(4);
    four[3].kind = OrderKind::Lift;
    let (mut delivery, numbers, mut outcomes) = sent(&four);
    let (full, gone) = (Reply::Error(Errno::ENFILE), Reply::Error(Errno::ENOENT));
    assert!(delivery.settle(&replies(&[(102, full), (104, gone)]), &numbers, &mut outcomes).is_ok());
    let places: Vec<usize> = delivery.orders.iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [0, 2]);
    let words = "set `ip a b`: Too many open files in system; the set is full: make it larger, or create it without `size`";
    assert_eq!(outcomes[1], Outcome::Retry(words.into()));
    assert_eq!(outcomes[3], Outcome::Done, "it does not exist: that was wanted");
}

#[test]
fn orders_that_the_kernel_refuses_for_an_unknown_reason_are_left_to_nft() {
    let two = orders(2);
    for errno in [Errno::EPERM, Errno::EINVAL, Errno::EOPNOTSUPP] {
        let (mut delivery, numbers, mut outcomes) = sent(&two);
        let answers = replies(&[(101, Reply::Error(Errno::ENFILE)), (102, Reply::Error(errno))]);
        assert!(delivery.settle(&answers, &numbers, &mut outcomes).is_err());
        assert_eq!(delivery.left(), [1]);
        let (mut delivery, numbers, mut outcomes) = sent(&two);
        assert!(delivery.settle(&replies(&[(100, Reply::Error(errno))]), &numbers, &mut outcomes).is_err());
        assert_eq!(delivery.left(), [0, 1]);
    }
    let (mut delivery, numbers, mut outcomes) = sent(&two);
    assert!(
        delivery.settle(&replies(&[(100, Reply::Error(Errno::ENOMEM))]), &numbers, &mut outcomes).is_ok()
    );
    assert!(delivery.left().is_empty() && outcomes.iter().all(|outcome| *outcome != Outcome::Done));
}

#[test]
fn orders_are_the_changes_that_nft_would_make() {
    let changes = |kind| changes(&Order { kind, ..order(1) });
    assert_eq!(changes(OrderKind::Ban { timeout: None }), [Change::Add(None)]);
    assert_eq!(changes(OrderKind::Ban { timeout: Some(61) }), [Change::Add(Some(61_000))]);
    let renewal = [Change::Add(None), Change::Delete, Change::Add(Some(61_000))];
    assert_eq!(changes(OrderKind::Renew { timeout: Some(61) }), renewal);
    assert_eq!(changes(OrderKind::Lift), [Change::Delete]);
}
