//! The figures in the README are the kept results of the benchmarks.

#[allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "shared with the example"
)]
#[path = "../../examples/bench_report/claims.rs"]
mod claims;
#[allow(dead_code, reason = "shared with the example")]
#[path = "../../examples/bench_report/results.rs"]
mod results;

use std::{fs, path::Path};

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
