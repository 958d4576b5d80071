use super::{
    super::{
        EXPIRED_CLASS, Finding, ImageResult, Judgement, Key, NextStep, Resubmit, State, Update,
        Work,
    },
    trial::{Trial, at, image, key, reason, retry_at, task},
};

pub(super) async fn an_outcome_reaches_every_source_with_its_data_id(trial: Trial) {
    trial.submitted(1, at(0)).await;
    trial.enqueue(vec![image(1, 7), image(1, 8)], at(1)).await;
    assert_eq!(trial.outbox().await, []);
    assert_eq!(trial.decide(1, at(9)).await, 1);
    let expected = ["user-1", "user-7", "user-8"];
    let expected = expected.map(|data_id| (data_id.to_owned(), State::Decided));
    assert_eq!(trial.outbox().await, expected);
    let row = trial.row(1).await;
    assert_eq!(row.outcome.as_deref(), Some("outcome 1"));
    assert_eq!(row.task_id, Some(task(1)));
    assert_eq!(trial.polls(at(999)).await, []);
}

pub(super) async fn a_source_enqueued_later_gets_the_outcome(trial: Trial) {
    trial.submitted(1, at(0)).await;
    trial.decide(1, at(9)).await;
    trial.acknowledge_all().await;
    assert_eq!(trial.state(1).await, State::Delivered);
    let noted = trial.enqueue(vec![image(1, 2)], at(10)).await;
    assert_eq!(noted[0].state, State::Decided);
    let outbox = [("user-2".to_owned(), State::Decided)];
    assert_eq!(trial.outbox().await, outbox);
    assert_eq!(trial.claim(Work::Probe, 9, at(99)).await, []);
    assert_eq!(trial.claim(Work::Submit, 9, at(99)).await, []);
    trial.acknowledge_all().await;
    trial.enqueue(vec![image(1, 2)], at(11)).await;
    assert_eq!(
        trial.outbox().await,
        [],
        "the source has the outcome already"
    );
}

pub(super) async fn the_first_outcome_is_kept(trial: Trial) {
    trial.submitted(1, at(0)).await;
    assert_eq!(trial.decide(1, at(9)).await, 1);
    let other = Update::Decided("other".to_owned());
    assert_eq!(trial.update(1, other, at(10)).await, 0);
    let failed = Update::Failed(NextStep::Dead(reason("task/586")));
    assert_eq!(trial.update(1, failed, at(11)).await, 0);
    assert_eq!(trial.update(1, Update::Expired, at(12)).await, 0);
    let row = trial.row(1).await;
    assert_eq!(
        (row.state, row.outcome.as_deref()),
        (State::Decided, Some("outcome 1"))
    );
    assert_eq!(trial.outbox().await.len(), 1);
}

pub(super) async fn a_running_task_is_polled_again(trial: Trial) {
    trial.submitted(1, at(0)).await;
    assert_eq!(trial.polls(at(5)).await.len(), 1);
    let running = Update::Processing { poll_at: at(12) };
    assert_eq!(trial.update(1, running, at(6)).await, 0);
    assert_eq!(trial.polls(at(11)).await, []);
    assert_eq!(trial.polls(at(12)).await.len(), 1);
}

pub(super) async fn a_callback_decides_an_image_without_a_response(trial: Trial) {
    trial.accepted(2, at(0)).await;
    let (batch, _) = trial.begin(2, at(0)).await;
    let decided = || Update::Decided("by callback".to_owned());
    let by_callback = |number: u8, now| {
        let key = Some(key(number));
        trial.update_keyed(task(number), key, decided(), now)
    };
    assert_eq!(by_callback(1, at(3)).await, 1);
    assert_eq!(trial.state(1).await, State::Decided);
    let recovered = trial.ledger.recover(Resubmit::WhenSettled, at(60)).await;
    assert_eq!(recovered.expect("recover").resubmitted, 1);
    assert_eq!(by_callback(2, at(61)).await, 1);
    assert_eq!(trial.claim(Work::Submit, 9, at(62)).await, []);
    assert_eq!(trial.row(2).await.task_id, Some(task(2)));
    let answer = vec![(key(1), ImageResult::Task(task(1)))];
    assert_eq!(trial.answer(batch, answer, at(63)).await, 0);
    assert_eq!(trial.state(1).await, State::Decided);
    assert_eq!(by_callback(1, at(64)).await, 0, "a callback may come twice");
}

pub(super) async fn a_failed_task_is_retried_or_abandoned(trial: Trial) {
    let batch = trial.submitted(2, at(0)).await;
    let retried = Update::Failed(retry_at(20, "task/592"));
    assert_eq!(trial.update(1, retried.clone(), at(9)).await, 1);
    assert_eq!(trial.update(1, retried, at(9)).await, 0, "reported twice");
    let row = trial.row(1).await;
    assert_eq!((row.state, row.attempts), (State::Probed, 1));
    let dead = Update::Failed(NextStep::Dead(reason("task/590")));
    assert_eq!(trial.update(2, dead, at(9)).await, 1);
    assert_eq!(trial.state(2).await, State::Dead);
    assert_eq!(trial.outbox().await, [("user-2".to_owned(), State::Dead)]);
    let old_answer = vec![(key(1), ImageResult::Task(task(1)))];
    trial.answer(batch, old_answer, at(10)).await;
    assert_eq!(trial.state(1).await, State::Probed, "that task has failed");
    assert_eq!(trial.claim(Work::Submit, 9, at(20)).await.len(), 1);
}

pub(super) async fn a_late_outcome_decides_a_dead_image(trial: Trial) {
    trial.submitted(1, at(0)).await;
    let dead = Update::Failed(NextStep::Dead(reason("task/581")));
    trial.update(1, dead, at(9)).await;
    assert_eq!(trial.decide(1, at(10)).await, 1);
    assert_eq!(trial.row(1).await.reason, None);
    assert_eq!(
        trial.outbox().await,
        [("user-1".to_owned(), State::Decided)]
    );
}

pub(super) async fn an_image_is_submitted_again_after_its_result_expired(trial: Trial) {
    trial.submitted(1, at(0)).await;
    assert_eq!(trial.update(1, Update::Expired, at(3700)).await, 1);
    assert_eq!(trial.state(1).await, State::Expired);
    assert_eq!(trial.polls(at(3700)).await, []);
    let (batch, keys) = trial.begin(9, at(3700)).await;
    assert_eq!(keys, [key(1)]);
    let entry = vec![(key(1), ImageResult::Task(task(2)))];
    trial.answer(batch, entry, at(3701)).await;
    assert_eq!(
        trial.update(1, Update::Expired, at(3702)).await,
        0,
        "the old task"
    );
    assert_eq!(trial.state(1).await, State::Submitted);
    assert_eq!(trial.update(2, Update::Expired, at(9999)).await, 1);
    let row = trial.row(1).await;
    let class = row.reason.map(|reason| reason.class);
    assert_eq!(
        (row.state, class.as_deref()),
        (State::Dead, Some(EXPIRED_CLASS))
    );
    let stats = trial.ledger.stats(at(9999)).await.expect("stats");
    assert_eq!((stats.expired, stats.tasks), (1, 2));
}

pub(super) async fn dead_images_are_retried_by_class(trial: Trial) {
    trial.submitted(3, at(0)).await;
    for (number, class) in [(1, "task/592"), (2, "task/590"), (3, "task/592")] {
        let dead = Update::Failed(NextStep::Dead(reason(class)));
        trial.update(number, dead, at(9)).await;
    }
    let class = |class: &str| vec![class.to_owned()];
    let retry = |classes| trial.ledger.retry(classes, at(20));
    assert_eq!(retry(class("none")).await.expect("retry"), 0);
    assert_eq!(retry(class("task/592")).await.expect("retry"), 2);
    let row = trial.row(1).await;
    assert_eq!(
        (row.state, row.attempts, row.reason),
        (State::Probed, 0, None)
    );
    assert_eq!(trial.outbox().await, [("user-2".to_owned(), State::Dead)]);
    let claimed = trial.claim(Work::Submit, 9, at(20)).await;
    let keys: Vec<Key> = claimed.iter().map(|claimed| claimed.hold.key).collect();
    assert_eq!(keys, [key(1), key(3)]);
    assert_eq!(retry(Vec::new()).await.expect("retry"), 1);
    assert_eq!(trial.state(2).await, State::Probed);
}

pub(super) async fn the_facts_of_a_rejection_do_not_outlive_a_retry(trial: Trial) {
    trial.enqueue(vec![image(1, 1)], at(0)).await;
    let hold = trial.claim(Work::Probe, 1, at(0)).await[0].hold;
    let finding = Finding {
        hold,
        judgement: Judgement::Rejected(reason("image/too-small")),
        facts: Some("{}".to_owned()),
        billed: 1,
    };
    let recorded = trial.ledger.record_findings(vec![finding], at(1)).await;
    assert_eq!(recorded.expect("record findings"), 1);
    let classes = vec!["image/too-small".to_owned()];
    assert_eq!(trial.ledger.retry(classes, at(2)).await.expect("retry"), 1);
    let hold = trial.claim(Work::Probe, 1, at(3)).await[0].hold;
    let gone = Judgement::Unreachable(NextStep::Dead(reason("file/missing")));
    assert_eq!(trial.find(hold, gone, at(4)).await, 1);
    let row = trial.row(1).await;
    let class = row.reason.map(|reason| reason.class);
    assert_eq!((class.as_deref(), row.facts), (Some("file/missing"), None));
}

pub(super) async fn the_backlog_lists_due_work(trial: Trial) {
    let backlog = || async { trial.ledger.backlog().await.expect("backlog") };
    assert_eq!(backlog().await.due, []);
    trial.submitted(1, at(0)).await;
    trial.enqueue(vec![image(2, 2)], at(3)).await;
    let found = backlog().await;
    let due = [(State::Received, at(3)), (State::Submitted, at(5))];
    assert_eq!(
        (found.due.as_slice(), found.first_expiry),
        (due.as_slice(), Some(at(3600)))
    );
    trial.decide(1, at(9)).await;
    let found = backlog().await;
    assert_eq!((found.due.len(), found.first_expiry), (1, None));
}

pub(super) async fn everything_is_counted(trial: Trial) {
    trial.submitted(3, at(0)).await;
    trial.enqueue(vec![image(1, 8), image(9, 9)], at(1)).await;
    trial.decide(1, at(9)).await;
    let dead = Update::Failed(NextStep::Dead(reason("task/590")));
    trial.update(2, dead, at(9)).await;
    let stats = trial.ledger.stats(at(30)).await.expect("stats");
    let states = [
        State::Received,
        State::Submitted,
        State::Decided,
        State::Dead,
    ];
    assert_eq!(states.map(|state| stats.count(state)), [1, 1, 1, 1]);
    assert_eq!(stats.count(State::Uncertain), 0);
    assert_eq!(stats.images(), 4);
    assert_eq!(stats.classes, [(State::Dead, "task/590".to_owned(), 1)]);
    assert_eq!((stats.sources, stats.undelivered, stats.tasks), (5, 3, 3));
    assert_eq!(stats.billed, 6, "two frames of each");
    assert_eq!(
        (stats.sent_last_minute, stats.oldest_unpolled),
        (3, Some(at(0)))
    );
    assert_eq!(
        (stats.sending_since, stats.sent_since_first),
        (Some(at(0)), 0)
    );
    let later = trial.ledger.stats(at(61)).await.expect("stats");
    assert_eq!((later.sent_last_minute, later.sending_since), (0, None));
}

pub(super) async fn outcomes_are_counted_by_decision(trial: Trial) {
    trial.submitted(5, at(0)).await;
    let outcomes = [
        r#"{"decision":"pass","results":[]}"#,
        r#"{"decision":"block","results":[{"decision":"review"}]}"#,
        r#"{"decision":"pass"}"#,
        r#"{"decision":7}"#,
        "no JSON",
    ];
    for (number, outcome) in (1..).zip(outcomes) {
        let decided = Update::Decided(outcome.to_owned());
        assert_eq!(trial.update(number, decided, at(9)).await, 1);
    }
    let stats = trial.ledger.stats(at(10)).await.expect("stats");
    let expected = [("block".to_owned(), 1), ("pass".to_owned(), 2)];
    assert_eq!(stats.decisions, expected);
}

pub(super) async fn the_rate_is_that_after_the_first_request(trial: Trial) {
    trial.accepted(5, at(0)).await;
    for (images, time) in [(2, at(10)), (2, at(20)), (1, at(30))] {
        trial.begin(images, time).await;
    }
    for (time, since, sent, later) in [(40, 10, 5, 3), (75, 20, 3, 1)] {
        let stats = trial.ledger.stats(at(time)).await.expect("stats");
        assert_eq!(stats.sending_since, Some(at(since)));
        assert_eq!(
            (stats.sent_last_minute, stats.sent_since_first),
            (sent, later)
        );
    }
}

pub(super) async fn an_unknown_task_is_ignored(trial: Trial) {
    trial.submitted(1, at(0)).await;
    assert_eq!(trial.decide(99, at(1)).await, 0);
    let stranger = Update::Decided("x".to_owned());
    let changed = trial
        .update_keyed(task(98), Some(key(98)), stranger, at(1))
        .await;
    assert_eq!(changed, 0);
    let stats = trial.ledger.stats(at(1)).await.expect("stats");
    assert_eq!(stats.tasks, 1);
    assert_eq!(trial.state(1).await, State::Submitted);
}
