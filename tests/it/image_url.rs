//! The rules of a URL's text.

use greenlight::{Code, ImageUrl, Requirements, UrlError};

#[test]
fn a_text_that_would_be_repaired_is_malformed() {
    let texts = [
        "",
        " ",
        "image.jpg",
        "/image.jpg",
        "//example.com/image.jpg",
        "http:/example.com/a.jpg",
        "http:example.com/a.jpg",
        "http:///example.com/a.jpg",
        "http://",
        "http://?a",
        " http://example.com/a.jpg",
        "http://example.com/a.jpg\n",
        "http://exa\tmple.com/a.jpg",
        "http://example.com\\a.jpg",
        "http://example.com/a b.jpg",
        "http://example.com/\u{0}",
        "http://example.com/\u{2028}",
        "http://example.com:99999/a.jpg",
        "http://[::1/a.jpg",
        "http://exa mple.com/",
    ];
    for text in texts {
        let parsed = ImageUrl::parse(text);
        assert!(
            matches!(parsed, Err(UrlError::Malformed { .. })),
            "{text:?}: {parsed:?}"
        );
    }
}

#[test]
fn a_text_that_parsing_changes_is_malformed() {
    let texts = [
        // Addresses in another notation.
        ("http://0x7f.1/", "127.0.0.1"),
        ("http://2130706433/", "127.0.0.1"),
        ("http://127.1/", "127.0.0.1"),
        ("http://0177.0.0.1/", "127.0.0.1"),
        ("http://127.0.0.1./", "127.0.0.1"),
        ("http://0", "0.0.0.0"),
        ("http://\u{ff11}27.0.0.1/", "127.0.0.1"),
        ("http://127\u{3002}0\u{3002}0\u{3002}1/", "127.0.0.1"),
        ("http://[0:0:0:0:0:0:0:1]/", "[::1]"),
        ("http://[::ffff:127.0.0.1]/", "[::ffff:7f00:1]"),
        // Names.
        ("http://loc%61lhost/", "localhost"),
        ("http://local\u{ad}host/", "U+00AD"),
        ("http://example\u{3002}com/", "example.com"),
        ("http://\u{ff45}xample.com/", "example.com"),
        ("http://bu\u{308}cher.de/", "xn--bcher-kva.de"),
        // Ports.
        ("http://example.com:018432/", "18432"),
        ("http://example.com:080/", "80"),
        ("http://example.com:/", "80"),
        // Paths.
        ("http://example.com/../ok", "/ok"),
        ("http://example.com/a/../ok", "/ok"),
        ("http://example.com/a/./ok", "/a/ok"),
        ("http://example.com/%2e%2e/ok", "/ok"),
        ("http://example.com/a/.%2E/ok", "/ok"),
        ("http://example.com/..?a", "/"),
        ("http://example.com/\u{e9}/../ok", "/ok"),
        // User names and passwords.
        ("http://@example.com/", "remove it"),
        ("http://:@example.com/", "remove it"),
        ("http://user:@example.com/", "remove it"),
        ("http://a@b@example.com/", "remove it"),
    ];
    for (text, expected) in texts {
        let parsed = ImageUrl::parse(text);
        let Err(UrlError::Malformed { reason }) = parsed else {
            panic!("{text:?}: {parsed:?}");
        };
        assert!(reason.contains(expected), "{text:?}: {reason}");
    }
    for c in "<>\"{}|^`".chars() {
        for place in ["/a?.jpg", "/a?b=?", "/a#?", "?", ":?@"] {
            let (before, after) = place.rsplit_once('?').expect("it has a place");
            let text = format!("http://example.com{before}{c}{after}");
            let parsed = ImageUrl::parse(&text);
            assert!(
                matches!(parsed, Err(UrlError::Malformed { .. })),
                "{text:?}: {parsed:?}"
            );
        }
    }
}

fn assert_malformed(text: &str, expected: &str) {
    let error = ImageUrl::parse(text).expect_err("it is malformed");
    let expected = format!("not a usable URL: {expected}");
    assert_eq!(error.to_string(), expected, "{text:?}");
}

#[test]
fn a_scheme_that_is_missing_or_misspelled_is_named() {
    for (text, expected) in [
        (
            "url=http://a.example/b",
            "text surrounds it; write the URL alone",
        ),
        (
            "//a.example/b",
            "it has no scheme; write http: or https: first",
        ),
        (
            "a.example/http://b",
            "it has no scheme; write http:// or https:// first",
        ),
        (
            "http//a.example/b",
            "its scheme is misspelled; write http:// or https://",
        ),
        (
            "HTTPS;//a.example/b",
            "its scheme is misspelled; write http:// or https://",
        ),
        (
            "http ://a.example/b",
            "its scheme is misspelled; write http:// or https://",
        ),
        (
            "http://https://a.example/b",
            "its scheme is written twice; write it once",
        ),
        (
            "http://a.example,http://b.example",
            "another URL begins in its host; write each URL alone",
        ),
        (
            "https://a.exampleHTTPS://b.example/c",
            "another URL begins in its host; write each URL alone",
        ),
    ] {
        assert_malformed(text, expected);
    }
}

#[test]
fn a_text_around_a_url_is_named() {
    for (text, expected) in [
        (
            "\"http://a.example/b\"",
            "it is in quotes; write it without them",
        ),
        (
            "<http://a.example/b>",
            "it is in angle brackets; write it without them",
        ),
        (
            "(http://a.example/b)",
            "it is in parentheses; write it without them",
        ),
        (
            "[http://a.example/b]",
            "it is in brackets; write it without them",
        ),
        (
            "`http://a.example/b`",
            "it is in backquotes; write it without them",
        ),
        (
            "![cat](http://a.example/b)",
            "text surrounds it; write the URL alone",
        ),
        (
            "[cat](http://a.example/b)",
            "text surrounds it; write the URL alone",
        ),
        (
            "- http://a.example/b",
            "text surrounds it; write the URL alone",
        ),
        (
            "1. HTTPS://a.example/b",
            "text surrounds it; write the URL alone",
        ),
        (
            "the cat: http://a.example/b",
            "text surrounds it; write the URL alone",
        ),
        (
            "\"http://a.example/b\",",
            "text surrounds it; write the URL alone",
        ),
        (
            "http://a.example/b my cat",
            "it holds a blank; write the URL alone, or %20 if the blank belongs to it",
        ),
        (
            "http://a.example/\tb",
            "it holds a tab; remove or percent-encode that",
        ),
        (
            "http://a.example/\u{2028}b",
            "it holds the character U+2028; remove or percent-encode that",
        ),
        (
            "http://a.example\\b",
            "it holds a backslash; remove or percent-encode that",
        ),
        (
            "\u{feff}http://a.example/b",
            "the character U+FEFF, which is invisible, precedes it; remove that",
        ),
        (
            "http://a\u{200b}.example/b",
            "its host holds the character U+200B, which is invisible; remove that",
        ),
        (
            "C:\\photos\\a.jpg",
            "it is the path of a file on Windows, not a URL",
        ),
        (
            "c:/photos/a.jpg",
            "it is the path of a file on Windows, not a URL",
        ),
        (
            "\\\\server\\a.jpg",
            "it is the path of a file on Windows, not a URL",
        ),
    ] {
        assert_malformed(text, expected);
    }
    // Not text around a URL.
    for text in [
        "http://a.example/http://b",
        "http://a.example/b?u=http://b",
        // A server may combine several images; a list may have lost a line end. curl requests both.
        "http://a.example/1.jpg,http://b.example/2.jpg",
        "http://a.example/1.jpghttp://b.example/2.jpg",
        "http://a.example/(b)",
    ] {
        assert!(ImageUrl::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn an_unusual_address_notation_gets_the_canonical_one() {
    let error = ImageUrl::parse("http://0x7f.1/a.jpg").expect_err("it is refused");
    assert_eq!(
        error.to_string(),
        "not a usable URL: its host reads as 127.0.0.1: write it in this usual notation"
    );
    let verdict = greenlight::Verdict::of_text(String::new(), &error);
    assert_eq!(verdict.violations()[0].code(), Code::UrlMalformed);
    let error = ImageUrl::parse("http://a:hunter2@b@example.com/").expect_err("it is refused");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn equivalent_spellings_are_kept() {
    for text in [
        "HTTP://Example.COM",
        "http://example.com",
        "http://example.com?a=b",
        "http://example.com#a",
        "http://example.com:80/",
        "https://example.com:443",
        "http://example.com:443/",
        "http://example.com:18432/",
        "http://example.com./a",
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/a",
        "http://[::1]/",
        "http://[::1]:8080/",
        "http://[2001:DB8::1]/",
        "https://user:pass@example.com/",
        "https://user@example.com/",
        "https://:pass@example.com/",
        "https://\u{4f8b}\u{3048}.jp/",
        "https://B\u{fc}cher.example/",
        "https://B\u{dc}CHER.example/",
        "https://stra\u{df}e.de/",
        "https://XN--bcher-kva.de/",
        "https://xn--bcher-kva.\u{4f8b}\u{3048}.jp/",
        "https://a_b.example.com/",
        "https://example.com//a//b",
        "https://example.com/a%2fb%2Fc/%E4%BE%8B.jpg",
        "https://example.com/100%/a%zz",
        "https://example.com/..a/b../.c/...",
        "https://example.com/a;b=c,d/(e)!$&'*+:@~.jpg",
        "https://example.com/a?b[]='c'&d=/../e?f#'g'?'",
        "https://example.com/\u{4f8b}?q=\u{e9}&r=\u{1f600}#\u{e9}",
        "https://example.com/?",
        "https://example.com/#",
    ] {
        let parsed = ImageUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parsed.as_str(), text, "the text is kept as it was given");
    }
}

#[test]
fn only_http_and_https_are_images_urls() {
    for scheme in [
        "ftp",
        "file",
        "data",
        "gopher",
        "javascript",
        "oss",
        "ws",
        "blob",
    ] {
        let parsed = ImageUrl::parse(&format!("{scheme}://example.com/a.jpg"));
        assert_eq!(
            parsed,
            Err(UrlError::Scheme {
                scheme: scheme.to_owned()
            })
        );
    }
    for text in [
        "http://example.com/a.jpg",
        "HTTPS://EXAMPLE.com/a.jpg",
        "https://例え.jp/画像.jpg",
    ] {
        let parsed = ImageUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parsed.as_str(), text, "the text is kept as it was given");
    }
}

#[test]
fn url_length_is_counted_in_characters() {
    let url = |chars: usize| {
        let start = "http://example.com/";
        let text = format!("{start}{}", "é".repeat(chars - start.chars().count()));
        ImageUrl::parse(&text).expect("it parses")
    };
    let codes = |url: ImageUrl| {
        let verdict = Requirements::ASYNC.judge_url(url);
        verdict
            .violations()
            .iter()
            .map(greenlight::Violation::code)
            .collect::<Vec<_>>()
    };
    assert_eq!(codes(url(2_048)), []);
    assert_eq!(codes(url(2_049)), [Code::UrlTooLong]);
}

#[test]
fn user_information_is_rejected_and_redacted() {
    let url = ImageUrl::parse("https://user:hunter2@example.com/a.jpg?sig=s3cret#frag")
        .expect("it parses");
    let verdict = Requirements::ASYNC.judge_url(url.clone());
    assert_eq!(verdict.violations()[0].code(), Code::UrlCredentials);
    for shown in [format!("{url}"), format!("{url:?}"), format!("{verdict:?}")] {
        assert!(
            !shown.contains("hunter2") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
    assert_eq!(url.to_string(), "https://example.com/a.jpg?\u{2026}");
}

#[test]
fn a_url_alone_is_never_accepted() {
    let url = ImageUrl::parse("https://example.com/a.jpg").expect("it parses");
    let verdict = Requirements::ASYNC.judge_url(url);
    assert_eq!(verdict.decision(), greenlight::Decision::Inconclusive);
    assert!(verdict.into_result().is_err());
}
