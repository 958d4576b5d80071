use std::time::Duration;

use super::{
    super::{BatchResult, ImageResult, Judgement, Resubmit, State, Work},
    trial::{Trial, at, image, key, retry_at, task},
};

async fn recover(trial: &Trial, resubmit: Resubmit, seconds: u64) -> (u64, u64) {
    let recovered = trial.ledger.recover(resubmit, at(seconds)).await;
    let recovered = recovered.expect("recover");
    (recovered.uncertain, recovered.resubmitted)
}

pub(super) async fn without_a_response_nothing_is_resent_before_settling(trial: Trial) {
    trial.accepted(2, at(0)).await;
    let (batch, _) = trial.begin(2, at(0)).await;
    trial.record(batch, BatchResult::Unknown, at(10)).await;
    assert_eq!(trial.state(1).await, State::Uncertain);
    assert_eq!(recover(&trial, Resubmit::WhenSettled, 59).await, (0, 0));
    assert_eq!(trial.claim(Work::Submit, 9, at(59)).await, []);
    assert_eq!(recover(&trial, Resubmit::WhenSettled, 60).await, (0, 2));
    assert_eq!(trial.claim(Work::Submit, 9, at(60)).await.len(), 2);
    let stats = trial.ledger.stats(at(60)).await.expect("stats");
    assert_eq!(stats.resubmitted, 2);
}

pub(super) async fn uncertain_images_wait_forever_if_configured(trial: Trial) {
    trial.accepted(1, at(0)).await;
    trial.begin(1, at(0)).await;
    assert_eq!(recover(&trial, Resubmit::Never, 60).await, (1, 0));
    assert_eq!(recover(&trial, Resubmit::Never, 9_999).await, (0, 0));
    assert_eq!(trial.state(1).await, State::Uncertain);
    assert_eq!(recover(&trial, Resubmit::WhenSettled, 9_999).await, (0, 1));
}

pub(super) async fn images_of_a_crashed_user_are_settled(trial: Trial) {
    trial.accepted(1, at(0)).await;
    let (_, keys) = trial.begin(1, at(0)).await;
    assert_eq!(keys, [key(1)]);
    assert_eq!(recover(&trial, Resubmit::WhenSettled, 59).await, (0, 0));
    assert_eq!(trial.state(1).await, State::Sending);
    assert_eq!(recover(&trial, Resubmit::WhenSettled, 60).await, (1, 1));
    assert_eq!(trial.state(1).await, State::Probed);
}

async fn take_over(trial: &Trial, settle: u64, seconds: u64) -> usize {
    let settle = Duration::from_secs(settle);
    let taken = trial.ledger.take_over(settle, at(seconds)).await;
    taken.expect("take over")
}

/// Takes over as soon as the store detects that the first user no longer runs.
async fn take_over_some(trial: &Trial, settle: u64, seconds: u64) -> usize {
    for _ in 0..500 {
        let taken = take_over(trial, settle, seconds).await;
        if taken > 0 {
            return taken;
        }
        trial.pause().await;
    }
    0
}

pub(super) async fn takeover_frees_claimed_images_immediately(mut trial: Trial) {
    trial.accepted(2, at(0)).await;
    trial.enqueue(vec![image(3, 3)], at(0)).await;
    let probed = trial.claim(Work::Probe, 9, at(1)).await[0].hold;
    let claimed = trial.claim(Work::Submit, 9, at(1)).await;
    // Deferred after a failure, so without a lease: the takeover must not shorten its delay.
    let put_off = (claimed[1].hold, retry_at(20, "upload/network"));
    let recorded = trial.ledger.record_unsent(vec![put_off], at(1)).await;
    assert_eq!(recorded.expect("record unsent"), 1);
    trial.leave();
    assert_eq!(take_over_some(&trial, 60, 2).await, 2);
    assert_eq!(trial.find(probed, Judgement::Accepted, at(2)).await, 0);
    let (_, keys) = trial.begin_held(vec![claimed[0].hold], at(2)).await;
    assert_eq!(keys, [], "the lease is invalid");
    assert_eq!(trial.claim(Work::Probe, 9, at(2)).await.len(), 1);
    let again = trial.claim(Work::Submit, 9, at(2)).await;
    assert_eq!(again.len(), 1, "the other image stays deferred");
    assert_eq!(again[0].hold.key, claimed[0].hold.key);
    assert_eq!(trial.claim(Work::Submit, 9, at(20)).await.len(), 1);
}

pub(super) async fn takeover_lets_sent_images_settle(mut trial: Trial) {
    trial.accepted(2, at(0)).await;
    trial.begin(1, at(0)).await;
    let (unknown, _) = trial.begin(1, at(5)).await;
    trial.record(unknown, BatchResult::Unknown, at(6)).await;
    trial.leave();
    assert_eq!(take_over(&trial, 90, 7).await, 0, "never later");
    assert_eq!(take_over_some(&trial, 10, 8).await, 2);
    assert_eq!(recover(&trial, Resubmit::WhenSettled, 9).await, (0, 0));
    assert_eq!(recover(&trial, Resubmit::WhenSettled, 10).await, (1, 1));
    assert_eq!(recover(&trial, Resubmit::WhenSettled, 14).await, (0, 0));
    assert_eq!(recover(&trial, Resubmit::WhenSettled, 15).await, (0, 1));
}

pub(super) async fn takeover_makes_polls_due_immediately(mut trial: Trial) {
    trial.submitted(1, at(0)).await;
    assert_eq!(trial.polls(at(6)).await.len(), 1);
    assert_eq!(trial.polls(at(7)).await, [], "the other user polls it");
    trial.leave();
    assert_eq!(take_over_some(&trial, 60, 7).await, 1);
    assert_eq!(trial.polls(at(7)).await.len(), 1);
}

pub(super) async fn a_late_response_settles_an_uncertain_image(trial: Trial) {
    trial.accepted(2, at(0)).await;
    let (batch, _) = trial.begin(2, at(0)).await;
    trial.record(batch, BatchResult::Unknown, at(10)).await;
    let entry = |number| vec![(key(number), ImageResult::Task(task(number)))];
    assert_eq!(trial.answer(batch, entry(1), at(20)).await, 0);
    assert_eq!(trial.state(1).await, State::Submitted);
    recover(&trial, Resubmit::WhenSettled, 60).await;
    assert_eq!(trial.state(2).await, State::Probed);
    // Due again, but not sent yet, so the late response still counts.
    let hold = trial.claim(Work::Submit, 9, at(60)).await[0].hold;
    assert_eq!(trial.answer(batch, entry(2), at(61)).await, 0);
    assert_eq!(trial.state(2).await, State::Submitted);
    let (_, keys) = trial.begin_held(vec![hold], at(62)).await;
    assert_eq!(keys, [], "it must not be billed twice");
}

pub(super) async fn a_response_after_the_next_batch_is_stored_as_stray(trial: Trial) {
    trial.accepted(1, at(0)).await;
    let (first, _) = trial.begin(1, at(0)).await;
    recover(&trial, Resubmit::WhenSettled, 60).await;
    let (second, _) = trial.begin(1, at(60)).await;
    let stray = trial
        .answer(first, vec![(key(1), ImageResult::Task(task(1)))], at(61))
        .await;
    assert_eq!(stray, 1);
    assert_eq!(trial.state(1).await, State::Sending);
    trial
        .answer(second, vec![(key(1), ImageResult::Task(task(2)))], at(62))
        .await;
    assert_eq!(trial.row(1).await.task_id, Some(task(2)));
    let repeated = trial
        .answer(first, vec![(key(1), ImageResult::Task(task(1)))], at(63))
        .await;
    assert_eq!(repeated, 0, "counted once");
    assert_eq!(trial.row(1).await.task_id, Some(task(2)));
    let stats = trial.ledger.stats(at(63)).await.expect("stats");
    assert_eq!(stats.tasks, 2);
    assert_eq!(trial.decide(1, at(64)).await, 1, "either task decides");
}
