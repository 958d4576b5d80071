//! `greenlight scan`.

use std::time::Duration;

use greenlight::sandbox::Sandbox;
use insta::assert_snapshot;

use super::{
    bench::{Bench, Run},
    running::{Running, interrupt},
    site::{Page, Site},
};

const KEY: [(&str, &str); 2] = [
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "test-id"),
    ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "test-secret-never-shown"),
];

fn images(name: &str) -> Bench {
    let bench = Bench::new(name);
    bench.fixture("png/rgb.png", "in/good.png");
    bench.fixture("png/porn-in-its-name.png", "in/porn.png");
    bench.fixture("gif/sexy-in-its-name.gif", "in/sexy.gif");
    bench.fixture("jpeg/too-small.jpg", "in/small.jpg");
    bench
}

#[test]
fn what_passes_is_submitted_and_every_outcome_is_printed() {
    let bench = images("scan-outcomes");
    let run = bench.run(&["scan", "--sandbox", "in", "no.png"]);
    assert_snapshot!(run.without_ports(), @r"
    exit: 2
    ----- stdout -----
    OUTCOME        FORMAT         PIXELS       BYTES  SOURCE
    pass           png           256x256        2077  in/good.png
    block          png           256x320        2576  in/porn.png
                   porn: porn, block (98.63)
    review         gif           272x256        6410  in/sexy.gif
                   porn: sexy, review (78.5)
    not-submitted  jpeg          256x128        2644  in/small.jpg
                   image/too-small: 256x128 pixels, at least 256x256: send a larger version
    not-submitted  -                   -           -  no.png
                   error: cannot read: No such file or directory

    5 sources: 3 accept, 1 reject, 1 inconclusive
    outcomes: 1 pass, 1 review, 1 block, 2 not-submitted
         1  image/too-small

    ----- stderr -----
    note: a sandbox at http://127.0.0.1:N stands in for the service: outcomes are made up from file names
    ");
}

#[test]
fn a_scan_whose_images_pass_ends_with_0() {
    let bench = images("scan-pass");
    assert_eq!(
        bench.run(&["scan", "--sandbox", "in/good.png"]).code,
        Some(0)
    );
    assert_eq!(
        bench.run(&["scan", "--sandbox", "in/sexy.gif"]).code,
        Some(1)
    );
    assert_eq!(
        bench.run(&["scan", "--sandbox", "in/small.jpg"]).code,
        Some(1)
    );
    assert_eq!(
        bench.run(&["scan", "--sandbox", "in/none.jpg"]).code,
        Some(2)
    );
}

#[test]
fn a_line_of_scan_is_a_line_of_check_and_more() {
    let bench = images("scan-keys");
    let run = bench.run(&[
        "scan",
        "--sandbox",
        "in/porn.png",
        "in/small.jpg",
        "--format",
        "jsonl",
    ]);
    let keys = [
        "source",
        "decision",
        "format",
        "width",
        "height",
        "bytes",
        "frames",
        "violations",
        "download",
        "status",
        "hops",
        "elapsed_ms",
        "bytes",
        "error",
        "data_id",
        "task_id",
        "outcome",
        "results",
        "scene",
        "label",
        "suggestion",
        "rate",
    ];
    let mut rest = run.stdout.lines().next().unwrap();
    for key in keys {
        let (_, after) = rest.split_once(&format!("\"{key}\":")).expect(key);
        rest = after;
    }
    let lines = run.json();
    assert_eq!(lines[0]["outcome"], "block");
    assert_eq!(lines[0]["results"][0]["scene"], "porn");
    assert_eq!(lines[0]["results"][1]["suggestion"], "pass");
    assert!(lines[0]["task_id"].is_string() && lines[0]["data_id"].is_string());
    assert_eq!(lines[1]["outcome"], "not-submitted");
    assert_eq!(lines[1]["results"].as_array().unwrap().len(), 0);
    assert!(lines[1]["task_id"].is_null() && lines[1]["data_id"].is_null());
}

#[test]
fn scenes_are_chosen() {
    let bench = images("scan-scenes");
    let run = bench.run(&[
        "scan",
        "--sandbox",
        "in/porn.png",
        "--scenes",
        "qrcode,logo",
        "--format",
        "jsonl",
    ]);
    let line = run.json().remove(0);
    assert_eq!(line["outcome"], "pass");
    let scenes: Vec<_> = line["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["scene"].clone())
        .collect();
    assert_eq!(scenes, ["qrcode", "logo"]);
}

#[test]
fn csv_has_a_column_for_everything() {
    let bench = images("scan-csv");
    let run = bench.run(&["scan", "--sandbox", "in/sexy.gif", "--format", "csv"]);
    let mut lines = run.stdout.lines();
    assert_eq!(
        lines.next(),
        Some(
            "source,decision,format,width,height,bytes,frames,violations,status,hops,elapsed_ms,\
             download_bytes,error,data_id,task_id,outcome,results"
        )
    );
    let line = lines.next().unwrap();
    assert!(
        line.starts_with("in/sexy.gif,accept,gif,272,256,6410,1,,200,1,"),
        "{line}"
    );
    assert!(
        line.contains(",review,porn:sexy:review:78.5 terrorism:normal:pass:"),
        "{line}"
    );
}

#[test]
fn more_than_a_batch_comes_out_in_order() {
    let bench = images("scan-many");
    for n in 0..130 {
        bench.fixture("png/rgb.png", &format!("many/{n:03}.png"));
    }
    let run = bench.run(&[
        "scan",
        "--sandbox",
        "many",
        "in",
        "--format",
        "jsonl",
        "--concurrency",
        "7",
    ]);
    let sources = run.texts("source");
    assert_eq!(sources.len(), 134);
    assert!(sources.is_sorted() || sources[130..].is_sorted() && sources[..130].is_sorted());
    let outcomes = run.texts("outcome");
    assert_eq!(outcomes[..130], vec!["pass"; 130]);
    assert_eq!(
        outcomes[130..],
        ["pass", "block", "review", "not-submitted"]
    );
}

#[test]
fn urls_are_scanned_beside_files() {
    let bench = images("scan-urls");
    let png = std::fs::read(bench.path("in/good.png")).unwrap();
    let site = Site::start([("/porn-1.png", Page::image("image/png", png))]);
    let url = site.url("/porn-1.png");
    let run = bench.run(&[
        "scan",
        "--sandbox",
        &url,
        "in/good.png",
        "--allow-address",
        &site.allowed(),
        "--format",
        "jsonl",
    ]);
    assert_eq!(run.texts("source"), [&*url, "in/good.png"]);
    assert_eq!(run.texts("outcome"), ["block", "pass"]);
}

#[test]
fn a_service_must_be_named() {
    let bench = images("scan-service");
    assert_snapshot!(bench.run(&["scan", "in"]), @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: no service is named
    hint: name one with --region REGION or --endpoint URL; `greenlight scan --sandbox` needs no account
    ");
}

#[test]
fn a_missing_key_says_which_variables_to_set() {
    let bench = images("scan-key");
    assert_snapshot!(bench.run(&["scan", "in", "--region", "cn-shanghai"]), @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: no credentials: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET
    hint: the key is read from the environment alone; temporary credentials need ALIBABA_CLOUD_SECURITY_TOKEN too
    ");
    let mut command = bench.command(&["scan", "in", "--region", "cn-shanghai"]);
    command.env(KEY[0].0, KEY[0].1);
    assert_snapshot!(Run::of(command.spawn().unwrap()), @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: credentials are incomplete: ALIBABA_CLOUD_ACCESS_KEY_ID is set and ALIBABA_CLOUD_ACCESS_KEY_SECRET is not
    hint: the key is read from the environment alone; temporary credentials need ALIBABA_CLOUD_SECURITY_TOKEN too
    ");
}

#[test]
fn a_region_without_a_known_host_is_refused() {
    let bench = images("scan-region");
    let mut command = bench.command(&["scan", "in", "--region", "mars-1"]);
    let run = Run::of(command.envs(KEY).spawn().unwrap());
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: no host is documented for region mars-1; name an endpoint, or one of: ap-southeast-1, cn-beijing, cn-shanghai, cn-shenzhen, eu-central-1, us-east-1
    ");
    let mut command = bench.command(&["scan", "in", "--endpoint", "http://example.com"]);
    let run = Run::of(command.envs(KEY).spawn().unwrap());
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: endpoint cannot be used: http is for loopback only; write https: http://example.com
    ");
}

#[test]
fn one_service_is_named_at_most() {
    let bench = images("scan-two");
    for two in [
        ["--sandbox", "--region=cn-shanghai"],
        ["--sandbox", "--endpoint=http://127.0.0.1:1"],
        ["--region=cn-shanghai", "--endpoint=http://127.0.0.1:1"],
    ] {
        let run = bench.run(&[&["scan", "in"][..], &two].concat());
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains("cannot be used with"), "{run}");
    }
}

#[test]
fn local_files_that_pass_are_uploaded_to_the_service() {
    let bench = images("scan-local");
    let sandbox = Running::sandbox(&bench, &[]);
    let run = sandbox.scan(&["in", "--poll", "50ms", "--format", "jsonl"]);
    let sources = ["in/good.png", "in/porn.png", "in/sexy.gif", "in/small.jpg"];
    assert_eq!(run.texts("source"), sources, "{run}");
    // The store names objects itself, so the sandbox finds nothing in their names.
    let outcomes = ["pass", "pass", "pass", "not-submitted"];
    assert_eq!(run.texts("outcome"), outcomes, "{run}");
    assert_eq!(run.json()[0]["download"], serde_json::Value::Null);
    assert_eq!(run.code, Some(1));
    let header = ["in/good.png", "--depth", "header", "--poll", "50ms"];
    assert_eq!(sandbox.scan(&header).code, Some(0));
}

#[test]
fn a_file_that_cannot_be_uploaded_is_not_submitted() {
    let bench = images("scan-upload");
    let mut command = bench.command(&["scan", "in/good.png", "--endpoint", "http://127.0.0.1:1"]);
    let run = Run::of(command.envs(KEY).spawn().unwrap());
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stdout.contains("not-submitted"), "{run}");
    assert!(run.stdout.contains("error: cannot upload: "), "{run}");
}

#[test]
fn a_sandbox_of_its_own_is_scanned_with() {
    let bench = images("scan-endpoint");
    let sandbox = Running::sandbox(&bench, &["--serve", "in", "--polls", "2"]);
    let (good, porn) = (sandbox.url("good.png"), sandbox.url("porn.png"));
    let allowed = sandbox.allowed();
    let run = sandbox.scan(&[
        &good,
        &porn,
        "--allow-address",
        &allowed,
        "--poll",
        "50ms",
        "--format",
        "jsonl",
    ]);
    assert_eq!(run.texts("outcome"), ["pass", "block"], "{run}");
    assert_eq!(run.code, Some(1));

    let ids = run.texts("task_id");
    let run = sandbox.run(&[
        "results",
        &ids[1],
        "no-such-task",
        &ids[0],
        "--format",
        "jsonl",
    ]);
    assert_eq!(run.texts("task_id"), [&*ids[1], "no-such-task", &*ids[0]]);
    assert_eq!(run.texts("outcome"), ["block", "", "pass"]);
    assert_eq!(run.code, Some(2));
    assert_eq!(sandbox.run(&["results", &ids[0]]).code, Some(0));
    let run = sandbox.run(&["results", &ids[1]]).with(&ids[1], "TASK");
    assert_snapshot!(run, @r"
    exit: 1
    ----- stdout -----
    STATE          OUTCOME        TASK
    done           block          TASK
                   porn: porn, block (98.63)

    ----- stderr -----
    ");
    let run = sandbox.run(&["results", &ids[1], "--format", "csv"]);
    assert!(
        run.stdout
            .starts_with("task_id,data_id,state,outcome,results,error\n"),
        "{run}"
    );
}

#[test]
fn results_that_do_not_come_in_time_leave_the_image_undecided() {
    let bench = images("scan-wait");
    let sandbox = Running::sandbox(&bench, &["--serve", "in", "--polls", "1000"]);
    let url = sandbox.url("good.png");
    let allowed = sandbox.allowed();
    let run = sandbox.scan(&[
        &url,
        "--allow-address",
        &allowed,
        "--poll",
        "50ms",
        "--wait",
        "300ms",
        "--format",
        "jsonl",
    ]);
    assert_eq!(run.texts("outcome"), ["undecided"]);
    assert_eq!(run.texts("error"), ["no result in time: ask for it later"]);
    assert_eq!(run.code, Some(2));
    let run = sandbox.run(&["results", &run.texts("task_id")[0], "--format", "jsonl"]);
    assert_eq!(run.texts("state"), ["processing"]);
}

#[test]
fn a_wrong_key_is_told_and_never_shown() {
    let bench = images("scan-wrong-key");
    let sandbox = Running::sandbox(&bench, &["--serve", "in", "--key", "other:words"]);
    let url = sandbox.url("good.png");
    let allowed = sandbox.allowed();
    let mut command = bench.command(&[
        "scan",
        &url,
        "--allow-address",
        &allowed,
        "--endpoint",
        &sandbox.endpoint,
    ]);
    let run = Run::of(command.envs(KEY).spawn().unwrap());
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("InvalidAccessKeyId"), "{run}");
    assert!(!run.to_string().contains(KEY[1].1), "{run}");

    let mut command = bench.command(&[
        "scan",
        &url,
        "--allow-address",
        &allowed,
        "--endpoint",
        &sandbox.endpoint,
    ]);
    command.env(KEY[0].0, "other").env(KEY[1].0, KEY[1].1);
    let run = Run::of(command.spawn().unwrap());
    assert!(run.stderr.contains("SignatureDoesNotMatch"), "{run}");
    assert!(!run.to_string().contains(KEY[1].1), "{run}");
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupted_scan_tells_the_tasks_that_were_paid_for() {
    let bench = images("scan-interrupt");
    let sandbox = Sandbox::builder().polls(1_000).serve(bench.path("in"));
    let sandbox = sandbox.start().await.unwrap();
    let good = sandbox.url_for("good.png").unwrap();
    let small = sandbox.url_for("small.jpg").unwrap();
    let allowed = format!("127.0.0.1/32:{}", sandbox.address().port());
    let endpoint = sandbox.endpoint();
    let key = sandbox.credentials();
    let mut command = bench.command(&["scan", &small, &good, &small, "--format", "jsonl"]);
    command
        .args(["--allow-address", &allowed, "--endpoint", &endpoint])
        .env(KEY[0].0, key.id())
        .env(KEY[1].0, key.secret());
    let child = command.spawn().unwrap();
    while sandbox.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    interrupt(&child);
    let run = tokio::task::spawn_blocking(|| Run::of(child))
        .await
        .unwrap();
    assert_eq!(run.code, Some(130), "{run}");
    assert_eq!(
        run.texts("outcome"),
        ["not-submitted", "undecided", "not-submitted"],
        "{run}"
    );
    let id = &run.texts("task_id")[1];
    let error = format!("not waited for: `greenlight results {id}` asks again");
    assert_eq!(run.texts("error")[1], error);
    assert_eq!(run.stderr, "error: interrupted: 3 done, 0 left\n");
}

#[test]
fn the_sandbox_says_where_it_is_and_how_to_use_it() {
    let bench = images("sandbox-says");
    let sandbox = Running::sandbox(&bench, &["--serve", "in"]);
    assert_snapshot!(sandbox.end().without_ports(), @r"
    exit: 130
    ----- stdout -----
    sandbox listening on http://127.0.0.1:N

    It stands in for the moderation service; to use it:
      export ALIBABA_CLOUD_ACCESS_KEY_ID=sandbox-key-id
      export ALIBABA_CLOUD_ACCESS_KEY_SECRET=sandbox-key-secret
      greenlight scan URL... --endpoint http://127.0.0.1:N

    It serves the files of in:
      greenlight check http://127.0.0.1:N/files/NAME --allow-address 127.0.0.1/32:N

    Ctrl-C ends it

    ----- stderr -----
    ");
    let sandbox = Running::sandbox(&bench, &["--key", "my-id:my-own-secret"]);
    assert_snapshot!(sandbox.end().without_ports(), @r"
    exit: 130
    ----- stdout -----
    sandbox listening on http://127.0.0.1:N

    It stands in for the moderation service; to use it:
      export ALIBABA_CLOUD_ACCESS_KEY_ID=my-id
      export ALIBABA_CLOUD_ACCESS_KEY_SECRET=<secret>
      greenlight scan URL... --endpoint http://127.0.0.1:N

    Ctrl-C ends it

    ----- stderr -----
    ");
}

#[test]
fn a_sandbox_that_cannot_start_says_why() {
    let bench = images("sandbox-fails");
    assert_snapshot!(bench.run(&["sandbox", "--serve", "none"]), @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot serve a folder: none: No such file or directory (os error 2)
    ");
    let run = bench.run(&["sandbox", "--key", "no-colon"]);
    assert_eq!(run.code, Some(2), "{run}");
    let run = bench.run(&["sandbox", "--listen", "nowhere"]);
    assert_eq!(run.code, Some(2), "{run}");
}
