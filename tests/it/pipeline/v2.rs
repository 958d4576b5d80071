//! The pipeline with 2.0: one image in a request, and the same guarantees.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use greenlight::{
    ledger::State,
    pipeline::{Line, Pipeline, Subject},
    probe::Mode,
    sandbox::{Fault, Operation, Sandbox, Share, When},
};

use super::{Bench, FIXTURES, block_on, impatient, line, pipeline_v2, probe_in, scope_v2};

async fn bench() -> (Bench, Pipeline) {
    let bench = Bench::of(Sandbox::builder().polls(1), &scope_v2()).await;
    let ledger = Arc::clone(&bench.ledger);
    let pipeline = pipeline_v2(probe_in(Mode::Header), &bench.sandbox.endpoint(), ledger);
    (bench, pipeline)
}

async fn finish(pipeline: &Pipeline, lines: Vec<Line>) {
    let mut run = pipeline.start(lines);
    while let Some(outcomes) = run.next().await.unwrap() {
        run.acknowledge(&outcomes).await.unwrap();
    }
}

#[test]
fn every_image_is_paid_once_whatever_the_codes() {
    block_on(async {
        let (bench, pipeline) = bench().await;
        for (operation, fault) in [
            (Operation::ImageAsyncModeration, Fault::Service(403)),
            (Operation::ImageAsyncModeration, Fault::Service(500)),
            (
                Operation::DescribeImageModerationResult,
                Fault::Service(403),
            ),
            (
                Operation::DescribeImageModerationResult,
                Fault::Service(409),
            ),
            (
                Operation::DescribeImageModerationResult,
                Fault::Html(502, When::After),
            ),
        ] {
            bench.sandbox.inject(operation, fault);
        }
        let mut lines = bench.good(200);
        lines.push(Line {
            subject: Subject::File(Path::new(FIXTURES).join("png/rgba.png")),
            ..line("", 201)
        });
        finish(&pipeline, lines).await;
        let rows = bench.rows().await;
        assert_eq!(rows.len(), 201);
        for row in rows {
            assert_eq!(row.state, State::Delivered, "{row:?}");
            assert!(row.outcome.unwrap().contains("\"risk_level\":\"none\""));
        }
        assert_eq!(bench.sandbox.paid(), 201);
    });
}

#[test]
#[ignore = "slow: waits for a lost response to be settled"]
fn a_lost_response_is_resubmitted_when_it_is_settled() {
    block_on(async {
        let (bench, pipeline) = bench().await;
        let operation = Operation::ImageAsyncModeration;
        bench.sandbox.inject(operation, Fault::Close(When::After));
        bench.sandbox.inject(operation, Fault::Missing(Share::All));
        finish(&impatient(pipeline), bench.good(20)).await;
        let stats = bench.ledger.stats(std::time::UNIX_EPOCH).await.unwrap();
        assert_eq!(stats.resubmitted, 2);
        assert_eq!(bench.sandbox.paid(), 22);
    });
}

#[test]
fn rejections_of_single_images_do_not_stop_the_run() {
    block_on(async {
        let (bench, pipeline) = bench().await;
        bench
            .sandbox
            .inject(Operation::ImageAsyncModeration, Fault::Service(406));
        let operation = Operation::DescribeImageModerationResult;
        bench.sandbox.inject(operation, Fault::Service(407));
        finish(&pipeline, bench.good(20)).await;
        let rows = bench.rows().await;
        let classes: Vec<_> = rows.iter().filter_map(|row| row.reason.as_ref()).collect();
        let mut classes: Vec<_> = classes.iter().map(|reason| reason.class.as_str()).collect();
        classes.sort_unstable();
        assert_eq!(classes, ["submit/406", "task/407"]);
    });
}

#[test]
fn the_account_without_rights_ends_the_run() {
    block_on(async {
        let (bench, pipeline) = bench().await;
        bench
            .sandbox
            .inject(Operation::ImageAsyncModeration, Fault::Service(408));
        let mut run = pipeline.start(bench.good(1));
        let error = loop {
            match run.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the run succeeded"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.service_code(), Some("408"));
        assert_eq!(bench.sandbox.paid(), 0);
    });
}

/// After a burst of one second the pace is that of the ledger, however many requests are in flight.
#[expect(
    clippy::disallowed_methods,
    reason = "a test measures its own duration"
)]
#[test]
fn the_pace_of_the_ledger_holds() {
    block_on(async {
        let (bench, pipeline) = bench().await;
        let pipeline = pipeline.image_rate(Some(200)).requests(64);
        let started = Instant::now();
        finish(&pipeline, bench.good(300)).await;
        let elapsed = started.elapsed();
        assert!(elapsed >= Duration::from_millis(900), "{elapsed:?}");
    });
}

/// With a constant interval eight polls would take 0.4 s.
#[expect(
    clippy::disallowed_methods,
    reason = "a test measures its own duration"
)]
#[test]
fn polls_become_rarer_with_the_age_of_a_task() {
    block_on(async {
        let bench = Bench::of(Sandbox::builder().polls(7), &scope_v2()).await;
        let ledger = Arc::clone(&bench.ledger);
        let pipeline = pipeline_v2(probe_in(Mode::Header), &bench.sandbox.endpoint(), ledger)
            .poll_interval(Duration::from_millis(50));
        let started = Instant::now();
        finish(&pipeline, bench.good(1)).await;
        let elapsed = started.elapsed();
        assert!(elapsed >= Duration::from_millis(900), "{elapsed:?}");
        let polls = Operation::DescribeImageModerationResult;
        assert_eq!(bench.sandbox.requests_of(polls), 8);
    });
}
