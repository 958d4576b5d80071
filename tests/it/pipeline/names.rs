//! A rule about a file's name decides about that source, not about other files with the same content.

use std::{collections::BTreeSet, fs, path::Path, time::SystemTime};

use greenlight::{
    Code, CodeCounts, Decision, Enforcement, Requirements, Severity, Violation,
    ledger::{Row, State},
    pipeline::{self, Line, LineChecks, Pipeline, Plan, Subject},
    sandbox::Sandbox,
};
use proptest::prelude::*;

use super::{Bench, FIXTURES, block_on, line, probe, requirements, run, scope};

/// Files with content of two formats that are accepted, one that is rejected, and no image.
fn contents() -> [Vec<u8>; 4] {
    [
        "png/rgb.png",
        "jpeg/baseline-420.jpg",
        "png/cut-in-data.png",
        "other/page.html",
    ]
    .map(|name| {
        fs::read(Path::new(FIXTURES).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    })
}

/// What decides about a source: its decision, and each code with its severity and message.
type Judged = (Decision, BTreeSet<(Code, Severity, String)>);

fn judged(decision: Decision, violations: &[Violation]) -> Judged {
    let violations = violations.iter().map(|violation| {
        let message = violation.message().to_owned();
        (violation.code(), violation.severity(), message)
    });
    (decision, violations.collect())
}

fn judged_row(row: &Row) -> Judged {
    let summary = pipeline::summary(row).unwrap();
    judged(summary.decision, &summary.violations)
}

fn with(enforcement: Enforcement) -> Requirements {
    requirements().with_enforcement(Code::ImageTypeMismatch, enforcement)
}

fn pipeline_with(bench: &Bench, enforcement: Enforcement) -> Pipeline {
    bench.pipeline().requirements(with(enforcement))
}

/// Writes files and returns a line for each, and its content.
fn write(folder: &Path, files: &[(usize, &str)]) -> (Vec<Line>, Vec<usize>) {
    let contents = contents();
    let files = files.iter().zip(1..).map(|((content, extension), number)| {
        let path = folder.join(format!("{number}.{extension}"));
        fs::write(&path, &contents[*content]).unwrap();
        let subject = Subject::File(path);
        let line = Line {
            subject,
            ..line("", number)
        };
        (line, *content)
    });
    files.unzip()
}

async fn check(requirements: &Requirements, lines: Vec<Line>) -> (Vec<Judged>, CodeCounts) {
    let mut checks = LineChecks::start(&probe(), requirements, lines).unwrap();
    let (mut checked, mut counts) = (Vec::new(), CodeCounts::default());
    while let Some(line) = checks.next().await {
        let verdict = line.result.unwrap();
        counts.add(verdict.violations());
        checked.push(judged(verdict.decision(), verdict.violations()));
    }
    (checked, counts)
}

async fn plan(requirements: &Requirements, lines: Vec<Line>) -> Plan {
    let mut planning = Plan::start(&probe(), requirements, &scope(), lines).unwrap();
    while planning.advance().await {}
    planning.plan()
}

/// Checks, plans and scans files, twice, and compares every source.
async fn agree(enforcement: Enforcement, files: &[(usize, &str)]) {
    let bench = Bench::new(Sandbox::builder()).await;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (lines, contents) = write(folder.path(), files);
    let (checked, counts) = check(&with(enforcement), lines.clone()).await;
    let accepted: BTreeSet<usize> = checked
        .iter()
        .zip(contents)
        .filter_map(|((decision, _), content)| (*decision == Decision::Accept).then_some(content))
        .collect();
    let accepted = u64::try_from(accepted.len()).unwrap();

    let plan = plan(&with(enforcement), lines.clone()).await;
    let decided = |wanted: Decision| {
        let decided = checked.iter().filter(|(decision, _)| *decision == wanted);
        u64::try_from(decided.count()).unwrap()
    };
    assert_eq!(plan.accepted(), decided(Decision::Accept));
    assert_eq!(plan.rejected(), decided(Decision::Reject));
    assert_eq!(plan.codes(), &counts);
    assert_eq!(plan.submitted(), accepted);

    let pipeline = pipeline_with(&bench, enforcement).deliver_again(true);
    for again in [lines.clone(), lines.into_iter().rev().collect()] {
        let (delivered, _) = run(&pipeline, again).await;
        assert_eq!(delivered.len(), checked.len());
        for (number, expected) in (1..).zip(&checked) {
            let row = &delivered[&format!("user-{number}")];
            assert_eq!(&judged_row(row), expected, "{}", row.text());
            let is_accepted = expected.0 == Decision::Accept;
            assert_eq!(row.state == State::Decided, is_accepted, "{row:?}");
            assert_eq!(row.outcome.is_some(), is_accepted, "{row:?}");
        }
        assert_eq!(bench.sandbox.paid(), accepted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn check_plan_and_scan_agree_for_any_names_and_order(
        enforcement in prop_oneof![
            Just(Enforcement::Off),
            Just(Enforcement::Warn),
            Just(Enforcement::Reject),
        ],
        files in prop::collection::vec(
            (0..4_usize, prop::sample::select(&["png", "jpg", "gif", "bin"][..])),
            1..8,
        ),
    ) {
        block_on(agree(enforcement, &files));
    }
}

#[test]
fn a_misnamed_copy_does_not_reject_the_others() {
    block_on(async {
        let files = [(1, "png"), (1, "jpg"), (1, "png"), (1, "bin")];
        for first in 0..files.len() {
            let mut files = files;
            files.rotate_left(first);
            agree(Enforcement::Reject, &files).await;
            agree(Enforcement::Warn, &files).await;
        }
    });
}

#[test]
fn a_retried_name_joins_its_content() {
    block_on(async {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (lines, _) = write(
            folder.path(),
            &[(1, "png"), (1, "jpg"), (1, "png"), (0, "gif")],
        );
        let bench = Bench::new(Sandbox::builder()).await;
        let strict = pipeline_with(&bench, Enforcement::Reject);
        let (delivered, _) = run(&strict, lines).await;
        let rejected = delivered
            .values()
            .filter(|row| row.state == State::Rejected);
        assert_eq!((rejected.count(), bench.sandbox.paid()), (3, 1));

        // Still rejected by the same rules.
        let retry = || async {
            let class = vec![Code::ImageTypeMismatch.name().to_owned()];
            bench
                .ledger
                .retry(class, SystemTime::UNIX_EPOCH)
                .await
                .unwrap()
        };
        assert_eq!(retry().await, 2, "images");
        let (delivered, _) = run(&strict, Vec::new()).await;
        assert!(delivered.values().all(|row| row.state == State::Rejected));
        assert_eq!((delivered.len(), bench.sandbox.paid()), (3, 1));

        assert_eq!(retry().await, 2, "images");
        let lax = pipeline_with(&bench, Enforcement::Warn);
        let (delivered, _) = run(&lax, Vec::new()).await;
        assert_eq!(delivered.len(), 3);
        for row in bench.rows().await {
            assert_eq!(row.state, State::Delivered, "{row:?}");
            let warnings = pipeline::summary(&row).unwrap().violations;
            let is_named = row.text().ends_with(".jpg");
            assert_eq!(
                warnings.is_empty(),
                is_named,
                "{}: {warnings:?}",
                row.text()
            );
        }
        assert_eq!((bench.rows().await.len(), bench.sandbox.paid()), (4, 2));
    });
}

#[test]
fn equal_files_listed_again_before_they_are_read_add_no_rows() {
    block_on(async {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (lines, _) = write(folder.path(), &[(0, "png"), (0, "jpg"), (0, "gif")]);
        let bench = Bench::new(Sandbox::builder()).await;
        let again = [lines.clone(), lines].concat();
        let (delivered, _) = run(&bench.pipeline(), again).await;
        assert_eq!((delivered.len(), bench.rows().await.len()), (3, 3));
    });
}
