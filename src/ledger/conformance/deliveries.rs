//! Deliveries to a consumer that may fail, and what a server looks up.

use super::{
    super::{Delivery, DeliveryId, OutboxCounts, State},
    trial::{LEASE, Trial, at, image, key},
};

/// Decides images 1 to `count`.
async fn decided(trial: &Trial, count: u8) {
    trial.submitted(count, at(0)).await;
    for number in 1..=count {
        trial.decide(number, at(9)).await;
    }
}

async fn due(trial: &Trial, limit: usize, seconds: u64) -> Vec<Delivery> {
    let due = trial.ledger.due_deliveries(limit, LEASE, at(seconds)).await;
    due.expect("due deliveries")
}

async fn postpone(trial: &Trial, delivery: DeliveryId, until: Option<u64>) {
    let failed = vec![(delivery, until.map(at))];
    trial.ledger.postpone(failed).await.expect("postpone");
}

async fn counts(trial: &Trial) -> OutboxCounts {
    trial.ledger.outbox_counts().await.expect("outbox counts")
}

pub(super) async fn a_delivery_is_claimed_by_one_caller(mut trial: Trial) {
    decided(&trial, 3).await;
    let first = due(&trial, 2, 10).await;
    let keys: Vec<_> = first.iter().map(|due| due.outcome.row.key).collect();
    assert_eq!(keys, [key(1), key(2)]);
    assert_eq!(first[0].outcome.row.outcome.as_deref(), Some("outcome 1"));
    assert_eq!(first[0].outcome.row.delivery, Some(first[0].outcome.id));
    trial.leave();
    let others = due(&trial, 9, 10).await;
    assert_eq!(others.len(), 1, "the others are held");
    assert_eq!(due(&trial, 9, 39).await, []);
    let again = due(&trial, 9, 40).await;
    assert_eq!(again.len(), 3, "the holds have ended");
    let ids = |due: &[Delivery]| -> Vec<_> { due.iter().map(|due| due.outcome.id).collect() };
    assert_eq!(ids(&again)[..2], ids(&first), "an id never changes");
    let acknowledged = trial.ledger.acknowledge(ids(&again), at(41)).await;
    acknowledged.expect("acknowledge");
    assert_eq!(due(&trial, 9, 999).await, []);
    assert_eq!(trial.state(1).await, State::Delivered);
    assert_eq!(counts(&trial).await, OutboxCounts::new(0));
}

pub(super) async fn a_failed_delivery_is_due_again_later(trial: Trial) {
    decided(&trial, 2).await;
    let claimed = due(&trial, 9, 10).await;
    assert_eq!(claimed[0].attempts, 0);
    postpone(&trial, claimed[0].outcome.id, Some(300)).await;
    postpone(&trial, claimed[1].outcome.id, Some(200)).await;
    assert_eq!(counts(&trial).await, OutboxCounts::new(2));
    assert_eq!(due(&trial, 9, 199).await, []);
    let second = due(&trial, 1, 300).await;
    assert_eq!(second[0].outcome, claimed[1].outcome, "the earliest first");
    assert_eq!(second[0].attempts, 1);
    let first = due(&trial, 9, 300).await;
    assert_eq!(
        (first[0].outcome.id, first[0].attempts),
        (claimed[0].outcome.id, 1)
    );
}

pub(super) async fn an_abandoned_delivery_stays_in_the_outbox(trial: Trial) {
    decided(&trial, 2).await;
    let claimed = due(&trial, 9, 10).await;
    let abandoned = claimed[0].outcome.id;
    postpone(&trial, abandoned, None).await;
    assert_eq!(counts(&trial).await, OutboxCounts::new(1).with_abandoned(1));
    let later = due(&trial, 9, 9_999).await;
    assert_eq!(later.len(), 1, "it is not due any more");
    assert_eq!(trial.outbox().await.len(), 2);
    assert_eq!(trial.row(1).await.delivery, Some(abandoned));
    assert_eq!(trial.state(1).await, State::Decided);
    let acknowledged = trial.ledger.acknowledge(vec![abandoned], at(99)).await;
    acknowledged.expect("acknowledge");
    assert_eq!(counts(&trial).await, OutboxCounts::new(1));
    // What is gone cannot be postponed.
    postpone(&trial, abandoned, Some(100)).await;
    assert_eq!(counts(&trial).await, OutboxCounts::new(1));
}

pub(super) async fn states_are_read_by_key(trial: Trial) {
    decided(&trial, 1).await;
    trial.enqueue(vec![image(2, 2)], at(10)).await;
    let keys = vec![key(2), key(9), key(1), key(2)];
    let states = trial.ledger.states(keys).await.expect("states");
    let received = Some(State::Received);
    assert_eq!(states, [received, None, Some(State::Decided), received]);
    let none = trial.ledger.states(Vec::new()).await.expect("states");
    assert_eq!(none, []);
}

pub(super) async fn the_last_scan_of_a_url_is_recalled_for_a_while(trial: Trial) {
    trial.enqueue(vec![image(1, 1), image(2, 2)], at(0)).await;
    let numbers: Vec<_> = trial.rows().await.iter().map(|row| row.number).collect();
    let recall = |url, since| {
        let ledger = &trial.ledger;
        async move {
            ledger
                .recall_url(key(url), at(since))
                .await
                .expect("recall")
        }
    };
    let remember = |url, number, now| {
        let ledger = &trial.ledger;
        async move {
            let remembered = ledger.remember_url(key(url), number, at(now)).await;
            remembered.expect("remember");
        }
    };
    assert_eq!(recall(7, 0).await, None);
    remember(7, numbers[0], 10).await;
    assert_eq!(recall(7, 10).await, Some(numbers[0]));
    assert_eq!(recall(7, 11).await, None);
    assert_eq!(recall(8, 0).await, None);
    remember(7, numbers[1], 20).await;
    assert_eq!(recall(7, 11).await, Some(numbers[1]));
}
