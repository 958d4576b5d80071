//! `greenlight check`.

use std::time::Duration;

use insta::assert_snapshot;

use super::{
    bench::{Bench, Run},
    site::{Page, Site},
};

#[test]
fn an_unreadable_source_has_a_line_and_exit_code_2() {
    let bench = Bench::new("check-unreadable");
    bench.write("empty.png", "");
    let run = bench.run(&["check", "empty.png", "no-such.png", "ftp://host/a.png"]);
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----
    DECISION       FORMAT         PIXELS       BYTES  SOURCE
    reject         -                   -           0  empty.png
                   image/empty: the file is empty
    inconclusive   -                   -           -  no-such.png
                   error: cannot read: No such file or directory
    reject         -                   -           -  ftp://host/a.png
                   url/scheme: scheme `ftp` is not http or https

    3 sources: 2 reject, 1 inconclusive
         1  url/scheme
         1  image/empty

    ----- stderr -----
    ");
    assert_eq!(bench.run(&["check", "empty.png"]).code, Some(1));
    let run = bench.run(&["check", "no-such.png", "--format", "jsonl"]);
    assert_snapshot!(run.without_provenance(), @r#"
    exit: 2
    ----- stdout -----
    {"source":"no-such.png","decision":"inconclusive","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[],"download":null,"error":"cannot read: No such file or directory"}

    ----- stderr -----
    "#);
}

#[test]
fn a_folder_yields_its_regular_files_in_order() {
    let bench = Bench::new("check-folder");
    for name in [
        "b.png",
        "a/2.png",
        "a/10.png",
        "a/deep/er/x",
        "c.txt",
        ".hidden",
        ".git/config",
        "a/.secret",
    ] {
        bench.write(&format!("in/{name}"), "");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("..", bench.path("in/a/circle")).unwrap();
        std::os::unix::fs::symlink("b.png", bench.path("in/link.png")).unwrap();
    }
    let members = ["a/10.png", "a/2.png", "a/deep/er/x", "b.png", "c.txt"];
    for given in ["in", "in/", "./in", "in/../in"] {
        let run = bench.run(&["check", given, "--format", "jsonl"]);
        let joined = members.map(|member| format!("{}/{member}", given.trim_end_matches('/')));
        assert_eq!(run.texts("source"), joined);
    }
    let run = bench.run(&["check", "in/.git", "in/.hidden", "--format", "jsonl"]);
    assert_eq!(
        run.texts("source"),
        ["in/.git/config", "in/.hidden"],
        "named ones are not skipped"
    );
}

#[test]
fn the_current_folder_can_be_allowed() {
    let bench = Bench::new("check-here");
    bench.write("a.png", "");
    let run = bench.run(&["check", ".", "--format", "jsonl"]);
    assert_eq!(run.texts("source"), ["./a.png"]);
}

#[cfg(unix)]
#[test]
fn reading_does_not_block_on_a_pipe() {
    let bench = Bench::new("check-pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(bench.path("pipe"))
        .status();
    assert!(made.unwrap().success());
    let run = bench.run(&["check", "pipe", "/dev/null", "--format", "jsonl"]);
    assert_eq!(
        run.texts("error"),
        ["neither a file nor a folder", "neither a file nor a folder"]
    );
    assert_eq!(run.code, Some(2));
}

/// Three images: one that passes, one that is too small, one that ends too early.
fn three_images(name: &str) -> Bench {
    let bench = Bench::new(name);
    bench.fixture("png/rgb.png", "in/good.png");
    bench.fixture("jpeg/too-small.jpg", "in/small.jpg");
    bench.fixture("bmp/cut-in-rows.bmp", "in/cut.bmp");
    bench
}

#[test]
fn check_prints_three_formats() {
    let bench = three_images("check-formats");
    assert_snapshot!(bench.run(&["check", "in"]), @r"
    exit: 1
    ----- stdout -----
    DECISION       FORMAT         PIXELS       BYTES  SOURCE
    reject         bmp           256x256        4127  in/cut.bmp
                   image/truncated: the file ends before the image does at byte 4127: send the whole file
    accept         png           256x256        2077  in/good.png
    reject         jpeg          256x128        2644  in/small.jpg
                   image/too-small: 256x128 pixels, at least 256x256: send a larger version

    3 sources: 1 accept, 2 reject
         1  image/too-small
         1  image/truncated

    ----- stderr -----
    ");
    let run = bench.run(&["check", "in", "--format", "jsonl"]);
    assert_snapshot!(run.without_provenance(), @r#"
    exit: 1
    ----- stdout -----
    {"source":"in/cut.bmp","decision":"reject","format":"bmp","width":256,"height":256,"bytes":4127,"frames":1,"violations":[{"code":"image/truncated","severity":"reject","message":"the file ends before the image does at byte 4127: send the whole file","measured":"any/truncated at byte 4127","limit":null}],"download":null,"error":null}
    {"source":"in/good.png","decision":"accept","format":"png","width":256,"height":256,"bytes":2077,"frames":1,"violations":[],"download":null,"error":null}
    {"source":"in/small.jpg","decision":"reject","format":"jpeg","width":256,"height":128,"bytes":2644,"frames":1,"violations":[{"code":"image/too-small","severity":"reject","message":"256x128 pixels, at least 256x256: send a larger version","measured":"256x128","limit":"256x256"}],"download":null,"error":null}

    ----- stderr -----
    "#);
    assert_snapshot!(bench.run(&["check", "in", "--format", "csv"]).without_csv_provenance(), @r"
    exit: 1
    ----- stdout -----
    source,line,decision,format,width,height,bytes,frames,rejecting,warnings,status,hops,elapsed_ms,download_bytes,error
    in/cut.bmp,,reject,bmp,256,256,4127,1,image/truncated,,,,,,
    in/good.png,,accept,png,256,256,2077,1,,,,,,,
    in/small.jpg,,reject,jpeg,256,128,2644,1,image/too-small,,,,,,

    ----- stderr -----
    ");
}

#[test]
fn accepted_images_only_exit_with_0() {
    let bench = three_images("check-accept");
    let run = bench.run(&["check", "in/good.png", "in/good.png"]);
    assert_snapshot!(run, @r"
    exit: 0
    ----- stdout -----
    DECISION       FORMAT         PIXELS       BYTES  SOURCE
    accept         png           256x256        2077  in/good.png
    accept         png           256x256        2077  in/good.png

    2 sources: 2 accept

    ----- stderr -----
    ");
}

#[test]
fn json_keys_have_a_fixed_order() {
    let bench = three_images("check-keys");
    let run = bench.run(&["check", "in/small.jpg", "--format", "jsonl"]);
    let keys = [
        "source",
        "decision",
        "format",
        "width",
        "height",
        "bytes",
        "frames",
        "violations",
        "code",
        "severity",
        "message",
        "measured",
        "limit",
        "download",
        "error",
    ];
    let mut rest = run.stdout.as_str();
    for key in keys {
        let (_, after) = rest.split_once(&format!("\"{key}\":")).expect(key);
        rest = after;
    }
}

#[test]
fn requirements_follow_the_options() {
    let bench = three_images("check-requirements");
    let decision = |args: &[&str]| {
        let mut all = vec!["check", "--format", "jsonl"];
        all.extend(args);
        let run = bench.run(&all);
        let line = &run.json()[0];
        let code = line["violations"][0]["code"]
            .as_str()
            .unwrap_or("-")
            .to_owned();
        format!("{} {code}", line["decision"].as_str().unwrap())
    };
    let good = "in/good.png";
    assert_eq!(decision(&[good]), "accept -");
    assert_eq!(
        decision(&[good, "--min-width", "257"]),
        "reject image/too-small"
    );
    assert_eq!(
        decision(&[good, "--min-height", "257"]),
        "reject image/too-small"
    );
    assert_eq!(
        decision(&[good, "--max-bytes", "2000"]),
        "reject image/too-large"
    );
    assert_eq!(decision(&["in/small.jpg"]), "reject image/too-small");
    let small = ["in/small.jpg", "--min-width", "1", "--min-height", "1"];
    assert_eq!(decision(&small), "accept -");
    for (option, value, code) in [
        ("--max-bytes", "2kB", "image/too-large"),
        ("--max-bytes", "1KiB", "image/too-large"),
        ("--max-side", "200", "image/side-too-long"),
        ("--max-pixels", "65535", "image/too-many-pixels"),
    ] {
        let small = ["--min-width", "1", "--min-height", "1"];
        let decided = decision(&[&[good, option, value], &small[..]].concat());
        assert_eq!(decided, format!("reject {code}"), "{option} {value}");
    }
    assert_eq!(decision(&[good, "--max-bytes", "20MB"]), "accept -");
    let off = ["in/small.jpg", "--enforce", "image/too-small=off"];
    assert_eq!(decision(&off), "accept -");
    let warn = ["in/small.jpg", "--enforce", "image/too-small=warn"];
    assert_eq!(decision(&warn), "accept image/too-small");
    let run = bench.run(&["check", good, "--max-side", "200"]);
    assert_eq!(run.code, Some(2), "{run}");
    let words = "`max_side` of 200 is below `min_width` of 256: no image meets both";
    assert!(run.stderr.contains(words), "{run}");
}

#[test]
fn options_override_the_requirements_file() {
    let bench = Bench::new("check-requirements-file");
    bench.fixture("png/rgb.png", "in/good.png");
    bench.fixture("jpeg/too-small.jpg", "in/small.jpg");
    bench.fixture("png/gray-8-bit.png", "in/wrong.gif");
    bench.write(
        "site.json",
        r#"{"preset":"sync","min_width":1,"min_height":1,"enforce":{"image/type-mismatch":"reject"}}"#,
    );
    let decisions = |args: &[&str]| {
        let mut all = vec!["check", "in", "--format", "jsonl"];
        all.extend(args);
        bench.run(&all).texts("decision").join(" ")
    };
    let file = ["--requirements", "site.json"];
    assert_eq!(decisions(&[]), "accept reject accept");
    assert_eq!(decisions(&file), "accept accept reject");
    let warned = [file[0], file[1], "--enforce", "image/type-mismatch=warn"];
    assert_eq!(decisions(&warned), "accept accept accept");
    assert_eq!(
        decisions(&[file[0], file[1], "--min-width", "5000"]),
        "reject reject reject"
    );
    bench.write("bad.json", "{\n  \"max_byte\": 1\n}");
    let run = bench.run(&["check", "in", "--requirements", "bad.json"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("unknown field `max_byte`"), "{run}");
    assert!(run.stderr.contains("line 2 column 12"), "{run}");
    let run = bench.run(&[
        "plan",
        "in",
        "--requirements",
        "site.json",
        "--format",
        "jsonl",
    ]);
    assert_eq!(run.json()[0]["rejected"], 1, "{run}");
}

#[test]
fn strict_makes_every_warning_a_rejection() {
    let bench = Bench::new("check-strict");
    bench.fixture("png/rgb.png", "wrong.gif");
    let decision = |args: &[&str]| {
        let mut all = vec!["check", "wrong.gif", "--format", "jsonl"];
        all.extend(args);
        bench.run(&all).texts("decision").join(" ")
    };
    assert_eq!(decision(&[]), "accept");
    assert_eq!(decision(&["--strict"]), "reject");
    let excepted = ["--strict", "--enforce", "image/type-mismatch=warn"];
    assert_eq!(decision(&excepted), "accept");
}

#[test]
fn a_format_can_be_allowed() {
    let bench = Bench::new("check-allow-format");
    bench.fixture("webp/lossy.webp", "a.webp");
    let run = bench.run(&["check", "a.webp"]);
    assert_eq!(run.code, Some(1), "{run}");
    let run = bench.run(&["check", "a.webp", "--allow-format", "webp"]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{run}");
    let run = bench.run(&["check", "a.webp", "--allow-format", "svg,webp"]);
    assert_eq!(run.code, Some(0), "{run}");
    let warning = "warning: svg is documented for 2.0 only, not for 1.0\n";
    assert!(run.stderr.starts_with(warning), "{run}");
    assert_eq!(run.stderr.matches("warning").count(), 1, "{run}");
    let args = ["check", "a.webp", "--allow-format", "svg", "--for", "v2"];
    let run = bench.run(&args);
    assert!(!run.stderr.contains("warning"), "{run}");
}

#[test]
fn the_synchronous_scan_has_lower_limits() {
    let bench = Bench::new("check-for");
    let image = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/images/png/rgb.png"
    ));
    let mut image = image.unwrap();
    image.resize(6 << 20, 0);
    bench.write("large.png", &image);
    let codes = |args: &[&str]| {
        let run = bench.run(args);
        let line = run.json().remove(0);
        let violations = line["violations"].as_array().unwrap().clone();
        let codes: Vec<_> = violations
            .iter()
            .map(|violation| violation["code"].as_str().unwrap().to_owned())
            .collect();
        (codes, line["bytes"].as_u64().unwrap())
    };
    let jsonl = ["check", "large.png", "--format", "jsonl"];
    let trailing = "image/trailing-bytes".to_owned();
    assert_eq!(codes(&jsonl), (vec![trailing.clone()], 6 << 20));
    let sync = [&jsonl[..], &["--for", "sync"]].concat();
    assert_eq!(codes(&sync).0, ["image/too-large", &trailing]);
    image.resize(21 << 20, 0);
    bench.write("large.png", &image);
    assert_eq!(
        codes(&jsonl),
        (vec!["image/too-large".to_owned(), trailing], 21 << 20)
    );
}

#[test]
fn header_depth_uses_the_size_of_the_file() {
    let bench = three_images("check-depth");
    let run = bench.run(&[
        "check",
        "in/cut.bmp",
        "in/good.png",
        "--depth",
        "header",
        "--format",
        "jsonl",
    ]);
    assert_snapshot!(run.without_provenance(), @r#"
    exit: 0
    ----- stdout -----
    {"source":"in/cut.bmp","decision":"accept","format":"bmp","width":256,"height":256,"bytes":4127,"frames":1,"violations":[],"download":null,"error":null}
    {"source":"in/good.png","decision":"accept","format":"png","width":256,"height":256,"bytes":2077,"frames":null,"violations":[],"download":null,"error":null}

    ----- stderr -----
    "#);
    let run = bench.run(&["check", "in/cut.bmp", "--depth", "structure"]);
    assert_eq!(run.code, Some(1));
}

#[test]
fn every_depth_can_be_requested() {
    let bench = three_images("check-depths");
    for depth in ["header", "structure", "payload", "decode"] {
        let run = bench.run(&[
            "check",
            "in/good.png",
            "--depth",
            depth,
            "--format",
            "jsonl",
        ]);
        assert_eq!(run.texts("decision"), ["accept"], "{depth}: {run}");
    }
}

#[test]
fn files_folders_and_urls_keep_their_order() {
    let bench = three_images("check-mixed");
    let png = std::fs::read(bench.path("in/good.png")).unwrap();
    let site = Site::start([
        (
            "/good.png",
            Page::image("image/png", png.clone()).after(Duration::from_millis(300)),
        ),
        ("/moved", Page::redirect("/good.png")),
        ("/lies.jpg", Page::image("image/jpeg", png)),
    ]);
    let urls = ["/good.png", "/moved", "/lies.jpg", "/none.png"].map(|path| site.url(path));
    let list = format!("{}\nin/good.png\n{}\nbad\u{1}line\n", urls[1], urls[2]);
    bench.write("list.txt", list);
    for format in ["human", "jsonl"] {
        let run = bench.run(&[
            "check",
            &urls[0],
            "in",
            "--from",
            "list.txt",
            "--files-under",
            ".",
            &urls[3],
            "no.png",
            "ftp://x",
            "--allow-address",
            &site.allowed(),
            "--format",
            format,
            "--concurrency",
            "3",
        ]);
        let run = run
            .with(&site.authority(), "HOST")
            .without_numbers_after(r#""elapsed_ms":"#);
        if format == "human" {
            assert_snapshot!(run, @r"
            exit: 2
            ----- stdout -----
            DECISION       FORMAT         PIXELS       BYTES  SOURCE
            accept         png           256x256        2077  http://HOST/good.png
            reject         bmp           256x256        4127  in/cut.bmp
                           image/truncated: the file ends before the image does at byte 4127: send the whole file
            accept         png           256x256        2077  in/good.png
            reject         jpeg          256x128        2644  in/small.jpg
                           image/too-small: 256x128 pixels, at least 256x256: send a larger version
            reject         -                   -           -  http://HOST/none.png
                           download/status: the server returned 404, expected 200: nothing was found at this URL: check it in a browser
            inconclusive   -                   -           -  no.png
                           error: cannot read: No such file or directory
            reject         -                   -           -  ftp://x
                           url/scheme: scheme `ftp` is not http or https
            accept         png           256x256        2077  http://HOST/moved
            accept         png           256x256        2077  in/good.png
            accept         png           256x256        2077  http://HOST/lies.jpg
                           warning: image/type-mismatch: line 3: the name says JPEG, the content is PNG: the content decides
                           warning: image/type-mismatch: line 3: the Content-Type says JPEG, the content is PNG: the content decides
            inconclusive   -                   -           -  bad\u{1}line
                           error: list.txt line 4: cannot read: No such file or directory

            11 sources: 5 accept, 4 reject, 2 inconclusive
                 1  url/scheme
                 1  download/status
                 1  image/too-small
                 1  image/truncated
                 1  warning: image/type-mismatch

            ----- stderr -----
            ");
        } else {
            assert_snapshot!(run.without_provenance(), @r#"
            exit: 2
            ----- stdout -----
            {"source":"http://HOST/good.png","decision":"accept","format":"png","width":256,"height":256,"bytes":2077,"frames":1,"violations":[],"download":{"status":200,"hops":1,"elapsed_ms":N,"bytes":2077},"error":null}
            {"source":"in/cut.bmp","decision":"reject","format":"bmp","width":256,"height":256,"bytes":4127,"frames":1,"violations":[{"code":"image/truncated","severity":"reject","message":"the file ends before the image does at byte 4127: send the whole file","measured":"any/truncated at byte 4127","limit":null}],"download":null,"error":null}
            {"source":"in/good.png","decision":"accept","format":"png","width":256,"height":256,"bytes":2077,"frames":1,"violations":[],"download":null,"error":null}
            {"source":"in/small.jpg","decision":"reject","format":"jpeg","width":256,"height":128,"bytes":2644,"frames":1,"violations":[{"code":"image/too-small","severity":"reject","message":"256x128 pixels, at least 256x256: send a larger version","measured":"256x128","limit":"256x256"}],"download":null,"error":null}
            {"source":"http://HOST/none.png","decision":"reject","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[{"code":"download/status","severity":"reject","message":"the server returned 404, expected 200: nothing was found at this URL: check it in a browser","measured":404,"limit":200}],"download":{"status":404,"hops":1,"elapsed_ms":N,"bytes":0},"error":null}
            {"source":"no.png","decision":"inconclusive","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[],"download":null,"error":"cannot read: No such file or directory"}
            {"source":"ftp://x","decision":"reject","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[{"code":"url/scheme","severity":"reject","message":"scheme `ftp` is not http or https","measured":"ftp","limit":"http, https"}],"download":null,"error":null}
            {"source":"http://HOST/moved","list":"list.txt","line":1,"decision":"accept","format":"png","width":256,"height":256,"bytes":2077,"frames":1,"violations":[],"download":{"status":200,"hops":2,"elapsed_ms":N,"bytes":2077},"error":null}
            {"source":"in/good.png","list":"list.txt","line":2,"decision":"accept","format":"png","width":256,"height":256,"bytes":2077,"frames":1,"violations":[],"download":null,"error":null}
            {"source":"http://HOST/lies.jpg","list":"list.txt","line":3,"decision":"accept","format":"png","width":256,"height":256,"bytes":2077,"frames":1,"violations":[{"code":"image/type-mismatch","severity":"warn","message":"the name says JPEG, the content is PNG: the content decides","measured":"png","limit":"jpeg"},{"code":"image/type-mismatch","severity":"warn","message":"the Content-Type says JPEG, the content is PNG: the content decides","measured":"png","limit":"jpeg"}],"download":{"status":200,"hops":1,"elapsed_ms":N,"bytes":2077},"error":null}
            {"source":"bad\u0001line","list":"list.txt","line":4,"decision":"inconclusive","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[],"download":null,"error":"list.txt line 4: cannot read: No such file or directory"}

            ----- stderr -----
            "#);
        }
    }
}

#[test]
fn order_is_kept_at_any_concurrency() {
    let bench = three_images("check-order");
    let png = std::fs::read(bench.path("in/good.png")).unwrap();
    let paths = ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"];
    let pages = paths.iter().enumerate().map(|(n, path)| {
        let delay = Duration::from_millis(if n % 2 == 0 { 120 } else { 0 });
        (*path, Page::image("image/png", png.clone()).after(delay))
    });
    let site = Site::start(pages);
    let mut sources = Vec::new();
    for path in paths {
        sources.push(site.url(path));
        sources.push("in/good.png".to_owned());
    }
    for concurrency in ["1", "2", "64"] {
        let allowed = site.allowed();
        let mut args = vec!["check", "--format", "jsonl", "--concurrency", concurrency];
        args.extend(["--allow-address", &allowed]);
        args.extend(sources.iter().map(String::as_str));
        let run = bench.run(&args);
        assert_eq!(run.texts("source"), sources, "{concurrency}");
        assert_eq!(run.code, Some(0), "{run}");
    }
}

#[test]
fn the_probe_follows_its_options() {
    let bench = three_images("check-probe");
    let png = std::fs::read(bench.path("in/good.png")).unwrap();
    let site = Site::start([
        ("/a.png", Page::image("image/png", png.clone())),
        ("/moved", Page::redirect("/a.png")),
        (
            "/guarded.png",
            Page::image("image/png", png.clone()).only_with(&[
                "Referer: https://shop.example/",
                "X-Trial: 1",
                "User-Agent: trial/1.0",
            ]),
        ),
        (
            "/slow.png",
            Page::image("image/png", png).after(Duration::from_secs(20)),
        ),
    ]);
    let (url, slow, allowed) = (site.url("/a.png"), site.url("/slow.png"), site.allowed());
    let code = |args: &[&str]| {
        let run = bench.run(&[&["check", "--format", "jsonl"], args].concat());
        let line = run.json().remove(0);
        line["violations"][0]["code"]
            .as_str()
            .unwrap_or("-")
            .to_owned()
    };
    assert_eq!(code(&[&url]), "url/private-address");
    assert_eq!(
        code(&[&url, "--allow-address", "127.0.0.1/32:1"]),
        "url/private-address"
    );
    assert_eq!(
        code(&[
            &url,
            "--allow-address",
            "10.0.0.0/8",
            "--allow-address",
            &allowed
        ]),
        "-"
    );
    assert_eq!(
        code(&[&url, "--allow-address", &allowed, "--probe", "header"]),
        "-"
    );
    let reaching = |args: &[&str]| code(&[&["--allow-address", &allowed], args].concat());
    assert_eq!(
        reaching(&[&url, "--deny-address", "127.0.0.0/8"]),
        "url/private-address"
    );
    let moved = site.url("/moved");
    assert_eq!(reaching(&[&moved]), "-");
    assert_eq!(
        reaching(&[&moved, "--max-redirects", "0"]),
        "download/redirects"
    );
    let guarded = site.url("/guarded.png");
    assert_eq!(reaching(&[&guarded]), "download/status");
    let given = [
        &*guarded,
        "--header",
        "Referer: https://shop.example/",
        "--header",
        "X-Trial:1",
        "--user-agent",
        "trial/1.0",
    ];
    assert_eq!(reaching(&given), "-");
    let impatient = [&*slow, "--allow-address", &allowed, "--timeout", "200ms"];
    assert_eq!(code(&impatient), "download/too-slow");
}

#[test]
fn passwords_in_urls_are_masked_wherever_they_are_printed() {
    let bench = Bench::new("check-masked");
    let urls = "https://me:secret@host.example/a.png\nhttps://me:sec/ret@host.example/b.png\n\
                ftp://me:secret@host.example/c.png\n";
    bench.write("list.txt", urls);
    for format in ["human", "jsonl", "csv"] {
        let args = ["check", "--format", format, "--from", "list.txt"];
        let printed = bench.run(&args).to_string();
        assert!(
            printed.contains("https://***@host.example/a.png"),
            "{printed}"
        );
        assert!(
            !printed.contains("secret") && !printed.contains("ret@"),
            "{printed}"
        );
    }
}

#[test]
fn a_secret_header_is_bound_to_a_host_or_warned_about() {
    let bench = three_images("check-secret-header");
    let png = std::fs::read(bench.path("in/good.png")).unwrap();
    let needed = &["Authorization: s3cret"][..];
    let guarded = Page::image("image/png", png).only_with(needed);
    let site = Site::start([("/guarded.png", guarded)]);
    let (url, allowed) = (site.url("/guarded.png"), site.allowed());
    let bound = format!("{}=Authorization: s3cret", site.authority());
    for (header, code, is_warned) in [
        ("Authorization: s3cret", 0, true),
        (&*bound, 0, false),
        ("other.example=Authorization: s3cret", 1, false),
        ("Cookie: s3cret", 1, true),
        ("Proxy-Authorization : s3cret", 1, true),
        ("X-Api-Key:s3cret", 1, true),
        ("Referer: s3cret", 1, false),
    ] {
        let args = ["check", &url, "--allow-address", &allowed];
        let run = bench.run(&[&args[..], &["--header", header]].concat());
        assert_eq!(run.code, Some(code), "{header} {run}");
        let warned = run.stderr.contains(" is sent to the host of every URL");
        assert_eq!(warned, is_warned, "{header} {run}");
        assert!(!run.to_string().contains("s3cret"), "{header} {run}");
    }
}

#[test]
fn the_options_in_effect_are_printed_without_secrets() {
    let bench = Bench::new("check-config-secrets");
    for (name, value, shown) in [
        ("HEADER", "Authorization: s3cret", "Authorization: ***"),
        (
            "HEADER",
            "images.example:80=X-Any: s3cret",
            "images.example:80=X-Any: ***",
        ),
        (
            "LEDGER",
            "postgres://me:s3cret@db.example/x",
            "postgres://me@db.example/x",
        ),
        (
            "LEDGER",
            "postgres://db.example/x?user=me&password=s3cret",
            "postgres://db.example/x?user=me",
        ),
        ("KEY", "id:s3cret", "***"),
    ] {
        for format in ["human", "jsonl", "csv"] {
            let mut command = bench.command(&["config", "--format", format]);
            let command = command.env(format!("GREENLIGHT_{name}"), value);
            let run = Run::of(command.spawn().unwrap());
            assert_eq!(run.code, Some(0), "{run}");
            assert!(run.stdout.contains(shown), "{run}");
            assert!(!run.to_string().contains("s3cret"), "{run}");
        }
    }
    for line in [
        "header = \"Authorization : s3cret\"",
        "header = [\"X-Any: 1\", \"X-Api-Key: s3cret\"]",
        "ledger = \"postgres://db.example/x?password=s3cret\"",
    ] {
        bench.write("greenlight.toml", line);
        let run = bench.run(&["config"]);
        assert_eq!(run.code, Some(2), "{line} {run}");
        assert!(run.stderr.contains("holds a secret"), "{line} {run}");
        assert!(!run.to_string().contains("s3cret"), "{line} {run}");
    }
}
