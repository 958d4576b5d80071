use super::{
    super::{
        BatchId, BatchResult, Hold, ImageResult, Judgement, Location, NewImage, NextStep, State,
        Update, Work,
    },
    trial::{Trial, at, image, key, reason, retry_at, task, url},
};

pub(super) async fn a_batch_omits_images_with_invalid_leases(trial: Trial) {
    trial.accepted(2, at(0)).await;
    let old = trial.claim(Work::Submit, 1, at(0)).await[0].hold;
    let new = trial.claim(Work::Submit, 2, at(31)).await;
    assert_eq!(new.len(), 2);
    let other = new.iter().find(|claimed| claimed.hold.key != old.key);
    let other = other.expect("the other image").hold;
    let (_, keys) = trial.begin_held(vec![old, other], at(32)).await;
    assert_eq!(keys, [other.key]);
    let (_, keys) = trial.begin_held(vec![old], at(32)).await;
    assert_eq!(keys, []);
    let (_, keys) = trial.begin_held(vec![other], at(33)).await;
    assert_eq!(keys, [], "the image is already being sent");
    assert_eq!(trial.claim(Work::Submit, 9, at(40)).await, []);
}

pub(super) async fn submitted_images_are_polled_in_order_of_expiry(trial: Trial) {
    trial.accepted(3, at(0)).await;
    let (first, keys) = trial.begin(1, at(0)).await;
    let (second, others) = trial.begin(2, at(0)).await;
    let entry = |&key, number| (key, ImageResult::Task(task(number)));
    let late: Vec<_> = others
        .iter()
        .zip(2..)
        .map(|(key, n)| entry(key, n))
        .collect();
    assert_eq!(trial.answer(second, late, at(2)).await, 0);
    trial.answer(first, vec![entry(&keys[0], 1)], at(1)).await;
    assert_eq!(trial.polls(at(5)).await, []);
    assert_eq!(trial.polls(at(6)).await.len(), 1);
    assert_eq!(trial.polls(at(6)).await, [], "already returned");
    let again = trial.polls(at(60)).await;
    assert_eq!(again.len(), 3);
    assert_eq!(again[0].task_id, task(1));
    assert_eq!(
        (again[0].submitted_at, again[0].expires_at),
        (at(1), at(3601))
    );
    assert_eq!(trial.row(1).await.task_id, Some(task(1)));
    assert_eq!(trial.claim(Work::Submit, 9, at(100)).await, []);
}

pub(super) async fn rejected_images_are_retried_or_abandoned(trial: Trial) {
    trial.accepted(3, at(0)).await;
    let (batch, _) = trial.begin(3, at(0)).await;
    let entries = vec![
        (key(1), ImageResult::Refused(retry_at(10, "submit/592"))),
        (
            key(2),
            ImageResult::Refused(NextStep::Dead(reason("submit/590"))),
        ),
        (key(3), ImageResult::Task(task(3))),
    ];
    trial.answer(batch, entries, at(1)).await;
    let row = trial.row(1).await;
    assert_eq!((row.state, row.attempts), (State::Probed, 1));
    assert_eq!(row.reason, Some(reason("submit/592")));
    assert_eq!(trial.state(2).await, State::Dead);
    assert_eq!(trial.state(3).await, State::Submitted);
    assert_eq!(trial.outbox().await, [("user-2".to_owned(), State::Dead)]);
    assert_eq!(trial.claim(Work::Submit, 9, at(9)).await, []);
    let again = trial.claim(Work::Submit, 9, at(10)).await;
    assert_eq!((again.len(), again[0].attempts), (1, 1));
}

pub(super) async fn a_rejected_batch_can_be_split_immediately(trial: Trial) {
    trial.accepted(2, at(0)).await;
    let claimed = trial.claim(Work::Submit, 2, at(0)).await;
    let holds: Vec<_> = claimed.iter().map(|claimed| claimed.hold).collect();
    let (batch, _) = trial.begin_held(holds.clone(), at(0)).await;
    let refused = BatchResult::Refused {
        request_id: None,
        next: NextStep::Again { at: at(30) },
    };
    trial.record(batch, refused, at(1)).await;
    assert_eq!(trial.state(1).await, State::Probed);
    assert_eq!(trial.row(1).await.attempts, 0);
    assert_eq!(trial.claim(Work::Submit, 9, at(2)).await, []);
    let (left, keys) = trial.begin_held(vec![holds[0]], at(2)).await;
    assert_eq!(keys, [holds[0].key]);
    let (right, keys) = trial.begin_held(vec![holds[1]], at(2)).await;
    assert_eq!(keys, [holds[1].key]);
    assert_ne!(left, right);
    assert_ne!(left, batch);
}

pub(super) async fn an_image_that_the_response_omits_is_uncertain(trial: Trial) {
    trial.accepted(2, at(0)).await;
    let (batch, _) = trial.begin(2, at(0)).await;
    let entries = vec![(key(2), ImageResult::Task(task(2)))];
    trial.answer(batch, entries, at(1)).await;
    assert_eq!(trial.state(1).await, State::Uncertain);
    assert_eq!(trial.state(2).await, State::Submitted);
}

pub(super) async fn a_task_id_for_two_images_counts_for_the_first(trial: Trial) {
    trial.accepted(2, at(0)).await;
    let (batch, _) = trial.begin(2, at(0)).await;
    let entries = vec![
        (key(1), ImageResult::Task(task(1))),
        (key(2), ImageResult::Task(task(1))),
    ];
    trial.answer(batch, entries, at(1)).await;
    assert_eq!(trial.state(1).await, State::Submitted);
    assert_eq!(trial.state(2).await, State::Uncertain);
}

pub(super) async fn task_ids_without_an_image_are_counted_once(trial: Trial) {
    trial.accepted(1, at(0)).await;
    let (batch, _) = trial.begin(1, at(0)).await;
    let answer = || BatchResult::Answered {
        request_id: None,
        poll_at: at(5),
        expires_at: at(3600),
        entries: vec![(key(1), ImageResult::Task(task(1)))],
        strays: vec![task(2), task(3)],
    };
    assert_eq!(trial.record(batch, answer(), at(1)).await, 2);
    assert_eq!(trial.record(batch, answer(), at(2)).await, 0);
    let stats = trial.ledger.stats(at(2)).await.expect("stats");
    assert_eq!(stats.tasks, 3);
    assert_eq!(trial.polls(at(9)).await.len(), 1);
}

pub(super) async fn an_unknown_batch_is_an_error(trial: Trial) {
    let batch = BatchId([7; 16]);
    let answer = trial
        .ledger
        .record_answer(batch, BatchResult::Unknown, at(0));
    assert!(answer.await.is_err());
}

pub(super) async fn unsent_images_are_deferred_or_abandoned(trial: Trial) {
    trial.accepted(3, at(0)).await;
    let claimed = trial.claim(Work::Submit, 3, at(0)).await;
    let holds: Vec<Hold> = claimed.iter().map(|claimed| claimed.hold).collect();
    let [first, second, third] = [holds[0], holds[1], holds[2]];
    let unsent = vec![
        (first, NextStep::Again { at: at(5) }),
        (second, retry_at(6, "upload/network")),
        (third, NextStep::Dead(reason("file/changed"))),
    ];
    let record = |unsent| trial.ledger.record_unsent(unsent, at(1));
    assert_eq!(record(unsent).await.expect("record unsent"), 3);
    assert_eq!(trial.claim(Work::Submit, 3, at(4)).await, []);
    let again = trial.claim(Work::Submit, 3, at(6)).await;
    let attempts: Vec<_> = again
        .iter()
        .map(|claimed| (claimed.hold.key, claimed.attempts))
        .collect();
    assert_eq!(attempts, [(first.key, 0), (second.key, 1)]);
    let row = trial.row(third.key.as_bytes()[0]).await;
    assert_eq!(
        (row.state, row.reason),
        (State::Dead, Some(reason("file/changed")))
    );
    assert_eq!(trial.outbox().await.len(), 1);
    // The lease of the earlier claim, after the image was claimed again.
    let late = vec![(first, NextStep::Dead(reason("file/changed")))];
    assert_eq!(
        record(late).await.expect("record unsent"),
        0,
        "its lease is invalid"
    );
    let (_, keys) = trial
        .begin_held(again.iter().map(|claimed| claimed.hold).collect(), at(7))
        .await;
    assert_eq!(keys.len(), 2, "neither image was sent");
    let sent = vec![(again[0].hold, NextStep::Dead(reason("file/changed")))];
    assert_eq!(record(sent).await.expect("record unsent"), 0, "it was sent");
}

pub(super) async fn an_image_at_a_url_is_uploaded_instead_once(trial: Trial) {
    let upload = |class, otherwise| NextStep::Upload {
        at: at(20),
        otherwise: Box::new(match otherwise {
            None => NextStep::Dead(reason(class)),
            Some(seconds) => retry_at(seconds, class),
        }),
    };
    trial.submitted(1, at(0)).await;
    let failed = Update::Failed(upload("task/404", None));
    assert_eq!(trial.update(1, failed, at(10)).await, 1);
    let row = trial.row(1).await;
    assert_eq!((row.state, row.attempts), (State::Probed, 1));
    assert_eq!(row.reason, Some(reason("task/404")));
    assert_eq!(trial.polls(at(99)).await, [], "the first task is over");
    assert_eq!(trial.claim(Work::Submit, 9, at(19)).await, []);
    let claimed = trial.claim(Work::Submit, 9, at(20)).await;
    assert!(claimed[0].by_upload && claimed[0].location == url(1));
    // A crash and a deferred upload keep the decision.
    let deferred = vec![(claimed[0].hold, NextStep::Again { at: at(21) })];
    let recorded = trial.ledger.record_unsent(deferred, at(20)).await;
    assert_eq!(recorded.expect("record unsent"), 1);
    let (batch, keys) = trial.begin(9, at(21)).await;
    assert_eq!(keys, [key(1)]);
    let entries = vec![(key(1), ImageResult::Task(task(2)))];
    assert_eq!(trial.answer(batch, entries, at(22)).await, 0);
    // Not again: the other step applies.
    let failed = Update::Failed(upload("task/592", Some(40)));
    assert_eq!(trial.update(2, failed, at(30)).await, 1);
    let row = trial.row(1).await;
    assert_eq!((row.state, row.attempts), (State::Probed, 2));
    let claimed = trial.claim(Work::Submit, 9, at(40)).await;
    assert!(claimed[0].by_upload, "the next attempt uploads too");
    let (batch, _) = trial.begin_held(vec![claimed[0].hold], at(40)).await;
    let refused = BatchResult::Refused {
        request_id: None,
        next: upload("submit/404", None),
    };
    trial.record(batch, refused, at(41)).await;
    assert_eq!(trial.state(1).await, State::Dead);
    let stats = trial.ledger.stats(at(41)).await.expect("stats");
    assert_eq!((stats.by_upload, stats.tasks), (1, 2));
    assert_eq!(trial.outbox().await, [("user-1".to_owned(), State::Dead)]);
}

pub(super) async fn a_file_is_not_uploaded_instead(trial: Trial) {
    let file = NewImage {
        location: Location::File("/images/2.png".into()),
        ..image(2, 2)
    };
    trial.accepted(1, at(0)).await;
    trial.enqueue(vec![file], at(0)).await;
    let claimed = trial.claim(Work::Probe, 9, at(0)).await;
    trial
        .find(claimed[0].hold, Judgement::Accepted, at(0))
        .await;
    let (batch, keys) = trial.begin(9, at(0)).await;
    assert_eq!(keys.len(), 2);
    let instead = |class| {
        ImageResult::Refused(NextStep::Upload {
            at: at(5),
            otherwise: Box::new(NextStep::Dead(reason(class))),
        })
    };
    let entries = vec![
        (key(1), instead("submit/403")),
        (key(2), instead("submit/404")),
    ];
    trial.answer(batch, entries, at(1)).await;
    assert_eq!(trial.state(1).await, State::Probed);
    let row = trial.row(2).await;
    assert_eq!(
        (row.state, row.reason),
        (State::Dead, Some(reason("submit/404")))
    );
    let claimed = trial.claim(Work::Submit, 9, at(5)).await;
    assert_eq!(claimed.len(), 1);
    assert!(claimed[0].by_upload);
}
