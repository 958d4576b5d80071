//! `--from`.

mod folders;
mod interrupt;
mod matrix;

use std::fs;

use insta::assert_snapshot;

use crate::cli::bench::{Bench, Run, read_line};

#[test]
fn a_list_is_read_after_the_arguments() {
    let bench = Bench::new("list-lines");
    bench.write(
        "a.txt",
        "no image, but a text that is long enough to be distinguished from one: sixty-four bytes",
    );
    bench.write(
        "list.txt",
        "\u{feff}ftp://host/b.png\r\n\n# a note\n   \n  # another\na.txt\n",
    );
    let run = bench.run(&[
        "check",
        "a.txt",
        "--from",
        "list.txt",
        "--format",
        "jsonl",
        "--files-under",
        ".",
    ]);
    assert_eq!(run.texts("source"), ["a.txt", "ftp://host/b.png", "a.txt"]);
    assert_eq!(run.code, Some(1));
}

#[test]
fn a_bad_line_is_reported_and_reading_continues() {
    let bench = Bench::new("list-bad");
    let mut list = b"ftp://one\n# note\n\xff\xfe.png\nno-such.png\n".to_vec();
    list.extend(std::iter::repeat_n(b'x', 100_000));
    list.extend(b"\nhttp://a b/\nftp://last");
    let run = bench.run_with_input(&["check", "--from", "-", "--format", "jsonl"], list);
    assert_snapshot!(run.without_provenance(), @r#"
    exit: 2
    ----- stdout -----
    {"source":"ftp://one","list":"stdin","line":1,"decision":"reject","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[{"code":"url/scheme","severity":"reject","message":"scheme `ftp` is not http or https","measured":"ftp","limit":"http, https"}],"download":null,"error":null}
    {"source":"��.png","list":"stdin","line":3,"decision":"inconclusive","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[],"download":null,"error":"stdin line 3: not UTF-8"}
    {"source":"no-such.png","list":"stdin","line":4,"decision":"reject","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[{"code":"url/malformed","severity":"reject","message":"not a usable URL: it has no scheme; write http:// or https:// first","measured":"it has no scheme; write http:// or https:// first","limit":null}],"download":null,"error":null}
    {"source":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…","list":"stdin","line":5,"decision":"inconclusive","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[],"download":null,"error":"stdin line 5: longer than 65536 bytes"}
    {"source":"http://a b/","list":"stdin","line":6,"decision":"reject","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[{"code":"url/malformed","severity":"reject","message":"not a usable URL: it holds a blank; write the URL alone, or %20 if the blank belongs to it","measured":"it holds a blank; write the URL alone, or %20 if the blank belongs to it","limit":null}],"download":null,"error":null}
    {"source":"ftp://last","list":"stdin","line":7,"decision":"reject","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[{"code":"url/scheme","severity":"reject","message":"scheme `ftp` is not http or https","measured":"ftp","limit":"http, https"}],"download":null,"error":null}

    ----- stderr -----
    error: stdin line 3: not UTF-8
    error: stdin line 5: longer than 65536 bytes
    hint: stdin line 4 looks like a local path; lines may name files below a folder that --files-under DIR allows
    "#);
}

#[test]
fn a_list_may_name_urls_only() {
    let bench = Bench::new("list-urls-only");
    bench.fixture("png/palette.png", "a.png");
    let secret = bench.path("a.png");
    let list = format!(
        "{}\na.png\n./a.png\n.\n/proc/self/pagemap\n\\\\host\\share\\a.png\n\
         data:image/png;base64,AAAA\nfile:///etc/passwd\n",
        secret.display()
    );
    let table = format!(
        "url\n{}",
        list.replace("data:image/png;base64,AAAA", "\"data:,x\"")
    );
    for (format, list, first) in [("text", &list, 1), ("csv", &table, 2)] {
        let args = [
            "check",
            "--from",
            "-",
            "--format",
            "jsonl",
            "--list-format",
            format,
        ];
        let run = bench.run_with_input(&args, list);
        let lines = run.json();
        assert_eq!(lines.len(), 8, "{run}");
        for (at, line) in (first..).zip(&lines) {
            assert_eq!(line["decision"], "reject", "{line}");
            assert_eq!(line["line"], at, "{line}");
            let code = if at - first < 6 {
                "url/malformed"
            } else {
                "url/scheme"
            };
            assert_eq!(line["violations"][0]["code"], code, "{line}");
        }
        assert_eq!(run.code, Some(1), "{run}");
    }
    // Arguments are the user's own.
    let run = bench.run(&["check", "a.png", "--format", "jsonl"]);
    assert_eq!(run.texts("decision"), ["accept"], "{run}");
}

#[test]
fn lists_name_urls_only_in_every_command() {
    let bench = Bench::new("list-urls-only-commands");
    bench.fixture("png/palette.png", "a.png");
    bench.write("list.txt", "a.png\n");
    for args in [
        &["plan", "--from", "list.txt", "--format", "jsonl"][..],
        &[
            "scan",
            "--sandbox",
            "--from",
            "list.txt",
            "--format",
            "jsonl",
        ],
    ] {
        let run = bench.run(args);
        assert_eq!(run.code, Some(1), "{run}");
        assert!(run.stdout.contains("url/malformed"), "{run}");
    }
}

#[cfg(unix)]
#[test]
fn a_list_may_name_files_below_allowed_folders() {
    use std::os::unix::fs::symlink;
    let bench = Bench::new("list-files-under");
    for name in ["in/a.png", "in/sub/b.png", "other/c.png", "out/d.png"] {
        bench.fixture("png/palette.png", name);
    }
    symlink("../out/d.png", bench.path("in/leads-out.png")).unwrap();
    symlink("in/a.png", bench.path("leads-in.png")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(bench.path("in/fifo"))
        .status();
    assert!(fifo.unwrap().success());
    let list = "in\nin/a.png\nleads-in.png\nother/c.png\nin/../out/d.png\nin/leads-out.png\nout\n\
                in/fifo\nin/none.png\ndata:,x\n";
    let run = bench.run_with_input(
        &[
            "check",
            "--from",
            "-",
            "--format",
            "jsonl",
            "--files-under",
            "in",
            "--files-under",
            "other",
        ],
        list,
    );
    let found: Vec<_> = run
        .json()
        .iter()
        .map(|line| {
            let code = line["violations"][0]["code"].as_str();
            let code = code.or(line["error"].as_str()).unwrap_or("accept");
            format!(
                "{} {} {code}",
                line["line"],
                line["source"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "1 in/a.png accept",
            "1 in/sub/b.png accept",
            "2 in/a.png accept",
            "3 leads-in.png accept",
            "4 other/c.png accept",
            "5 in/../out/d.png file/outside",
            "6 in/leads-out.png file/outside",
            "7 out file/outside",
            "8 in/fifo stdin line 8: neither a file nor a folder",
            "9 in/none.png stdin line 9: cannot read: No such file or directory",
            "10 data:,x url/scheme",
        ],
        "{run}"
    );
    let run = bench.run_with_input(
        &[
            "plan",
            "--from",
            "-",
            "--format",
            "jsonl",
            "--files-under",
            "in",
        ],
        "in/leads-out.png\n",
    );
    assert!(run.stdout.contains("file/outside"), "{run}");
    let run = bench.run(&["check", "--from", "-", "--files-under", "none"]);
    assert!(
        run.stderr.contains("--files-under expects a folder"),
        "{run}"
    );
}

#[test]
fn another_encoding_is_reported_once_and_ascii_lines_are_kept() {
    let bench = Bench::new("list-encodings");
    // "Chinese" in GBK and "café" in Latin-1, in URLs and in cells beside them.
    let gbk = b"\xd6\xd0\xce\xc4".as_slice();
    for word in [gbk, b"caf\xe9"] {
        let url = |name: &[u8]| [b"ftp://host/".as_slice(), name].concat();
        let text = [
            &url(b"one")[..],
            &url(word),
            &url(word),
            &url(b"two"),
            &url(word),
        ];
        let csv: Vec<_> = text
            .iter()
            .map(|line| [*line, b",".as_slice(), word].concat())
            .collect();
        let json: Vec<_> = text
            .iter()
            .map(|line| {
                [
                    b"{\"url\":\"".as_slice(),
                    *line,
                    b"\",\"x\":\"",
                    word,
                    b"\"}",
                ]
                .concat()
            })
            .collect();
        let csv = [b"url,x".to_vec(), csv.join(&b'\n')].join(&b'\n');
        for (name, first, list) in [
            ("list.txt", 1, text.join(&b'\n')),
            ("list.csv", 2, csv),
            ("list.jsonl", 1, json.join(&b'\n')),
        ] {
            bench.write(name, list);
            let run = bench.run(&["check", "--from", name, "--format", "jsonl"]);
            let sources = run.texts("source");
            assert_eq!(sources.len(), 3, "{run}");
            assert_eq!(sources[..2], ["ftp://host/one", "ftp://host/two"], "{run}");
            let error = format!(
                "error: {name} line {}: the list is neither UTF-8 nor UTF-16: 3 lines up to line {} \
                 cannot be read; save it as UTF-8\n",
                first + 1,
                first + 4
            );
            assert_eq!(run.stderr, error);
            assert_eq!(run.code, Some(2), "{run}");
            let run = bench.run(&["check", "--from", name]);
            assert!(
                run.stdout
                    .contains("\n2 sources: 2 reject\n3 lines without"),
                "{run}"
            );
        }
    }
}

#[test]
fn the_summary_counts_every_line() {
    let bench = Bench::new("list-summary");
    // A header, two sources, three malformed lines, and two further lines of one cell.
    let list = b"url,id\nftp://one,1\n\n\"a\"b,2\nftp://two\n,3\nftp://three,\"4\nof\nthem\"\n";
    bench.write("list.csv", list);
    let counts = "\n2 sources: 2 reject\n3 lines without a readable source\n\
                  2 further lines within quoted fields\n";
    for command in [&["check"][..], &["scan", "--sandbox"]] {
        let run = bench.run(&[command, &["--from", "list.csv"]].concat());
        assert!(run.stdout.contains(counts), "{run}");
        assert_eq!(run.code, Some(2), "{run}");
        assert!(!run.stderr.contains("hint"), "{run}");
    }
    let run = bench.run(&["plan", "--from", "list.csv"]);
    for count in [
        "sources     2 (0 duplicates)\n",
        "list        3 lines without a readable source\n",
        "list        2 further lines within quoted fields\n",
    ] {
        assert!(run.stdout.contains(count), "{run}");
    }
    assert_eq!(run.code, Some(2), "{run}");
    let run = bench.run(&["plan", "--from", "list.csv", "--format", "jsonl"]);
    let plan = run.json().remove(0);
    let counts = [
        "sources",
        "rejected",
        "unreadable",
        "bad_lines",
        "quoted_lines",
    ];
    assert_eq!(counts.map(|count| &plan[count]), [2, 2, 0, 3, 2], "{run}");
}

#[test]
fn two_urls_on_a_line_get_a_hint_and_one_result() {
    let bench = Bench::new("list-joined");
    let list = "http://192.0.2.1/?u=http://b/,http://c/\nhttp://me:word@192.0.2.1/a.jpg,http://192.0.2.1/b.jpg\n\
                http://192.0.2.1/c.jpghttp://192.0.2.1/d.jpg\n";
    bench.write("list.txt", list);
    let hint = "hint: list.txt line 2 looks like two URLs, http://***@192.0.2.1/a.jpg and \
                http://192.0.2.1/b.jpg; if it is, write one per line\n";
    for command in [&["check"][..], &["plan"], &["scan", "--sandbox"]] {
        let run = bench.run(&[command, &["--from", "list.txt", "--format", "jsonl"]].concat());
        assert!(run.stderr.ends_with(hint), "{run}");
        assert_eq!(run.stderr.matches("hint: ").count(), 1, "{run}");
    }
    let run = bench.run(&["check", "--from", "list.txt", "--format", "jsonl"]);
    assert_eq!(run.json().len(), 3, "{run}");
    let run = bench.run(&["check", "http://192.0.2.1/a;http://192.0.2.1/b"]);
    assert!(
        run.stderr.starts_with("hint: source 1 looks like two URLs"),
        "{run}"
    );
}

#[test]
fn a_list_among_the_sources_gets_a_hint() {
    let bench = Bench::new("list-as-source");
    bench.fixture("png/palette.png", "a.png");
    bench.fixture("png/palette.png", "list.csv");
    bench.write("ids.csv", "id,url\n1,ftp://one\n");
    bench.write("ids", "# notes\n\n  ftp://one\nhttp://two/\n");
    bench.write("urls", "# notes\n\n  http://two/\n");
    bench.write("urls.txt", "\u{feff}http://two/\r\n");
    bench.write("objects.txt", "[{\"url\":\"http://two/\"}]");
    bench.write("reply.jpg", "{\"error\":\"not found\"}");
    bench.write("page.txt", "<!doctype html><html></html>");
    bench.write("note.txt", "a text about images");
    bench.write("empty.txt", "");
    for list in ["ids.csv", "urls", "urls.txt", "objects.txt"] {
        for command in [&["check"][..], &["plan"], &["scan", "--sandbox"]] {
            let run = bench.run(&[command, &["a.png", list, list]].concat());
            let hint = format!(
                "hint: {list} looks like a list, not an image; the sources that it names are read with \
                 --from {list}\n"
            );
            assert_eq!(run.stderr.matches("hint: ").count(), 1, "{run}");
            assert!(run.stderr.contains(&hint), "{run}");
        }
    }
    let others = [
        "list.csv",
        "reply.jpg",
        "page.txt",
        "note.txt",
        "empty.txt",
        "ids",
        "absent.csv",
    ];
    let run = bench.run(&[&["check"], &others[..]].concat());
    assert!(!run.stderr.contains("hint"), "{run}");
}

#[test]
fn a_path_outside_of_the_allowed_folders_gets_a_hint() {
    let bench = Bench::new("list-outside");
    bench.fixture("gif/87a.gif", "in/a.gif");
    bench.write("list.txt", "in/a.gif\na.gif\n");
    let run = bench.run(&["check", "--from", "list.txt", "--files-under", "in"]);
    assert!(run.stdout.contains("file/outside: line 2"), "{run}");
    assert_eq!(
        run.stderr,
        "hint: list.txt line 2 is below no folder of --files-under; relative paths begin at the working \
         directory\n"
    );
    bench.write("list.txt", "a.gif\n");
    let run = bench.run(&["check", "--from", "list.txt"]);
    assert!(
        run.stderr
            .contains("hint: list.txt line 1 looks like a local path"),
        "{run}"
    );
}

#[test]
fn elements_and_lines_are_named_as_what_they_are() {
    let bench = Bench::new("list-units");
    bench.fixture("png/palette.png", "a.png");
    fs::rename(bench.path("a.png"), bench.path("a.jpg")).unwrap();
    let array = "[\"a.jpg\"]";
    let args = ["check", "--files-under", ".", "--list-format"];
    let table = |args: &[&str]| bench.run_with_input(args, array).stdout;
    bench.write("list.json", array);
    bench.write("list.dat", array);
    bench.write("list.txt", "a.jpg\n");
    for (format, list, unit) in [
        ("json", "-", "entry 1: "),
        ("json", "list.json", "entry 1: "),
        ("json", "list.dat", "entry 1: "),
        ("text", "list.txt", "line 1: "),
    ] {
        let printed = table(&[&args[..], &[format, "--from", list]].concat());
        let wanted = format!("image/type-mismatch: {unit}");
        assert!(printed.contains(&wanted), "{list}: {printed}");
    }
}

#[test]
fn a_rejected_path_gets_one_hint() {
    let bench = Bench::new("list-hint");
    bench.write(
        "list.txt",
        "www.example.com/a.jpg\nphotos/a.png\n/etc/passwd\n",
    );
    for command in [&["check"][..], &["plan"], &["scan", "--sandbox"]] {
        for format in ["human", "jsonl"] {
            let run = bench.run(&[command, &["--from", "list.txt", "--format", format]].concat());
            let hints: Vec<_> = run
                .stderr
                .lines()
                .filter(|line| line.starts_with("hint"))
                .collect();
            assert_eq!(
                hints,
                [
                    "hint: list.txt line 2 looks like a local path; lines may name files below a folder \
                  that --files-under DIR allows"
                ],
                "{run}"
            );
        }
    }
    let run = bench.run_with_input(&["check", "-"], "www.example.com/a.jpg\n<http://a/b>\n");
    assert!(!run.stderr.contains("hint"), "{run}");
}

#[test]
fn an_empty_list_is_not_a_failure() {
    let bench = Bench::new("list-empty");
    let run = bench.run_with_input(&["check", "--from", "-"], "\n# nothing\n");
    assert_snapshot!(run, @r"
    exit: 0
    ----- stdout -----
    0 sources

    ----- stderr -----
    ");
}

#[test]
fn a_long_list_keeps_its_order() {
    let bench = Bench::new("list-long");
    let lines: Vec<_> = (0..5_000).map(|n| format!("ftp://host/{n}")).collect();
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

#[test]
fn tables_are_read_by_column_name() {
    let bench = Bench::new("list-table");
    bench.write(
        "list.csv",
        "id,link\n1,ftp://one\n2,\n3,ftp://three,4\n\"four\",\"ftp://fo,ur\"\nf\u{ef}ve,ftp://five\n",
    );
    let args = ["check", "--from", "list.csv", "--format", "csv"];
    let columns = ["--column", "link", "--data-id-column", "id"];
    let run = bench.run(&[&args[..], &columns].concat());
    assert_snapshot!(run.without_csv_provenance(), @r#"
    exit: 2
    ----- stdout -----
    source,line,decision,format,width,height,bytes,frames,rejecting,warnings,status,hops,elapsed_ms,download_bytes,error
    ftp://one,2,reject,,,,,,url/scheme,,,,,,
    ,3,inconclusive,,,,,,,,,,,,list.csv line 3: no source in this line
    ftp://three,4,inconclusive,,,,,,,,,,,,"list.csv line 4: fields: 3, where the first line has 2"
    "ftp://fo,ur",5,reject,,,,,,url/scheme,,,,,,
    ftp://five,6,inconclusive,,,,,,,,,,,,"list.csv line 6: not a dataId (letters, digits, `_`, `-` and `.`, at most 128): fïve"

    ----- stderr -----
    error: list.csv line 3: no source in this line
    error: list.csv line 4: fields: 3, where the first line has 2
    error: list.csv line 6: not a dataId (letters, digits, `_`, `-` and `.`, at most 128): fïve
    "#);

    let lines = "{\"source\":\"ftp://one\",\"id\":7}\n{\"id\":8}\n";
    let args = ["check", "--from", "-", "--list-format", "jsonl"];
    let run = bench.run_with_input(&[&args[..], &["--format", "jsonl"]].concat(), lines);
    assert_eq!(run.texts("source"), ["ftp://one", ""]);
    assert_eq!(run.stderr, "error: stdin line 2: the source is a number\n");
}

#[test]
fn a_missing_column_is_reported_with_the_present_ones() {
    let bench = Bench::new("list-columns");
    bench.write("list.csv", "id,pic\n1,ftp://one\n");
    bench.write("list.txt", "ftp://one\n");
    let run = bench.run(&["check", "--from", "list.csv"]);
    assert_snapshot!(run, @"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot read the list `list.csv`: no column `url`, `image_url`, `source` or `link`; there are: id, pic
    hint: say which one holds the sources with --column
    ");
    let run = bench.run(&["check", "--from", "list.csv", "--column", "url"]);
    assert_snapshot!(run, @"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot read the list `list.csv`: no column `url`; there are: id, pic
    hint: give one of these names to --column
    ");
    let run = bench.run(&["check", "--from", "list.txt", "--column", "url"]);
    assert_snapshot!(run, @"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: a list in plain text has no columns
    hint: name a .csv, .tsv, .json, .jsonl, .ndjson or .parquet file, or name its format with --list-format
    ");
    // The format of a pipe is known only after its first line.
    let args = [
        "check",
        "--from",
        "-",
        "--list-format",
        "csv",
        "--format",
        "jsonl",
    ];
    let run = bench.run_with_input(&args, "id,pic\n1,ftp://one\n");
    assert_snapshot!(run.without_provenance(), @r#"
    exit: 2
    ----- stdout -----
    {"source":"","list":"stdin","line":1,"decision":"inconclusive","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[],"download":null,"error":"stdin line 1: no column `url`, `image_url`, `source` or `link`; there are: id, pic: say which one holds the sources with --column"}

    ----- stderr -----
    error: stdin line 1: no column `url`, `image_url`, `source` or `link`; there are: id, pic: say which one holds the sources with --column
    "#);
    let run = bench.run(&["check", "--column", "url", "a.png"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("--from <FILE|->"), "{run}");
}

#[test]
fn a_file_that_is_not_parquet_is_reported() {
    let bench = Bench::new("list-parquet");
    bench.write("list.parquet", "url\nftp://one\nftp://two\n");
    let run = bench.run(&["check", "--from", "list.parquet"]);
    assert_snapshot!(run, @"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot read the list `list.parquet`: not a Parquet file, or not a whole one
    hint: --from reads Apache Parquet files
    ");
    let args = ["check", "--from", "-", "--list-format", "parquet"];
    let run = bench.run_with_input(&args, "PAR1");
    assert_snapshot!(run, @"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: a Parquet list cannot be read from standard input
    hint: its footer is at its end: write it to a file and name that
    ");
}

#[test]
fn a_table_without_a_header_is_reported() {
    let bench = Bench::new("list-nameless");
    bench.write("list.csv", "ftp://one\nftp://two\n");
    let run = bench.run(&["check", "--from", "list.csv"]);
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot read the list `list.csv`: its first line has no column `url`, `image_url`, `source` or `link`; there are: ftp://one
    hint: if that is a source, put a line `url` before it or read the list with --list-format text; if it is a name, give it to --column
    ");
    let run = bench.run(&[
        "check",
        "--from",
        "list.csv",
        "--list-format",
        "text",
        "--format",
        "jsonl",
    ]);
    assert_eq!(run.texts("source"), ["ftp://one", "ftp://two"]);
}

#[test]
fn standard_input_is_read_for_a_dash_or_when_it_is_piped() {
    let bench = Bench::new("list-stdin");
    for args in [
        &["check", "-", "--format", "jsonl"][..],
        &["check", "--format", "jsonl"],
        &["check", "--format", "jsonl", "--list-format", "csv"],
    ] {
        let run = bench.run_with_input(args, "url\nftp://one\n");
        assert_eq!(run.texts("source").last().unwrap(), "ftp://one", "{run}");
    }
    let run = bench.run(&["check"]);
    assert!(run.stderr.contains("no sources are given"), "{run}");
}

#[test]
fn a_wrapped_url_or_one_without_a_scheme_gets_a_remedy() {
    let bench = Bench::new("list-wrapped");
    let list = "'http://a/b'\n\"http://a/b\"\n<http://a/b>\nwww.example.com/a.jpg\n";
    let run = bench.run_with_input(&["check", "-", "--format", "jsonl"], list);
    let messages: Vec<_> = run
        .json()
        .iter()
        .map(|line| {
            line["violations"][0]["measured"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        messages,
        [
            "it is in quotes; write it without them",
            "it is in quotes; write it without them",
            "it is in angle brackets; write it without them",
            "it has no scheme; write http:// or https:// first",
        ],
        "{run}"
    );
}

#[test]
fn a_list_in_another_format_gets_one_hint() {
    let bench = Bench::new("list-likely");
    for (list, hint) in [
        (
            "[{\"url\":\"ftp://one\"},\n{\"url\":\"ftp://two\"}]\n",
            "looks like JSON: read it with --list-format jsonl",
        ),
        (
            "id,url\n1,ftp://one\n2,ftp://two\n",
            "looks like CSV: read it with --list-format csv",
        ),
        (
            "\nid\turl\n1\tftp://one\n",
            "looks like TSV: read it with --list-format tsv",
        ),
    ] {
        for command in [&["check"][..], &["plan"], &["scan", "--sandbox"]] {
            let run = bench.run_with_input(&[command, &["--from", "-"]].concat(), list);
            assert_eq!(run.stderr.matches("hint: ").count(), 1, "{run}");
            assert!(run.stderr.contains(&format!("hint: stdin {hint}")), "{run}");
        }
        // The hint leads to the sources.
        let format = hint.rsplit(' ').next().unwrap();
        let args = ["check", "-", "--format", "jsonl", "--list-format", format];
        let run = bench.run_with_input(&args, list);
        assert_eq!(run.texts("source")[0], "ftp://one", "{run}");
        assert!(!run.stderr.contains("hint"), "{run}");
    }
    let run = bench.run_with_input(&["check", "-", "--list-format", "text"], "id,url\n");
    assert!(!run.stderr.contains("hint"), "{run}");
}

#[test]
fn help_lists_every_list_format() {
    let bench = Bench::new("list-help");
    for command in ["check", "scan", "plan"] {
        let run = bench.run(&[command, "--help"]);
        let words: Vec<_> = run.stdout.split_whitespace().collect();
        let text = words.join(" ");
        let (_, from) = text.split_once("--from").unwrap();
        let (from, _) = from.split_once("--files-under").unwrap();
        for format in [
            "text", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet",
        ] {
            let mut words = from.split([' ', ',']);
            assert!(words.any(|word| word == format), "{format} {run}");
        }
    }
}

#[test]
fn every_extension_has_its_format() {
    let bench = Bench::new("list-extensions");
    for (extension, list) in [
        ("txt", "ftp://one\n"),
        ("dat", "ftp://one\n"),
        ("csv", "url,id\nftp://one,1\n"),
        ("CSV", "url,id\nftp://one,1\n"),
        ("tsv", "url\tid\nftp://one\t1\n"),
        ("tab", "url\tid\nftp://one\t1\n"),
        ("json", "[\"ftp://one\"]"),
        ("json", "{\"url\":\"ftp://one\"}\n"),
        ("jsonl", "{\"url\":\"ftp://one\"}\n"),
        ("ndjson", "{\"url\":\"ftp://one\"}\n"),
    ] {
        let name = format!("list.{extension}");
        bench.write(&name, list);
        let run = bench.run(&["check", "--from", &name, "--format", "jsonl"]);
        assert_eq!(run.texts("source"), ["ftp://one"], "{run}");
    }
}

#[test]
fn an_empty_list_of_any_format_is_not_a_failure() {
    let bench = Bench::new("list-empty-formats");
    for extension in ["txt", "csv", "tsv", "json", "jsonl"] {
        let name = format!("list.{extension}");
        bench.write(&name, "");
        for command in [&["check"][..], &["plan"], &["scan", "--sandbox"]] {
            let run = bench.run(&[command, &["--from", &name]].concat());
            assert_eq!(run.code, Some(0), "{run}");
            assert_eq!(
                run.stderr.lines().find(|line| line.starts_with("error")),
                None,
                "{run}"
            );
        }
    }
}

#[test]
fn a_stray_quote_costs_one_line() {
    let bench = Bench::new("list-quote");
    bench.write(
        "list.csv",
        "url,id\nftp://one,1\n\"ftp://two,2\nftp://three,3\n",
    );
    let run = bench.run(&["check", "--from", "list.csv", "--format", "jsonl"]);
    assert_eq!(
        run.texts("source"),
        ["ftp://one", "ftp://two,2", "ftp://three"],
        "{run}"
    );
    assert_eq!(run.code, Some(2), "{run}");
}

#[test]
fn rows_within_a_quoted_field_are_counted_and_noted_once() {
    let bench = Bench::new("list-quoted");
    let rows = "ftp://b,x\n".repeat(50);
    let list = format!("url,t\nftp://a,\"open\n{rows}ftp://c,y\"\n");
    bench.write("list.csv", list);
    let run = bench.run(&["check", "--from", "list.csv"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.stdout.contains("51 further lines within quoted fields"),
        "{run}"
    );
    let hint = "hint: list.csv: a quoted field spans lines 2 to 53";
    assert_eq!(run.stderr.matches(hint).count(), 1, "{run}");
    let run = bench.run(&["plan", "--from", "list.csv"]);
    assert_eq!(run.stderr.matches(hint).count(), 1, "{run}");
    assert!(
        run.stdout.contains("51 further lines within quoted fields"),
        "{run}"
    );
    let run = bench.run(&["plan", "--from", "list.csv", "--format", "jsonl"]);
    let plan: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(plan["quoted_lines"], 51, "{run}");
}

#[test]
fn names_of_standard_input_get_a_hint() {
    let bench = Bench::new("list-dashes");
    for args in [
        &["check", "-", "-"][..],
        &["check", "ftp://a", "-"],
        &["check", "-", "--from", "list.txt"],
    ] {
        let run = bench.run(args);
        assert_eq!(run.code, Some(2), "{run}");
        let wanted = "error: `-`, a list on standard input, has to be the only source\n\
                      hint: next to other sources, name standard input with --from -; a file of this name is ./-\n";
        assert_eq!(run.stderr, wanted, "{run}");
    }
    #[cfg(target_os = "linux")]
    {
        let run = bench.run(&["check", "/dev/stdin", "--format", "jsonl"]);
        let hint = "neither a file nor a folder; a list on standard input is read with `-`";
        assert!(run.stdout.contains(hint), "{run}");
    }
}

#[test]
fn a_delimiter_can_be_set() {
    let bench = Bench::new("list-delimiter");
    bench.write("list.csv", "id#url\n1#ftp://one\n");
    bench.write("joined.csv", "id#name;url\n1#x;ftp://one\n");
    for (list, delimiter) in [("list.csv", "#"), ("joined.csv", ";")] {
        let args = ["check", "--from", list, "--format", "jsonl"];
        let run = bench.run(&[&args[..], &["--delimiter", delimiter]].concat());
        assert_eq!(run.texts("source"), ["ftp://one"], "{run}");
    }
}

#[test]
fn a_json_array_is_processed_while_it_is_read() {
    use std::{io::Write as _, process::Stdio};
    let bench = Bench::new("list-stream");
    let args = ["check", "-", "--list-format", "json", "--format", "jsonl"];
    let mut child = bench.command(&args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"[{\"url\":\"ftp://one\"},\n").unwrap();
    let answer = read_line(child.stdout.as_mut().unwrap());
    assert!(
        answer.contains("\"ftp://one\",\"list\":\"stdin\",\"line\":1"),
        "{answer}"
    );
    stdin.write_all(b"\"ftp://two\"]").unwrap();
    drop(stdin);
    let run = Run::of(child);
    assert_eq!(run.texts("source"), ["ftp://two"], "{run}");
    assert_eq!(run.code, Some(1), "{run}");
}

#[test]
fn a_quiet_run_prints_errors_without_hints() {
    let bench = Bench::new("list-quiet");
    bench.write("list.txt", "a.png\n");
    for command in ["check", "plan"] {
        let args = [command, "--from", "list.txt"];
        let run = bench.run(&args);
        assert!(run.stderr.contains("hint: list.txt line 1"), "{run}");
        let quiet = bench.run(&[&args[..], &["-q"]].concat());
        assert_eq!(quiet.code, run.code, "{quiet}");
        assert_eq!(quiet.stderr, "", "{quiet}");
    }
    let run = bench.run(&["check", "--from", "absent.txt", "-q"]);
    assert!(run.stderr.starts_with("error: cannot read"), "{run}");
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
}
