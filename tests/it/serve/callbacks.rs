//! Outcomes that the service sends.

use std::{sync::Arc, time::Duration};

use greenlight::{
    green::{Callback, Secret, callback::Verifier},
    ledger::SqliteLedger,
    sandbox::Sandbox,
    serve::{Listen, Moderation},
};

use super::{Serving, builder, json, runtime, scan::unused};
use crate::{
    images::png,
    pipeline::{pipeline, scope},
};

#[test]
fn an_outcome_arrives_by_callback() {
    let runtime = runtime();
    let sandbox = runtime.block_on(Sandbox::start()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Arc::new(SqliteLedger::open(&path, &scope()).unwrap());
    let address = unused();
    let url = format!("http://{address}/callbacks/1.0");
    let callback = Callback::new(&url, Secret::new("seed_of_32_random_letters")).unwrap();
    let verifier = Verifier::new("1234567890123456", &callback);
    // Only the callback can bring the outcome in time.
    let pipeline = pipeline(&sandbox.endpoint(), "sandbox-key-secret", ledger)
        .poll_interval(Duration::from_secs(600))
        .callback(callback);
    let moderation = Moderation::new(pipeline, &folder.path().join("images")).callbacks(verifier);
    let builder = builder()
        .listen(Listen::Tcp(address))
        .moderation(moderation);
    let server = Serving::start(builder, runtime);
    let scan = json(&server.post("/v1/scan?wait=18", "image/png", &png(300, 260, 0)));
    assert_eq!(scan["decision"], "pass", "{scan}");

    let forged = b"checksum=00&content=%7B%22taskId%22%3A%22a%22%7D";
    let form = "application/x-www-form-urlencoded";
    assert_eq!(server.post("/callbacks/1.0", form, forged).status, 403);
    let only_checks = super::serve();
    assert_eq!(only_checks.post("/callbacks/1.0", form, forged).status, 404);
}
