use super::{
    super::{Finding, Judgement, NextStep, State, Work},
    trial::{LEASE, Trial, at, image, key, reason, retry_at, url},
};

pub(super) async fn a_claim_is_exclusive_until_its_lease_ends(trial: Trial) {
    trial.enqueue(vec![image(1, 1)], at(0)).await;
    let first = trial.claim(Work::Probe, 10, at(0)).await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].location, url(1));
    assert_eq!(trial.claim(Work::Probe, 10, at(29)).await, []);
    assert_eq!(trial.claim(Work::Submit, 10, at(29)).await, []);
    let second = trial.claim(Work::Probe, 10, at(30)).await;
    assert_eq!(second.len(), 1);
    assert_ne!(first[0].hold.lease, second[0].hold.lease);
}

pub(super) async fn claims_are_in_the_order_of_due_times(trial: Trial) {
    trial.enqueue(vec![image(2, 1)], at(0)).await;
    trial.enqueue(vec![image(1, 2), image(3, 3)], at(1)).await;
    trial.enqueue(vec![image(4, 4)], at(9)).await;
    let keys = |claimed: Vec<super::super::Claimed>| -> Vec<_> {
        claimed.iter().map(|claimed| claimed.hold.key).collect()
    };
    assert_eq!(
        keys(trial.claim(Work::Probe, 2, at(5)).await),
        [key(2), key(1)]
    );
    assert_eq!(keys(trial.claim(Work::Probe, 2, at(5)).await), [key(3)]);
}

pub(super) async fn released_images_are_due_immediately(trial: Trial) {
    trial.enqueue(vec![image(1, 1)], at(0)).await;
    let hold = trial.claim(Work::Probe, 10, at(0)).await[0].hold;
    let release = |now| trial.ledger.release(vec![hold], now);
    assert_eq!(release(at(1)).await.expect("release"), 1);
    assert_eq!(trial.claim(Work::Probe, 10, at(1)).await.len(), 1);
    assert_eq!(
        release(at(2)).await.expect("release"),
        0,
        "another caller claimed it"
    );
}

pub(super) async fn a_claim_can_be_extended(trial: Trial) {
    trial.enqueue(vec![image(1, 1)], at(0)).await;
    let hold = trial.claim(Work::Probe, 10, at(0)).await[0].hold;
    let extend = |now| trial.ledger.extend(vec![hold], LEASE, now);
    assert_eq!(extend(at(20)).await.expect("extend"), 1);
    assert_eq!(trial.claim(Work::Probe, 10, at(49)).await, []);
    assert_eq!(
        extend(at(60)).await.expect("extend"),
        1,
        "no other caller has claimed it"
    );
    assert_eq!(trial.claim(Work::Probe, 10, at(90)).await.len(), 1);
    assert_eq!(
        extend(at(91)).await.expect("extend"),
        0,
        "another caller has claimed it"
    );
    assert_eq!(trial.claim(Work::Probe, 10, at(119)).await, []);
}

pub(super) async fn findings_with_an_invalid_lease_are_ignored(trial: Trial) {
    trial.enqueue(vec![image(1, 1)], at(0)).await;
    let slow = trial.claim(Work::Probe, 10, at(0)).await[0].hold;
    let fast = trial.claim(Work::Probe, 10, at(31)).await[0].hold;
    let rejected = Judgement::Rejected(reason("image/too-small"));
    assert_eq!(trial.find(slow, rejected, at(32)).await, 0);
    assert_eq!(trial.find(fast, Judgement::Accepted, at(33)).await, 1);
    assert_eq!(trial.state(1).await, State::Probed);
    let repeated = trial.find(fast, Judgement::Accepted, at(34)).await;
    assert_eq!(repeated, 0, "a finding ends the claim");
}

pub(super) async fn read_failures_are_counted_and_deferred(trial: Trial) {
    trial.enqueue(vec![image(1, 1)], at(0)).await;
    let hold = trial.claim(Work::Probe, 10, at(0)).await[0].hold;
    let next = retry_at(60, "download/too-slow");
    trial.find(hold, Judgement::Unreachable(next), at(1)).await;
    assert_eq!(trial.state(1).await, State::Unreachable);
    assert_eq!(trial.claim(Work::Probe, 10, at(59)).await, []);
    let second = &trial.claim(Work::Probe, 10, at(60)).await[0];
    assert_eq!(second.attempts, 1);
    let not_its_fault = Judgement::Unreachable(NextStep::Again { at: at(61) });
    trial.find(second.hold, not_its_fault, at(60)).await;
    let third = &trial.claim(Work::Probe, 10, at(61)).await[0];
    assert_eq!(third.attempts, 1);
    assert_eq!(trial.outbox().await, []);
    let dead = Judgement::Unreachable(NextStep::Dead(reason("download/dns")));
    trial.find(third.hold, dead, at(62)).await;
    let row = trial.row(1).await;
    assert_eq!(
        (row.state, row.reason),
        (State::Dead, Some(reason("download/dns")))
    );
    assert_eq!(trial.outbox().await.len(), 1);
}

pub(super) async fn facts_are_stored_with_the_image(trial: Trial) {
    trial.enqueue(vec![image(1, 1)], at(0)).await;
    let finding = Finding {
        hold: trial.claim(Work::Probe, 10, at(0)).await[0].hold,
        judgement: Judgement::Accepted,
        facts: Some("{\"width\":300}".to_owned()),
        billed: 3,
    };
    let recorded = trial.ledger.record_findings(vec![finding], at(1)).await;
    assert_eq!(recorded.expect("record findings"), 1);
    let claimed = &trial.claim(Work::Submit, 10, at(2)).await[0];
    assert_eq!(claimed.facts.as_deref(), Some("{\"width\":300}"));
    assert_eq!(claimed.attempts, 0);
    let row = trial.row(1).await;
    assert_eq!(row.facts.as_deref(), Some("{\"width\":300}"));
}
