//! Help, version and messages about invalid arguments.

use insta::assert_snapshot;

use super::bench::{Bench, Run};

#[test]
fn a_command_is_required() {
    let run = Bench::new("messages-none").run(&[]);
    assert_eq!(run.code, Some(2));
    assert_eq!(run.stdout, "");
    assert!(
        run.stderr.contains("Usage: greenlight [OPTIONS] <COMMAND>"),
        "{run}"
    );
}

#[test]
fn the_version_is_printed() {
    let run = Bench::new("messages-version").run(&["-V"]);
    assert_eq!(
        run.stdout,
        concat!("greenlight ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(run.code, Some(0));
}

#[test]
fn the_short_help_names_the_usual_options() {
    let run = Bench::new("messages-help").run(&["check", "-h"]);
    assert_snapshot!(run, @"
    exit: 0
    ----- stdout -----
    Check images; needs no account

    Usage: greenlight check [OPTIONS] [SOURCE]...

    Options:
      -h, --help  Print help (see more with '--help')

    Arguments:
      [SOURCE]...  Files, folders and http or https URLs

    Input:
          --from <FILE|->  Read sources from a list; - is standard input
          --column <NAME>  Column of the list with the sources

    Requirements:
          --depth <DEPTH>        Depth of the examination [default: structure]
          --for <SCAN>           Scan to check for: async, sync, v2 [default: async]
          --requirements <FILE>  Read the requirements from a JSON file
          --max-bytes <SIZE>     Largest file: 20MB, 5MiB [default: 20MiB]
          --strict               Make every warning a rejection

    Output:
      -v, --verbose...       Log what is probed, retried and waited for
          --format <FORMAT>  human (a table), jsonl or csv [default: human]
          --output <FILE|->  Write to a file instead of standard output
          --only <KINDS>     Print only some results: rejected,inconclusive

    Examples:
      greenlight check photo.jpg uploads/ https://example.com/cat.png
      greenlight check --from urls.txt --format jsonl > verdicts.jsonl
      greenlight check uploads/ --for sync --strict --only rejected,inconclusive

    All options: --help

    ----- stderr -----
    ");
}

/// On a terminal of 80 columns and 40 lines.
#[test]
fn the_short_help_fits_the_screen_and_the_long_one_has_every_option() {
    let bench = Bench::new("messages-screen");
    let help = bench.run(&["--help"]).stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let names: Vec<_> = commands
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() > 12, "{help}");
    for name in names {
        let short = bench.command(&[name, "-h"]).env("COLUMNS", "80").spawn();
        let short = Run::of(short.unwrap()).stdout;
        let widest = short
            .lines()
            .filter(|line| line.starts_with(' ')) // a terminal wraps the sentences
            .map(|line| line.chars().count())
            .max()
            .unwrap();
        assert!(widest <= 80, "{name}: {widest} columns\n{short}");
        let lines = short.lines().count();
        assert!(lines < 40, "{name}: {lines} lines, and the prompt\n{short}");
        assert_eq!(short.lines().last(), Some("All options: --help"), "{name}");
        let long = bench.run(&[name, "--help"]).stdout;
        assert!(long.contains("--no-config"), "{long}");
    }
}

#[test]
fn check_without_sources_names_the_options() {
    let run = Bench::new("messages-sources").run(&["check"]);
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: no sources are given
    hint: name files, folders or URLs, or a list of them with --from FILE
    ");
}

#[test]
fn a_missing_list_is_an_error() {
    let bench = Bench::new("messages-list");
    bench.write("folder/file", "");
    assert_snapshot!(bench.run(&["check", "--from", "no.txt"]), @"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot read the list `no.txt`: No such file or directory
    hint: --from takes a list of sources: text with one per line, .csv, .tsv, .json, .jsonl, .ndjson or .parquet, or - for standard input
    ");
    assert_snapshot!(bench.run(&["check", "--from", "folder"]), @"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot read the list `folder`: is a directory
    hint: --from takes a list of sources: text with one per line, .csv, .tsv, .json, .jsonl, .ndjson or .parquet, or - for standard input
    ");
}

#[test]
fn values_out_of_range_are_rejected_first() {
    let bench = Bench::new("messages-values");
    for (option, value) in [
        ("--timeout", "3"),
        ("--timeout", "0s"),
        ("--timeout", "soon"),
        ("--concurrency", "0"),
        ("--concurrency", "1025"),
        ("--for", "both"),
        ("--depth", "deep"),
        ("--probe", "some"),
        ("--format", "xml"),
        ("--max-bytes", "20MX"),
        ("--max-bytes", "20.5MB"),
        ("--min-width", "4294967296"),
        ("--min-height", "x"),
        ("--allow-format", "psd"),
        ("--enforce", "image/corrupt"),
        ("--enforce", "image/corrupt=never"),
        ("--enforce", "image/corupt=off"),
        ("--requirements", "no.json"),
        ("--allow-address", "everywhere"),
        ("--allow-address", "10.0.0.0/33"),
        ("--allow-address", "10.0.0.0/8:http"),
        ("--deny-address", "10.0.0.1/8"),
        ("--max-redirects", "21"),
        ("--header", "no colon"),
    ] {
        let run = bench.run(&["check", "no.png", option, value]);
        assert_eq!(run.code, Some(2), "{option} {value}: {run}");
        assert_eq!(run.stdout, "", "{option} {value}");
        assert!(run.stderr.starts_with("error: "), "{option} {value}: {run}");
        assert!(run.stderr.contains(option), "{option} {value}: {run}");
        assert!(run.stderr.contains(value), "{option} {value}: {run}");
    }
}

#[test]
fn what_needs_no_key_is_found_before_one_is_missed() {
    let bench = Bench::new("messages-order");
    bench.write("list.txt", "https://example.com/a.png");
    bench.write("other.db", "not a ledger");
    let region = ["--region", "ap-southeast-1"];
    let list = ["--from", "list.txt"];
    let (unknown, folder) = (["--region", "mars-1"], ["--ledger", "no/such.db"]);
    let of_2_0 = [
        "--api",
        "2.0",
        "--service",
        "baselineCheck",
        "--region",
        "us-east-1",
    ];
    for (args, wanted) in [
        ([&["scan"][..], &unknown[..], &list].concat(), "mars-1"),
        (
            [&["scan"][..], &region[..], &["--from", "no.txt"]].concat(),
            "no.txt",
        ),
        (
            [&["scan"][..], &region[..], &list, &folder].concat(),
            "no/such.db",
        ),
        (
            [&["scan"][..], &region[..], &list, &["--ledger", "other.db"]].concat(),
            "other.db",
        ),
        (
            [&["scan"][..], &region[..], &list, &["--scenes", "pron"]].concat(),
            "porn",
        ),
        ([&["resume"][..], &unknown[..]].concat(), "mars-1"),
        (
            [&["resume"][..], &region[..], &folder].concat(),
            "no/such.db",
        ),
        ([&["results", "task"][..], &unknown[..]].concat(), "mars-1"),
        ([&["results", "task"][..]].concat(), "no service is named"),
        (
            [&["scan"][..], &of_2_0, &list].concat(),
            "no asynchronous scan is documented for region us-east-1; use one of: ap-southeast-1",
        ),
    ] {
        let run = bench.run(&args);
        let first = run.stderr.lines().next().unwrap_or_default();
        assert!(
            first.contains(wanted) && run.code == Some(2),
            "{args:?}: {run}"
        );
        assert!(!run.stderr.contains("credentials"), "{args:?}: {run}");
    }
    #[cfg(feature = "postgres")]
    {
        let args = ["--ledger", "postgres://user@127.0.0.1:9/none"];
        let run = bench.run(&[&["scan"][..], &region[..], &list, &args].concat());
        assert!(run.stderr.contains("cannot be reached"), "{run}");
    }
}
