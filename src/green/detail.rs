//! The findings of the service and their positions. Every part is optional: the service leaves out
//! what is empty, and returns some only to accounts that requested it.

use serde::{Deserialize, Serialize};

use super::object::Object;

/// Additional findings.
///
/// ```
/// use greenlight::green::callback;
///
/// let report = callback::parse(
///     br#"{"code": 200, "taskId": "t", "results": [{"scene": "ad", "suggestion": "block",
///         "hintWordsInfo": [{"context": "buy now"}], "ocrData": ["buy now, pay later"]}]}"#,
/// )?;
/// let outcome = report.outcome().expect("the task is done");
/// let details = outcome.results()[0].details();
/// assert_eq!(details.hint_words, ["buy now"]);
/// assert_eq!(details.texts, ["buy now, pay later"]);
/// # Ok::<(), greenlight::Error>(())
/// ```
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
///
/// ```
/// use greenlight::green::callback;
///
/// let report = callback::parse(
///     br#"{"code": 200, "taskId": "t", "results": [{"scene": "porn", "suggestion": "block",
///         "frames": [{"url": "http://oss.example/part-3.jpg", "rate": 89.9}]}]}"#,
/// )?;
/// let outcome = report.outcome().expect("the task is done");
/// let part = &outcome.results()[0].details().frames[0];
/// assert_eq!(part.url, "http://oss.example/part-3.jpg"); // download it within five minutes
/// # Ok::<(), greenlight::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FramePart {
    /// A URL of the part, which is valid for five minutes.
    pub url: String,
    /// How sure the service is, 0 to 100.
    pub rate: Option<f64>,
}

/// A rectangle in the image, in pixels, and what is there.
///
/// ```
/// use greenlight::green::callback;
///
/// let report = callback::parse(
///     br#"{"code": 200, "taskId": "t", "results": [{"scene": "logo", "suggestion": "review",
///         "logoData": [{"type": "TV", "name": "a channel", "x": 8, "y": 4, "w": 60, "h": 30}]}]}"#,
/// )?;
/// let outcome = report.outcome().expect("the task is done");
/// let logo = &outcome.results()[0].details().logos[0];
/// assert_eq!(logo.kind.as_deref(), Some("TV"));
/// assert_eq!((logo.x + logo.w, logo.y + logo.h), (68.0, 34.0)); // the lower right corner
/// # Ok::<(), greenlight::Error>(())
/// ```
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
///
/// ```
/// use greenlight::green::callback;
///
/// let report = callback::parse(
///     br#"{"code": 200, "taskId": "t", "results": [{"scene": "terrorism", "suggestion": "review",
///         "sfaceData": [{"x": 9, "y": 5, "w": 40, "h": 50,
///             "faces": [{"id": "p1", "name": "A", "rate": 91.5}, {"id": "p2", "rate": 40.0}]}]}]}"#,
/// )?;
/// let outcome = report.outcome().expect("the task is done");
/// let face = &outcome.results()[0].details().faces[0];
/// assert_eq!(face.place.w, 40.0);
/// assert_eq!(face.persons.len(), 2); // one face, two candidates
/// # Ok::<(), greenlight::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// Its area.
    pub place: Area,
    /// Whose it may be.
    pub persons: Vec<Person>,
}

/// A known person.
///
/// ```
/// use greenlight::green::{Face, callback};
///
/// /// Returns the names of the persons whom the service is at least 80 % sure of.
/// fn names(face: &Face) -> Vec<&str> {
///     let likely = face.persons.iter().filter(|person| person.rate.is_some_and(|rate| rate >= 80.0));
///     likely.filter_map(|person| person.name.as_deref()).collect()
/// }
///
/// # let report = callback::parse(
/// #     br#"{"code": 200, "taskId": "t", "results": [{"scene": "terrorism", "suggestion": "review",
/// #         "sfaceData": [{"x": 9, "y": 5, "w": 40, "h": 50, "faces":
/// #             [{"name": "A", "rate": 91.5}, {"rate": 85.0}, {"name": "B", "rate": 40.0}]}]}]}"#,
/// # )?;
/// # let outcome = report.outcome().expect("the task is done");
/// // A face with the candidates A at 91.5 %, an unnamed person at 85 %, and B at 40 %.
/// let face = &outcome.results()[0].details().faces[0];
/// assert_eq!(names(face), ["A"]);
/// # Ok::<(), greenlight::Error>(())
/// ```
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
///
/// ```
/// use greenlight::green::callback;
///
/// let report = callback::parse(
///     br#"{"code": 200, "taskId": "t", "results": [{"scene": "porn", "suggestion": "pass"}],
///         "extras": {"hitLibInfo": [{"libCode": "100", "libName": "own words", "context": "sale"}]}}"#,
/// )?;
/// let outcome = report.outcome().expect("the task is done");
/// assert_eq!(outcome.hit_libraries()[0].name.as_deref(), Some("own words"));
/// # Ok::<(), greenlight::Error>(())
/// ```
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
