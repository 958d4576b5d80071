//! A ledger under test, with steps that several cases share.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::super::{
    BatchId, BatchResult, Claimed, Enqueued, Finding, Hold, ImageResult, Judgement, Key, Known,
    Ledger, Location, NewImage, NextStep, Poll, Reason, Row, Rows, Source, State, TaskUpdate,
    Update, Work,
};
use crate::ids::{RequestId, TaskId};

/// Returns a time in seconds after an arbitrary start.
pub(super) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

pub(super) const LEASE: Duration = Duration::from_secs(30);

pub(super) fn key(number: u8) -> Key {
    Key::from_bytes([number; 32])
}

pub(super) fn reason(class: &str) -> Reason {
    Reason {
        class: class.to_owned(),
        message: format!("because of {class}"),
    }
}

pub(super) fn url(number: u8) -> Location {
    Location::Url(format!("https://example.com/{number}.png"))
}

pub(super) fn image(number: u8, line: u64) -> NewImage {
    NewImage {
        key: key(number),
        location: url(number),
        known: Known::Nothing,
        facts: None,
        deliver_again: false,
        source: Source {
            origin: "list.txt".to_owned(),
            line,
            data_id: Some(format!("user-{line}")),
            text: None,
        },
    }
}

pub(super) fn task(number: u8) -> TaskId {
    TaskId::parse(&format!("img-{number}")).expect("a task id")
}

#[derive(Debug)]
pub(super) struct Trial {
    pub(super) ledger: Arc<dyn Ledger>,
    successor: Arc<dyn Ledger>,
}

impl Trial {
    pub(super) fn new([ledger, successor]: [Arc<dyn Ledger>; 2]) -> Self {
        Self { ledger, successor }
    }

    /// Drops the first user of the store; the second one is used from now on.
    pub(super) fn leave(&mut self) {
        self.ledger = Arc::clone(&self.successor);
    }

    /// Waits, so that the store can detect that a user no longer runs.
    pub(super) async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    pub(super) async fn enqueue(&self, images: Vec<NewImage>, now: SystemTime) -> Vec<Enqueued> {
        self.ledger.enqueue(images, now).await.expect("enqueue")
    }

    pub(super) async fn claim(&self, work: Work, limit: usize, now: SystemTime) -> Vec<Claimed> {
        let claimed = self.ledger.claim(work, limit, LEASE, now).await;
        claimed.expect("claim")
    }

    pub(super) async fn find(&self, hold: Hold, judgement: Judgement, now: SystemTime) -> usize {
        let finding = Finding {
            hold,
            judgement,
            facts: None,
            billed: 2,
        };
        let recorded = self.ledger.record_findings(vec![finding], now).await;
        recorded.expect("record findings")
    }

    /// Enqueues images 1 to `count` and records them as accepted, all at `now`.
    pub(super) async fn accepted(&self, count: u8, now: SystemTime) {
        let images = (1..=count).map(|number| image(number, number.into()));
        self.enqueue(images.collect(), now).await;
        for claimed in self.claim(Work::Probe, count.into(), now).await {
            let recorded = self.find(claimed.hold, Judgement::Accepted, now).await;
            assert_eq!(recorded, 1, "an accepted image is recorded");
        }
    }

    /// Claims up to `limit` accepted images and begins a batch that is settled after 60 s.
    pub(super) async fn begin(&self, limit: usize, now: SystemTime) -> (BatchId, Vec<Key>) {
        let claimed = self.claim(Work::Submit, limit, now).await;
        let holds = claimed.iter().map(|claimed| claimed.hold).collect();
        self.begin_held(holds, now).await
    }

    pub(super) async fn begin_held(
        &self,
        holds: Vec<Hold>,
        now: SystemTime,
    ) -> (BatchId, Vec<Key>) {
        let settle = Duration::from_secs(60);
        let begun = self.ledger.begin_batch(holds, settle, now).await;
        let begun = begun.expect("begin batch");
        (begun.batch, begun.keys)
    }

    /// Records a response whose results may be polled after 5 s and are kept for an hour. Returns the
    /// number of stray tasks.
    pub(super) async fn answer(
        &self,
        batch: BatchId,
        entries: Vec<(Key, ImageResult)>,
        now: SystemTime,
    ) -> usize {
        let answer = BatchResult::Answered {
            request_id: Some(RequestId::new("request")),
            poll_at: now + Duration::from_secs(5),
            expires_at: now + Duration::from_secs(3600),
            entries,
            strays: Vec::new(),
        };
        self.record(batch, answer, now).await
    }

    pub(super) async fn record(
        &self,
        batch: BatchId,
        answer: BatchResult,
        now: SystemTime,
    ) -> usize {
        let stray = self.ledger.record_answer(batch, answer, now).await;
        stray.expect("record answer").tasks
    }

    /// Submits images 1 to `count`, each with the task of its number.
    pub(super) async fn submitted(&self, count: u8, now: SystemTime) -> BatchId {
        self.accepted(count, now).await;
        let (batch, keys) = self.begin(count.into(), now).await;
        assert_eq!(keys.len(), usize::from(count), "all are part of the batch");
        let entries = (1..=count).map(|number| (key(number), ImageResult::Task(task(number))));
        self.answer(batch, entries.collect(), now).await;
        batch
    }

    pub(super) async fn polls(&self, now: SystemTime) -> Vec<Poll> {
        let polls = self.ledger.due_polls(100, LEASE, now).await;
        polls.expect("due polls")
    }

    pub(super) async fn update(&self, number: u8, update: Update, now: SystemTime) -> usize {
        self.update_keyed(task(number), None, update, now).await
    }

    pub(super) async fn update_keyed(
        &self,
        task_id: TaskId,
        key: Option<Key>,
        update: Update,
        now: SystemTime,
    ) -> usize {
        let update = TaskUpdate {
            task_id,
            key,
            update,
        };
        let changed = self.ledger.record_outcomes(vec![update], now).await;
        changed.expect("record outcomes")
    }

    pub(super) async fn decide(&self, number: u8, now: SystemTime) -> usize {
        let outcome = format!("outcome {number}");
        self.update(number, Update::Decided(outcome), now).await
    }

    pub(super) async fn rows(&self) -> Vec<Row> {
        let all = Rows {
            after: 0,
            limit: 1000,
            state: None,
        };
        self.ledger.rows(all).await.expect("rows")
    }

    /// Returns the first row of an image.
    pub(super) async fn row(&self, number: u8) -> Row {
        let rows = self.rows().await;
        let row = rows.into_iter().find(|row| row.key == key(number));
        row.expect("the image has a row")
    }

    pub(super) async fn state(&self, number: u8) -> State {
        self.row(number).await.state
    }

    pub(super) async fn acknowledge_all(&self) {
        let outbox = self.ledger.undelivered(None, 1000).await;
        let ids = outbox.expect("undelivered");
        let ids = ids.iter().map(|entry| entry.id).collect();
        let acknowledged = self.ledger.acknowledge(ids, at(100)).await;
        acknowledged.expect("acknowledge");
    }

    /// Returns the outbox: data ids and states.
    pub(super) async fn outbox(&self) -> Vec<(String, State)> {
        let outbox = self.ledger.undelivered(None, 1000).await;
        let entry = |row: Row| (row.source.data_id.unwrap_or_default(), row.state);
        outbox
            .expect("undelivered")
            .into_iter()
            .map(|undelivered| entry(undelivered.row))
            .collect()
    }
}

pub(super) fn retry_at(seconds: u64, class: &str) -> NextStep {
    NextStep::Retry {
        at: at(seconds),
        reason: reason(class),
    }
}
