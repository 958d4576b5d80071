//! Every failure of the service during a run: the number of billed images, and that nothing is lost.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join_all;
use greenlight::{
    Scene,
    green::callback,
    ledger::{Ledger, Limit, Permit, Quota, Resubmit, Rows, Scope, SqliteLedger, State},
    pipeline::Step,
    sandbox::{Fault, Operation, Sandbox, Share, When},
};
use serde_json::{Value, json};

use super::{Bench, block_on, fresh_path, impatient, line, pipeline_of, requirements, run};
use crate::green_server::{Request, Server, Step as Answer};

const IMAGES: u64 = 120;

/// Runs 120 images in batches of 50 while the first request of an operation fails. Returns how many
/// were billed, resubmitted and left with one task each.
async fn meet(operation: Operation, faults: Vec<Fault>) -> (u64, u64) {
    let bench = Bench::new(Sandbox::builder()).await;
    let shown = format!("{faults:?}");
    for fault in faults {
        bench.sandbox.inject(operation, fault);
    }
    let pipeline = impatient(bench.pipeline());
    let (delivered, _) = run(&pipeline, bench.good(IMAGES)).await;
    let decided = delivered.values().filter(|row| row.state == State::Decided);
    assert_eq!(decided.count(), 120, "{shown}");
    let stats = bench.ledger.stats(std::time::UNIX_EPOCH).await.unwrap();
    let known = stats.tasks + stats.resubmitted;
    let paid = bench.sandbox.paid();
    assert!(paid <= known, "{shown}: {paid} paid, {known} accounted for");
    (paid, stats.resubmitted)
}

#[test]
#[ignore = "slow: waits for real retries"]
fn a_submission_that_was_surely_not_done_is_repeated_for_nothing() {
    let faults = [
        Fault::Service(588),
        Fault::Service(500),
        Fault::Service(580),
        Fault::Throttled(429, Some(Duration::from_millis(20))),
        Fault::Throttled(400, None),
        Fault::Throttled(503, None),
        Fault::Gateway(503, When::Before),
        Fault::Tasks(588, Share::Half),
        Fault::Tasks(592, Share::First),
        Fault::Tasks(500, Share::All),
        Fault::Shuffled,
        Fault::Delay(Duration::from_millis(300)),
    ];
    block_on(async {
        // All at the same time, because each has to wait.
        let meetings = faults.map(|fault| async move {
            let paid = meet(Operation::AsyncScan, vec![fault.clone()]).await;
            assert_eq!(paid, (IMAGES, 0), "{fault:?}");
        });
        join_all(meetings).await;
    });
}

#[test]
#[ignore = "slow: waits for real retries"]
fn an_outage_is_reported_until_it_ends() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        for _ in 0..6 {
            bench
                .sandbox
                .inject(Operation::AsyncScan, Fault::Service(500));
        }
        let mut run = bench.pipeline().start(bench.good(1));
        assert_eq!(run.outage(), None);
        let outage = loop {
            if let Some(outage) = run.outage() {
                break outage;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(outage.error.contains("500"), "{outage:?}");
        while run.next().await.unwrap().is_some() {}
        assert_eq!((run.outage(), run.progress().decided), (None, 1));
    });
}

/// Without callbacks it is unknown whether the service received the images: the cost is reported, and
/// bounded by the images in flight.
#[test]
#[ignore = "slow: waits for real retries"]
fn a_submission_without_an_answer_is_repeated_once_its_time_has_come() {
    let paid_twice = [
        Fault::Close(When::After),
        Fault::Html(502, When::After),
        Fault::Empty,
        Fault::CutBody,
        Fault::ShortBody,
        Fault::Missing(Share::All),
    ];
    let paid_once = [Fault::Close(When::Before), Fault::Html(502, When::Before)];
    // Longer than the deadline of the request, so it is unknown whether it was executed.
    let late = [Fault::Delay(Duration::from_secs(6))];
    let twice = paid_twice.map(|fault| (fault, Some(true)));
    let once = paid_once.map(|fault| (fault, Some(false)));
    let unknown = late.map(|fault| (fault, None));
    // All at the same time, because each has to wait.
    let mut meetings = tokio::task::JoinSet::new();
    block_on(async {
        for (fault, is_paid) in twice.into_iter().chain(once).chain(unknown) {
            meetings.spawn(async move {
                let (paid, resubmitted) = meet(Operation::AsyncScan, vec![fault.clone()]).await;
                let shown = format!("{fault:?}: {paid} paid, {resubmitted} resubmitted");
                assert!(resubmitted > 0 && resubmitted <= 50, "{shown}");
                match is_paid {
                    Some(true) => assert_eq!(paid, IMAGES + resubmitted, "{shown}"),
                    Some(false) => assert_eq!(paid, IMAGES, "{shown}"),
                    None => assert!(paid <= IMAGES + resubmitted, "{shown}"),
                }
            });
        }
        while let Some(met) = meetings.join_next().await {
            met.unwrap();
        }
    });
}

#[test]
#[ignore = "slow: waits for real retries"]
fn a_question_for_results_is_repeated_for_nothing() {
    let faults = [
        Fault::Service(500),
        Fault::Service(588),
        Fault::Throttled(429, Some(Duration::from_millis(20))),
        Fault::Gateway(503, When::After),
        Fault::Html(502, When::After),
        Fault::Empty,
        Fault::CutBody,
        Fault::ShortBody,
        Fault::Close(When::Before),
        Fault::Close(When::After),
        Fault::Shuffled,
        Fault::Missing(Share::Half),
        Fault::Missing(Share::All),
    ];
    block_on(async {
        let meetings = faults.map(|fault| async move {
            let paid = meet(Operation::Results, vec![fault.clone(), fault.clone()]).await;
            assert_eq!(paid, (IMAGES, 0), "{fault:?}");
        });
        join_all(meetings).await;
    });
}

#[test]
fn a_temporarily_failed_task_is_submitted_again() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let fault = Fault::Tasks(592, Share::First);
        bench.sandbox.inject(Operation::Results, fault);
        let (delivered, _) = run(&bench.pipeline(), bench.good(20)).await;
        assert!(delivered.values().all(|row| row.state == State::Decided));
        let stats = bench.ledger.stats(std::time::UNIX_EPOCH).await.unwrap();
        assert_eq!((bench.sandbox.paid(), stats.tasks), (21, 21));
    });
}

#[test]
fn a_permanently_failed_task_is_dead_with_its_code() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let fault = Fault::Tasks(590, Share::First);
        bench.sandbox.inject(Operation::Results, fault);
        let (delivered, _) = run(&bench.pipeline(), bench.good(20)).await;
        let mut dead = delivered.values().filter(|row| row.state == State::Dead);
        let reason = dead.next().unwrap().reason.clone().unwrap();
        assert_eq!(reason.class, "task/590");
        assert_eq!((dead.count(), bench.sandbox.paid()), (0, 20));
    });
}

#[test]
fn images_with_expired_results_are_resubmitted_and_counted() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        bench.sandbox.inject(Operation::Results, Fault::Forgotten);
        let (delivered, progress) = run(&bench.pipeline(), bench.good(40)).await;
        assert!(delivered.values().all(|row| row.state == State::Decided));
        let stats = bench.ledger.stats(std::time::UNIX_EPOCH).await.unwrap();
        // All images that were submitted when the service lost its results.
        let expired = stats.expired;
        assert!(expired > 0 && expired <= 40, "{expired}");
        assert_eq!((progress.expired, stats.resubmitted), (expired, 0));
        assert_eq!(
            (bench.sandbox.paid(), stats.tasks),
            (40 + expired, 40 + expired)
        );
    });
}

/// A run that starts after the results of the last one have expired.
#[test]
fn images_beyond_the_retention_are_resubmitted() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let patient = bench.pipeline().poll_interval(Duration::from_secs(1));
        let mut stopped = patient.start(bench.good(20));
        while stopped.progress().submitted < 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stopped.stopper().stop();
        while stopped.next().await.unwrap().is_some() {}
        bench
            .sandbox
            .put_clock_forward(Duration::from_secs(61 * 60));
        let (delivered, progress) = run(&bench.pipeline(), Vec::new()).await;
        assert_eq!(delivered.len(), 20);
        assert!(delivered.values().all(|row| row.state == State::Decided));
        let stats = bench.ledger.stats(std::time::UNIX_EPOCH).await.unwrap();
        assert_eq!((stats.expired, stats.resubmitted), (20, 0));
        assert_eq!(
            (bench.sandbox.paid(), stats.tasks, progress.expired),
            (40, 40, 20)
        );
    });
}

/// If a result is about to expire, other images wait until it is fetched.
#[test]
fn nothing_is_submitted_while_polling_lags_behind_the_retention() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let patient = bench.pipeline().poll_interval(Duration::from_secs(2));
        let patient = patient.retention(Duration::from_secs(60));
        let mut stopped = patient.start(bench.good(1));
        while stopped.progress().submitted < 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stopped.stopper().stop();
        while stopped.next().await.unwrap().is_some() {}

        let steps = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&steps);
        let pipeline = bench
            .pipeline()
            .retention(Duration::from_secs(600))
            .checkpoint(move |step| noted.lock().unwrap().push(step));
        let (delivered, _) = run(&pipeline, bench.good(30)).await;
        assert_eq!((delivered.len(), bench.sandbox.paid()), (30, 30));
        let steps = steps.lock().unwrap();
        let first = |wanted| steps.iter().position(|&step| step == wanted).unwrap();
        assert!(first(Step::AfterFindings) < first(Step::AfterOutcomes));
        assert!(
            first(Step::AfterOutcomes) < first(Step::BeforeBegin),
            "{steps:?}"
        );
    });
}

/// The sandbox rejects a whole request because of one URL that is too long.
#[test]
fn one_invalid_image_does_not_fail_the_batch() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let mut lines = bench.good(50);
        let long = format!("{}?{}", bench.url("png/rgb.png"), "x".repeat(2100));
        lines.push(line(&long, 99));
        let lenient = requirements().with_max_url_chars(5000);
        let pipeline = bench.pipeline().requirements(lenient);
        let (delivered, _) = run(&pipeline, lines).await;
        assert_eq!((delivered.len(), bench.sandbox.paid()), (51, 50));
        let spoilt = &delivered["user-99"];
        let class = spoilt.reason.as_ref().map(|reason| reason.class.as_str());
        assert_eq!((spoilt.state, class), (State::Dead, Some("submit/400")));
        let decided = delivered.values().filter(|row| row.state == State::Decided);
        assert_eq!(decided.count(), 50);
    });
}

#[test]
fn uncertain_images_stay_uncertain_if_configured() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let lost = Fault::Close(When::After);
        bench.sandbox.inject(Operation::AsyncScan, lost);
        let pipeline = bench.pipeline().resubmit(Resubmit::Never);
        let (delivered, progress) = run(&pipeline, bench.good(30)).await;
        assert_eq!(
            delivered.len(),
            30 - usize::try_from(progress.uncertain).unwrap()
        );
        assert!(progress.uncertain > 0);
        assert_eq!(bench.sandbox.paid(), 30);
        let uncertain = bench
            .rows()
            .await
            .into_iter()
            .filter(|row| row.state == State::Uncertain);
        assert_eq!(
            uncertain.count(),
            usize::try_from(progress.uncertain).unwrap()
        );
    });
}

/// The response is lost, but the callback arrives: nothing is billed twice.
#[test]
fn a_callback_settles_a_submission_without_a_response() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let lost = Fault::Close(When::After);
        bench.sandbox.inject(Operation::AsyncScan, lost);
        let pipeline = bench.pipeline();
        let mut run = pipeline.start(bench.good(30));
        while run.progress().uncertain == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let uncertain = bench
            .rows()
            .await
            .into_iter()
            .filter(|row| row.state == State::Uncertain);
        for (number, row) in uncertain.enumerate() {
            let content = format!(
                r#"{{"code":200,"taskId":"img-by-callback-{number}","dataId":"{}","results":[
                    {{"scene":"porn","label":"normal","suggestion":"pass","rate":99.9}}]}}"#,
                row.key
            );
            let report = callback::parse(content.as_bytes()).unwrap();
            assert!(pipeline.record_callback(&report).await.unwrap());
            assert!(
                !pipeline.record_callback(&report).await.unwrap(),
                "it came twice"
            );
        }
        let mut delivered = 0;
        while let Some(outcomes) = run.next().await.unwrap() {
            delivered += outcomes.len();
        }
        assert_eq!((delivered, run.progress().resubmitted), (30, 0));
        assert_eq!(bench.sandbox.paid(), 30);
    });
}

/// Accepts every task and returns a result for the scene `porn` only.
fn of_one_scene(request: &Request) -> Answer {
    let asked = request.json();
    let data: Vec<_> = match request.path.as_str() {
        "/green/image/asyncscan" => asked["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(taken)
            .collect(),
        _ => asked.as_array().unwrap().iter().map(calm).collect(),
    };
    Answer::json(200, &json!({"code": 200, "msg": "OK", "data": data}))
}

fn taken(task: &Value) -> Value {
    let id = task["dataId"].as_str().unwrap();
    json!({"code": 200, "dataId": id, "taskId": format!("task-{id}")})
}

fn calm(task_id: &Value) -> Value {
    let calm = json!({"scene": "porn", "label": "normal", "suggestion": "pass", "rate": 99.9});
    json!({"code": 200, "taskId": task_id, "results": [calm]})
}

#[test]
fn a_missing_scene_result_is_not_a_pass() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let service = Server::with(of_one_scene).await;
        for (scenes, decision) in [
            (&[Scene::Porn][..], "pass"),
            (&[Scene::Porn, Scene::Ad], "undecided"),
        ] {
            let scope = Scope::new(scenes)
                .with_account("sandbox-key-id")
                .with_service("sandbox");
            let ledger = Arc::new(SqliteLedger::open(&fresh_path("scenes"), &scope).unwrap());
            let pipeline = pipeline_of(&service.url(), Arc::<SqliteLedger>::clone(&ledger), scope);
            let (delivered, _) = run(&pipeline, bench.good(1)).await;
            let row = &delivered["user-1"];
            let found: Value = serde_json::from_str(row.outcome.as_ref().unwrap()).unwrap();
            assert_eq!(found["decision"], decision, "{scenes:?}");
        }
    });
}

#[test]
fn a_callback_is_compared_with_the_requested_scenes() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        // The response is lost, so that only the callback decides.
        bench
            .sandbox
            .inject(Operation::AsyncScan, Fault::Close(When::After));
        let scope = Scope::new(&[Scene::Porn, Scene::Ad])
            .with_account("sandbox-key-id")
            .with_service("sandbox");
        let ledger = Arc::new(SqliteLedger::open(&fresh_path("scenes"), &scope).unwrap());
        let endpoint = bench.sandbox.endpoint();
        let pipeline = pipeline_of(&endpoint, Arc::<SqliteLedger>::clone(&ledger), scope)
            .send_limit(Duration::from_secs(600))
            .settle_after(Duration::from_secs(600));
        let mut running = pipeline.start(bench.good(1));
        let key = loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let all = Rows {
                after: 0,
                limit: 10,
                state: Some(State::Uncertain),
            };
            if let Some(row) = ledger.rows(all).await.unwrap().first() {
                break row.key.to_string();
            }
        };
        let mut said = calm(&json!("task-1"));
        said["dataId"] = key.into();
        let report = callback::parse(said.to_string().as_bytes()).unwrap();
        assert!(pipeline.record_callback(&report).await.unwrap());
        let outcomes = running.next().await.unwrap().unwrap();
        let outcome = outcomes[0].row.outcome.as_ref().unwrap();
        assert!(outcome.contains("\"decision\":\"undecided\""), "{outcome}");
    });
}

#[test]
fn times_beyond_the_clocks_range_are_capped() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let endless = bench
            .pipeline()
            .lease(Duration::MAX)
            .retention(Duration::MAX)
            .send_limit(Duration::MAX)
            .settle_after(Duration::MAX);
        let (delivered, _) = run(&endless, bench.good(3)).await;
        assert!(delivered.values().all(|row| row.state == State::Decided));
        assert_eq!(delivered.len(), 3);
        assert_eq!(bench.sandbox.paid(), 3);
    });
}

/// During an outage, one request at a time tries whether it is over. If the images of that request belong to another
/// process by then, nothing is sent, and others must not wait for its result.
#[test]
fn a_trial_that_is_not_sent_does_not_delay_others() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let quota = Quota {
            operation: "submit".to_owned(),
            limit: Limit {
                interval: Duration::from_millis(10),
                burst: 100,
            },
        };
        let failed = bench.ledger.fail(quota.clone(), Duration::ZERO);
        failed.await.unwrap();
        let permits = Arc::new(Mutex::new(Vec::new()));
        let (found, ledger) = (Arc::clone(&permits), Arc::clone(&bench.ledger));
        let asked = Mutex::new(0);
        let checkpoint = move |step| {
            let mut asked = asked.lock().unwrap();
            *asked += u32::from(step == Step::BeforePermit);
            let (ledger, quota) = (Arc::clone(&ledger), quota.clone());
            let act = || match (step, *asked) {
                // Another process takes the image over after the permit.
                (Step::BeforeBegin, 1) => block_on(async {
                    let due = std::time::UNIX_EPOCH;
                    ledger.take_over(Duration::ZERO, due).await.unwrap();
                    None
                }),
                (Step::BeforePermit, 2) => block_on(async { Some(ledger.permit(quota, 1).await) }),
                _ => None,
            };
            let permit = std::thread::scope(|scope| scope.spawn(act).join().unwrap());
            found.lock().unwrap().extend(permit);
        };
        let pipeline = bench.pipeline().image_rate(Some(100));
        let (delivered, _) = run(&pipeline.checkpoint(checkpoint), bench.good(1)).await;
        assert_eq!((delivered.len(), bench.sandbox.paid()), (1, 1));
        let permits = permits.lock().unwrap();
        assert!(matches!(permits[..], [Ok(Permit::Granted)]), "{permits:?}");
    });
}
