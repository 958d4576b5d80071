//! Properties of any sequence of events: no invalid state, no lost task id, no image sent again while
//! a response may still arrive, and an outcome for every image at the end.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use greenlight::{
    TaskId,
    ledger::{
        BatchId, BatchResult, Finding, Hold, ImageResult, Judgement, Key, Known, Ledger,
        Maintenance, NextStep, Reason, Resubmit, Row, Rows, SqliteLedger, State, TaskUpdate,
        Update, Work,
    },
};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

use super::{at, block_on, fresh_path, image, scope};

const IMAGES: u32 = 4;
const LEASE: Duration = Duration::from_secs(20);
const SETTLE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
enum Event {
    Enqueue(u32, u64),
    /// Claims and records findings.
    Judge(Verdict),
    /// Claims and does not send.
    Withhold(Verdict),
    /// Claims, begins, and possibly records a response.
    Send(Option<[Reply; 4]>),
    /// The service forgets the newest tasks.
    Forget,
    /// Settles the newest batch before its response arrives.
    Late([Reply; 4]),
    Claim(Work, usize),
    Release(usize),
    Extend(usize),
    Unsent(usize, Verdict),
    Find(usize, Verdict),
    Begin(usize, usize),
    BatchResult(usize, [Reply; 4]),
    Refuse(usize, Verdict),
    Lose(usize),
    Poll,
    Tell(usize, News),
    Callback(u32, News),
    Recover(Resubmit),
    Acknowledge(usize),
    Retry(bool),
    Pass(u64),
    Reopen,
}

#[derive(Clone, Copy, Debug)]
enum Verdict {
    Good,
    Bad,
    Again,
    Later,
    Dead,
}

#[derive(Clone, Copy, Debug)]
enum Reply {
    Task,
    OldTask(usize),
    Refused(Verdict),
    Silence,
}

#[derive(Clone, Copy, Debug)]
enum News {
    Running,
    Decided,
    Failed(Verdict),
    Expired,
}

fn verdict() -> impl Strategy<Value = Verdict> {
    use Verdict::{Again, Bad, Dead, Good, Later};
    prop::sample::select(vec![Good, Good, Good, Bad, Again, Later, Dead])
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        4 => Just(Reply::Task),
        1 => any::<usize>().prop_map(Reply::OldTask),
        1 => verdict().prop_map(Reply::Refused),
        1 => Just(Reply::Silence),
    ]
}

fn replies() -> impl Strategy<Value = [Reply; 4]> {
    [reply(), reply(), reply(), reply()]
}

fn news() -> impl Strategy<Value = News> {
    prop_oneof![
        Just(News::Running),
        Just(News::Decided),
        verdict().prop_map(News::Failed),
        Just(News::Expired),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    use Event::{
        Acknowledge, BatchResult, Begin, Callback, Claim, Enqueue, Extend, Find, Forget, Judge,
        Late, Lose, Pass, Poll, Recover, Refuse, Release, Reopen, Retry, Send, Tell, Unsent,
        Withhold,
    };
    let which = any::<usize>;
    prop_oneof![
        4 => (0..IMAGES, 0..3_u64).prop_map(|(image, line)| Enqueue(image, line)),
        5 => verdict().prop_map(Judge),
        2 => verdict().prop_map(Withhold),
        6 => prop::option::weighted(0.7, replies()).prop_map(Send),
        1 => replies().prop_map(Late),
        2 => Just(Forget),
        4 => (1..4_usize).prop_map(|limit| Claim(Work::Probe, limit)),
        4 => (1..4_usize).prop_map(|limit| Claim(Work::Submit, limit)),
        1 => which().prop_map(Release),
        1 => which().prop_map(Extend),
        1 => (which(), verdict()).prop_map(|(hold, verdict)| Unsent(hold, verdict)),
        6 => (which(), verdict()).prop_map(|(hold, verdict)| Find(hold, verdict)),
        6 => (which(), 1..4_usize).prop_map(|(hold, count)| Begin(hold, count)),
        5 => (which(), replies())
            .prop_map(|(batch, replies)| BatchResult(batch, replies)),
        1 => (which(), verdict()).prop_map(|(batch, verdict)| Refuse(batch, verdict)),
        2 => which().prop_map(Lose),
        2 => Just(Poll),
        5 => (which(), news()).prop_map(|(task, news)| Tell(task, news)),
        3 => (0..IMAGES, news()).prop_map(|(image, news)| Callback(image, news)),
        3 => Just(Recover(Resubmit::WhenSettled)),
        1 => Just(Recover(Resubmit::Never)),
        1 => which().prop_map(Acknowledge),
        2 => any::<bool>().prop_map(Retry),
        6 => (1..8_u64).prop_map(Pass),
        2 => (8..70_u64).prop_map(Pass),
        1 => Just(Reopen),
    ]
}

/// The last submission of an image, as known outside of the ledger.
struct Sending {
    batch: BatchId,
    settle_at: SystemTime,
    answered: bool,
}

/// Uses a folder in memory if there is one, because durability is not tested here.
fn fast_path() -> PathBuf {
    let path = fresh_path("property");
    match path.file_name() {
        Some(name) if Path::new("/dev/shm").is_dir() => Path::new("/dev/shm").join(name),
        _ => path,
    }
}

/// Where a ledger is.
#[derive(Clone, Debug)]
enum Store {
    File(PathBuf),
    #[cfg(feature = "postgres")]
    Database(String),
}

impl Store {
    async fn open(&self) -> Arc<dyn Ledger> {
        match self {
            Self::File(path) => Arc::new(SqliteLedger::open(path, &scope()).unwrap()),
            #[cfg(feature = "postgres")]
            Self::Database(url) => {
                let ledger = greenlight::ledger::PostgresLedger::open(url, &scope()).await;
                Arc::new(ledger.unwrap())
            }
        }
    }
}

impl Store {
    async fn maintenance(&self) -> Maintenance {
        match self {
            Self::File(path) => Maintenance::sqlite(path).unwrap(),
            #[cfg(feature = "postgres")]
            Self::Database(url) => Maintenance::postgres(url).await.unwrap(),
        }
    }
}

struct World {
    store: Store,
    ledger: Arc<dyn Ledger>,
    now: SystemTime,
    holds: Vec<Hold>,
    batches: Vec<(BatchId, Vec<Key>)>,
    /// Every task id that was recorded, and the image that it was first recorded for.
    tasks: Vec<(TaskId, Key)>,
    sendings: HashMap<Key, Sending>,
    states: HashMap<Key, State>,
    /// The transitions that were observed.
    changes: BTreeSet<(State, State)>,
}

impl World {
    async fn new(store: Store) -> Self {
        Self {
            ledger: store.open().await,
            store,
            now: at(0),
            holds: Vec::new(),
            batches: Vec::new(),
            tasks: Vec::new(),
            sendings: HashMap::new(),
            states: HashMap::new(),
            changes: BTreeSet::new(),
        }
    }

    fn next(&self, verdict: Verdict) -> NextStep {
        let reason = Reason {
            class: "made/up".to_owned(),
            message: format!("{verdict:?}"),
        };
        let at = self.now + Duration::from_secs(5);
        match verdict {
            Verdict::Good | Verdict::Again => NextStep::Again { at },
            Verdict::Later => NextStep::Retry { at, reason },
            Verdict::Bad | Verdict::Dead => NextStep::Dead(reason),
        }
    }

    fn update(&self, news: News) -> Update {
        match news {
            News::Running => Update::Processing {
                poll_at: self.now + Duration::from_secs(5),
            },
            News::Decided => Update::Decided("outcome".to_owned()),
            News::Failed(verdict) => Update::Failed(self.next(verdict)),
            News::Expired => Update::Expired,
        }
    }

    fn new_task(&mut self, key: Key) -> TaskId {
        let name = TaskId::parse(&format!("img-{}", self.tasks.len())).unwrap();
        self.tasks.push((name.clone(), key));
        name
    }

    fn is_known(&self, key: Key) -> bool {
        self.states.contains_key(&key)
    }

    async fn apply(&mut self, event: Event) {
        match event {
            Event::Enqueue(number, line) => {
                let mut image = image(number);
                image.source.line = line;
                if number % 2 == 1 {
                    image.known = Known::Checked;
                }
                let noted = self.ledger.enqueue(vec![image], self.now).await;
                noted.unwrap();
            }
            Event::Judge(_)
            | Event::Withhold(_)
            | Event::Send(_)
            | Event::Forget
            | Event::Late(_) => self.play(event).await,
            Event::Claim(work, limit) => drop(self.claim(work, limit).await),
            Event::Release(index) => {
                if let Some(&hold) = pick(&self.holds, index) {
                    self.ledger.release(vec![hold], self.now).await.unwrap();
                }
            }
            Event::Extend(index) => {
                if let Some(&hold) = pick(&self.holds, index) {
                    let extended = self.ledger.extend(vec![hold], LEASE, self.now);
                    extended.await.unwrap();
                }
            }
            Event::Unsent(index, verdict) => {
                if let Some(&hold) = pick(&self.holds, index) {
                    let unsent = vec![(hold, self.next(verdict))];
                    self.ledger.record_unsent(unsent, self.now).await.unwrap();
                }
            }
            Event::Find(index, verdict) => self.find(index, verdict).await,
            Event::Begin(index, count) => self.begin(index, count).await,
            Event::BatchResult(index, replies) => self.answer(index, replies).await,
            Event::Refuse(index, verdict) => {
                let next = self.next(verdict);
                let refused = BatchResult::Refused {
                    request_id: None,
                    next,
                };
                self.settle(index, refused, true).await;
            }
            Event::Lose(index) => self.settle(index, BatchResult::Unknown, false).await,
            Event::Poll => {
                let polls = self.ledger.due_polls(10, LEASE, self.now).await.unwrap();
                assert!(polls.is_sorted_by_key(|poll| poll.expires_at));
                for poll in polls {
                    assert!(self.tasks.contains(&(poll.task_id, poll.key)));
                }
            }
            Event::Tell(index, news) => {
                if let Some((name, _)) = pick(&self.tasks, index) {
                    self.tell(name.clone(), None, news).await;
                }
            }
            Event::Callback(number, news) => {
                let key = image(number).key;
                if self.is_known(key) {
                    let name = self.new_task(key);
                    self.tell(name, Some(key), news).await;
                }
            }
            Event::Recover(resubmit) => {
                self.ledger.recover(resubmit, self.now).await.unwrap();
            }
            Event::Acknowledge(count) => {
                let outbox = self.ledger.undelivered(None, count % 3 + 1).await.unwrap();
                let ids = outbox.iter().map(|entry| entry.id).collect();
                self.ledger.acknowledge(ids, self.now).await.unwrap();
            }
            Event::Retry(by_class) => {
                let classes = by_class.then(|| "made/up".to_owned());
                let classes = classes.into_iter().collect();
                self.ledger.retry(classes, self.now).await.unwrap();
            }
            Event::Pass(seconds) => self.now += Duration::from_secs(seconds),
            Event::Reopen => {
                self.ledger = self.store.open().await;
            }
        }
    }

    /// Sequences of several steps, so that they happen often enough.
    async fn play(&mut self, event: Event) {
        match event {
            Event::Judge(verdict) => {
                for hold in self.claim(Work::Probe, 4).await {
                    self.find_held(hold, verdict).await;
                }
            }
            Event::Withhold(verdict) => {
                let holds = self.claim(Work::Submit, 4).await.into_iter();
                let unsent = holds.map(|hold| (hold, self.next(verdict)));
                let recorded = self.ledger.record_unsent(unsent.collect(), self.now);
                recorded.await.unwrap();
            }
            Event::Send(replies) => {
                let holds = self.claim(Work::Submit, 4).await;
                self.begin_held(holds).await;
                if let Some(replies) = replies {
                    self.check().await;
                    self.answer(0, replies).await;
                }
            }
            Event::Forget => {
                let newest = self.tasks.iter().rev().take(3).cloned();
                for (name, _) in newest.collect::<Vec<_>>() {
                    self.tell(name, None, News::Expired).await;
                    self.check().await;
                }
            }
            Event::Late(replies) => {
                self.settle(0, BatchResult::Unknown, false).await;
                self.check().await;
                self.now += SETTLE;
                let recovered = self.ledger.recover(Resubmit::WhenSettled, self.now);
                recovered.await.unwrap();
                self.check().await;
                self.answer(0, replies).await;
            }
            _ => {}
        }
    }

    async fn claim(&mut self, work: Work, limit: usize) -> Vec<Hold> {
        let before = self.holds.len();
        let claimed = self.ledger.claim(work, limit, LEASE, self.now);
        for claimed in claimed.await.unwrap() {
            let state = self.states[&claimed.hold.key];
            assert_eq!(claimed.state, state);
            assert!(!state.is_final() && state != State::Sending, "{state}");
            self.holds.push(claimed.hold);
        }
        self.holds.clone().split_off(before)
    }

    async fn find(&mut self, index: usize, verdict: Verdict) {
        if let Some(&hold) = pick(&self.holds, index) {
            self.find_held(hold, verdict).await;
        }
    }

    async fn find_held(&mut self, hold: Hold, verdict: Verdict) {
        let judgement = match (verdict, self.next(verdict)) {
            (Verdict::Good, _) => Judgement::Accepted,
            (Verdict::Bad, NextStep::Dead(reason)) => Judgement::Rejected(reason),
            (_, next) => Judgement::Unreachable(next),
        };
        let finding = Finding {
            hold,
            judgement,
            facts: None,
            billed: 1,
        };
        self.ledger
            .record_findings(vec![finding], self.now)
            .await
            .unwrap();
    }

    async fn begin(&mut self, index: usize, count: usize) {
        let holds = (index..)
            .take(count)
            .filter_map(|index| pick(&self.holds, index));
        self.begin_held(holds.copied().collect()).await;
    }

    async fn begin_held(&mut self, holds: Vec<Hold>) {
        let settle_at = self.now + SETTLE;
        let begun = self
            .ledger
            .begin_batch(holds, SETTLE, self.now)
            .await
            .unwrap();
        for &key in &begun.keys {
            let state = self.states[&key];
            assert!(
                matches!(state, State::Probed | State::Expired),
                "sent from {state}"
            );
            let sending = Sending {
                batch: begun.batch,
                settle_at,
                answered: false,
            };
            if let Some(before) = self.sendings.insert(key, sending) {
                assert!(
                    before.answered || before.settle_at <= self.now,
                    "sent again while the first may still be answered"
                );
            }
        }
        if !begun.keys.is_empty() {
            self.batches.push((begun.batch, begun.keys));
        }
    }

    async fn answer(&mut self, index: usize, replies: [Reply; 4]) {
        let Some((batch, keys)) = pick(&self.batches, index).cloned() else {
            return;
        };
        let mut entries = Vec::new();
        for (key, reply) in keys.into_iter().zip(replies) {
            let entry = match reply {
                Reply::Task => ImageResult::Task(self.new_task(key)),
                Reply::OldTask(index) => match pick(&self.tasks, index) {
                    Some((name, _)) => ImageResult::Task(name.clone()),
                    None => continue,
                },
                Reply::Refused(verdict) => ImageResult::Refused(self.next(verdict)),
                Reply::Silence => continue,
            };
            if let Some(sending) = self.sendings.get_mut(&key)
                && sending.batch == batch
            {
                sending.answered = true;
            }
            entries.push((key, entry));
        }
        let answer = BatchResult::Answered {
            request_id: None,
            poll_at: self.now,
            expires_at: self.now + Duration::from_secs(3600),
            entries,
            strays: Vec::new(),
        };
        self.ledger
            .record_answer(batch, answer, self.now)
            .await
            .unwrap();
    }

    async fn settle(&mut self, index: usize, answer: BatchResult, answered: bool) {
        let Some((batch, keys)) = pick(&self.batches, index).cloned() else {
            return;
        };
        for key in keys {
            if let Some(sending) = self.sendings.get_mut(&key)
                && sending.batch == batch
            {
                sending.answered |= answered;
            }
        }
        self.ledger
            .record_answer(batch, answer, self.now)
            .await
            .unwrap();
    }

    async fn tell(&mut self, task_id: TaskId, key: Option<Key>, news: News) {
        if let Some(sending) = key.and_then(|key| self.sendings.get_mut(&key)) {
            sending.answered = true;
        }
        let update = self.update(news);
        let update = TaskUpdate {
            task_id,
            key,
            update,
        };
        self.ledger
            .record_outcomes(vec![update], self.now)
            .await
            .unwrap();
    }

    async fn rows(&self) -> Vec<Row> {
        let all = Rows {
            after: 0,
            limit: 100,
            state: None,
        };
        self.ledger.rows(all).await.unwrap()
    }

    async fn check(&mut self) {
        for row in self.rows().await {
            let before = self.states.insert(row.key, row.state);
            if let Some(before) = before
                && before != row.state
            {
                assert!(
                    before.may_become(row.state),
                    "{before} became {}",
                    row.state
                );
                self.changes.insert((before, row.state));
            }
            match row.state {
                State::Submitted => assert!(row.task_id.is_some()),
                State::Decided | State::Delivered => assert!(row.outcome.is_some()),
                State::Rejected | State::Dead => assert!(row.reason.is_some()),
                _ => {}
            }
        }
        let kept = self.ledger.stats(self.now).await.unwrap().tasks;
        assert_eq!(
            usize::try_from(kept).unwrap(),
            self.tasks.len(),
            "none is forgotten"
        );
    }

    /// Completes all work without failures.
    async fn finish(&mut self) {
        for _ in 0..20 {
            self.now += Duration::from_secs(120);
            self.apply(Event::Recover(Resubmit::WhenSettled)).await;
            self.check().await;
            self.holds.clear();
            self.apply(Event::Claim(Work::Probe, 9)).await;
            for hold in self.holds.clone() {
                self.find_held(hold, Verdict::Good).await;
            }
            self.check().await;
            self.holds.clear();
            self.apply(Event::Claim(Work::Submit, 9)).await;
            self.batches.clear();
            self.begin_held(self.holds.clone()).await;
            self.check().await;
            self.apply(Event::BatchResult(0, [Reply::Task; 4])).await;
            self.check().await;
            let polls = self.ledger.due_polls(9, LEASE, self.now).await.unwrap();
            for poll in polls {
                self.tell(poll.task_id, None, News::Decided).await;
            }
            self.check().await;
        }
        for (key, state) in &self.states {
            assert!(state.is_final(), "{key} is stuck: {state}");
        }
        let backlog = self.ledger.backlog().await.unwrap();
        assert_eq!((backlog.due, backlog.first_expiry), (Vec::new(), None));
        self.apply(Event::Acknowledge(2)).await;
        self.check().await;
    }
}

/// Mostly one of the newest, which are not settled yet; 0 is the newest.
fn pick<T>(from: &[T], index: usize) -> Option<&T> {
    let among = match index % 5 {
        4 => from.len(),
        _ => from.len().min(4),
    };
    let age = (index / 5).checked_rem(among)?;
    from.get(from.len().checked_sub(age + 1)?)
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{suffix}", path.display())));
    }
}

/// Returns the observed transitions.
fn live(events: Vec<Event>) -> BTreeSet<(State, State)> {
    let path = fast_path();
    let changes = live_in(Store::File(path.clone()), events);
    remove(&path);
    changes
}

fn live_in(store: Store, events: Vec<Event>) -> BTreeSet<(State, State)> {
    block_on(async {
        let mut world = World::new(store).await;
        for number in 0..IMAGES {
            world.apply(Event::Enqueue(number, 0)).await;
            world.check().await;
        }
        for event in events {
            world.apply(event).await;
            world.check().await;
        }
        let health = world.store.maintenance().await.check(world.now).await;
        assert_eq!(health.unwrap().problems, []);
        world.finish().await;
        let health = world.store.maintenance().await.check(world.now).await;
        assert_eq!(health.unwrap().problems, []);
        world.changes
    })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(), 1..100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "slow: many generated sequences"]
    fn no_sequence_of_events_loses_an_image_or_a_task(events in events()) {
        live(events);
    }
}

/// Fixed sequences reach all transitions of an image, which shows that the property is not vacuous.
#[test]
#[ignore = "slow: many generated sequences"]
fn sequences_of_events_take_every_way_there_is() {
    let mut runner = TestRunner::deterministic();
    let mut changes = BTreeSet::new();
    for _ in 0..140 {
        let events = events().new_tree(&mut runner).unwrap().current();
        changes.extend(live(events));
    }
    let every = State::ALL.iter().flat_map(|&from| {
        let next = State::ALL
            .iter()
            .filter(move |&&next| next != from && from.may_become(next));
        next.map(move |&next| (from, next))
    });
    let missed: Vec<_> = every.filter(|change| !changes.contains(change)).collect();
    assert_eq!(missed, []);
}

/// The same events lead to the same states in both stores.
#[cfg(feature = "postgres")]
#[test]
fn postgres_and_sqlite_agree_on_some_sequences() {
    stores_agree(4);
}

#[cfg(feature = "postgres")]
#[test]
#[ignore = "slow: many generated sequences"]
fn postgres_and_sqlite_agree_on_any_sequence() {
    stores_agree(12);
}

#[cfg(feature = "postgres")]
fn stores_agree(sequences: usize) {
    let mut runner = TestRunner::deterministic();
    for _ in 0..sequences {
        let Some(url) = crate::postgres_server::fresh_url() else {
            return;
        };
        let events = events().new_tree(&mut runner).unwrap().current();
        let expected = live(events.clone());
        assert_eq!(live_in(Store::Database(url), events), expected);
    }
}
