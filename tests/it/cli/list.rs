//! `--from`.

use insta::assert_snapshot;

use super::bench::Bench;

#[test]
fn a_list_is_read_line_by_line_after_the_arguments() {
    let bench = Bench::new("list-lines");
    bench.write(
        "a.txt",
        "no image, but a text that is long enough to be told from one: sixty-four bytes",
    );
    bench.write(
        "list.txt",
        "\u{feff}ftp://host/b.png\r\n\n# a note\n   \n  # another\na.txt\n",
    );
    let run = bench.run(&["check", "a.txt", "--from", "list.txt", "--format", "jsonl"]);
    assert_eq!(run.texts("source"), ["a.txt", "ftp://host/b.png", "a.txt"]);
    assert_eq!(run.code, Some(1));
}

#[test]
fn a_bad_line_is_reported_with_its_number_and_the_rest_goes_on() {
    let bench = Bench::new("list-bad");
    let mut list = b"ftp://one\n# note\n\xff\xfe.png\nno-such.png\n".to_vec();
    list.extend(std::iter::repeat_n(b'x', 100_000));
    list.extend(b"\nhttp://a b/\nftp://last");
    let run = bench.run_with_input(&["check", "--from", "-", "--format", "jsonl"], list);
    assert_snapshot!(run, @"");
}

#[test]
fn a_list_may_name_folders() {
    let bench = Bench::new("list-folders");
    bench.write("in/a.png", "");
    bench.write("in/b.png", "");
    let run = bench.run_with_input(
        &["check", "--from", "-", "--format", "jsonl"],
        "in\nin/a.png\n",
    );
    assert_eq!(run.texts("source"), ["in/a.png", "in/b.png", "in/a.png"]);
}

#[test]
fn an_empty_list_is_no_failure() {
    let bench = Bench::new("list-empty");
    let run = bench.run_with_input(&["check", "--from", "-"], "\n# nothing\n");
    assert_snapshot!(run, @"");
}

#[test]
fn a_list_of_a_hundred_thousand_lines_keeps_its_order() {
    let bench = Bench::new("list-long");
    let lines: Vec<_> = (0..100_000).map(|n| format!("ftp://host/{n}")).collect();
    let list = lines.join("\n");
    let run = bench.run_with_input(&["check", "--from", "-", "--format", "jsonl"], list);
    let mut sources = run.stdout.lines().map(|line| {
        let (_, rest) = line.split_once(r#""source":""#).unwrap();
        rest.split_once('"').unwrap().0
    });
    for line in &lines {
        assert_eq!(sources.next(), Some(line.as_str()));
    }
    assert_eq!(sources.next(), None);
    assert_eq!(run.code, Some(1));
}
