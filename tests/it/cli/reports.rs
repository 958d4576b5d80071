//! Lists and images from public bug reports of comparable tools. The lists are rebuilt here; those in
//! the folder that `GREENLIGHT_REPORTS` names are checked too. `jpeg.rs` and `inspect.rs` rebuild each
//! kind of image.

#![expect(
    clippy::print_stdout,
    reason = "tests that are skipped must not pass for tests that ran"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::cli::bench::Bench;

/// The file name, the rebuilt content, and the lines with a result with the start of their sources.
type Rebuilt = (&'static str, Vec<u8>, Vec<(u64, &'static str)>);

fn lists() -> Vec<Rebuilt> {
    let data = format!(
        "data:image/png;base64,AAAA\ndata:image/jpeg;base64,{}\nftp://a/1\n",
        "A".repeat(85_000)
    );
    let utf_16: Vec<u8> = "\u{feff}ftp://a/1\r\nftp://a/2\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    vec![
        (
            "array-of-objects.json",
            b"[{\"url\":\"ftp://a/1\"},\n {\"url\":\"ftp://a/2\"}]\n".to_vec(),
            vec![(1, ""), (2, "")],
        ),
        (
            "img2dataset318-semicolon.csv",
            b"url;caption\nftp://a/1;x\n".to_vec(),
            vec![(2, "")],
        ),
        (
            "lychee661-data-uri.txt",
            data.into_bytes(),
            vec![(1, "data:"), (2, "data:"), (3, "")],
        ),
        (
            "surrogate.jsonl",
            b"{\"url\":\"ftp://a/1\",\"caption\":\"\\ud83d\"}\n".to_vec(),
            vec![(1, "")],
        ),
        (
            "tatoeba2973-two-opening-quotes.tsv",
            b"url\tcaption\nftp://a/1\t\"x\nftp://a/2\ty\nftp://a/3\t\"z\n".to_vec(),
            vec![(2, ""), (3, ""), (4, "")],
        ),
        ("ytdlp12180-utf16le.txt", utf_16, vec![(1, ""), (2, "")]),
    ]
}

#[test]
fn lists_like_public_reports_get_a_result_per_line() {
    let bench = Bench::new("list-reports");
    for (name, list, wanted) in lists() {
        bench.write(name, list);
        let run = bench.run(&["check", "--from", name, "--format", "jsonl"]);
        let lines = run.json();
        let numbers: Vec<_> = lines
            .iter()
            .map(|line| line["line"].as_u64().unwrap())
            .collect();
        assert_eq!(
            numbers,
            wanted.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            "{run}"
        );
        for (source, (_, start)) in run.texts("source").iter().zip(&wanted) {
            assert!(source.starts_with(start), "{run}");
        }
        assert_eq!(run.texts("error").concat(), "", "{run}");
        assert_eq!(run.code, Some(1), "{run}");
    }
}

/// The lists in the folder, with the lines that get a result: URLs on loopback, which are rejected by
/// their address, and `data:` URIs. No line is reported.
const LISTS: [(&str, std::ops::RangeInclusive<u64>); 6] = [
    ("array-of-objects.json", 1..=2),
    ("img2dataset318-semicolon.csv", 2..=2),
    ("lychee661-data-uri.txt", 1..=3),
    ("surrogate.jsonl", 1..=1),
    ("tatoeba2973-two-opening-quotes.tsv", 2..=50),
    ("ytdlp12180-utf16le.txt", 1..=2),
];

/// The images in the folder, with the decisions and codes at structure and at payload depth.
const IMAGES: [(&str, &str, &str); 9] = [
    ("go14936-empty-last-idat.png", "accept", "accept"),
    (
        "go45902-only-eoi-missing.jpg",
        "reject image/truncated",
        "accept image/truncated",
    ),
    ("go54142-rgb-plte-trns.png", "accept", "accept"),
    (
        "iend-wrong-crc.png",
        "accept image/corrupt",
        "accept image/corrupt",
    ),
    ("imagesize433-sof-first.jpg", "accept", "accept"),
    ("libjxl3597-empty-dht.jpg", "accept", "accept"),
    (
        "pillow1631-mpo-second-missing.jpg",
        "accept image/trailing-bytes",
        "accept image/trailing-bytes",
    ),
    (
        "stb952-extra-bytes-then-rst1-more.jpg",
        "accept image/corrupt",
        "accept image/corrupt",
    ),
    (
        "stb952-extra-bytes-then-rst1.jpg",
        "accept image/corrupt",
        "accept image/corrupt",
    ),
];

/// Returns the files of the folder, if the environment names one.
fn files_of_reports(part: &str) -> Vec<PathBuf> {
    let Some(root) = std::env::var_os("GREENLIGHT_REPORTS") else {
        println!("skipped: GREENLIGHT_REPORTS names no folder");
        return Vec::new();
    };
    let entries = fs::read_dir(Path::new(&root).join(part)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn lists_of_public_reports_get_a_result_per_line() {
    let bench = Bench::new("folder-of-reports");
    for path in files_of_reports("lists") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (_, wanted) = LISTS
            .iter()
            .find(|(list, _)| *list == name)
            .unwrap_or_else(|| panic!("{name} has no expectation"));
        let run = bench.run(&[
            "check",
            "--from",
            path.to_str().unwrap(),
            "--format",
            "jsonl",
        ]);
        let numbers: Vec<_> = run
            .json()
            .iter()
            .map(|line| line["line"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, wanted.clone().collect::<Vec<_>>(), "{run}");
        assert_eq!(run.texts("error").concat(), "", "{run}");
    }
}

#[test]
fn images_in_the_folder_of_reports_have_their_verdicts() {
    let bench = Bench::new("images-of-reports");
    for path in files_of_reports("images") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (_, structure, payload) = IMAGES
            .iter()
            .find(|(image, ..)| *image == name)
            .unwrap_or_else(|| panic!("{name} has no expectation"));
        for (depth, wanted) in [("structure", structure), ("payload", payload)] {
            let args = ["check", "--depth", depth, "--format", "jsonl"];
            let run = bench.run(&[&args[..], &[path.to_str().unwrap()]].concat());
            let line = run.json().remove(0);
            let code = line["violations"][0]["code"].as_str().unwrap_or_default();
            let verdict = format!("{} {code}", line["decision"].as_str().unwrap());
            assert_eq!(verdict.trim(), *wanted, "{depth} {run}");
        }
    }
}
