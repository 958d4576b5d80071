//! Who may use the server.

use greenlight::{
    ErrorKind,
    serve::{Limits, Listen, Tokens},
};

use super::{Serving, builder, runtime, serve};
use crate::{
    images::png,
    wire::{Reply, header},
};

const TOKENS: &str = "# of the shop\nshop-0123456789abcdef\n\nblog-0123456789abcdef\n";

fn with_tokens(limits: Limits) -> Serving {
    let tokens = Tokens::parse(TOKENS).unwrap();
    assert_eq!(tokens.len(), 2);
    Serving::start(builder().tokens(tokens).limits(limits), runtime())
}

fn check(server: &Serving, headers: &[(&str, &str)]) -> Reply {
    server.request("POST", "/v1/check", headers, &png(300, 260, 0))
}

#[test]
fn only_known_tokens_are_served() {
    let server = with_tokens(Limits::default());
    let known = [
        "Bearer shop-0123456789abcdef",
        "bearer  blog-0123456789abcdef",
        // any:shop-0123456789abcdef
        "Basic YW55OnNob3AtMDEyMzQ1Njc4OWFiY2RlZg==",
    ];
    for value in known {
        assert_eq!(
            check(&server, &[("Authorization", value)]).status,
            200,
            "{value}"
        );
    }
    let unknown = [
        "Bearer shop-0123456789abcdeg",
        "Bearer shop-0123456789abcde",
        "Bearer # of the shop",
        "Bearer",
        "Bearer ",
        "Basic shop-0123456789abcdef",
        "Basic c2hvcC0wMTIzNDU2Nzg5YWJjZGVm",
        "Digest shop-0123456789abcdef",
        "\u{e4}",
    ];
    for value in unknown {
        let reply = check(&server, &[("Authorization", value)]);
        assert_eq!(
            (reply.status, &*reply.code()),
            (401, "request/token"),
            "{value}"
        );
        let scheme = header(&reply.head, "www-authenticate").unwrap();
        assert!(scheme.starts_with("Bearer"), "{scheme}");
    }
    let none = check(&server, &[]);
    assert_eq!((none.status, &*none.code()), (401, "request/token"));
    for path in ["/v1/check", "/v1/check-url", "/pict-rs"] {
        assert_eq!(server.post(path, "image/png", b"x").status, 401, "{path}");
    }
    assert_eq!(server.get("/metrics").status, 401);
    for path in ["/healthz", "/readyz", "/openapi.json", "/"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
}

#[test]
fn a_refused_client_that_writes_first_receives_the_response() {
    let server = with_tokens(Limits::default());
    let reply = server.post("/v1/check", "image/png", &png(300, 260, 12 << 20));
    assert_eq!(reply.status, 401, "{reply:?}");
}

#[test]
fn each_token_has_its_rate() {
    let server = with_tokens(Limits::default().with_rate(2_u32.try_into().ok()));
    let [shop, blog] = [
        "Bearer shop-0123456789abcdef",
        "Bearer blog-0123456789abcdef",
    ];
    let replies: Vec<_> = (0..20)
        .map(|_| check(&server, &[("Authorization", shop)]))
        .collect();
    assert_eq!(replies[0].status, 200);
    let refused = replies.iter().find(|reply| reply.status != 200);
    let refused = refused.expect("more than two requests per second are refused");
    assert_eq!(
        (refused.status, &*refused.code()),
        (429, "request/too-many")
    );
    assert_eq!(header(&refused.head, "retry-after"), Some("1"));
    assert_eq!(check(&server, &[("Authorization", blog)]).status, 200);
    // Guesses of tokens do not use up the rate of one.
    assert_eq!(check(&server, &[("Authorization", "Bearer x")]).status, 401);
}

#[test]
fn a_server_without_tokens_is_of_this_host_only() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let listen: Listen = address.parse().unwrap();
        let bound = runtime().block_on(builder().listen(listen).bind());
        let error = bound.expect_err(address);
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}

#[test]
fn pages_of_other_sites_are_refused_without_tokens() {
    let server = serve();
    let own = server.url.clone();
    let own_host = server.address().to_string();
    for headers in [
        vec![("Host", &*own_host)],
        vec![("Host", "localhost")],
        vec![("Host", "localhost:1")],
        vec![("Host", "[::1]:80")],
        vec![("Host", &*own_host), ("Origin", &*own)],
    ] {
        assert_eq!(check(&server, &headers).status, 200, "{headers:?}");
    }
    for (headers, code) in [
        (vec![("Host", "evil.example")], "request/host"),
        (vec![("Host", "localhost.evil.example")], "request/host"),
        (vec![("Host", "127.0.0.1.evil.example")], "request/host"),
        (
            vec![("Host", &*own_host), ("Host", "evil.example")],
            "request/host",
        ),
        (
            vec![("Host", &*own_host), ("Origin", "https://evil.example")],
            "request/cross-site",
        ),
        (
            vec![("Host", &*own_host), ("Origin", "http://127.0.0.1:1")],
            "request/cross-site",
        ),
        (
            vec![("Host", &*own_host), ("Origin", "null")],
            "request/cross-site",
        ),
    ] {
        let reply = check(&server, &headers);
        assert_eq!((reply.status, &*reply.code()), (403, code), "{headers:?}");
    }
    // A token is not known to other sites.
    let server = with_tokens(Limits::default());
    let headers = [
        ("Authorization", "Bearer shop-0123456789abcdef"),
        ("Host", "a.example"),
        ("Origin", "https://b.example"),
    ];
    assert_eq!(check(&server, &headers).status, 200);
}

#[test]
fn unusable_tokens_are_named_by_their_line() {
    for (text, expected) in [
        ("", "tokens: there is none"),
        ("# nothing\n", "tokens: there is none"),
        (
            "good-0123456789abcdef\nsecret\n",
            "tokens, line 2: fewer than 16 characters",
        ),
        (
            "secret with blanks in it",
            "tokens, line 1: a character that is not visible ASCII",
        ),
    ] {
        let error = Tokens::parse(text).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!error.report().contains("secret"), "{error}");
    }
    assert_eq!(format!("{:?}", Tokens::parse(TOKENS).unwrap()), "Tokens(2)");
}
