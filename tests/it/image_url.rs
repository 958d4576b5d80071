//! The rules of a URL's text.

use greenlight::{ImageUrl, Requirements, UrlError, verdict::Code};

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
fn length_is_counted_in_characters_of_the_text_as_given() {
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
fn user_information_is_refused_and_never_shown() {
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
