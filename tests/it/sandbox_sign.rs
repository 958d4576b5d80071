//! The sandbox's gateway accepts requests of the client's signer: two implementations without shared
//! code, tested over the wire.

use greenlight::{
    green::{Credentials, Secret, sign},
    sandbox::Sandbox,
};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::sandbox::raw::{self, Request};

const PATH: &str = "/green/image/asyncscan";

/// Names and values, each name once.
fn pairs(name: &'static str, value: &'static str) -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::btree_map(name, value, 0..5)
        .prop_map(|map| map.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// A request with these parts, its headers from `turn` on first.
fn signed(
    sandbox: &Sandbox,
    query: &[(String, String)],
    extra: &[(String, String)],
    body: &str,
    turn: usize,
) -> Request {
    let key = sandbox.credentials();
    let mut request = Request::post(PATH, body);
    for (name, value) in extra {
        request = request.with(name, value);
    }
    let count = request.headers.len();
    request.headers.rotate_left(turn % count);
    let parts = sign::Parts {
        method: "POST",
        path: PATH,
        query: &borrowed(query),
        headers: &borrowed(&request.headers),
    };
    let signature = sign::roa(
        &parts,
        &Credentials::new(key.id(), Secret::new(key.secret())),
    );
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(query.iter().rev());
    request.target = format!("{PATH}?{}", encoded.finish());
    request.with("authorization", signature.authorization())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn order_and_unicode_do_not_affect_signature_validity(
        query in pairs("[a-zA-Z\u{e9}\u{4e2d}\u{1f600}]{1,8}", "\\PC{0,12}"),
        extra in pairs("x-acs-extra-[a-z]{1,8}", "[!-~\u{a1}-\u{ffff}]([ -~\u{a1}-\u{ffff}]{0,9}[!-~])?"),
        body in "\\PC{0,40}",
        turn in 0_usize..16,
    ) {
        let runtime = Runtime::new().expect("a runtime");
        let (admitted, tampered) = runtime.block_on(async {
            let sandbox = Sandbox::start().await.expect("a port");
            sandbox.set_clock(raw::date());
            let request = signed(&sandbox, &query, &extra, &body, turn);
            let mut tampered = request.clone();
            tampered.target.push_str("&z=0");
            (request.ask(&sandbox).await, tampered.ask(&sandbox).await)
        });
        prop_assert_eq!(admitted.status, 200, "{}", admitted.text());
        prop_assert_eq!(tampered.status, 400);
        prop_assert_eq!(&tampered.json()["Code"], "SignatureDoesNotMatch");
    }
}
