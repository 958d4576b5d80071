//! Outcomes until they are acknowledged.

use super::{
    super::{NewImage, State},
    trial::{Trial, at, image},
};

pub(super) async fn the_outbox_repeats_until_acknowledged(trial: Trial) {
    trial.submitted(2, at(0)).await;
    trial.enqueue(vec![image(1, 9)], at(1)).await;
    trial.decide(1, at(9)).await;
    trial.decide(2, at(9)).await;
    let read = |after, limit| async move {
        let entries = trial.ledger.undelivered(after, limit).await;
        (entries.expect("undelivered"), trial)
    };
    let (all, trial) = read(None, 1000).await;
    let ids: Vec<_> = all.iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.is_sorted());
    let repeated = trial
        .ledger
        .undelivered(None, 2)
        .await
        .expect("undelivered");
    assert_eq!(repeated, all[..2]);
    let rest = trial.ledger.undelivered(Some(ids[0]), 10).await;
    assert_eq!(rest.expect("undelivered"), all[1..]);
    let acknowledge = |id| trial.ledger.acknowledge(vec![id], at(10));
    acknowledge(ids[0]).await.expect("acknowledge");
    assert_eq!(
        trial.state(1).await,
        State::Decided,
        "the outcome of the other source is pending"
    );
    acknowledge(ids[1]).await.expect("acknowledge");
    acknowledge(ids[1]).await.expect("acknowledge twice");
    assert_eq!(trial.state(1).await, State::Delivered);
    assert_eq!(
        trial.outbox().await,
        [("user-2".to_owned(), State::Decided)]
    );
    acknowledge(ids[2]).await.expect("acknowledge");
    assert_eq!(trial.outbox().await, []);
}

pub(super) async fn the_outbox_can_be_read_in_source_order(trial: Trial) {
    trial.submitted(3, at(0)).await;
    let lines_from = |after, limit| {
        let ledger = &trial.ledger;
        async move {
            let read = ledger.ordered(after, limit).await.expect("ordered");
            let entries = read.outcomes.into_iter();
            let read_lines: (Vec<_>, Vec<_>) = entries
                .map(|entry| (entry.row.source.line, entry.id))
                .unzip();
            (read_lines, read.through)
        }
    };
    trial.decide(2, at(9)).await;
    trial.decide(3, at(9)).await;
    assert_eq!(
        lines_from(0, 10).await,
        ((Vec::new(), Vec::new()), 0),
        "the first image is not final"
    );
    trial.decide(1, at(10)).await;
    let ((lines, ids), through) = lines_from(0, 2).await;
    assert_eq!(lines, [1, 2]);
    let ((rest, _), end) = lines_from(through, 10).await;
    assert_eq!(rest, [3]);
    let acknowledged = trial.ledger.acknowledge(vec![ids[1]], at(11)).await;
    acknowledged.expect("acknowledge");
    let ((left, _), through) = lines_from(0, 10).await;
    assert_eq!((left, through), (vec![1, 3], end));
    trial.acknowledge_all().await;
    assert_eq!(
        lines_from(0, 10).await,
        ((Vec::new(), Vec::new()), end),
        "acknowledged outcomes are skipped"
    );
}

pub(super) async fn a_delivered_source_is_reported_at_enqueue(trial: Trial) {
    trial.submitted(1, at(0)).await;
    let again = || trial.enqueue(vec![image(1, 1)], at(9));
    assert!(!again().await[0].was_delivered, "it has no outcome");
    trial.decide(1, at(9)).await;
    assert!(!again().await[0].was_delivered, "its outcome waits");
    trial.acknowledge_all().await;
    let noted = trial.enqueue(vec![image(1, 1), image(1, 2)], at(10)).await;
    let known: Vec<_> = noted.iter().map(|noted| noted.was_delivered).collect();
    assert_eq!(
        known,
        [true, false],
        "another source of the image was not delivered"
    );
}

pub(super) async fn a_source_is_delivered_again_if_requested(trial: Trial) {
    trial.submitted(2, at(0)).await;
    trial.decide(1, at(9)).await;
    trial.acknowledge_all().await;
    let image = NewImage {
        deliver_again: true,
        ..image(1, 1)
    };
    let number = trial.rows().await[0].number;
    let noted = trial.enqueue(vec![image.clone()], at(10)).await;
    assert!(noted[0].was_delivered);
    assert_eq!(noted[0].number, number, "the row keeps its number");
    assert_eq!(noted[0].state, State::Decided);
    let noted = trial.enqueue(vec![image], at(10)).await;
    assert!(!noted[0].was_delivered, "its outcome waits");
    assert_eq!(
        trial.outbox().await,
        [("user-1".to_owned(), State::Decided)]
    );
    trial.acknowledge_all().await;
    assert_eq!(trial.state(1).await, State::Delivered);
}

pub(super) async fn rows_contain_pending_deliveries(trial: Trial) {
    trial.submitted(2, at(0)).await;
    trial.enqueue(vec![image(1, 9)], at(1)).await;
    assert!(trial.rows().await.iter().all(|row| row.delivery.is_none()));
    trial.decide(1, at(2)).await;
    let rows = trial.rows().await;
    let lines: Vec<_> = rows
        .iter()
        .filter(|row| row.delivery.is_some())
        .map(|row| row.source.line)
        .collect();
    assert_eq!(lines, [1, 9], "each source of its own");
    let deliveries = rows.iter().filter_map(|row| row.delivery);
    let acknowledged = trial.ledger.acknowledge(deliveries.collect(), at(3)).await;
    acknowledged.expect("acknowledge");
    assert!(trial.rows().await.iter().all(|row| row.delivery.is_none()));
    assert_eq!(trial.state(1).await, State::Delivered);
    assert_eq!(trial.outbox().await, []);
}
