//! The findings of the service and their positions. Every part is optional: the service leaves out
//! what is empty, and returns some only to accounts that requested it.

use serde::{Deserialize, Serialize};

use super::object::Object;

/// Additional findings.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// A finer label, for accounts that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sublabel: Option<String>,
    /// The parts of a long image that were found to violate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<FramePart>,
    /// Words that were hit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hint_words: Vec<String>,
    /// The texts of QR codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub qrcodes: Vec<String>,
    /// The areas of QR codes; `name` holds the text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub qrcode_places: Vec<Area>,
    /// The areas of mini-program codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub program_codes: Vec<Area>,
    /// The areas of logos, with type and name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logos: Vec<Area>,
    /// The areas of faces of known persons, with the persons' names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faces: Vec<Face>,
    /// The text in the image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
}

/// A part of a long image.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FramePart {
    /// A URL of the part, which is valid for five minutes.
    pub url: String,
    /// How sure the service is, 0 to 100.
    pub rate: Option<f64>,
}

/// A rectangle in the image, in pixels, and what is there.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Area {
    /// Left side.
    pub x: f64,
    /// Upper side.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
    /// Its type, such as `TV`.
    pub kind: Option<String>,
    /// Its name, or the text it holds.
    pub name: Option<String>,
}

/// A face.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// Its area.
    pub place: Area,
    /// Whose it may be.
    pub persons: Vec<Person>,
}

/// A known person.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The service's id.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// How sure the service is, 0 to 100.
    pub rate: Option<f64>,
}

/// A library of the account's own that was hit.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryHit {
    /// The library's code.
    pub code: Option<String>,
    /// The library's name.
    pub name: Option<String>,
    /// The text that was hit.
    pub context: Option<String>,
}

fn text(object: &Object<'_>, name: &str) -> Option<String> {
    object.text(name).map(str::to_owned)
}

impl Details {
    pub(super) fn of(result: &Object<'_>) -> Self {
        let places = |name: &str| result.objects(name).iter().map(Area::of).collect();
        Self {
            sublabel: text(result, "sublabel"),
            frames: result
                .objects("frames")
                .iter()
                .map(|frame| FramePart {
                    url: text(frame, "url").unwrap_or_default(),
                    rate: frame.number("rate"),
                })
                .collect(),
            hint_words: result
                .objects("hintWordsInfo")
                .iter()
                .filter_map(|hint| text(hint, "context"))
                .collect(),
            qrcodes: result.texts("qrcodeData"),
            qrcode_places: places("qrcodeLocations"),
            program_codes: places("programCodeData"),
            logos: places("logoData"),
            faces: result.objects("sfaceData").iter().map(Face::of).collect(),
            texts: result.texts("ocrData"),
        }
    }
}

impl Area {
    fn of(object: &Object<'_>) -> Self {
        let side = |name| object.number(name).unwrap_or_default();
        Self {
            x: side("x"),
            y: side("y"),
            w: side("w"),
            h: side("h"),
            kind: text(object, "type"),
            name: text(object, "name").or_else(|| text(object, "qrcode")),
        }
    }
}

impl Face {
    fn of(object: &Object<'_>) -> Self {
        Self {
            place: Area::of(object),
            persons: object
                .objects("faces")
                .iter()
                .map(|face| Person {
                    id: face.word("id"),
                    name: text(face, "name"),
                    rate: face.number("rate"),
                })
                .collect(),
        }
    }
}

impl LibraryHit {
    /// The hits in `extras`, which one page shows as a list in an object and clients take flat.
    pub(super) fn all(extras: &Object<'_>) -> Vec<Self> {
        let mut hits = extras.objects("hitLibInfo");
        if hits.is_empty() && extras.word("libCode").is_some() {
            hits.push(extras.clone());
        }
        hits.iter()
            .map(|hit| Self {
                code: hit.word("libCode"),
                name: text(hit, "libName"),
                context: text(hit, "context"),
            })
            .collect()
    }
}
