//! `--api 2.0`: the commands with Image Moderation 2.0.

use super::{bench::Bench, running::Running, scan::images};

const V2: [&str; 4] = ["--api", "2.0", "--service", "baselineCheck"];

fn run(bench: &Bench, args: &[&[&str]]) -> super::bench::Run {
    bench.run(&args.concat())
}

#[test]
fn a_scan_of_2_0_prints_outcomes() {
    let bench = images("api-scan");
    let scan = run(&bench, &[&["scan", "--sandbox"], &V2, &["in"]]);
    assert_eq!(scan.code, Some(1), "{scan}");
    for line in [
        "pass           png           256x256        2077  in/good.png",
        "               baselineCheck: pornographic_adultContent, block (98.63)",
        "               baselineCheck: sexual_cleavage, review (78.5)",
        "outcomes: 2 pass, 1 review, 1 block",
    ] {
        assert!(scan.stdout.contains(line), "{scan}");
    }
    let scan = run(
        &bench,
        &[
            &["scan", "--sandbox"],
            &V2,
            &["in/porn.png", "--format", "jsonl"],
        ],
    );
    let result = &scan.json()[0]["results"][0];
    assert_eq!(result["risk_level"], "high");
    assert_eq!(result["labels"][0]["confidence"], 98.63);
}

#[test]
fn options_of_one_api_are_not_those_of_the_other() {
    let bench = images("api-options");
    for (args, message) in [
        (&["--service", "baselineCheck"][..], "--service is of 2.0"),
        (
            &["--api", "2.0"],
            "no service code is named\nhint: name one with --service CODE: ",
        ),
        (&["--api", "2.0", "--scenes", "porn"], "--scenes is of 1.0"),
        (&["--api", "2.0", "--service", "a b"], "not a service code"),
        (&["--api", "3.0"], "invalid value '3.0'"),
    ] {
        for command in [&["scan", "--sandbox"][..], &["plan"]] {
            let run = run(&bench, &[command, args, &["in/good.png"]]);
            assert_eq!(run.code, Some(2), "{args:?}");
            assert!(run.stderr.contains(message), "{args:?}: {}", run.stderr);
        }
    }
}

#[test]
fn a_plan_of_2_0_has_one_image_in_a_request() {
    let bench = images("api-plan");
    let plan = run(&bench, &[&["plan"], &V2, &["--price", "0.60", "in"]]);
    for line in [
        "requests    4",
        "billed      at most 4 images for each service (baselineCheck), 4 in all",
        "cost        at most 0.01, at 0.60 per thousand",
    ] {
        assert!(plan.stdout.contains(line), "{plan}");
    }
}

#[test]
fn results_are_fetched_by_their_ids() {
    let bench = images("api-results");
    let sandbox = Running::sandbox(&bench, &[]);
    let options = [
        "--poll",
        "50ms",
        "--format",
        "jsonl",
        "in/good.png",
        "in/sexy.gif",
    ];
    let scan = sandbox.scan(&[&V2[..], &options].concat());
    let ids = scan.texts("task_id");
    assert_eq!(ids.len(), 2, "{scan}");
    let args = [
        "results",
        "--api",
        "2.0",
        "--format",
        "jsonl",
        &ids[0],
        "unknown-id",
        &ids[1],
    ];
    let results = sandbox.run(&args);
    assert_eq!(
        results.texts("state"),
        ["done", "unknown", "done"],
        "{results}"
    );
    assert_eq!(results.texts("outcome"), ["pass", "", "pass"], "{results}");
}

#[test]
fn a_ledger_of_one_api_is_not_that_of_the_other() {
    let bench = images("api-ledger");
    let sandbox = Running::sandbox(&bench, &[]);
    let scan = ["scan", "--poll", "50ms", "in/good.png"];
    let first = sandbox.run(&[&scan[..], &V2].concat());
    assert_eq!(first.code, Some(0), "{first}");
    let second = sandbox.run(&scan);
    assert_eq!(second.code, Some(2), "{second}");
    assert!(second.stderr.contains("2022-03-02"), "{second}");
    let again = sandbox.run(&[&scan[..], &V2].concat());
    assert_eq!(again.code, Some(0), "{again}");
    let resumed = sandbox.run(&["resume", "--api", "2.0"]);
    assert_eq!(resumed.code, Some(0), "{resumed}");
}

#[test]
fn the_doctor_tests_either_api() {
    let bench = images("api-doctor");
    let sandbox = Running::sandbox(&bench, &[]);
    for api in ["1.0", "2.0"] {
        let doctor = sandbox.run(&["doctor", "--api", api]);
        let line = "answers, and accepts the key";
        assert!(doctor.stdout.contains(line), "{doctor}");
    }
}

#[test]
fn what_the_service_cannot_download_is_uploaded_and_counted() {
    for (api, code) in [(&["--api", "1.0"][..], "592"), (&V2, "404")] {
        let bench = images(&format!("api-fallback-{code}"));
        let sandbox = Running::sandbox(&bench, &["--serve", "in", "--no-download", code]);
        let url = sandbox.url("good.png");
        let allowed = sandbox.allowed();
        let scan = ["scan", "--poll", "50ms", "--allow-address", &allowed, &url];
        let run = sandbox.run(&[&scan[..], &["--upload-fallback"], api].concat());
        assert_eq!(run.code, Some(0), "{run}");
        let status = bench.run(&["status"]);
        let spend = match code {
            "592" => "spend       2 tasks of 2 scenes: 4 billed at most",
            _ => "spend       2 tasks of 1 service: 2 billed at most",
        };
        let uploaded = "uploaded    1 image that the service could not download, submitted again";
        for line in [uploaded, spend] {
            assert!(status.stdout.contains(line), "{line}: {status}");
        }
        let status = bench.run(&["status", "--format", "jsonl"]).json();
        assert_eq!(status[0]["uploaded_instead"], 1);
    }
}

/// The command of the documentation, over all fixtures.
#[test]
fn all_fixtures_are_scanned_with_2_0() {
    let bench = Bench::new("api-fixtures");
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/images");
    let run = bench.run(
        &[
            &["scan"],
            &V2[..],
            &["--sandbox", "--format", "jsonl", fixtures],
        ]
        .concat(),
    );
    assert_eq!(run.code, Some(1), "{run}");
    let outcomes = run.texts("outcome");
    let count = |outcome| outcomes.iter().filter(|found| *found == outcome).count();
    let counts = ["pass", "review", "block", "not-submitted", "undecided"].map(count);
    let [pass, review, block, refused, undecided] = counts;
    assert!(
        pass > 30 && review > 0 && block > 0 && refused > 30,
        "{counts:?}"
    );
    assert_eq!(undecided, 0, "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), outcomes.len());
    for line in run.json() {
        for result in line["results"].as_array().into_iter().flatten() {
            assert_eq!(result["scene"], "baselineCheck");
            assert!(result["risk_level"].is_string(), "{result}");
        }
    }
}
