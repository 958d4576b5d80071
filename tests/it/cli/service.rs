//! `greenlight scan` and `results` with a service, and `greenlight sandbox`.

use std::time::Duration;

use greenlight::sandbox::Sandbox;
use insta::assert_snapshot;

use super::{
    bench::Run,
    running::{Running, interrupt},
    scan::{KEY, images},
};

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
    let mut command = bench.command(&[
        "scan",
        "in/good.png",
        "--no-ledger",
        "--wait",
        "1s",
        "--endpoint",
        "http://127.0.0.1:1",
    ]);
    let run = Run::of(command.envs(KEY).spawn().unwrap());
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("0 done, 1 left"), "{run}");
    let said = run.stderr.to_lowercase();
    assert!(said.contains("connection refused"), "{run}");
}

#[test]
fn scan_can_start_its_own_sandbox() {
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
    let error = &run.texts("error")[1];
    assert!(error.starts_with("unknown or expired"), "{error}");
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
fn late_results_leave_the_image_undecided() {
    let bench = images("scan-wait");
    let sandbox = Running::sandbox(&bench, &["--serve", "in", "--polls", "1000"]);
    let url = sandbox.url("good.png");
    let allowed = sandbox.allowed();
    let v2 = ["--api", "2.0", "--service", "baselineCheck"];
    for (api, named) in [(&[][..], &[][..]), (&v2, &v2[..2])] {
        let wait = ["--poll", "50ms", "--wait", "1s", "--format", "jsonl"];
        let source = [url.as_str(), "--allow-address", &allowed];
        let run = sandbox.scan(&[&source[..], &wait, api].concat());
        assert_eq!(run.texts("outcome"), ["undecided"], "{run}");
        let id = &run.texts("task_id")[0];
        let api = named.iter().map(|word| format!(" {word}"));
        let options = format!(
            " --endpoint {}{}",
            sandbox.endpoint,
            api.collect::<String>()
        );
        let error = format!("not waited for: `greenlight results {id}{options}` asks again");
        assert_eq!(run.texts("error"), [error], "{run}");
        assert_eq!(run.code, Some(2));
        let results = [&["results", id, "--format", "jsonl"][..], named].concat();
        let run = sandbox.run(&results);
        assert_eq!(run.texts("state"), ["processing"]);
    }
}

#[test]
fn credential_sources_are_tried_in_the_given_order() {
    let bench = images("scan-sources");
    let sandbox = Running::sandbox(&bench, &[]);
    let key = r#"{"current": "a", "profiles": [{"name": "a", "mode": "AK",
        "access_key_id": "sandbox-key-id", "access_key_secret": "sandbox-key-secret"}]}"#;
    bench.write("home/.aliyun/config.json", key);
    let other = "[default]\ntype = access_key\naccess_key_id = other\naccess_key_secret = other\n";
    bench.write("home/.alibabacloud/credentials", other);
    let home = bench.path("home");
    let scan = |sources: &str| {
        let endpoint = &sandbox.endpoint;
        let args = [
            "scan",
            "--no-ledger",
            "in/good.png",
            "--endpoint",
            endpoint,
            "--poll",
            "50ms",
        ];
        let mut command = bench.command(&[&args[..], &["--credentials", sources]].concat());
        Run::of(command.env("HOME", &home).spawn().unwrap())
    };
    assert_eq!(scan("env,cli,ini").code, Some(0));
    // The first source that has a key is used.
    let run = scan("ini,cli");
    assert!(run.stderr.contains("InvalidAccessKeyId.NotFound"), "{run}");
    let run = scan("env,uri");
    let nothing = "error: no credentials: no source that --credentials names has any\n";
    assert!(run.stderr.starts_with(nothing), "{run}");
    assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{run}");
}

#[test]
fn a_wrong_key_is_reported_redacted() {
    let bench = images("scan-wrong-key");
    let sandbox = Running::sandbox(&bench, &["--serve", "in", "--key", "other:words"]);
    let url = sandbox.url("good.png");
    let allowed = sandbox.allowed();
    let mut command = bench.command(&[
        "scan",
        "--no-ledger",
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
        "--no-ledger",
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
async fn an_interrupted_scan_reports_the_billed_tasks() {
    let bench = images("scan-interrupt");
    let sandbox = Sandbox::builder().polls(1_000).serve(bench.path("in"));
    let sandbox = sandbox.start().await.unwrap();
    let good = sandbox.url_for("good.png").unwrap();
    let small = sandbox.url_for("small.jpg").unwrap();
    let allowed = format!("127.0.0.1/32:{}", sandbox.address().port());
    let endpoint = sandbox.endpoint();
    let key = sandbox.credentials();
    let mut command = bench.command(&[
        "scan",
        "--no-ledger",
        &small,
        &good,
        &small,
        "--format",
        "jsonl",
    ]);
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
    let error =
        format!("not waited for: `greenlight results {id} --endpoint {endpoint}` asks again");
    assert_eq!(run.texts("error")[1], error);
    assert_eq!(run.said(), "error: interrupted: 3 done, 0 left\n");
}

#[test]
fn the_sandbox_prints_its_address_and_usage() {
    let bench = images("sandbox-says");
    let sandbox = Running::sandbox(&bench, &["--serve", "in"]);
    assert_snapshot!(sandbox.end().without_ports(), @r"
    exit: 130
    ----- stdout -----
    sandbox listening on http://127.0.0.1:N

    This is a mock of the moderation service; to use it:
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

    This is a mock of the moderation service; to use it:
      export ALIBABA_CLOUD_ACCESS_KEY_ID=my-id
      export ALIBABA_CLOUD_ACCESS_KEY_SECRET=<secret>
      greenlight scan URL... --endpoint http://127.0.0.1:N

    Ctrl-C ends it

    ----- stderr -----
    ");
}

#[test]
fn a_sandbox_on_all_addresses_prints_a_usable_one() {
    let bench = images("sandbox-everywhere");
    let sandbox = Running::sandbox(&bench, &["--listen", "0.0.0.0:0", "--serve", "in"]);
    let (_, port) = sandbox.endpoint.rsplit_once(':').unwrap();
    let endpoint = format!("http://127.0.0.1:{port}");
    let command = [
        "scan",
        "in/good.png",
        "--poll",
        "50ms",
        "--endpoint",
        &endpoint,
    ];
    let run = Run::of(sandbox.command(&command).spawn().unwrap());
    assert_eq!(run.code, Some(0), "{run}");
    assert_snapshot!(sandbox.end().without_ports(), @r"
    exit: 130
    ----- stdout -----
    sandbox listening on http://0.0.0.0:N

    This is a mock of the moderation service; to use it:
      export ALIBABA_CLOUD_ACCESS_KEY_ID=sandbox-key-id
      export ALIBABA_CLOUD_ACCESS_KEY_SECRET=sandbox-key-secret
      greenlight scan URL... --endpoint http://127.0.0.1:N

    It serves the files of in:
      greenlight check http://127.0.0.1:N/files/NAME --allow-address 127.0.0.1/32:N

    Ctrl-C ends it

    ----- stderr -----
    ");
}

#[test]
fn a_sandbox_that_cannot_start_names_the_cause() {
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
