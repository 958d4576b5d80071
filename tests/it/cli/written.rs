//! The commands that the README and the help show, run as they are written.

use std::{fs, path::Path, process::Command};

use super::{
    bench::{Bench, Run},
    ledger::Service,
    running::Running,
    scan::KEY,
};

/// A line of a shell in the folder of the bench, where `greenlight` is the command under test.
fn shell(bench: &Bench, line: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_greenlight"));
    let mut path = program.parent().unwrap().as_os_str().to_owned();
    path.push(":/usr/bin:/bin");
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .current_dir(bench.path(""))
        .env_clear()
        .env("PATH", path)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command
}

/// The files that examples name.
fn fill(bench: &Bench) {
    bench.fixture("jpeg/too-small.jpg", "photo.jpg");
    for folder in ["uploads", "photos"] {
        bench.fixture("png/rgb.png", &format!("{folder}/good.png"));
    }
    bench.write("urls.txt", "ftp://one\nftp://two\n");
    bench.write("site.json", "{}");
    bench.write("site.toml", "strict = true\n");
    bench.write("outcomes.jsonl", "");
}

/// Whether the arguments were understood.
fn assert_understood(line: &str, run: &Run) {
    assert!(!run.stderr.contains("Usage:"), "{line}: {run}");
    assert!(
        !run.stderr.contains("For more information"),
        "{line}: {run}"
    );
    assert!(matches!(run.code, Some(0..=2)), "{line}: {run}");
}

/// Examples that need another host, or run until they are interrupted: a unit test parses them.
const ELSEWHERE: [&str; 5] = [
    "https://",
    "http://10.",
    "postgres://",
    "greenlight sandbox",
    "greenlight serve",
];

#[cfg(unix)]
#[test]
fn the_examples_of_the_help_run() {
    let bench = Bench::new("written-help");
    fill(&bench);
    let help = bench.run(&["--help"]).stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let commands = commands.filter_map(|line| line.split_whitespace().next().map(str::to_owned));
    let commands: Vec<_> = commands.filter(|name| name != "help").collect();
    assert!(commands.len() > 12, "{commands:?}");
    let mut count = 0;
    for command in commands {
        let help = bench.run(&[&command, "--help"]).stdout;
        let examples = help
            .lines()
            .filter_map(|line| line.strip_prefix("  greenlight "));
        let examples: Vec<_> = examples.map(|line| format!("greenlight {line}")).collect();
        assert!(!examples.is_empty(), "{command} has no example: {help}");
        for line in examples {
            if ELSEWHERE.iter().any(|part| line.contains(part)) {
                continue;
            }
            assert_understood(&line, &Run::of(shell(&bench, &line).spawn().unwrap()));
            count += 1;
        }
    }
    assert!(count > 20, "{count} examples were run");
}

/// Commands of the README that steps of `.ci/run` run: `scan`, `test` and `browser`, `install`.
const BY_CI: [&str; 4] = [
    "cargo run --release --features cli -- scan --sandbox fixtures/images",
    "cargo test --all-features",
    "cargo run --release --example upload_server --features full",
    "cargo install --path . --features cli",
];

#[cfg(unix)]
#[test]
fn the_commands_of_the_readme_run() {
    let service = Service::new("written-readme");
    let bench = &service.bench;
    fill(bench);
    bench.write("urls.csv", format!("url\n{}\n", service.url("good.png")));
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let lines = readme.lines().filter_map(|line| line.strip_prefix("$ "));
    let mut count = 0;
    for line in lines {
        let line = line.split("  #").next().unwrap().trim();
        if BY_CI.contains(&line) {
            continue;
        }
        assert!(
            line.starts_with("greenlight "),
            "neither run here nor by CI: {line}"
        );
        count += 1;
        if line.contains("greenlight sandbox") {
            let args: Vec<_> = line.split(' ').skip(2).collect();
            let run = Running::sandbox(bench, &args).end();
            assert_eq!(run.code, Some(130), "{line}: {run}");
            continue;
        }
        if line.starts_with("greenlight serve") {
            continue; // runs until it is interrupted: see the tests of the server
        }
        let run = Run::of(here(&service, line).spawn().unwrap());
        assert_understood(line, &run);
    }
    assert!(count > 12, "{count} commands were run");
    let outcomes = fs::read_to_string(bench.path("outcomes.csv")).unwrap();
    assert!(
        outcomes.contains(",pass,"),
        "the scan submitted and exported: {outcomes}"
    );
}

/// A command of the README with this service in place of the region.
#[cfg(unix)]
fn here(service: &Service, line: &str) -> Command {
    let endpoint = service.sandbox.endpoint();
    let line = line
        .replace("--region ap-southeast-1", &format!("--endpoint {endpoint}"))
        .replace("https://example.com/cat.jpg", &service.url("good.png"))
        .replace("TASK_ID", "a-task-id");
    let key = service.sandbox.credentials();
    let mut command = shell(&service.bench, &line);
    command
        .env(
            "GREENLIGHT_ALLOW_ADDRESS",
            format!("127.0.0.1/32:{}", service.sandbox.address().port()),
        )
        .env("GREENLIGHT_POLL", "50ms")
        .env("GREENLIGHT_TIMEOUT", "30s")
        .env(KEY[0].0, key.id())
        .env(KEY[1].0, key.secret());
    command
}
