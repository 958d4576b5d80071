//! `greenlight scan`.

use insta::assert_snapshot;

use super::{
    bench::{Bench, Run},
    site::{Page, Site},
};
use crate::green_upload::bitmap;

pub(super) const KEY: [(&str, &str); 2] = [
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "test-id"),
    ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "test-secret-never-shown"),
];

pub(super) fn images(name: &str) -> Bench {
    let bench = Bench::new(name);
    bench.fixture("png/rgb.png", "in/good.png");
    bench.fixture("png/porn-in-its-name.png", "in/porn.png");
    bench.fixture("gif/sexy-in-its-name.gif", "in/sexy.gif");
    bench.fixture("jpeg/too-small.jpg", "in/small.jpg");
    bench
}

#[test]
fn accepted_images_are_submitted_and_outcomes_printed() {
    let bench = images("scan-outcomes");
    let run = bench.run(&["scan", "--sandbox", "in", "no.png"]);
    assert_snapshot!(run.without_ports().without_progress(), @r"
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
    note: a sandbox at http://127.0.0.1:N replaces the service: outcomes are made up from file names
    ");
}

#[test]
fn a_scan_with_passing_images_exits_with_0() {
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
fn scan_prints_the_fields_of_check_and_more() {
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
fn scenes_can_be_selected() {
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
    assert_eq!(scenes, ["logo", "qrcode"], "in the ledger's order");
}

#[test]
fn a_mistyped_scene_is_rejected_before_submission() {
    let bench = images("scan-typo");
    let scan = ["scan", "--sandbox", "in/good.png", "--scenes"];
    let refused = "error: the service does not document the scene `pron`: did you mean `porn`?\n\
                   hint: the scenes are porn, terrorism, ad, qrcode, live, logo; --any-scene \
                   accepts others\n";
    for command in [&scan[..], &["plan", "in/good.png", "--scenes"]] {
        let run = bench.run(&[command, &["ad, pron"]].concat());
        assert_eq!((run.code, &*run.stderr), (Some(2), refused), "{run}");
    }
    let far = bench.run(&["plan", "in/good.png", "--scenes", "porn,violence"]);
    let refused = "error: the service does not document the scene `violence`\n\
                   hint: the scenes are porn, terrorism, ad, qrcode, live, logo; --any-scene \
                   accepts others\n";
    assert_eq!((far.code, &*far.stderr), (Some(2), refused), "{far}");
    let spaced = bench.run(&[&scan[..], &["ad, porn", "--format", "jsonl"]].concat());
    assert_eq!(spaced.code, Some(0), "{spaced}");
    let any = bench.run(&[&scan[..], &["pron", "--any-scene", "--format", "jsonl"]].concat());
    let error = any.texts("error").remove(0);
    assert!(error.contains("scene is not known: pron"), "sent on: {any}");
}

#[test]
fn csv_has_a_column_per_field() {
    let bench = images("scan-csv");
    let run = bench.run(&["scan", "--sandbox", "in/sexy.gif", "--format", "csv"]);
    let mut lines = run.stdout.lines();
    assert_eq!(
        lines.next(),
        Some(
            "source,line,decision,format,width,height,bytes,frames,rejecting,warnings,status,hops,elapsed_ms,\
             download_bytes,error,version,requirements,checked_at,data_id,task_id,outcome,results"
        )
    );
    let line = lines.next().unwrap();
    assert!(
        line.starts_with("in/sexy.gif,,accept,gif,272,256,6410,1,,,200,1,"),
        "{line}"
    );
    assert!(
        line.contains(",review,porn:sexy:review:78.5 terrorism:normal:pass:"),
        "{line}"
    );
}

#[test]
fn a_scan_without_a_kept_ledger_submits_once_with_ids() {
    let bench = images("scan-ids");
    bench.write(
        "list.csv",
        "url,id\nin/good.png,first\nin/small.jpg,second\nin/good.png,third\n",
    );
    let run = bench.run(&[
        "scan",
        "--sandbox",
        "--from",
        "list.csv",
        "--files-under",
        "in",
        "--data-id-column",
        "id",
        "--format",
        "jsonl",
    ]);
    assert_eq!(run.texts("data_id"), ["first", "second", "third"], "{run}");
    let tasks = run.texts("task_id");
    assert_eq!(tasks[0], tasks[2], "one task, so paid once: {run}");
    assert_eq!(run.texts("outcome"), ["pass", "not-submitted", "pass"]);
}

#[test]
fn a_missing_list_is_reported_before_credentials() {
    let bench = images("scan-no-list");
    let run = bench.run(&["scan", "--from", "none.csv", "--region", "cn-shanghai"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("none.csv"), "{run}");
    let run = bench.run(&["resume", "--region", "cn-shanghai"]);
    assert!(run.stderr.contains("greenlight.db"), "{run}");
    assert!(!run.stderr.contains("credentials"), "{run}");
}

#[test]
fn several_batches_are_printed_in_order() {
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
fn urls_and_files_are_scanned_together() {
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
fn a_service_is_required() {
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
fn a_missing_key_names_the_variables_to_set() {
    let bench = images("scan-key");
    assert_snapshot!(bench.run(&["scan", "in", "--region", "cn-shanghai"]), @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: no credentials: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET
    hint: temporary credentials need ALIBABA_CLOUD_SECURITY_TOKEN too; --credentials names other places to look at: env, cli, ini, uri, ecs
    ");
    let mut command = bench.command(&["scan", "in", "--region", "cn-shanghai"]);
    command.env(KEY[0].0, KEY[0].1);
    assert_snapshot!(Run::of(command.spawn().unwrap()), @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: credentials are incomplete: ALIBABA_CLOUD_ACCESS_KEY_ID is set and ALIBABA_CLOUD_ACCESS_KEY_SECRET is not
    hint: temporary credentials need ALIBABA_CLOUD_SECURITY_TOKEN too; --credentials names other places to look at: env, cli, ini, uri, ecs
    ");
}

#[test]
fn a_region_without_a_known_host_is_rejected() {
    let bench = images("scan-region");
    let mut command = bench.command(&["scan", "in", "--region", "mars-1"]);
    let run = Run::of(command.envs(KEY).spawn().unwrap());
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: no host is documented for region mars-1; name an endpoint, or one of: ap-southeast-1, cn-beijing, cn-shanghai, cn-shenzhen, eu-central-1, us-east-1
    ");
    // Reported before credentials are fetched.
    assert_eq!(
        bench.run(&["scan", "in", "--region", "mars-1"]).stderr,
        run.stderr
    );
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
fn at_most_one_service_can_be_selected() {
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
fn parts_that_are_not_scanned_are_a_warning() {
    let bench = Bench::new("scan-unseen");
    bench.write("in/long.bmp", bitmap(256, 256 * 20));
    bench.write("in/short.bmp", bitmap(256, 256 * 5));
    let run = bench.run(&["scan", "--sandbox", "in", "--format", "jsonl"]);
    assert_eq!(run.code, Some(0), "a warning stops nothing");
    let lines = run.json();
    let warning = &lines[0]["violations"][0];
    assert_eq!(warning["code"], "image/frames-unseen");
    assert_eq!(warning["severity"], "warn");
    assert_eq!(
        (&warning["measured"], &warning["limit"]),
        (&10.into(), &20.into())
    );
    assert_eq!(lines[1]["violations"].as_array().unwrap().len(), 0);
    let run = bench.run(&["scan", "--sandbox", "in"]);
    let warning = "looks at 10 of 20 parts of the long image";
    assert!(run.stdout.contains(warning), "{}", run.stdout);
}
