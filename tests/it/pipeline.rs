//! The pipeline with the sandbox: every image gets one outcome and is billed once, whatever happens.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod checks;
mod fallback;
mod faults;
mod files;
mod kill;
mod names;
mod v2;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use greenlight::{
    Code, ErrorKind, Requirements, Scene,
    green::{Client, Credentials, Secret},
    ledger::{Ledger, PostgresLedger, Row, Rows, Scope, Source, SqliteLedger, State},
    pipeline::{Line, Pipeline, Plan, Progress, Step, Subject},
    probe::{AddressPolicy, Mode, Probe},
    sandbox::{Sandbox, SandboxBuilder},
};

use super::ledger::{block_on, fresh_path};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/images");

/// A sandbox and a ledger for a pipeline.
struct Bench {
    sandbox: Sandbox,
    ledger: Arc<dyn Ledger>,
    /// The path of a SQLite file, or the URL of a PostgreSQL server.
    location: String,
}

pub(crate) fn scope() -> Scope {
    Scope::new(&[Scene::Porn])
        .with_account("sandbox-key-id")
        .with_service("sandbox")
}

fn client(endpoint: &str, secret: &str) -> Client {
    let rate = 100_000.try_into().unwrap();
    let client = Client::builder()
        .endpoint(endpoint)
        .credentials(Credentials::new("sandbox-key-id", Secret::new(secret)))
        .requests_per_second(rate)
        .images_per_second(rate)
        .max_attempts(1);
    client.build().unwrap()
}

/// Tolerates the load of other tests, which must not count as a slow server.
fn requirements() -> Requirements {
    Requirements::ASYNC.with_download_time(Duration::from_secs(60))
}

fn probe() -> Probe {
    probe_in(Mode::Full)
}

fn probe_in(mode: Mode) -> Probe {
    let policy = AddressPolicy::new().allow("127.0.0.1/32").unwrap();
    let probe = Probe::builder()
        .policy(policy.with_ports(1..=65535))
        .mode(mode);
    probe.concurrency_per_host(64).build().unwrap()
}

/// Returns a pipeline without the delays that the real service requires.
pub(crate) fn pipeline(endpoint: &str, secret: &str, ledger: Arc<dyn Ledger>) -> Pipeline {
    pipeline_over(probe(), endpoint, secret, ledger)
}

fn pipeline_over(probe: Probe, endpoint: &str, secret: &str, ledger: Arc<dyn Ledger>) -> Pipeline {
    hasty(Pipeline::new(
        client(endpoint, secret),
        probe,
        ledger,
        scope(),
    ))
}

/// Like `pipeline_over`, with 2.0, whose requests have one image each.
fn pipeline_v2(probe: Probe, endpoint: &str, ledger: Arc<dyn Ledger>) -> Pipeline {
    let rate = 100_000.try_into().unwrap();
    let client = Client::builder()
        .endpoint(endpoint)
        .credentials(Credentials::new(
            "sandbox-key-id",
            Secret::new("sandbox-key-secret"),
        ))
        .requests_per_second(rate)
        .images_per_second(rate)
        .max_attempts(1);
    let client = client.build_v2().unwrap();
    hasty(Pipeline::new(client, probe, ledger, scope_v2()))
}

fn scope_v2() -> Scope {
    Scope::new(&[Scene::Other("baselineCheck".to_owned())])
        .with_account("sandbox-key-id")
        .with_service("sandbox/2022-03-02")
}

/// Like `pipeline`, with another scope.
fn pipeline_of(endpoint: &str, ledger: Arc<dyn Ledger>, scope: Scope) -> Pipeline {
    let client = client(endpoint, "sandbox-key-secret");
    hasty(Pipeline::new(client, probe(), ledger, scope))
}

fn hasty(pipeline: Pipeline) -> Pipeline {
    pipeline
        .requirements(requirements())
        .image_rate(None)
        .query_rate(None)
        .fill_wait(Duration::from_millis(50))
        .poll_interval(Duration::from_millis(50))
        .lease(Duration::from_secs(5))
        // The load of other tests must not count as a lost response.
        .send_limit(Duration::from_secs(30))
        .settle_after(Duration::from_secs(60))
}

/// Returns a pipeline that soon considers a response lost.
fn impatient(pipeline: Pipeline) -> Pipeline {
    pipeline
        .send_limit(Duration::from_secs(4))
        .settle_after(Duration::from_secs(7))
}

async fn open(location: &str, scope: &Scope) -> Arc<dyn Ledger> {
    if location.starts_with("postgres:") {
        Arc::new(PostgresLedger::open(location, scope).await.unwrap())
    } else {
        Arc::new(SqliteLedger::open(Path::new(location), scope).unwrap())
    }
}

impl Bench {
    async fn new(sandbox: SandboxBuilder) -> Self {
        Self::of(sandbox, &scope()).await
    }

    async fn of(sandbox: SandboxBuilder, scope: &Scope) -> Self {
        let path = fresh_path("pipeline");
        Self::at(sandbox, scope, path.to_str().unwrap()).await
    }

    async fn at(sandbox: SandboxBuilder, scope: &Scope, location: &str) -> Self {
        Self {
            sandbox: sandbox.serve(FIXTURES).start().await.unwrap(),
            ledger: open(location, scope).await,
            location: location.to_owned(),
        }
    }

    fn pipeline(&self) -> Pipeline {
        let secret = self.sandbox.credentials().secret();
        pipeline(&self.sandbox.endpoint(), secret, Arc::clone(&self.ledger))
    }

    /// Returns distinct URLs of one valid image.
    fn good(&self, count: u64) -> Vec<Line> {
        let url = self.url("png/rgb.png");
        let lines = (1..=count).map(|number| line(&format!("{url}?{number}"), number));
        lines.collect()
    }

    fn url(&self, file: &str) -> String {
        self.sandbox.url_for(file).unwrap()
    }

    async fn rows(&self) -> Vec<Row> {
        let all = Rows {
            after: 0,
            limit: 100_000,
            state: None,
        };
        self.ledger.rows(all).await.unwrap()
    }
}

fn line(url: &str, number: u64) -> Line {
    Line {
        subject: Subject::Url(url.to_owned()),
        source: Source {
            origin: "list.txt".to_owned(),
            line: number,
            data_id: Some(format!("user-{number}")),
            text: None,
        },
    }
}

/// Runs to the end and returns the delivered outcomes: data ids and states.
async fn run(pipeline: &Pipeline, lines: Vec<Line>) -> (BTreeMap<String, Row>, Progress) {
    let mut run = pipeline.start(lines);
    let mut delivered = BTreeMap::new();
    while let Some(outcomes) = run.next().await.unwrap() {
        run.acknowledge(&outcomes).await.unwrap();
        for outcome in outcomes {
            let name = outcome.row.source.data_id.clone().unwrap();
            let twice = delivered.insert(name, outcome.row);
            assert!(twice.is_none(), "delivered twice: {twice:?}");
        }
    }
    (delivered, run.progress())
}

#[test]
fn every_line_gets_an_outcome_and_images_are_paid_once() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder().polls(1)).await;
        let mut lines = bench.good(120);
        let more = [
            bench.url("png/porn-in-its-name.png"),
            bench.url("png/sexy-in-its-name.png"),
            bench.url("png/cut-in-data.png"),
            bench.url("png/rgb.png") + "?7",
            "not a url".to_owned(),
            "http://127.0.0.1:9/closed.png".to_owned(),
        ];
        lines.extend(
            more.iter()
                .zip(121..)
                .map(|(url, number)| line(url, number)),
        );
        let pipeline = bench.pipeline().probe_attempts(1);
        let (delivered, progress) = run(&pipeline, lines).await;
        assert_eq!(delivered.len(), 126);
        let state = |number: u32| {
            let row = &delivered[&format!("user-{number}")];
            let class = row.reason.as_ref().map(|reason| reason.class.as_str());
            (row.state, class)
        };
        for number in 1..=122 {
            assert_eq!(state(number), (State::Decided, None), "{number}");
        }
        assert_eq!(state(123), (State::Rejected, Some("image/truncated")));
        assert_eq!(state(124), (State::Decided, None));
        assert_eq!(state(125), (State::Rejected, Some("url/malformed")));
        assert_eq!(state(126), (State::Dead, Some("download/connect")));
        let outcome = |number: u32| {
            delivered[&format!("user-{number}")]
                .outcome
                .clone()
                .unwrap()
        };
        assert!(outcome(1).contains("\"decision\":\"pass\""));
        assert!(outcome(121).contains("\"decision\":\"block\""));
        assert!(outcome(122).contains("\"decision\":\"review\""));
        assert_eq!(bench.sandbox.paid(), 122);
        assert_eq!(
            (progress.lines, progress.images, progress.decided),
            (126, 125, 122)
        );
        let stats = bench.ledger.stats(std::time::UNIX_EPOCH).await.unwrap();
        assert_eq!(
            (stats.tasks, stats.resubmitted, stats.undelivered),
            (122, 0, 0)
        );
        assert_eq!(stats.count(State::Delivered), 122);
    });
}

#[test]
fn the_last_batch_of_a_list_is_not_held_back() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let mut lines = bench.good(3);
        lines.push(line(&bench.url("png/cut-in-data.png"), 4));
        let pipeline = bench.pipeline().fill_wait(Duration::from_secs(600));
        let whole_run = tokio::time::timeout(Duration::from_secs(60), run(&pipeline, lines));
        let (delivered, _) = whole_run.await.expect("nothing to wait for");
        assert_eq!((delivered.len(), bench.sandbox.paid()), (4, 3));
    });
}

/// Outcomes are printed in the order of the list, so a request that is overtaken holds back all that
/// follow.
#[test]
fn requests_are_permitted_in_the_order_in_which_they_wait() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let passed = Arc::new(Mutex::new((Vec::new(), Vec::new())));
        let found = Arc::clone(&passed);
        let checkpoint = move |step| {
            let (waited, permitted) = &mut *found.lock().unwrap();
            match step {
                Step::BeforePermit => waited.push(tokio::task::id()),
                Step::BeforeBegin => permitted.push(tokio::task::id()),
                _ => {}
            }
        };
        // It has four parts, so it needs four times the permits of the others.
        let mut lines = bench.good(260);
        lines[110] = line(&bench.url("png/long-tall.png"), 111);
        let pipeline = bench.pipeline().image_rate(Some(60)).batch(1);
        let (delivered, _) = run(&pipeline.checkpoint(checkpoint), lines).await;
        assert_eq!(delivered.len(), 260);
        let (waited, permitted) = &*passed.lock().unwrap();
        assert_eq!(waited.len(), permitted.len());
        let turn = |request: &_| permitted.iter().position(|other| other == request).unwrap();
        let overtaken = waited.iter().enumerate().map(|(index, request)| {
            let later = waited.iter().skip(index);
            later.filter(|&later| turn(later) < turn(request)).count()
        });
        let most = overtaken.max().unwrap();
        // Tasks that the runtime resumes at the same moment may begin in any order.
        assert!(most < 5, "overtaken by {most} requests");
    });
}

#[test]
fn a_list_passed_again_is_not_billed_or_delivered_twice() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let (first, _) = run(&bench.pipeline(), bench.good(60)).await;
        assert_eq!((first.len(), bench.sandbox.paid()), (60, 60));
        let (again, progress) = run(&bench.pipeline(), bench.good(60)).await;
        assert_eq!((again.len(), progress.lines, progress.images), (0, 60, 0));
        let mut other_list = bench.good(61);
        for line in &mut other_list {
            "other.txt".clone_into(&mut line.source.origin);
        }
        let (late, _) = run(&bench.pipeline(), other_list).await;
        assert_eq!((late.len(), bench.sandbox.paid()), (61, 61));
        assert!(late.values().all(|row| row.outcome.is_some()));
    });
}

#[test]
fn unacknowledged_outcomes_are_delivered_by_the_next_run() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let mut dies = bench.pipeline().start(bench.good(10));
        let mut seen = 0;
        while let Some(outcomes) = dies.next().await.unwrap() {
            seen += outcomes.len();
        }
        assert_eq!(seen, 10);
        let (delivered, _) = run(&bench.pipeline(), Vec::new()).await;
        assert_eq!((delivered.len(), bench.sandbox.paid()), (10, 10));
    });
}

#[test]
fn a_stopped_run_leaves_the_rest_to_the_next() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let pipeline = bench
            .pipeline()
            .batch(10)
            .requests(1)
            .image_rate(Some(50))
            .query_rate(None);
        let mut stopped = pipeline.start(bench.good(300));
        let mut delivered = 0;
        while let Some(outcomes) = stopped.next().await.unwrap() {
            stopped.acknowledge(&outcomes).await.unwrap();
            delivered += outcomes.len();
            stopped.stopper().stop();
        }
        assert!(delivered > 0 && delivered < 300, "{delivered}");
        let paid = bench.sandbox.paid();
        let stats = bench.ledger.stats(std::time::UNIX_EPOCH).await.unwrap();
        assert_eq!(stats.tasks, paid, "what was sent is recorded");
        assert_eq!(
            stats.count(State::Sending) + stats.count(State::Uncertain),
            0
        );
        let (rest, _) = run(&bench.pipeline(), bench.good(300)).await;
        assert_eq!((rest.len() + delivered, bench.sandbox.paid()), (300, 300));
    });
}

#[test]
fn runs_that_share_a_ledger_share_the_work() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let secret = bench.sandbox.credentials().secret();
        let other = open(&bench.location, &scope()).await;
        let other = pipeline(&bench.sandbox.endpoint(), secret, other);
        let mut first = bench.pipeline().start(bench.good(150));
        let mut second = other.resume();
        let mut names = Vec::new();
        let mut take = |outcomes: Option<Vec<greenlight::ledger::Undelivered>>| {
            let outcomes = outcomes.unwrap_or_default();
            names.extend(outcomes.iter().map(|outcome| outcome.row.number));
            outcomes
        };
        let (mut first_ends, mut second_ends) = (false, false);
        while !first_ends || !second_ends {
            tokio::select! {
                outcomes = first.next(), if !first_ends => {
                    let outcomes = take(outcomes.unwrap());
                    first_ends = outcomes.is_empty();
                    first.acknowledge(&outcomes).await.unwrap();
                }
                outcomes = second.next(), if !second_ends => {
                    second_ends = take(outcomes.unwrap()).is_empty();
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), bench.sandbox.paid()), (150, 150));
        let sent = (first.progress().sent, second.progress().sent);
        assert_eq!(sent.0 + sent.1, 150, "{sent:?}");
    });
}

#[test]
fn an_animation_is_submitted_with_its_frames() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let lines = vec![line(&bench.url("gif/animated.gif"), 1)];
        let (delivered, _) = run(&bench.pipeline(), lines).await;
        let facts = delivered["user-1"].facts.clone().unwrap();
        let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
        assert_eq!(
            (facts["frames"].as_u64(), facts["decision"].as_str()),
            (Some(3), Some("accept"))
        );
        assert_eq!(
            (facts["interval"].as_u64(), facts["max_frames"].as_u64()),
            (Some(1), Some(3))
        );
        assert_eq!(facts["download"]["status"], 200);
    });
}

#[test]
fn a_rejected_key_ends_the_run_and_no_image_is_dead() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let ledger = Arc::clone(&bench.ledger);
        let wrong = pipeline(&bench.sandbox.endpoint(), "wrong", ledger);
        let mut refused = wrong.start(bench.good(60));
        let error = loop {
            match refused.next().await {
                Ok(outcomes) => assert!(outcomes.is_some(), "it ends with an error"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(error.service_code(), Some("SignatureDoesNotMatch"));
        assert!(refused.next().await.unwrap().is_none());
        let stats = bench.ledger.stats(std::time::UNIX_EPOCH).await.unwrap();
        assert_eq!(stats.count(State::Dead) + stats.count(State::Sending), 0);
        let (delivered, _) = run(&bench.pipeline(), bench.good(60)).await;
        assert_eq!((delivered.len(), bench.sandbox.paid()), (60, 60));
    });
}

#[test]
fn a_plan_counts_and_submits_nothing() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let mut lines = bench.good(51);
        for url in [
            bench.url("gif/animated.gif"),
            bench.url("png/cut-in-data.png"),
            bench.url("png/rgb.png") + "?1",
            bench.url("png/rgb.png") + "?1#again",
            "ftp://example.com/a.png".to_owned(),
        ] {
            lines.push(line(&url, 0));
        }
        let scope = Scope::new(&[Scene::Porn, Scene::Ad]);
        let mut planning = Plan::start(&probe(), &requirements(), &scope, lines).unwrap();
        while planning.advance().await {}
        let plan = planning.plan();
        assert_eq!((plan.lines(), plan.duplicates()), (56, 2));
        assert_eq!(
            (plan.accepted(), plan.rejected(), plan.undecided()),
            (54, 2, 0)
        );
        assert_eq!((plan.submitted(), plan.requests()), (52, 2));
        assert_eq!(plan.unreadable(), 0);
        assert_eq!((plan.billed_per_scene(), plan.billed()), (54, 108));
        assert_eq!(plan.cost(150), 17, "108 at 150 a thousand, rounded up");
        assert_eq!(plan.codes().rejecting()[&Code::UrlScheme], 1);
        assert_eq!(plan.codes().rejecting()[&Code::ImageTruncated], 1);
        assert_eq!((bench.sandbox.requests(), bench.sandbox.paid()), (0, 0));
    });
}

#[test]
fn debug_output_of_a_pipeline_has_no_secret() {
    let ledger = SqliteLedger::open(&fresh_path("debug"), &scope()).unwrap();
    let pipeline = pipeline(
        "http://127.0.0.1:9",
        "sandbox-secret-text",
        Arc::new(ledger),
    );
    let shown = format!("{pipeline:?}");
    assert!(
        shown.contains("sandbox-key-id") && !shown.contains("secret-text"),
        "{shown}"
    );
    assert!(Path::new(FIXTURES).is_dir());
}
