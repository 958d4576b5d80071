//! Hostile names, closed pipes and interruptions.

use std::{io::Read, time::Duration};

use super::{
    bench::{Bench, Run, read_line},
    running::{interrupt, signal},
    site::{Page, Site},
};

#[test]
fn names_cannot_steer_the_terminal() {
    let bench = Bench::new("printing-names");
    let names = [
        "title\u{1b}]0;owned\u{7}.png",
        "red\u{1b}[31m.png",
        "over\rwritten.png",
        "two\nlines.png",
        "gnp\u{202e}exe.png",
        "iso\u{2066}late\u{2069}.png",
        "line\u{2028}end\u{2029}.png",
        "c1\u{9b}31m.png",
    ];
    for name in names {
        bench.write(&format!("in/{name}"), "");
    }
    let run = bench.run(&["check", "in", "no\u{1b}[2Jsuch.png", "http://\u{1b}[31m/"]);
    let text = format!("{}{}", run.stdout, run.stderr);
    let harmful = |c: char| {
        (c.is_control() && c != '\n')
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
            || ('\u{2028}'..='\u{2029}').contains(&c)
    };
    assert!(!text.contains(harmful), "{text:?}");
    assert!(text.contains(r"in/two\u{a}lines.png"), "{text}");
    assert!(text.contains(r"in/title\u{1b}]0;owned\u{7}.png"), "{text}");
    assert!(text.contains(r"in/gnp\u{202e}exe.png"), "{text}");

    let run = bench.run(&["check", "in", "--format", "jsonl"]);
    let mut sources = run.texts("source");
    let mut given = names.map(|name| format!("in/{name}"));
    sources.sort();
    given.sort();
    assert_eq!(sources, given, "JSON holds the names as they are");
}

/// Returns what the command prints on a terminal.
#[cfg(unix)]
fn on_terminal(mut command: std::process::Command) -> String {
    use std::fs::{File, OpenOptions};

    use rustix::pty;

    let master = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).unwrap();
    pty::grantpt(&master).unwrap();
    pty::unlockpt(&master).unwrap();
    let name = pty::ptsname(&master, Vec::new()).unwrap();
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let mut child = command.env("NO_COLOR", "1").stdout(slave).spawn().unwrap();
    drop(command);
    let mut printed = Vec::new();
    // Reading fails after the last writer has closed the terminal.
    let _ = File::from(master).read_to_end(&mut printed);
    child.wait().unwrap();
    String::from_utf8(printed).unwrap().replace("\r\n", "\n")
}

#[cfg(unix)]
#[test]
fn json_and_csv_on_a_terminal_cannot_steer_it() {
    let bench = Bench::new("printing-terminal");
    let names = [
        "title\u{1b}]0;owned\u{7}",
        "two\nlines",
        "over\rwritten",
        "c1\u{80}\u{9b}31m\u{9f}\u{7f}",
        "gnp\u{202e}exe",
        "\u{206a}\u{fff9}tag\u{e0041}",
        "caf\u{e9}",
    ];
    let list: String = names
        .map(|name| serde_json::json!(name).to_string() + "\n")
        .concat();
    bench.write("list.jsonl", list);
    let args = ["check", "--from", "list.jsonl", "--format"];
    let harmful = |c: char| {
        let hidden = ['\u{202e}', '\u{206a}', '\u{fff9}', '\u{e0041}'];
        c.is_control() && c != '\n' || hidden.contains(&c)
    };
    let json = on_terminal(bench.command(&[&args[..], &["jsonl"]].concat()));
    assert!(!json.contains(harmful), "{json:?}");
    let sources: Vec<_> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line))
        .map(|line| line["source"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(sources, names, "escaped, and the same");
    assert!(json.contains("caf\u{e9}"), "{json}");

    let csv = on_terminal(bench.command(&[&args[..], &["csv"]].concat()));
    assert!(!csv.contains(harmful), "{csv:?}");
    assert_eq!(csv.lines().count(), names.len() + 1, "{csv}");
    assert!(csv.contains(r"two\u{a}lines"), "{csv}");
}

#[test]
fn csv_cells_are_not_formulas_by_default() {
    let bench = Bench::new("printing-formulas");
    let cells = [
        "=1+1",
        "+1",
        "-1",
        "@a",
        "\ta",
        "\ra",
        "\na",
        "\u{200b}=1+1",
        "\u{1}=1+1",
        "\u{ff1d}1+1",
        "a=1",
        // Where a semicolon or a tab delimits cells, and quotes after a comma are characters.
        "b;=1+1",
        "b\t@x",
        "b\n-1",
        "b;\"=1+1\"",
        "b;b=1",
    ];
    let list: String = cells
        .map(|cell| serde_json::json!(cell).to_string() + "\n")
        .concat();
    bench.write("list.jsonl", list);
    for command in [&["check"][..], &["scan", "--sandbox"]] {
        let args = ["--from", "list.jsonl", "--format", "csv"];
        let args = [command, &args].concat();
        let first = |run: &Run| -> Vec<String> {
            let mut table = csv_of(&run.stdout);
            table.remove(0);
            table.into_iter().map(|mut row| row.remove(0)).collect()
        };
        let run = bench.run(&args);
        let safe = cells.map(|cell| match cell {
            "a=1" | "b;b=1" => cell.to_owned(),
            cell if cell.starts_with('b') => {
                let (start, formula) = cell.split_at(2);
                format!("{start}'{formula}")
            }
            cell => format!("'{cell}"),
        });
        assert_eq!(first(&run), safe, "{run}");
        let run = bench.run(&[&args[..], &["--csv-raw"]].concat());
        assert_eq!(first(&run), cells, "{run}");
    }
}

/// The cells of a table in CSV.
pub(super) fn csv_of(text: &str) -> Vec<Vec<String>> {
    let (mut table, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut in_quotes, mut was_quote) = (false, false);
    for c in text.chars() {
        match c {
            '"' if in_quotes => (in_quotes, was_quote) = (false, true),
            '"' => {
                in_quotes = true;
                if was_quote {
                    cell.push('"');
                }
            }
            ',' if !in_quotes => row.push(std::mem::take(&mut cell)),
            '\n' if !in_quotes => {
                row.push(std::mem::take(&mut cell));
                table.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
        was_quote &= c == '"';
    }
    table
}

#[test]
fn colors_are_for_terminals_only() {
    let bench = Bench::new("printing-colors");
    let mut command = bench.command(&["check", "no.png"]);
    let run = Run::of(command.env("TERM", "xterm-256color").spawn().unwrap());
    assert!(!run.to_string().contains('\u{1b}'), "{run}");
}

#[test]
fn a_closed_pipe_ends_the_command_quietly() {
    let bench = Bench::new("printing-pipe");
    for format in ["human", "jsonl", "csv"] {
        let lines: Vec<_> = (0..20_000).map(|n| format!("ftp://host/{n}")).collect();
        bench.write("list.txt", lines.join("\n"));
        let args = ["check", "--from", "list.txt", "--format", format];
        let mut child = bench.command(&args).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        read_line(&mut stdout);
        drop(stdout);
        let run = Run::of(child);
        assert_eq!(run.code, Some(1), "{format}: {run}");
        assert_eq!(run.stderr, "", "{format}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_check_prints_done_and_left_counts() {
    let bench = Bench::new("printing-interrupt");
    let slow = Page::image("image/png", "").after(Duration::from_secs(20));
    let site = Site::start([("/slow.png", slow)]);
    let mut list = "ftp://one\nftp://two\n".to_owned();
    list.push_str(&site.url("/slow.png"));
    list.push_str("\nftp://three\nftp://four\n");
    bench.write("list.txt", list);
    let allowed = site.allowed();
    let args = [
        "check",
        "--from",
        "list.txt",
        "--format",
        "jsonl",
        "--timeout",
        "30s",
        "--allow-address",
        &allowed,
    ];
    let mut child = bench.command(&args).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    for source in ["ftp://one", "ftp://two"] {
        assert!(read_line(&mut stdout).contains(source));
    }
    interrupt(&child);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let run = Run::of(child);
    assert_eq!(run.code, Some(130), "{run}");
    let sources: Vec<_> = rest
        .lines()
        .filter_map(|line| line.split('"').nth(3))
        .collect();
    assert_eq!(sources, ["ftp://three", "ftp://four"]);
    assert_eq!(run.stderr, "error: interrupted: 4 done, 1 left\n");
}

/// The signals of a service manager, and of a terminal that is closed.
#[cfg(unix)]
#[test]
fn other_termination_signals_interrupt_too() {
    use std::{io::Write as _, process::Stdio};

    // Under `nohup` the command ignores SIGHUP too.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let heeds_hangup = ignored.is_some_and(|mask| mask & 1 == 0);
    for name in ["TERM", "HUP"] {
        if name == "HUP" && !heeds_hangup {
            continue;
        }
        let bench = Bench::new(&format!("ended-by-{name}"));
        let mut check = bench.command(&["check", "--from", "-", "--format", "jsonl"]);
        let mut child = check.stdin(Stdio::piped()).spawn().unwrap();
        let mut list = child.stdin.take().unwrap();
        list.write_all(b"ftp://one\n").unwrap();
        let mut out = child.stdout.take().unwrap();
        assert!(read_line(&mut out).contains("ftp://one"));
        signal(&child, name);
        let run = Run::of(child);
        assert_eq!(run.code, Some(130), "{name}: {run}");
        assert!(
            run.stderr.starts_with("error: interrupted: 1 done"),
            "{name}: {run}"
        );
    }
}

/// A name in Latin-1, as old archives have them.
#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf8_is_marked_and_kept() {
    use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt as _};

    let bench = Bench::new("printing-bytes");
    bench.fixture("png/rgb.png", "in/ok.png");
    let name = OsStr::from_bytes(b"in/caf\xe9.png");
    fs::copy(bench.path("in/ok.png"), bench.path("").join(name)).unwrap();
    for command in [&["check"][..], &["scan", "--sandbox"]] {
        let run = bench.run(&[command, &["in", "--format", "jsonl"]].concat());
        assert_eq!(
            run.texts("source"),
            [r"in/caf\xE9.png", "in/ok.png"],
            "{run}"
        );
        assert!(run.json()[1].get("source_base64").is_none(), "{run}");
        assert_eq!(run.code, Some(0), "{run}");
    }
    let run = bench.run(&["check", "in", "--format", "jsonl"]);
    assert_eq!(run.json()[0]["source_base64"], "aW4vY2Fm6S5wbmc=", "{run}");
    let run = bench.run(&["check", "in"]);
    assert!(run.stdout.contains(r"in/caf\xE9.png"), "{run}");
}

#[test]
fn csv_has_a_header_without_a_line_too() {
    let bench = Bench::new("printing-header");
    bench.fixture("png/rgb.png", "in/good.png");
    bench.write("empty.txt", "");
    let scan = ["scan", "--sandbox", "in", "--format", "csv"];
    let check = ["check", "in", "--format", "csv"];
    let header = |args: &[&str]| {
        let run = bench.run(args);
        run.stdout.lines().next().unwrap_or_default().to_owned()
    };
    let (checked, scanned) = (header(&check), header(&scan));
    assert!(checked.starts_with("source,"), "{checked}");
    assert_ne!(scanned, checked);
    for (args, header) in [
        ([&check[..], &["--only", "rejected"]].concat(), &checked),
        ([&scan[..], &["--only", "block"]].concat(), &scanned),
        (
            vec!["check", "--from", "empty.txt", "--format", "csv"],
            &checked,
        ),
    ] {
        let run = bench.run(&args);
        assert_eq!(run.stdout, format!("{header}\n"), "{args:?}: {run}");
        let run = bench.run(&[&args[..], &["--output", "out.csv"]].concat());
        assert_eq!(run.stdout, "", "{args:?}: {run}");
        let written = std::fs::read_to_string(bench.path("out.csv")).unwrap();
        assert_eq!(written, format!("{header}\n"), "{args:?}");
    }
}
