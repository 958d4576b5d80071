//! The files that commands write, and files that state a wrong length.

use super::Service;

/// The option that names the file, for the only command that has another one.
fn option_of(command: &str) -> &'static str {
    if command == "report" {
        "--html"
    } else {
        "--output"
    }
}

/// New files are for the user who runs the command, whatever the umask leaves to others.
#[test]
fn every_file_that_a_command_writes_is_private() {
    use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _};

    use super::{Run, crash::under_shell};
    use crate::cli::scan::KEY;

    let service = Service::new("ledger-private-files");
    let endpoint = service.sandbox.endpoint();
    let list = ["in/good.png"];
    let at_service = ["--endpoint", &endpoint];
    let soon = ["--poll", "50ms"];
    let mut tried = BTreeSet::new();
    for (number, (command, args)) in [
        ("scan", [&list[..], &at_service, &soon].concat()),
        ("resume", [at_service, soon].concat()),
        ("check", list.to_vec()),
        ("check", [&list[..], &["--format", "csv"]].concat()),
        ("plan", list.to_vec()),
        ("status", vec![]),
        ("dead", vec![]),
        ("export", vec![]),
        ("export", vec!["--format", "csv"]),
        ("export", vec!["--format", "parquet"]),
        ("report", vec!["--ledger", "greenlight.db"]),
        ("results", [&["no-such-task"][..], &at_service].concat()),
        ("doctor", at_service.to_vec()),
        ("config", vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        tried.insert(command.to_owned());
        let file = format!("{number}.out");
        let key = service.sandbox.credentials();
        let mut run = service.bench.command(&[command]);
        run.args(args)
            .args([option_of(command), &file])
            .env(KEY[0].0, key.id())
            .env(KEY[1].0, key.secret());
        let open_to_all = under_shell(&service, "umask 000; exec \"$@\"", &run).spawn();
        let run = Run::of(open_to_all.unwrap());
        let written = fs::metadata(service.bench.path(&file));
        let written = written.unwrap_or_else(|error| panic!("{error}: {run}"));
        let mode = written.permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{command} {mode:o} {run}");
    }

    let help = service.bench.run(&["--help"]).stdout;
    let commands = help.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        name.chars().next()?.is_ascii_lowercase().then_some(name)
    });
    let writing: BTreeSet<_> = commands
        .filter(|name| *name != "help")
        .filter(|name| {
            let help = service.bench.run(&[name, "--help"]).stdout;
            help.contains(&format!("{} <", option_of(name)))
        })
        .map(str::to_owned)
        .collect();
    assert_eq!(tried, writing, "every command that writes a file is tried");
}

/// Files that the system makes up state no length, and some have no end.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_states_a_wrong_length_is_read_as_far_as_a_verdict_needs() {
    let service = Service::new("ledger-stated-length");
    let endless = ["/proc/self/pagemap", "/proc/version"];
    for command in ["check", "plan"] {
        let run = service.bench.run(&[&[command][..], &endless].concat());
        assert_eq!(run.code, Some(1), "{run}");
    }
    let run = service.run(&[&["scan"][..], &endless].concat());
    assert_eq!(run.code, Some(1), "{run}");
    let path = std::path::Path::new(endless[0]);
    let file = greenlight::local_file::open(path).unwrap();
    let verdict = greenlight::Requirements::ASYNC
        .judge_file(greenlight::Depth::Payload, file, path)
        .unwrap();
    assert!(!verdict.is_accepted());
}
