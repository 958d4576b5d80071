//! Every kind of defect and every code under each enforcement.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use greenlight::{
    Claim, Code, Decision, DefectClass, DefectKind, Depth, Enforcement, Format, ImageUrl,
    Inspection, Inspector, Requirements, Rule, Severity, Verdict, download::Download,
};
use serde_json::{Value, json};

use super::requirements::bmp;

const ENFORCEMENTS: [(Enforcement, Option<Severity>, Decision); 3] = [
    (Enforcement::Off, None, Decision::Accept),
    (Enforcement::Warn, Some(Severity::Warn), Decision::Accept),
    (
        Enforcement::Reject,
        Some(Severity::Reject),
        Decision::Reject,
    ),
];

fn severity<S>(verdict: &Verdict<S>, code: Code) -> Option<Severity> {
    let violations = verdict.violations().iter();
    violations
        .filter(|violation| violation.code() == code)
        .map(greenlight::Violation::severity)
        .max()
}

/// Checks one image with one violation: as a rule of its own and by its code, and with warnings rejected.
fn assert_follows(rule: Rule, code: Code, inspection: &Inspection) {
    for (enforcement, expected, decision) in ENFORCEMENTS {
        for rule in [rule, Rule::Code(code)] {
            let requirements = Requirements::ASYNC.with_enforcement(rule, enforcement);
            let verdict = requirements.judge(inspection.clone());
            assert_eq!(severity(&verdict, code), expected, "{rule}={enforcement}");
            assert_eq!(verdict.decision(), decision, "{rule}={enforcement}");
            let strict = requirements
                .with_warnings_rejected()
                .judge(inspection.clone());
            let expected = expected.map(|_| Severity::Reject);
            assert_eq!(
                severity(&strict, code),
                expected,
                "{rule}={enforcement}, strict"
            );
        }
    }
}

#[test]
fn every_kind_of_defect_follows_its_enforcement() {
    for &kind in DefectKind::ALL {
        let inspection = with_defect(kind.name());
        let code = match kind.class() {
            DefectClass::Truncated => Code::ImageTruncated,
            DefectClass::Trailing => Code::ImageTrailingBytes,
            DefectClass::Unexamined => Code::ImageNotExamined,
            _ => Code::ImageCorrupt,
        };
        assert_follows(Rule::Defect(kind), code, &inspection);
    }
}

/// A code, its verdict under requirements, and the decision if it is a warning or off.
type Case = (
    Code,
    Decision,
    Box<dyn Fn(&Requirements) -> (Option<Severity>, Decision)>,
);

fn of_image(code: Code, softened: Decision, inspection: Inspection) -> Case {
    let judge = move |requirements: &Requirements| {
        let verdict = requirements.judge(inspection.clone());
        (severity(&verdict, code), verdict.decision())
    };
    (code, softened, Box::new(judge))
}

fn of_url(code: Code, url: String) -> Case {
    let judge = move |requirements: &Requirements| {
        let verdict = requirements.judge_url(ImageUrl::parse(&url).unwrap());
        (severity(&verdict, code), verdict.decision())
    };
    (code, Decision::Inconclusive, Box::new(judge))
}

/// A download of an image of which `inspection` is known, with these fields changed.
fn of_download(code: Code, softened: Decision, inspection: &Inspection, changed: Value) -> Case {
    let (url, zero) = ("http://example.com/a", json!({"secs": 0, "nanos": 0}));
    let mut stored = json!({
        "url": url, "last_url": url, "ending": "complete", "phase": "body",
        "hops": [{"url": url, "status": 200}], "remote": null, "http_version": "HTTP/1.1",
        "content_type": null, "content_length": null, "unregistered_coding": null,
        "timings": {
            "resolve": zero, "connect": zero, "tls": zero, "first_byte": zero, "body": zero,
        },
        "elapsed": zero, "limit": {"secs": 3, "nanos": 0},
        "bytes": 0, "received": 0, "retries": 0, "inspection": inspection,
    });
    let Value::Object(changed) = changed else {
        panic!("no object: {changed}")
    };
    for (field, value) in changed {
        stored[field] = value;
    }
    let download: Download = serde_json::from_value(stored).unwrap();
    let judge = move |requirements: &Requirements| {
        let verdict = requirements.judge_download(download.clone());
        (severity(&verdict, code), verdict.decision())
    };
    (code, softened, Box::new(judge))
}

/// A case of each code; those of URLs and of images that are not measured are never accepted.
fn cases() -> Vec<Case> {
    let (accept, open, reject) = (Decision::Accept, Decision::Inconclusive, Decision::Reject);
    let url = |code, url: &str| of_url(code, url.to_owned());
    let long = format!("http://example.com/{}", "a".repeat(2_048));
    let mut cases = vec![
        url(Code::UrlTooLong, &long),
        url(Code::UrlCredentials, "http://user@example.com/a.png"),
    ];
    let none = Inspector::new(Depth::Structure).inspection().clone();
    let ending = |code, ending: Value| of_download(code, open, &none, json!({"ending": ending}));
    let blocked = json!({"blocked": {"target": "10.0.0.1", "reason": "private"}});
    cases.extend([
        ending(Code::UrlPrivateAddress, blocked),
        ending(Code::DownloadDns, json!({"dns": "no such name"})),
        ending(Code::DownloadConnect, json!({"connect": "refused"})),
        ending(Code::DownloadTls, json!({"tls": ["expired", "expired"]})),
        ending(
            Code::DownloadTlsUnsupported,
            json!({"tls": ["unsupported", "old"]}),
        ),
        ending(Code::DownloadTooSlow, json!("too-slow")),
        ending(Code::DownloadStatus, json!("status")),
        ending(Code::DownloadRedirects, json!({"redirects": "too many"})),
        ending(Code::DownloadIncomplete, json!({"reset": "reset"})),
        ending(Code::DownloadIncomplete, json!({"incomplete": "ended"})),
        ending(Code::DownloadProtocol, json!({"protocol": "no status"})),
        ending(Code::DownloadEncoding, json!({"encoded": "gzip"})),
    ]);
    let good = Inspection::of(&bmp(300, 300));
    let page = Inspection::of(b"<!DOCTYPE html><html><body></body></html>");
    let of_type = |media: &str| json!({"content_type": media});
    let slow = json!({"elapsed": {"secs": 4, "nanos": 0}});
    let coded = json!({"unregistered_coding": "aws-chunked"});
    cases.extend([
        of_download(Code::DownloadTooSlow, accept, &good, slow),
        of_download(Code::DownloadUnknownEncoding, accept, &good, coded),
        of_download(
            Code::DownloadContentType,
            accept,
            &good,
            of_type("text/css"),
        ),
        // Its format is another rule.
        of_download(Code::DownloadWebPage, reject, &page, of_type("text/html")),
    ]);
    let mut claimed = Inspector::new(Depth::Structure);
    claimed.claim(Claim::from_name("a.gif").unwrap());
    claimed.push(&bmp(300, 300));
    let header = |width: u32, height: u32| {
        let mut bytes = bmp(300, 300);
        bytes[18..22].copy_from_slice(&width.to_le_bytes());
        bytes[22..26].copy_from_slice(&height.to_le_bytes());
        Inspection::at(Depth::Header, &bytes)
    };
    let webp = include_bytes!("../../fixtures/images/webp/lossy.webp");
    let large = Inspection::of(&bmp(3_000, 3_000));
    let trailing = Inspection::of(&[bmp(300, 300), b"and more".to_vec()].concat());
    let cut = Inspection::of(&bmp(300, 300)[..1_000]);
    let mut planes = bmp(300, 300);
    planes[26] = 9;
    cases.extend([
        of_image(Code::ImageEmpty, open, Inspection::of(b"")),
        of_image(Code::ImageNotAnImage, open, Inspection::of(&[b'x'; 100])),
        of_image(Code::ImageFormatUnsupported, accept, Inspection::of(webp)),
        of_image(Code::ImageTooLarge, accept, large),
        of_image(Code::ImageTooSmall, accept, Inspection::of(&bmp(300, 100))),
        of_image(Code::ImageSideTooLong, accept, header(30_001, 300)),
        of_image(Code::ImageTooManyPixels, accept, header(25_000, 10_001)),
        of_image(Code::ImageTruncated, accept, cut),
        of_image(Code::ImageCorrupt, accept, Inspection::of(&planes)),
        of_image(Code::ImageTrailingBytes, accept, trailing),
        of_image(
            Code::ImageNotExamined,
            accept,
            with_defect("any/not-walked"),
        ),
        of_image(Code::ImageTypeMismatch, accept, claimed.finish()),
        of_image(
            Code::ImageFramesUnseen,
            accept,
            Inspection::of(&bmp(256, 256 * 20)),
        ),
    ]);
    cases
}

/// A good image to whose facts a defect is added.
fn with_defect(kind: &str) -> Inspection {
    let mut facts = serde_json::to_value(Inspection::of(&bmp(300, 300))).unwrap();
    assert_eq!(facts["facts"]["defects"], json!([]));
    facts["facts"]["defects"] = json!([{"kind": kind, "offset": 3}]);
    serde_json::from_value(facts).unwrap()
}

/// A warning about a defect that rejects by default, or about a coding that few decoders know, does
/// not call it harmless.
#[test]
fn a_softened_defect_is_not_called_tolerated() {
    for &kind in DefectKind::ALL {
        let asked = Requirements::ASYNC.with_enforcement(kind, Enforcement::Warn);
        let verdict = asked.judge(with_defect(kind.name()));
        let [violation] = verdict.violations() else {
            panic!("{kind}: {verdict:?}");
        };
        let says = |text| violation.message().ends_with(text);
        let is_examined = kind.class() != DefectClass::Unexamined;
        assert_eq!(says(": nothing wrong was found"), !is_examined, "{kind}");
        let is_rare = ["jpeg/rare-process", "bmp/rare-compression"].contains(&kind.name());
        let is_tolerated = is_examined && kind.is_tolerated() && !is_rare;
        let message = violation.message();
        assert_eq!(
            says(": decoders usually tolerate it"),
            is_tolerated,
            "{kind}: {message}"
        );
        let often = is_examined && !is_tolerated;
        assert_eq!(
            says(": decoders often reject it"),
            often,
            "{kind}: {message}"
        );
    }
}

#[test]
fn every_code_follows_its_enforcement() {
    // The large image of the cases exceeds the limit only; none exceeds that of warnings alone.
    let base = Requirements::ASYNC.with_max_bytes(26_000_000);
    let mut seen: Vec<_> = Code::ALL.to_vec();
    for (code, softened, judge) in cases() {
        seen.retain(|other| *other != code);
        assert!(!Rule::Code(code).is_fixed(), "{code}");
        for (enforcement, severity, mut decision) in ENFORCEMENTS {
            if enforcement != Enforcement::Reject {
                decision = softened;
            }
            let requirements = base.clone().with_enforcement(code, enforcement);
            assert_eq!(
                judge(&requirements),
                (severity, decision),
                "{code}={enforcement}"
            );
            let (strict, _) = judge(&requirements.with_warnings_rejected());
            let expected = severity.map(|_| Severity::Reject);
            assert_eq!(strict, expected, "{code}={enforcement}, strict");
        }
        let (strict, decision) = judge(&base.clone().with_warnings_rejected());
        assert_eq!(
            (strict, decision),
            (Some(Severity::Reject), Decision::Reject),
            "{code}"
        );
    }
    // What remains always rejects, and no text or file can say otherwise.
    assert_eq!(
        seen,
        [Code::UrlMalformed, Code::UrlScheme, Code::FileOutside]
    );
    for code in seen {
        let rule = Rule::Code(code);
        assert!(rule.is_fixed(), "{code}");
        for (enforcement, ..) in ENFORCEMENTS {
            let requirements = Requirements::ASYNC.with_enforcement(code, enforcement);
            assert_eq!(requirements, Requirements::ASYNC, "{code}");
            let text = format!(r#"{{"enforce":{{"{code}":"{enforcement}"}}}}"#);
            match Requirements::from_json(&text) {
                Ok(read) => assert_eq!(
                    (enforcement, read),
                    (Enforcement::Reject, Requirements::ASYNC)
                ),
                Err(error) => {
                    assert_ne!(enforcement, Enforcement::Reject);
                    let expected = format!("requirements: `{code}` always rejects");
                    assert_eq!(error.to_string(), expected);
                }
            }
        }
    }
}

#[test]
fn a_rejected_size_leaves_no_warning() {
    let image = Inspection::of(&bmp(300, 300));
    let warned = Requirements::ASYNC.with_warn_bytes(1_000);
    let of = |requirements: &Requirements| {
        severity(&requirements.judge(image.clone()), Code::ImageTooLarge)
    };
    assert_eq!(of(&warned), Some(Severity::Warn));
    let rejected = warned.with_enforcement(Code::ImageTooLarge, Enforcement::Reject);
    assert_eq!(of(&rejected), Some(Severity::Reject));
    let file = r#"{"warn_bytes": 1000, "enforce": {"image/too-large": "reject"}}"#;
    assert_eq!(
        of(&Requirements::from_json(file).unwrap()),
        Some(Severity::Reject)
    );
}

#[test]
fn unseen_frames_follow_their_enforcement_at_header_depth() {
    let header = Inspection::at(Depth::Header, &bmp(256, 256 * 20));
    assert_follows(
        Rule::Code(Code::ImageFramesUnseen),
        Code::ImageFramesUnseen,
        &header,
    );
    // A header does not say how many frames a GIF has.
    let gif = Inspection::at(Depth::Header, b"GIF89a\x00\x01\x00\x14\0\0\0;");
    assert_eq!(gif.format(), Some(Format::Gif));
    let verdict = Requirements::ASYNC.with_warnings_rejected().judge(gif);
    assert_eq!(severity(&verdict, Code::ImageFramesUnseen), None);
}

/// Reading ends early only if what was read rejects the image.
#[cfg(feature = "files")]
#[test]
fn a_rule_that_does_not_reject_does_not_end_the_reading() {
    use greenlight::local_file;
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/images"));
    let depth = Depth::Structure;
    let mut accepted = 0;
    for (name, _) in super::fixtures::images() {
        let path = folder.join(name);
        let whole = Inspection::from_path(depth, &path).unwrap();
        for code in [
            Code::ImageTooLarge,
            Code::ImageFormatUnsupported,
            Code::ImageNotAnImage,
        ] {
            for enforcement in [Enforcement::Warn, Enforcement::Off] {
                let asked = Requirements::ASYNC.with_max_bytes(3_000);
                let asked = asked.with_enforcement(code, enforcement);
                let file = local_file::open(&path).unwrap();
                let verdict = asked.judge_file(depth, file, &path).unwrap();
                let expected = asked.judge(whole.clone()).decision();
                assert_eq!(verdict.decision(), expected, "{name}, {code}={enforcement}");
                accepted += usize::from(expected == Decision::Accept);
            }
        }
    }
    assert!(accepted > 100, "{accepted}");
}

/// The extension counts even if the rest of the name is not UTF-8.
#[cfg(all(unix, feature = "files"))]
#[test]
fn a_name_that_is_not_utf_8_has_an_extension() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(OsStr::from_bytes(b"\xff.png"));
    std::fs::write(&path, bmp(300, 300)).unwrap();
    let inspection = Inspection::from_path(Depth::Header, &path).unwrap();
    let claims: Vec<_> = inspection.claims().map(|claim| claim.format).collect();
    assert_eq!(claims, [Format::Png]);
}
