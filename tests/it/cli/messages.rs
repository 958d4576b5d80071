//! What the command says of itself and of wrong arguments.

use insta::assert_snapshot;

use super::bench::Bench;

#[test]
fn a_command_is_asked_for() {
    let run = Bench::new("messages-none").run(&[]);
    assert_eq!(run.code, Some(2));
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("Usage: greenlight <COMMAND>"), "{run}");
}

#[test]
fn the_version_is_told() {
    let run = Bench::new("messages-version").run(&["--version"]);
    assert_eq!(
        run.stdout,
        concat!("greenlight ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(run.code, Some(0));
}

#[test]
fn help_names_every_option_with_its_default() {
    let run = Bench::new("messages-help").run(&["check", "--help"]);
    assert_snapshot!(run, @"");
}

#[test]
fn check_without_sources_says_how_to_name_them() {
    let run = Bench::new("messages-sources").run(&["check"]);
    assert_snapshot!(run, @"");
}

#[test]
fn a_list_that_is_not_there_is_an_error() {
    let bench = Bench::new("messages-list");
    bench.write("folder/file", "");
    assert_snapshot!(bench.run(&["check", "--from", "no.txt"]), @"");
    assert_snapshot!(bench.run(&["check", "--from", "folder"]), @"");
}

#[test]
fn values_out_of_range_are_refused_before_anything_is_checked() {
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
        ("--max-bytes", "-1"),
        ("--max-bytes", "20MB"),
        ("--min-width", "4294967296"),
        ("--min-height", "x"),
        ("--allow-address", "everywhere"),
        ("--allow-address", "10.0.0.0/33"),
        ("--allow-address", "10.0.0.0/8:http"),
    ] {
        let run = bench.run(&["check", "no.png", option, value]);
        assert_eq!(run.code, Some(2), "{option} {value}: {run}");
        assert_eq!(run.stdout, "", "{option} {value}");
        assert!(run.stderr.starts_with("error: "), "{option} {value}: {run}");
        assert!(run.stderr.contains(option), "{option} {value}: {run}");
        assert!(run.stderr.contains(value), "{option} {value}: {run}");
    }
}
