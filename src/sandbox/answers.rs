//! The result of an image, determined by its name.

use std::borrow::Cow;

use serde_json::{Value, json};

/// The scenes of the image operations with the labels of a finding, in addition to `normal` (image
/// moderation page, 2026-03).
const SCENES: [(&str, &[&str]); 10] = [
    ("porn", &["porn", "sexy"]),
    (
        "terrorism",
        &[
            "bloody",
            "explosion",
            "outfit",
            "logo",
            "weapon",
            "politics",
            "violence",
            "crowd",
            "parade",
            "carcrash",
            "flag",
            "location",
            "drug",
            "gamble",
            "others",
        ],
    ),
    (
        "ad",
        &[
            "ad",
            "politics",
            "porn",
            "abuse",
            "terrorism",
            "contraband",
            "spam",
            "npx",
            "qrcode",
            "programCode",
        ],
    ),
    ("qrcode", &["qrcode", "programCode"]),
    (
        "live",
        &[
            "meaningless",
            "PIP",
            "smoking",
            "drivelive",
            "drug",
            "gamble",
        ],
    ),
    ("logo", &["TV", "trademark"]),
    ("ocr", &["ocr"]),
    ("sface", &["sface"]),
    ("sface-1", &["sface"]),
    ("liveness", &["liveness"]),
];

pub(super) fn is_scene(name: &str) -> bool {
    SCENES.iter().any(|(scene, _)| *scene == name)
}

/// One result for each scene.
pub(super) fn results(url: &str, scenes: &[String]) -> Vec<Value> {
    let name = image_name(url);
    scenes
        .iter()
        .map(|scene| {
            let (label, suggestion, rate) = answer(scene, &name);
            json!({ "scene": scene, "label": label, "suggestion": suggestion, "rate": rate })
        })
        .collect()
}

fn answer(scene: &str, name: &str) -> (&'static str, &'static str, f64) {
    let labels = SCENES
        .iter()
        .find(|(held, _)| *held == scene)
        .map_or(&[][..], |(_, labels)| *labels);
    // Anywhere in the name, unlike other labels: `porn` is part of no other word, and `ad` of many.
    let found = if scene == "porn" {
        labels.iter().find(|label| name.contains(**label))
    } else {
        let mut words = name.split(|character: char| !character.is_alphanumeric());
        words.find_map(|word| labels.iter().find(|label| label.eq_ignore_ascii_case(word)))
    };
    match found {
        None => ("normal", "pass", 99.91),
        Some(&"sexy") => ("sexy", "review", 78.5),
        Some(label) => (label, "block", 98.63),
    }
}

/// The level and labels of an image in 2.0.
pub(super) fn risk(url: &str) -> Value {
    let name = image_name(url);
    let (level, label, confidence) = if name.contains("porn") {
        ("high", "pornographic_adultContent", Some(98.63))
    } else if name.contains("sexy") {
        ("medium", "sexual_cleavage", Some(78.5))
    } else {
        ("none", "nonLabel", None)
    };
    let mut result = json!({ "Label": label, "Description": label });
    if let Some(confidence) = confidence {
        result["Confidence"] = json!(confidence);
        result["RiskLevel"] = json!(level);
    }
    json!({ "RiskLevel": level, "Result": [result] })
}

/// The last part of a URL's path, decoded and in lower case.
fn image_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let decoded: Cow<'_, str> = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
    decoded.to_lowercase()
}
