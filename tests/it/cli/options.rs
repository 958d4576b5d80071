//! Options that all commands have, and their other sources.

use std::{fs, path::Path, process::Command};

use insta::assert_snapshot;

use super::{
    bench::{Bench, Run, without_csv_provenance},
    scan::images,
};

fn finished(command: &mut Command) -> Run {
    Run::of(command.spawn().unwrap())
}

#[test]
fn a_quiet_run_prints_errors_only() {
    let bench = images("options-quiet");
    let args = ["scan", "--sandbox", "in/good.png", "--format", "jsonl"];
    let run = bench.run(&args);
    assert!(run.stderr.starts_with("note: a sandbox at "), "{run}");
    let run = bench.run(&[&args[..], &["--quiet"]].concat());
    assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{run}");
    let run = bench.run(&["-q", "results", "task"]);
    assert!(
        run.stderr.starts_with("error: no service is named\n"),
        "{run}"
    );
}

#[test]
fn a_verbose_run_logs_what_it_does() {
    let bench = images("options-verbose");
    let args = ["scan", "--sandbox", "in/good.png", "--format", "jsonl"];
    let run = bench.run(&[&args[..], &["-v"]].concat());
    for event in [
        "INFO probed url=http://127.0.0.1:",
        "INFO submitted images=1 tasks=1",
        "INFO polled tasks=1 decided=1",
    ] {
        assert!(run.stderr.contains(event), "{event}: {run}");
    }
    assert!(!run.stderr.contains("DEBUG"), "{run}");
    let run = bench.run(&[&args[..], &["-vv"]].concat());
    assert!(run.stderr.contains("green.attempt"), "{run}");
    assert!(!run.stderr.contains("sandbox-key-secret"), "{run}");
    assert!(!run.stderr.contains("h2::"), "{run}");
}

#[test]
fn colors_follow_the_option_and_the_usual_variables() {
    let bench = images("options-color");
    let args = ["check", "in/good.png"];
    let has_colors = |more: &[&str], env: &[(&str, &str)]| {
        let run = finished(
            bench
                .command(&[&args[..], more].concat())
                .envs(env.iter().copied()),
        );
        run.stdout.contains('\u{1b}')
    };
    assert!(!has_colors(&[], &[]));
    assert!(has_colors(&["--color", "always"], &[]));
    assert!(has_colors(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!has_colors(
        &["--color", "never"],
        &[("CLICOLOR_FORCE", "1")]
    ));
    assert!(!has_colors(
        &[],
        &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]
    ));
}

#[test]
fn only_some_lines_are_printed_and_all_are_counted() {
    let bench = images("options-only");
    let args = ["check", "in", "none.png", "--format", "jsonl", "--only"];
    let only = |kinds: &str| bench.run(&[&args[..], &[kinds]].concat());
    let run = only("rejected,inconclusive");
    assert_eq!(run.texts("source"), ["in/small.jpg", "none.png"], "{run}");
    assert_eq!(run.code, Some(2), "{run}");
    let run = only("inconclusive");
    assert_eq!(run.texts("source"), ["none.png"], "{run}");
    let run = bench.run(&["check", "in", "--only", "rejected"]);
    assert!(
        run.stdout.contains("4 sources: 3 accept, 1 reject"),
        "{run}"
    );
    let args = [
        "scan",
        "--sandbox",
        "in",
        "--format",
        "jsonl",
        "--only",
        "block,review",
    ];
    assert_eq!(
        bench.run(&args).texts("source"),
        ["in/porn.png", "in/sexy.gif"]
    );
    let run = only("nonsense");
    assert_eq!(run.code, Some(2), "{run}");
}

#[test]
fn a_file_is_written_whole_and_for_its_owner() {
    let bench = images("options-output");
    let printed = bench.run(&["check", "in", "--format", "csv"]).stdout;
    bench.write("out.csv", "old");
    fs::remove_file(bench.path("out.csv")).unwrap();
    let run = bench.run(&["check", "in", "--format", "csv", "--output", "out.csv"]);
    assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{run}");
    let written = fs::read_to_string(bench.path("out.csv")).unwrap();
    assert_eq!(
        without_csv_provenance(&written),
        without_csv_provenance(&printed)
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(bench.path("out.csv"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let run = bench.run(&["check", "in", "--output", "no/such/folder.csv"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(
        run.stderr
            .starts_with("error: cannot write no/such/folder.csv: "),
        "{run}"
    );
    for args in [
        &["plan", "in"][..],
        &["doctor", "--sandbox"],
        &["config"],
        &["scan", "--sandbox", "in"],
    ] {
        let run = bench.run(&[args, &["--output", "out.txt"]].concat());
        assert_eq!(run.stdout, "", "{run}");
        assert!(
            !fs::read(bench.path("out.txt")).unwrap().is_empty(),
            "{args:?}"
        );
        fs::remove_file(bench.path("out.txt")).unwrap();
    }
}

#[test]
fn an_option_decides_before_the_environment_the_file_and_the_default() {
    let bench = images("options-layers");
    let code = |args: &[&str], env: &[(&str, &str)]| {
        let args = [&["check", "in/good.png"], args].concat();
        finished(bench.command(&args).envs(env.iter().copied())).code
    };
    assert_eq!(code(&[], &[]), Some(0), "the default");
    bench.write("greenlight.toml", "min-width = 300\n");
    assert_eq!(code(&[], &[]), Some(1), "the file");
    let env = [("GREENLIGHT_MIN_WIDTH", "256")];
    assert_eq!(code(&[], &env), Some(0), "the environment");
    assert_eq!(code(&["--min-width", "300"], &env), Some(1), "the option");
    assert_eq!(code(&["--no-config"], &[]), Some(0));
    assert_eq!(code(&[], &[("GREENLIGHT_NO_CONFIG", "true")]), Some(0));
    bench.write(
        "other.toml",
        "[check]\nmin-width = 256\n[plan]\nmin-width = 400\n",
    );
    assert_eq!(code(&["--config", "other.toml"], &[]), Some(0));
    assert_eq!(code(&[], &[("GREENLIGHT_CONFIG", "other.toml")]), Some(0));
    bench.write("below/x/here.txt", "");
    let mut command = bench.command(&["check", "../../in/good.png"]);
    assert_eq!(
        finished(command.current_dir(bench.path("below/x"))).code,
        Some(1),
        "found upward"
    );
}

#[test]
fn an_option_that_excludes_another_replaces_it_too() {
    let bench = images("options-excluded");
    bench.write(
        "greenlight.toml",
        "region = \"cn-shanghai\"\ncolumn = \"address\"\nledger = \"kept/urls.db\"\n",
    );
    let run_of = |args: &[&str]| bench.run(args);
    let run = run_of(&["scan", "--sandbox", "in/good.png"]);
    assert_eq!(
        run.code,
        Some(0),
        "neither a region nor a ledger is used: {run}"
    );
    let run = run_of(&["check", "in/good.png"]);
    assert_eq!(run.code, Some(0), "a column is for lists: {run}");
    let run = run_of(&["results", "task", "--endpoint", "http://127.0.0.1:9"]);
    assert!(!run.stderr.contains("cannot be used with"), "{run}");
    bench.write("below/here.txt", "");
    let mut command = bench.command(&["status"]);
    let run = finished(command.current_dir(bench.path("below")));
    let ledger = bench.path("kept/urls.db");
    assert!(
        run.stderr.contains(ledger.to_str().unwrap()),
        "relative to the file: {run}"
    );
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line() {
    let bench = Bench::new("options-wrong");
    let said = |text: &str| {
        bench.write("greenlight.toml", text);
        let run = bench.run(&["check", "none.png"]);
        assert_eq!(run.code, Some(2), "{run}");
        run.with(bench.path("greenlight.toml").to_str().unwrap(), "FILE")
            .stderr
    };
    assert_snapshot!(said("strict = true\nregoin = \"x\"\n"), @"error: FILE line 2: unknown option `regoin`: did you mean `region`?");
    assert_snapshot!(said("[scan]\n\nrates = 3\n"), @"error: FILE line 3: unknown option `rates`: did you mean `rate`?");
    assert_snapshot!(said("depth = \"deep\"\n"), @"error: FILE line 1: invalid value 'deep' for `depth` [possible values: header, structure, payload, decode]");
    assert_snapshot!(said("min-width = \"wide\"\n"), @"error: FILE line 1: invalid value 'wide' for `min-width`: write a whole number from 0 to 4294967295");
    assert_snapshot!(said("strict = 1\n"), @"error: FILE line 1: `strict` expects true or false");
    assert_snapshot!(said("depth = [\"header\"]\n"), @"error: FILE line 1: `depth` expects one value, not an array");
    assert_snapshot!(said("strict = \n"), @"error: FILE line 1: string values must be quoted, expected literal string");
    assert_snapshot!(said("access-key-secret = \"x\"\n"), @r"
    error: FILE line 1: `access-key-secret` holds a secret, which is not read from a file
    hint: keys come from the environment, or from the sources that --credentials names
    ");
    assert_snapshot!(said("header = [\"Authorization: Bearer x\"]\n"), @r"
    error: FILE line 1: `header` holds a secret, which is not read from a file
    hint: keys come from the environment, or from the sources that --credentials names
    ");
    assert_snapshot!(said("ledger = \"postgres://me:word@host/db\"\n"), @r"
    error: FILE line 1: `ledger` holds a secret, which is not read from a file
    hint: keys come from the environment, or from the sources that --credentials names
    ");
    bench.write("greenlight.toml", "strict = true\nmin-width = 5_000\n");
    let run = bench.run(&["check", "none.png", "--max-side", "300"]);
    let said = run.with(bench.path("greenlight.toml").to_str().unwrap(), "FILE");
    assert_snapshot!(said.stderr, @r"
    error: requirements: `max_side` of 300 is below `min_width` of 5000: no image meets both
    hint: FILE line 2 sets `min-width`
    ");
    fs::remove_file(bench.path("greenlight.toml")).unwrap();
    let run = bench.run(&["check", "none.png", "--config", "none.toml"]);
    assert!(
        run.stderr.starts_with("error: cannot read none.toml: "),
        "{run}"
    );
    let mut command = bench.command(&["check", "none.png"]);
    let run = finished(command.env("GREENLIGHT_DEPTH", "deep"));
    assert!(
        run.stderr
            .starts_with("error: GREENLIGHT_DEPTH: invalid value 'deep'"),
        "{run}"
    );
}

#[test]
fn a_misspelled_variable_is_named_with_the_one_it_resembles() {
    let bench = images("options-misspelled");
    let run = |args: &[&str], name: &str| finished(bench.command(args).env(name, "300"));
    let check = &["check", "in/good.png"];
    for (name, near) in [
        ("GREENLIGHT_MIN_WIDHT", "GREENLIGHT_MIN_WIDTH"),
        ("GREENLIGHT_MIN-WIDTH", "GREENLIGHT_MIN_WIDTH"),
        ("GREENLIGHT_MAX_BYTE", "GREENLIGHT_MAX_BYTES"),
        ("GREENLIGHT_REGOIN", "GREENLIGHT_REGION"),
        ("GREENLIGHT_NOCONFIG", "GREENLIGHT_NO_CONFIG"),
    ] {
        let warned = run(check, name);
        assert_eq!(warned.code, Some(0), "{warned}");
        assert_eq!(
            warned.stderr.lines().next(),
            Some(&*format!(
                "warning: {name} is ignored: no option has this variable; did you mean {near}?"
            )),
            "{warned}"
        );
        let quiet = run(&[check, &["-q"][..]].concat(), name);
        assert_eq!(quiet.stderr, "", "{quiet}");
    }
    // Those of the upload example and of the tests, and options of other commands.
    for name in [
        "PUBLIC_URL",
        "UID",
        "SEED",
        "CORPUS",
        "REPORTS",
        "KILLS",
        "RATE",
    ] {
        let run = run(check, &format!("GREENLIGHT_{name}"));
        assert!(!run.stderr.contains("GREENLIGHT_"), "{run}");
    }
}

#[test]
fn the_effective_options_are_printed_with_their_origins() {
    let bench = Bench::new("options-config");
    bench.write("greenlight.toml", "depth = \"header\"\n[scan]\nrate = 20\n");
    let mut command = bench.command(&["config"]);
    let run = finished(command.env("GREENLIGHT_MAX_BYTES", "8MB"));
    let run = run.with(bench.path("greenlight.toml").to_str().unwrap(), "FILE");
    let set: Vec<_> = run
        .stdout
        .lines()
        .filter(|line| !line.contains(" default"))
        .collect();
    assert_snapshot!(set.join("\n"), @r"
    OPTION                    VALUE                     FROM
    depth                     header                    FILE line 1
    max-bytes                 8MB                       GREENLIGHT_MAX_BYTES
    scan.rate                 20                        FILE line 3
    ");
    assert!(run.stdout.contains("scan.rate"), "{run}");
}

/// A file that another user put into a folder that all can write.
#[cfg(unix)]
#[test]
fn a_found_file_of_another_user_is_ignored() {
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    let bench = images("options-foreign");
    let file = bench.path("greenlight.toml");
    let check = || bench.run(&["check", "in/good.png"]);
    bench.write("greenlight.toml", "min-width = 300\n");
    let set_mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o666);
    let run = check();
    assert_eq!(run.code, Some(0), "writable by all: {run}");
    assert!(run.stderr.starts_with("warning: ignoring "), "{run}");
    set_mode(0o644);
    assert_eq!(check().code, Some(1));
    // Only root can give a file away.
    if chown(&file, Some(12_345), None).is_err() {
        return;
    }
    let run = check();
    assert_eq!(run.code, Some(0), "of another user: {run}");
    assert!(run.stderr.contains("another user"), "{run}");
    let run = bench.run(&["check", "in/good.png", "--config", "greenlight.toml"]);
    assert_eq!(run.code, Some(1), "named: {run}");
    // A link of another user that leads to a file of one's own.
    fs::remove_file(&file).unwrap();
    bench.write("own.toml", "min-width = 300\n");
    symlink(Path::new("own.toml"), &file).unwrap();
    assert_eq!(check().code, Some(1));
    std::os::unix::fs::lchown(&file, Some(12_345), None).unwrap();
    assert_eq!(check().code, Some(0));
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    let bench = Bench::new("options-generated");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = bench.run(&["completions", shell]);
        assert_eq!(run.code, Some(0), "{run}");
        for word in ["scan", "doctor", "allow-address"] {
            assert!(run.stdout.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(bench.run(&["man", "man1"]).code, Some(0));
    let page = fs::read_to_string(bench.path("man1/greenlight-scan.1")).unwrap();
    assert!(page.contains("ap\\-southeast\\-1"), "{page}");
    assert!(bench.path("man1/greenlight.1").exists());
}

#[test]
fn the_long_version_names_the_features() {
    let bench = Bench::new("options-version");
    let short = bench.run(&["-V"]).stdout;
    assert_eq!(short, format!("greenlight {}\n", env!("CARGO_PKG_VERSION")));
    let long = bench.run(&["--version"]).stdout;
    assert!(long.starts_with(short.trim_end()), "{long}");
    assert!(long.contains("\nfeatures: cli"), "{long}");
}

#[test]
fn a_file_in_the_working_folder_opens_nothing() {
    let bench = images("options-reaching");
    bench.write("list.txt", "in/good.png\n");
    let args = ["check", "--from", "list.txt", "--format", "jsonl"];
    for line in [
        "files-under = [\"/\"]",
        "allow-address = [\"0.0.0.0/0\"]",
        "output = \"list.txt\"",
        "[check]\noutput = \"list.txt\"",
        "endpoint = \"http://127.0.0.1:9\"",
        "credentials = [\"uri\"]",
        "html = \"list.txt\"",
        "listen = \"0.0.0.0:0\"",
        "serve = \"/\"",
        "token-file = \"tokens\"",
        "callback-url = \"http://a.example\"",
        "webhook = \"http://a.example\"",
        "webhook-secret-file = \"tokens\"",
        "ledger = \"postgres://db.example/x\"",
    ] {
        bench.write("greenlight.toml", line);
        let run = bench.run(&args);
        assert_eq!(run.code, Some(2), "{line} {run}");
        let refused = "is not read from a file in a working folder";
        assert!(run.stderr.contains(refused), "{line} {run}");
    }
    // The user may name it, or have it in the own folder.
    bench.write("greenlight.toml", "files-under = [\".\"]");
    let run = bench.run(&[&args[..], &["--config", "greenlight.toml"]].concat());
    assert_eq!(run.code, Some(0), "{run}");
    fs::remove_file(bench.path("greenlight.toml")).unwrap();
    let folder = bench.path("");
    let under = format!("files-under = [{:?}]", folder.to_str().unwrap());
    bench.write("home/greenlight/greenlight.toml", under);
    let mut command = bench.command(&args);
    let variable = if cfg!(windows) {
        "APPDATA"
    } else {
        "XDG_CONFIG_HOME"
    };
    let run = finished(command.env(variable, bench.path("home")));
    assert_eq!(run.code, Some(0), "{run}");
}

/// A pipe would be waited for without end.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_taken_for_a_file_with_options() {
    let bench = images("options-pipe");
    let made = Command::new("mkfifo")
        .arg(bench.path("greenlight.toml"))
        .status();
    assert!(made.unwrap().success());
    assert_eq!(bench.run(&["check", "in/good.png"]).code, Some(0));
}
