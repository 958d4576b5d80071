//! `--enforce` and `--strict`, for a code of each area and a kind of defect.

use serde_json::Value;

use super::Service;

/// Returns the decision of the only line, and the severity of a code in it.
fn decided(line: &Value, code: &str) -> (String, Option<String>) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let violations = line["violations"].as_array().unwrap();
    let found = violations
        .iter()
        .find(|violation| violation["code"] == code);
    (
        text(&line["decision"]),
        found.map(|violation| text(&violation["severity"])),
    )
}

#[test]
fn a_code_of_each_area_follows_its_option() {
    let service = Service::new("enforce-areas");
    service.bench.fixture("jpeg/too-small.jpg", "small.jpg");
    service.bench.fixture("png/rgb.png", "wrong.gif");
    let mut crc = std::fs::read(service.bench.path("wrong.gif")).unwrap();
    // A text chunk with a wrong checksum follows IHDR.
    crc.splice(33..33, *b"\0\0\0\x03tEXta\0bCRC?");
    service.bench.write("crc.png", crc);
    let good = service.url("good.png");
    let (_, rest) = good.split_once("://").unwrap();
    let with_user = format!("http://user@{rest}");
    let long = format!("{good}?{}", "a".repeat(2_048));
    let missing = good.replace("good.png", "missing.png");
    let (open, accept) = ("inconclusive", "accept");
    for (rule, code, source, softened) in [
        ("url/too-long", "url/too-long", long.as_str(), accept),
        ("url/credentials", "url/credentials", &with_user, accept),
        // The port is not allowed, and no connection is opened.
        (
            "url/private-address",
            "url/private-address",
            "http://127.0.0.1:9/",
            open,
        ),
        ("download/status", "download/status", &missing, open),
        ("image/too-small", "image/too-small", "small.jpg", accept),
        (
            "image/type-mismatch",
            "image/type-mismatch",
            "wrong.gif",
            accept,
        ),
        ("png/ancillary-crc", "image/corrupt", "crc.png", accept),
    ] {
        let allowed = format!("127.0.0.1/32:{}", service.sandbox.address().port());
        let check = |more: &[&str]| {
            let how = ["check", source, "--format", "jsonl", "--allow-address"];
            let run = service.bench.run(&[&how[..], &[&allowed], more].concat());
            decided(&run.json()[0], code)
        };
        for (enforcement, decision) in [("reject", "reject"), ("warn", softened), ("off", softened)]
        {
            let option = format!("{rule}={enforcement}");
            let severity = (enforcement != "off").then(|| enforcement.to_owned());
            let expected = (decision.to_owned(), severity);
            assert_eq!(check(&["--enforce", &option]), expected, "{option}");
        }
        let strict = ("reject".to_owned(), Some("reject".to_owned()));
        assert_eq!(check(&["--strict"]), strict, "{code}");
    }
}

#[test]
fn a_fixed_code_is_not_softened_silently() {
    let service = Service::new("enforce-fixed");
    for code in ["url/malformed", "url/scheme", "file/outside"] {
        for command in ["check", "plan", "scan"] {
            let option = format!("{code}=warn");
            let run = service.bench.run(&[command, "in", "--enforce", &option]);
            assert_eq!(run.code, Some(2), "{run}");
            let expected = format!("`{code}` always rejects");
            assert!(run.stderr.contains(&expected), "{run}");
        }
        let option = format!("{code}=reject");
        let run = service
            .bench
            .run(&["check", "in/good.png", "--enforce", &option]);
        assert_eq!(run.code, Some(0), "{run}");
        let page = include_str!("../../../../docs/requirements.md");
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
    let rules = r#"{"enforce": {"url/scheme": "off"}}"#;
    service.bench.write("site.json", rules);
    let run = service
        .bench
        .run(&["check", "in", "--requirements", "site.json"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("`url/scheme` always rejects"), "{run}");
    service
        .bench
        .write("greenlight.toml", "enforce = [\"url/scheme=off\"]\n");
    let run = service.bench.run(&["check", "in"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("`url/scheme` always rejects"), "{run}");
}
