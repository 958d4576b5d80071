//! Every kind of defect, and codes of every sort, under each enforcement.

use greenlight::{
    Claim, Code, Decision, DefectClass, DefectKind, Depth, Enforcement, Format, Inspection,
    Requirements, Rule, Severity, Verdict,
};
use serde_json::json;

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
    let good = serde_json::to_value(Inspection::of(&bmp(300, 300))).unwrap();
    assert_eq!(good["facts"]["defects"], json!([]));
    for &kind in DefectKind::ALL {
        let mut facts = good.clone();
        facts["facts"]["defects"] = json!([{"kind": kind.name(), "offset": 3}]);
        let inspection: Inspection = serde_json::from_value(facts).unwrap();
        let code = match kind.class() {
            DefectClass::Truncated => Code::ImageTruncated,
            DefectClass::Trailing => Code::ImageTrailingBytes,
            DefectClass::Unexamined => Code::ImageNotExamined,
            _ => Code::ImageCorrupt,
        };
        assert_follows(Rule::Defect(kind), code, &inspection);
    }
}

#[test]
fn codes_of_measures_follow_their_enforcement() {
    let mut claimed = greenlight::Inspector::new(Depth::Structure);
    claimed.claim(Claim::from_name("a.gif").unwrap());
    claimed.push(&bmp(300, 300));
    for (code, inspection) in [
        (Code::ImageTooSmall, Inspection::of(&bmp(300, 100))),
        (Code::ImageTypeMismatch, claimed.finish()),
        (Code::ImageFramesUnseen, Inspection::of(&bmp(256, 256 * 20))),
    ] {
        assert_follows(Rule::Code(code), code, &inspection);
    }
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
