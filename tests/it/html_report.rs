//! The report: its counts, its content, and its robustness to hostile lines.

use std::{
    io::{Read as _, Write},
    process::{Command, Output, Stdio},
    time::{Duration, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use greenlight::{Code, Enforcement, Provenance, Requirements};
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thumbnails {
    Hidden,
    Blurred,
}

/// Returns the page that the command writes for lines on standard input, and its output.
fn draw(lines: &str, thumbnails: Thumbnails) -> (String, Output) {
    let (page, output) = try_draw(lines, thumbnails);
    (page.expect("the page was written"), output)
}

/// Like `page`, for input that may cause no page.
fn try_draw(lines: &str, thumbnails: Thumbnails) -> (Option<String>, Output) {
    let folder = tempdir().expect("a folder can be made");
    let page = folder.path().join("report.html");
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
    command.arg("report").arg("--html").arg(&page);
    if thumbnails == Thumbnails::Blurred {
        command.arg("--thumbnails");
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut input = child.stdin.take().expect("it was piped");
    input.write_all(lines.as_bytes()).expect("it is read");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    (std::fs::read_to_string(page).ok(), output)
}

fn page(lines: &str, thumbnails: Thumbnails) -> String {
    let (page, output) = draw(lines, thumbnails);
    assert!(output.status.success());
    page
}

/// Returns a run of `count` lines with every decision, format and outcome.
fn run(count: u64) -> String {
    let mut lines = String::new();
    for n in 0..count {
        let (decision, violations) = match n % 5 {
            0 => (
                "reject",
                r#"[{"code":"image/too-small","severity":"reject","message":"120x80 pixels, at least 256x256","measured":"120x80","limit":"256x256"}]"#,
            ),
            1 => (
                "inconclusive",
                r#"[{"code":"image/type-mismatch","severity":"warn","message":"the name says PNG","measured":"jpeg","limit":"png"}]"#,
            ),
            _ => ("accept", "[]"),
        };
        let outcome = match (decision, n % 7) {
            ("accept", 0) => "block",
            ("accept", 1) => "review",
            ("accept", _) => "pass",
            _ => "not-submitted",
        };
        let (width, height) = (100 + n * 37 % 4000, 80 + n * 53 % 3000);
        let (bytes, elapsed) = (500 + n * n * 131 % 9_000_000, n * 17 % 3_200);
        let host = n % 9;
        let line = format!(
            r#"{{"source":"https://host{host}.example/{n}.jpg","decision":"{decision}","format":"jpeg","width":{width},"height":{height},"bytes":{bytes},"frames":1,"violations":{violations},"download":{{"status":200,"hops":0,"elapsed_ms":{elapsed},"bytes":{bytes}}},"error":null,"outcome":"{outcome}","results":[{{"scene":"porn","label":"normal","suggestion":"{outcome}","rate":99.9}}]}}"#
        );
        lines.push_str(&line);
        lines.push('\n');
    }
    lines
}

#[test]
fn the_page_has_counts_of_decisions_and_outcomes() {
    let page = page(&run(350), Thumbnails::Hidden);
    for (name, count) in [
        ("images", 350),
        ("accepted", 210),
        ("rejected", 70),
        ("inconclusive", 70),
        ("passed", 150),
    ] {
        let tile = format!("<dt>{name}</dt><dd>{count}</dd>");
        assert!(page.contains(&tile), "{tile}");
    }
    assert!(page.contains("60.0 % of 350 images that were checked can be scanned."));
    assert!(
        !page.contains("<dt>requirements</dt>"),
        "the lines name none"
    );
    for plot in [
        "decisions",
        "outcomes",
        "scenes",
        "violations",
        "warnings",
        "formats",
        "sizes",
        "dimensions",
        "times",
        "hosts",
    ] {
        assert!(
            page.contains(&format!("id=\"plot-{plot}\"")),
            "{plot} is drawn"
        );
    }
    assert_eq!(rows(&page).len(), 200, "what is not fine is listed");
}

/// A line of another run may have other requirements, or none.
#[test]
fn the_page_names_when_and_how_images_were_checked() {
    let line = |source: &str, made: &str| {
        format!("{{\"source\":\"{source}\",\"list\":\"urls.txt\",\"decision\":\"accept\"{made}}}\n")
    };
    let made = |requirements: &Requirements, version: &str, at: u64| {
        let at = UNIX_EPOCH + Duration::from_secs(at);
        let mut provenance = Provenance::new(requirements, at);
        version.clone_into(&mut provenance.version);
        let text = serde_json::to_string(&provenance).unwrap();
        format!(",{}", text.trim_start_matches('{').trim_end_matches('}'))
    };
    let site = Requirements::ASYNC.with_max_bytes(8_000_000);
    let lines = [
        line("a", &made(&Requirements::ASYNC, "0.1.0", 1_700_000_000)),
        line("b", &made(&site, "0.1.0", 1_700_003_600)),
        line("c", &made(&site, "0.2.0", 1_700_000_060)),
        line("d", ""),
        line(
            "e",
            ",\"version\":\"9\",\"requirements\":\"00\",\"settings\":{\"new\":1},\"checked_at\":1700000000000",
        ),
    ];
    let page = page(&lines.concat(), Thumbnails::Hidden);
    for text in [
        "<dt>lists</dt><dd>urls.txt</dd>",
        "<time>2023-11-14 22:13 UTC</time> to <time>2023-11-14 23:13 UTC</time>",
        "<dt>checked by</dt><dd>greenlight 0.1.0, 0.2.0, 9</dd>",
        "<summary>preset async, <code>",
        "<summary>preset async, 2 settings changed, <code>",
        "</code>, 2 images</summary>",
        "<th scope=\"row\">max_bytes</th><td>8\u{202f}000\u{202f}000 (changed)</td>",
        "<th scope=\"row\">min_width</th><td>256</td>",
        "of another version, <code>00</code>, 1 image",
    ] {
        assert!(page.contains(text), "{text}\n{page}");
    }
}

/// The rows that the page's script shows.
fn rows(page: &str) -> Vec<serde_json::Value> {
    let (_, rest) = page.split_once("<script id=\"rows\"").expect("rows");
    let (_, rest) = rest.split_once('>').expect("the end of the tag");
    let (rows, rest) = rest.split_once("</script>").expect("the end of the rows");
    let mut rows = format!("{rows}\n");
    if let Some((_, rest)) = rest.split_once("<script id=\"rest\"") {
        let (attributes, rest) = rest.split_once('>').expect("the end of the tag");
        let (packed, _) = rest.split_once("</script>").expect("the end of the rows");
        let packed = STANDARD.decode(packed).expect("it is base64");
        let first = rows.lines().count();
        let mut unpacked = GzDecoder::new(&*packed);
        unpacked.read_to_string(&mut rows).expect("it is gzip");
        let count = format!("data-count=\"{}\"", rows.lines().count() - first);
        assert!(attributes.contains(&count), "{attributes}: {count}");
    }
    let rows = rows.lines().map(serde_json::from_str);
    rows.collect::<Result<_, _>>().expect("each is JSON")
}

#[test]
fn a_code_is_counted_once_per_image_and_warnings_separately() {
    let twice = r#"{"code":"image/corrupt","severity":"reject","message":"a"}"#;
    let warning = r#"{"code":"image/corrupt","severity":"warn","message":"b"}"#;
    let line = |decision: &str, violations: &str| {
        format!("{{\"source\":\"a\",\"decision\":\"{decision}\",\"violations\":[{violations}]}}\n")
    };
    let lines = [
        line("reject", &[twice, twice, warning].join(",")),
        line("reject", twice),
        line("accept", &[warning, warning].join(",")),
        line("accept", ""),
    ];
    let page = page(&lines.concat(), Thumbnails::Hidden);
    for (plot, numbers) in [
        ("violations", ["2", "50.0 %"]),
        ("warnings", ["1", "25.0 %"]),
    ] {
        let (_, figure) = page.split_once(&format!("id=\"plot-{plot}\"")).expect(plot);
        let (figure, _) = figure.split_once("</figure>").expect("its end");
        let cells = figure.split("<td class=\"number\" role=\"cell\">").skip(1);
        let cells: Vec<_> = cells
            .filter_map(|cell| Some(cell.split_once('<')?.0))
            .collect();
        assert_eq!(cells, numbers, "{figure}");
        assert!(figure.contains(">of checked<"), "{figure}");
    }
    assert!(page.contains("50.0 % of 4 images that were checked can be scanned."));
    let rows = rows(&page);
    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows[0][8].as_array().map(Vec::len),
        Some(3),
        "one for each reason"
    );
}

#[test]
fn percentages_are_rounded_but_not_to_all_or_none() {
    let line = |decision: &str| {
        format!("{{\"source\":\"a\",\"decision\":\"{decision}\",\"violations\":[]}}\n")
    };
    for (accepted, rejected, wanted) in [
        (2, 1, "66.7 % of 3 images"),
        (1, 2, "33.3 % of 3 images"),
        (2_999, 1, "99.9 % of 3\u{202f}000 images"),
        (1, 2_999, "0.1 % of 3\u{202f}000 images"),
        (3, 0, "100.0 % of 3 images"),
    ] {
        let lines = line("accept").repeat(accepted) + &line("reject").repeat(rejected);
        let page = page(&lines, Thumbnails::Hidden);
        assert!(page.contains(wanted), "{wanted}");
    }
}

#[test]
fn the_page_names_its_input_and_version() {
    let folder = tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join("<run>.jsonl"), run(3)).expect("it is written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
    let command = command.current_dir(&folder);
    let output = command
        .args(["report", "--html", "-", "--from", "<run>.jsonl"])
        .output();
    let page = String::from_utf8(output.expect("it runs").stdout).expect("it is text");
    assert!(
        page.contains("<dt>results</dt><dd>3 from &lt;run&gt;.jsonl</dd>"),
        "{page}"
    );
    let version = concat!("<dd>greenlight ", env!("CARGO_PKG_VERSION"), "</dd>");
    assert!(page.contains(version), "{page}");
    assert!(page.contains(" UTC</time>"));
}

#[test]
fn the_page_is_self_contained() {
    let page = page(&run(50), Thumbnails::Hidden);
    assert!(page.contains("default-src 'none'") && page.contains("img-src data:\""));
    assert!(!page.contains("<img") && !page.contains("<link rel=\"stylesheet\""));
    assert!(!page.contains(" src=") && !page.contains("@import") && !page.contains("url("));
}

#[test]
fn thumbnails_show_public_images_that_pass() {
    let line = |source: &str, decision: &str| {
        format!("{{\"source\":\"{source}\",\"decision\":\"{decision}\",\"outcome\":\"block\"}}\n")
    };
    let shown = [
        "https://a.example/x.png",
        "http://b.example:8080/y.png",
        "https://8.8.8.8/z.png",
        "https://[2606:4700::1111]/z.png",
    ];
    let hidden = [
        "javascript:alert(1)",
        "photos/local.png",
        "http://127.0.0.1/a.png",
        "http://10.0.0.1/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/a.png",
        "http://[::ffff:192.168.0.1]/a.png",
        "http://2130706433/a.png",
        "http://localhost/a.png",
        "http://app.localhost/a.png",
        "http://localhost.localdomain/a.png",
        "http://router/a.png",
        "http://printer.local/a.png",
        "http://db.internal/a.png",
        "http://home.arpa./a.png",
        "https://me:secret@a.example/a.png",
        "http://x.example;script-src/a.png",
    ];
    let lines: String = shown
        .iter()
        .chain(&hidden)
        .map(|source| line(source, "accept"))
        .chain(
            ["reject", "pending", "no decision"]
                .map(|decision| line("https://rejected.example/x.png", decision)),
        )
        .collect();
    let page = page(&lines, Thumbnails::Blurred);
    let rows = rows(&page);
    let with_thumbnail = rows.iter().filter(|row| row[0] == true);
    let sources: Vec<_> = with_thumbnail
        .map(|row| row[1].as_str().expect("text"))
        .collect();
    assert_eq!(sources, shown);
    assert!(
        page.contains(
            "img-src data: http://b.example:8080 https://8.8.8.8 https://[2606:4700::1111] https://a.example\""
        ),
        "the policy allows these origins only"
    );
    assert!(!page.contains("secret"));
}

#[test]
fn the_policy_names_style_and_script_by_their_hashes() {
    let page = page(&run(50), Thumbnails::Hidden);
    let policy = page
        .split_once("content=\"default-src")
        .expect("a policy")
        .1;
    let policy = policy.split_once('"').expect("its end").0;
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, element) in [("style-src", "style"), ("script-src", "script")] {
        let (_, rest) = page.split_once(&format!("<{element}>")).expect(element);
        let (text, _) = rest.split_once(&format!("</{element}>")).expect(element);
        let hash = STANDARD.encode(Sha256::digest(text));
        assert!(
            policy.contains(&format!("{name} 'sha256-{hash}';")),
            "{policy}"
        );
    }
    assert!(
        !page.contains(" style=\""),
        "the policy allows no style attributes"
    );
}

#[test]
fn untrusted_text_is_escaped() {
    let lines = r#"{"source":"https://a.example/<script>alert(1)</script>","decision":"<b>","error":"\"><img src=x onerror=alert(1)>","outcome":"<i>","violations":[{"code":"<u>","severity":"<s>","message":"<em>"}],"format":"<q>","results":[{"scene":"<p>","suggestion":"</svg><script>"}]}"#;
    let page = page(lines, Thumbnails::Blurred);
    for tag in [
        "<script>alert",
        "<b>",
        "<img src=x",
        "<i>",
        "<u>",
        "<em>",
        "<q>",
        "</svg><script>",
    ] {
        assert!(!page.contains(tag), "{tag} got through");
    }
    assert!(
        page.contains("\\u003cscript>alert"),
        "in the rows, escaped as JSON"
    );
    assert!(page.contains("&lt;u&gt;"), "in the plots, escaped as HTML");
    assert_eq!(rows(&page)[0][2], "<b>");
}

#[test]
fn the_smallest_and_largest_image_are_plotted() {
    let line = |side: u32, bytes: u64, elapsed: u64| {
        format!(
            r#"{{"source":"a","decision":"accept","width":{side},"height":{side},"bytes":{bytes},"download":{{"elapsed_ms":{elapsed}}}}}"#
        )
    };
    for lines in [
        line(1, 0, 0),
        line(0, 1, 1),
        line(u32::MAX, u64::MAX, u64::MAX),
        [line(1, 0, 0), line(u32::MAX, u64::MAX, u64::MAX)].join("\n"),
    ] {
        let page = page(&lines, Thumbnails::Hidden);
        for plot in ["sizes", "dimensions", "times"] {
            assert!(page.contains(&format!("id=\"plot-{plot}\"")), "{plot}");
        }
    }
}

#[test]
fn unreadable_lines_are_counted_and_reported() {
    let long = "x".repeat((1 << 20) + 10);
    let lines = format!(
        "{{\"source\":\"a.png\",\"decision\":\"accept\"}}\n\nnot json\n{long}\n{{\"source\":\"b.png\",\"decision\":\"reject\"}}"
    );
    let (page, output) = draw(&lines, Thumbnails::Hidden);
    assert!(page.contains("2 lines could not be read"), "{page}");
    assert!(page.contains("the first is line 3"));
    assert!(page.contains("<dt>images</dt><dd>2</dd>"));
    assert_eq!(
        output.status.code(),
        Some(2),
        "what was not read is no success"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("lines without a result: 2, the first is line 3"),
        "{said}"
    );
}

#[test]
fn input_without_results_is_an_error_and_writes_no_page() {
    let nothing = "nothing to report: standard input holds no results";
    for (lines, why) in [
        ("", nothing),
        ("\n\n", nothing),
        (
            "not json\n",
            "nothing to report: none of 1 lines is a result, line 1: ",
        ),
        (
            "{\"task_id\":\"t\"}\n{\"source\":\"a.png\"}\n",
            "nothing to report: none of 2 lines is a result, line 1: missing field `source`",
        ),
        (
            "{\"source\":\"a.png\"}",
            "nothing to report: none of 1 lines is a result, line 1: missing field `decision`",
        ),
    ] {
        let (page, output) = try_draw(lines, Thumbnails::Hidden);
        assert_eq!(page, None, "{lines}");
        assert_eq!(output.status.code(), Some(2), "{lines}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(why), "{said}");
        assert!(said.contains("--format jsonl"), "{said}");
    }
}

#[test]
#[ignore = "slow: reads more than 100,000 lines"]
fn a_long_run_lists_the_first_100_000_and_says_so() {
    let short = "{\"source\":\"a\",\"decision\":\"reject\"}\n";
    let lines = run(6_000) + &short.repeat(100_000);
    let page = page(&lines, Thumbnails::Hidden);
    assert_eq!(rows(&page).len(), 100_000);
    assert!(page.contains("The first 100\u{202f}000 are listed."));
    assert!(page.contains("one image in 2"), "points are thinned");
    assert!(page.len() < 10_000_000, "{} bytes", page.len());
}

#[test]
fn an_axis_leaves_out_the_outermost_one_percent_and_says_so() {
    let line = |side: u32, bytes: u64| {
        format!(
            "{{\"source\":\"a\",\"decision\":\"accept\",\"width\":{side},\"height\":{side},\"bytes\":{bytes}}}\n"
        )
    };
    let mut lines: String = (0..1_000).map(|n| line(600 + n % 50, 70_000)).collect();
    let usual = page(&lines, Thumbnails::Hidden);
    assert!(!usual.contains("leaves out") && !usual.contains("leave out"));
    lines.push_str(&line(30_000, 1));
    lines.push_str(&line(1, 20_000_000));
    let page = page(&lines, Thumbnails::Hidden);
    assert!(page.contains("the axis leaves out the outermost 2 of 1\u{202f}002"));
    assert!(page.contains("the axes leave out 2 of 1002 points"));
    assert!(!page.contains(">16 MiB</text>") && page.contains(">64 KiB</text>"));
}

#[test]
fn read_and_write_errors_are_reported() {
    let folder = tempdir().expect("a folder can be made");
    let lines = run(1);
    let run = |arguments: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
        command
            .current_dir(&folder)
            .arg("report")
            .args(arguments)
            .output()
            .expect("it runs")
    };
    let absent = run(&["--html", "report.html", "--from", "absent.jsonl"]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&absent.stderr).contains("cannot read absent.jsonl"));
    std::fs::write(folder.path().join("run.jsonl"), lines).expect("it is written");
    let nowhere = run(&["--html", "no/such/report.html", "--from", "run.jsonl"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("cannot write no/such/report.html"));
    assert!(
        run(&["--html", "report.html", "--from", "run.jsonl"])
            .status
            .success()
    );
}

#[test]
fn long_fields_are_truncated() {
    let long = "&".repeat(100_000);
    let line = format!("{{\"source\":\"{long}\",\"decision\":\"reject\",\"error\":\"{long}\"}}\n");
    let page = page(&line.repeat(20), Thumbnails::Hidden);
    assert_eq!(rows(&page).len(), 20);
    assert!(page.len() < 20 * 20_000, "{} bytes", page.len());
}

#[cfg(unix)]
#[test]
fn output_follows_links_and_may_be_standard_output() {
    let folder = tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join("run.jsonl"), run(3)).expect("it is written");
    std::fs::write(folder.path().join("mine.part"), "mine").expect("it is written");
    let target = folder.path().join("target.html");
    std::os::unix::fs::symlink(&target, folder.path().join("mine")).expect("a link can be made");
    let to = |place: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
        let command = command
            .current_dir(&folder)
            .args(["report", "--from", "run.jsonl"]);
        command.args(["--html", place]).output().expect("it runs")
    };
    assert!(to("mine").status.success());
    let linked = std::fs::read(&target).expect("the link's target was written");
    assert_eq!(
        std::fs::read(folder.path().join("mine.part")).expect("it is there"),
        b"mine"
    );
    let output = to("-");
    assert!(output.status.success());
    let without_time = |page: &[u8]| {
        let page = String::from_utf8_lossy(page);
        let (before, rest) = page.split_once("<time>").expect("a time");
        let (_, after) = rest.split_once("</time>").expect("its end");
        format!("{before}{after}")
    };
    let linked = without_time(&linked);
    assert_eq!(without_time(&output.stdout), linked);
}

/// Returns the summary and the changed settings of a page about one image with these requirements.
fn made_with(requirements: &Requirements) -> (String, Vec<String>) {
    let provenance = Provenance::new(requirements, UNIX_EPOCH);
    let made = serde_json::to_string(&provenance).expect("it has a JSON form");
    let made = made.trim_start_matches('{');
    let line = format!("{{\"source\":\"a\",\"decision\":\"accept\",{made}");
    let page = page(&line, Thumbnails::Hidden);
    let (_, rest) = page.split_once("<summary>").expect("there is a summary");
    let (summary, _) = rest.split_once(", <code>").expect("it has a fingerprint");
    let rows = page.split("<th scope=\"row\">").skip(1);
    let rows = rows.filter_map(|row| row.split_once("</th><td>"));
    let changed = rows.filter(|(_, value)| {
        let (value, _) = value.split_once("</td>").expect("the cell ends");
        value.ends_with(" (changed)")
    });
    let changed = changed.map(|(name, _)| name.to_owned()).collect();
    (summary.to_owned(), changed)
}

#[test]
fn requirements_are_named_by_the_nearest_preset() {
    for (requirements, summary, changed) in [
        (Requirements::ASYNC, "preset async", &[][..]),
        (Requirements::SYNC, "preset sync", &[]),
        (Requirements::V2, "preset v2", &[]),
        (Requirements::V2_MAINLAND, "preset v2-mainland", &[]),
        (
            Requirements::SYNC.with_max_bytes(4_000_000),
            "preset sync, 2 settings changed",
            &["max_bytes", "warn_bytes"],
        ),
        (
            Requirements::ASYNC.with_max_bytes(8_000_000),
            "preset async, 2 settings changed",
            &["max_bytes", "warn_bytes"],
        ),
        (
            Requirements::ASYNC.with_max_bytes(30_000_000),
            "preset async, 2 settings changed",
            &["max_bytes", "warn_bytes"],
        ),
        (
            Requirements::V2.with_frame_cap(10),
            "preset v2, 1 setting changed",
            &["frame_cap"],
        ),
        (
            Requirements::V2_MAINLAND
                .with_enforcement(Code::ImageTooSmall, Enforcement::Reject)
                .with_enforcement(Code::ImageTypeMismatch, Enforcement::Reject),
            "preset v2-mainland, 2 settings changed",
            &["image/too-small", "image/type-mismatch"],
        ),
    ] {
        let (named, marked) = made_with(&requirements);
        assert_eq!(named, summary);
        assert_eq!(marked, changed, "{summary}");
    }
}

/// `export` prints images without a result while a scan runs.
#[test]
fn images_without_a_result_are_no_outcomes() {
    let line = |source: &str, outcome: &str, error: &str| {
        format!(
            "{{\"source\":\"{source}\",\"decision\":\"accept\",\"outcome\":\"{outcome}\",\"error\":{error}}}\n"
        )
    };
    let waiting = line("a", "undecided", "\"no result yet\"");
    let drawn = page(&waiting.repeat(3), Thumbnails::Hidden);
    assert!(drawn.contains("<dt>not done yet</dt><dd>3</dd>"), "{drawn}");
    assert!(
        drawn.contains("<dt>no result yet</dt><dd>3</dd>"),
        "{drawn}"
    );
    assert!(!drawn.contains("id=\"plot-outcomes\""), "{drawn}");

    let lost = line("b", "undecided", "\"the service could not scan it: 400\"");
    let drawn = page(&(waiting + &lost), Thumbnails::Hidden);
    assert!(
        drawn.contains("<dt>no result yet</dt><dd>1</dd>"),
        "{drawn}"
    );
    assert!(drawn.contains("id=\"plot-outcomes\""), "{drawn}");
}
