//! The figures in the README are the kept results of the benchmarks.

use std::{fs, path::Path};

use crate::bench_report::draw::{claims, results};

#[test]
fn the_readme_has_the_kept_results() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Without kept results the README claims nothing.
    let kept = fs::read_to_string(root.join("benches/report/suite.json")).ok();
    let results = kept.map(|kept| results::Results::parse(&kept).unwrap());
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let expected = claims::replaced(&readme, results.as_ref());
    let expected = expected.expect("the README has the table's marks");
    assert!(
        readme == expected,
        "run `cargo run --example bench_report`, which writes:\n{expected}"
    );
    for plot in readme.split("](benches/report/").skip(1) {
        let plot = plot.split(')').next().unwrap();
        let path = root.join("benches/report").join(plot);
        assert!(path.exists(), "no plot {plot}");
    }
}

/// Sentences outside of the generated table that state measurements, written from the kept ones.
#[test]
fn the_texts_have_the_kept_results() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(kept) = fs::read_to_string(root.join("benches/report/suite.json")) else {
        return;
    };
    let results = results::Results::parse(&kept).unwrap();
    let all = [
        ("docs/many-machines.md", ledger(&results)),
        ("docs/bulk.md", bulk(&results)),
        ("README.md", missed_targets(&results)),
        ("benches/README.md", decompressors(&results)),
    ];
    for (file, sentences) in all {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for sentence in sentences {
            assert!(
                text.contains(&sentence),
                "{file} does not state: {sentence}"
            );
        }
    }
}

fn value(results: &results::Results, name: &str) -> f64 {
    results.all[name].value
}

fn ratio(results: &results::Results, name: &str) -> f64 {
    let ratio = results.all[name].ratio;
    ratio.expect("greenlight takes part in each benchmark named here")
}

fn ledger(results: &results::Results) -> Vec<String> {
    let rate = |rows: u32, workers: u32| {
        let name = format!("ledger/submit/postgres/{rows}-rows/{workers}-workers/greenlight");
        results::count(value(results, &name))
    };
    let several = |rows| [2, 4, 8].map(|workers| rate(rows, workers));
    let ([two, four, eight], [with_two, with_four, with_eight]) = (several(0), several(200_000));
    let claim = |rows: u32| {
        let name = format!("ledger/claim/postgres/{rows}-rows/greenlight");
        results::time(value(results, &name))
    };
    vec![
        format!("one worker took {} images per second", rate(0, 1)),
        format!("and {} beside 200,000 finished images", rate(200_000, 1)),
        format!("two, four and eight workers took {two}, {four} and {eight}"),
        format!("and {with_two}, {with_four} and {with_eight} beside 200,000"),
        format!(
            "A claim took {} in an empty ledger and {} beside 200,000",
            claim(0),
            claim(200_000)
        ),
    ]
}

fn bulk(results: &results::Results) -> Vec<String> {
    let loopback = value(results, "pipeline/plan/png/100000/greenlight");
    let distant = value(results, "probe/rate/http/20ms-away/greenlight");
    let ten_million = |rate: f64| 10e6 / rate;
    vec![
        format!(
            "on loopback | 64 | [{}](../benches/report/growth-pipeline-time.svg) \
             | 10 million URLs take about {:.0} minutes |",
            results::count(loopback),
            ten_million(loopback) / 60.0
        ),
        format!(
            "a round trip of 20 ms | 16 | {} | 10 million URLs take about {:.0} hours |",
            results::count(distant),
            ten_million(distant) / 3600.0
        ),
    ]
}

fn missed_targets(results: &results::Results) -> Vec<String> {
    let of = |benchmark: &str, who: &str| ratio(results, &format!("inspect/{benchmark}/{who}"));
    let (low, high) = zlib_on_photographs(results);
    let pictures = ["png-rgba", "png-gray16", "png-palette", "png-graphic"];
    let mut pictures: Vec<_> = pictures.map(|name| format!("payload/{name}/1MB")).into();
    pictures
        .extend(["10KB", "100KB", "1MB", "5MB", "20MB"].map(|size| format!("payload/png/{size}")));
    let is_faster = |name: &&String| of(name, "inflate-fdeflate") < of(name, "inflate-zlib-rs");
    let faster: Vec<_> = pictures.iter().filter(is_faster).collect();
    assert_eq!(
        faster,
        [
            "payload/png-gray16/1MB",
            "payload/png/10KB",
            "payload/png/20MB"
        ],
        "the README names the pictures for which fdeflate is faster"
    );
    vec![
        format!("one call of `zlib-rs` alone takes {low:.2} to {high:.2} of it"),
        format!(
            "{:.2}, {:.2} and {:.2}",
            of("payload/png/10KB", "png"),
            of("payload/png/5MB", "png"),
            of("payload/png-rgba/1MB", "png")
        ),
        format!(
            "structure is {:.2} of memchr for JPEG, {:.2} of crc32fast for PNG and {:.2} of the bare walk for GIF",
            of("structure/jpeg/10KB", "memchr"),
            of("structure/png/10KB", "crc32fast"),
            of("structure/gif/10KB", "sub-block-walk"),
        ),
    ]
}

/// The range of the time of `zlib-rs` in one call, relative to that of greenlight.
fn zlib_on_photographs(results: &results::Results) -> (f64, f64) {
    let photographs = ["png/", "png-rgba/", "png-gray16/"];
    let ratios = results.all.values().filter_map(|one| {
        let picture = one.name.strip_prefix("inspect/payload/")?;
        let is_photograph = photographs.iter().any(|name| picture.starts_with(name));
        (is_photograph && one.who() == "inflate-zlib-rs").then_some(one.ratio?)
    });
    ratios.fold((f64::INFINITY, 0.0), |(low, high), one| {
        (f64::min(low, one), f64::max(high, one))
    })
}

fn decompressors(results: &results::Results) -> Vec<String> {
    let (low, high) = zlib_on_photographs(results);
    let mut sentences = vec![format!(
        "`zlib-rs` alone takes {low:.2} to {high:.2} of greenlight's time"
    )];
    let rows = [
        ("photograph, RGB", "png"),
        ("photograph, RGBA", "png-rgba"),
        ("photograph, 16-bit gray", "png-gray16"),
        ("indexed", "png-palette"),
        ("graphic", "png-graphic"),
    ];
    for (name, picture) in rows {
        let of = |who: &str| ratio(results, &format!("inspect/payload/{picture}/1MB/{who}"));
        let peers = ["zlib-rs", "fdeflate", "zune-inflate", "miniz_oxide"];
        let peers = peers.map(|who| format!("{:.2}", of("png") / of(&format!("inflate-{who}"))));
        sentences.push(format!(
            "| {name} | {:.2} | {} |",
            of("png"),
            peers.join(" | ")
        ));
    }
    sentences
}
