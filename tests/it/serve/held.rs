//! Images on disk, which wait for their outcomes.

use std::{
    fmt::Write as _,
    fs::{self, File},
    path::PathBuf,
    thread,
    time::{Duration, SystemTime},
};

use greenlight::{sandbox::Sandbox, serve::OnOutage};
use sha2::{Digest as _, Sha256};

use super::{
    Serving, builder, json, runtime,
    scan::{Place, id, unused},
};
use crate::{images::png, wire::header};

const PNG: &str = "image/png";

fn name_of(image: &[u8]) -> String {
    let mut name = String::new();
    for byte in Sha256::digest(image) {
        write!(name, "{byte:02x}").unwrap();
    }
    name
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..200 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{what}");
}

#[test]
fn images_without_an_outcome_have_a_budget_on_disk() {
    let address = unused();
    let place = Place::new();
    let (first, second) = (png(300, 260, 9_000), png(300, 261, 9_000));
    let budget = u64::try_from(first.len() * 3 / 2).unwrap();
    let moderation = place.moderation(&format!("http://{address}"));
    let moderation = moderation.max_held(budget);
    let keeper = runtime();
    let server = Serving::start(builder().moderation(moderation), runtime());
    let post = |image: &[u8]| server.post("/v1/scan?wait=0", PNG, image);
    let held = post(&first);
    assert_eq!(held.status, 202, "{held:?}");
    let refused = post(&second);
    assert_eq!(
        (refused.status, &*refused.code()),
        (503, "server/images-full")
    );
    assert_eq!(header(&refused.head, "retry-after"), Some("30"));
    let metrics = server.get("/metrics").body;
    let bytes = format!("greenlight_images_held_bytes {}", first.len());
    for line in ["greenlight_images_waiting 1", &bytes] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}: {metrics}"
        );
    }
    // What is only checked takes no disk space.
    assert_eq!(server.post("/v1/check", PNG, &second).status, 200);

    let sandbox = Sandbox::builder().listen(address).start();
    let _sandbox = keeper.block_on(sandbox).unwrap();
    let path = format!("/v1/scans/{}?wait=30", id(&json(&held)));
    eventually("the image has an outcome", || {
        json(&server.get(&path))["decision"] == "pass"
    });
    assert_eq!(fs::read_dir(place.images()).unwrap().count(), 0);
    let later = server.post("/v1/scan?wait=30", PNG, &second);
    assert_eq!(json(&later)["decision"], "pass", "{later:?}");
    let metrics = server.get("/metrics").body;
    assert!(
        metrics.contains("greenlight_images_held_bytes 0"),
        "{metrics}"
    );
}

/// A crash leaves files: of images whose outcome was recorded, and of uploads that were interrupted.
#[test]
fn files_that_no_image_needs_are_removed_at_the_start() {
    let address = unused();
    let place = Place::new();
    let keeper = runtime();
    let listening = Sandbox::builder().listen(address).start();
    let sandbox = keeper.block_on(listening).unwrap();
    let endpoint = sandbox.endpoint();
    let image = png(300, 260, 0);
    let server = place.serve(&endpoint, OnOutage::Hold, runtime());
    let scanned = server.post("/v1/scan?wait=30", PNG, &image);
    assert_eq!(json(&scanned)["decision"], "pass");
    drop(server);
    drop(sandbox);

    let waiting = png(300, 261, 0);
    let server = place.serve(&endpoint, OnOutage::Hold, runtime());
    assert_eq!(server.post("/v1/scan?wait=0", PNG, &waiting).status, 202);
    drop(server);

    let path = |name: &str| place.images().join(name);
    let put = |name: &str, bytes: &[u8], hours: u64| -> PathBuf {
        fs::write(path(name), bytes).unwrap();
        let age = Duration::from_secs(hours * 3_600);
        let file = File::options().write(true).open(path(name)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        path(name)
    };
    let unknown = |number| name_of(&png(400, number, 0));
    let removed = [
        put(&name_of(&image), &image, 0),
        put(&unknown(300), b"abandoned", 25),
        put(".greenlight-AbCdEf", b"partly received", 3),
    ];
    let kept = [
        path(&name_of(&waiting)),
        put(&unknown(301), b"of another ledger, or being added", 1),
        put(".greenlight-GhIjKl", b"being received", 0),
        put("notes.txt", b"not an image", 100),
    ];
    let server = place.serve(&endpoint, OnOutage::Hold, runtime());
    eventually("the files are removed", || {
        removed.iter().all(|path| !path.exists())
    });
    assert!(kept.iter().all(|path| path.exists()), "{kept:?}");
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("greenlight_images_waiting 2"), "{metrics}");
}
