//! A verdict in flat fields: what the command prints, and what a ledger keeps.

use super::{
    Accepted, Code, CodeCounts, Decision, Findings, Rejected, Severity, Verdict, Violation,
};
use crate::{download::Download, format::Format, inspect::Inspection};

/// A verdict in flat fields. With the feature `serde` it serializes to the keys that the command
/// prints, in their order, and so does a [`Verdict`]. Unknown keys of a newer version are ignored,
/// and an unknown format is `None`.
///
/// ```
/// use greenlight::{Format, Inspection, Requirements};
///
/// let verdict = Requirements::ASYNC.judge(Inspection::of(b"GIF89a\x78\x00\x50\x00\x00\x00\x00;"));
/// let summary = verdict.summary();
/// assert_eq!(summary.format, Some(Format::Gif));
/// assert_eq!((summary.width, summary.height), (Some(120), Some(80)));
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Summary {
    /// The decision on the image.
    pub decision: Decision,
    /// The format, once known.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "known_format"))]
    pub format: Option<Format>,
    /// Pixels in a row.
    pub width: Option<u32>,
    /// Rows.
    pub height: Option<u32>,
    /// The image's size in bytes: counted, or else as declared.
    pub bytes: Option<u64>,
    /// Whole frames, once their number is final.
    pub frames: Option<u32>,
    /// The violations, including warnings.
    pub violations: Vec<Violation>,
    /// The facts of the download, if there was one.
    pub download: Option<DownloadSummary>,
}

/// A download in flat fields.
///
/// ```
/// use greenlight::DownloadSummary;
///
/// // A part of the JSON that `greenlight check` prints.
/// let json = r#"{"status": 200, "hops": 2, "elapsed_ms": 310, "bytes": 48213}"#;
/// let download: DownloadSummary = serde_json::from_str(json)?;
/// assert_eq!(download.hops, 2); // one redirect, then the image
/// # Ok::<(), serde_json::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DownloadSummary {
    /// The last answer's status.
    pub status: Option<u16>,
    /// The number of responses, including redirects.
    pub hops: usize,
    /// The total time, in milliseconds.
    pub elapsed_ms: u64,
    /// The number of bytes received of the body.
    pub bytes: u64,
}

impl<S> Verdict<S> {
    /// The verdict in flat fields.
    pub fn summary(&self) -> Summary {
        self.findings.summary()
    }
}

impl<S> Accepted<S> {
    /// The verdict in flat fields.
    pub fn summary(&self) -> Summary {
        self.findings.summary()
    }
}

impl Rejected {
    /// The verdict in flat fields.
    pub fn summary(&self) -> Summary {
        self.findings.summary()
    }
}

impl Findings {
    fn summary(&self) -> Summary {
        let inspection = self.inspection.as_ref();
        let dimensions = inspection.and_then(Inspection::dimensions);
        let download = self.download.as_deref();
        Summary {
            decision: self.decision(),
            format: inspection.and_then(Inspection::format),
            width: dimensions.map(|dimensions| dimensions.width),
            height: dimensions.map(|dimensions| dimensions.height),
            bytes: inspection
                .and_then(Inspection::len)
                .or_else(|| download.and_then(Download::content_length)),
            frames: inspection.and_then(Inspection::frames),
            violations: self.violations.clone(),
            download: download.map(DownloadSummary::of),
        }
    }
}

impl Summary {
    /// The codes of the violations of this severity, each once; a code that rejects is not among
    /// the warnings.
    pub fn codes(&self, severity: Severity) -> impl Iterator<Item = Code> {
        let violations = self.violations.iter().map(Violation::code_and_severity);
        let codes = CodeCounts::worst(violations).into_iter();
        codes.filter_map(move |(code, worst)| (worst == severity).then_some(code))
    }

    /// The summary of an image that could not be read.
    pub const fn unseen() -> Self {
        Self {
            decision: Decision::Inconclusive,
            format: None,
            width: None,
            height: None,
            bytes: None,
            frames: None,
            violations: Vec::new(),
            download: None,
        }
    }
}

impl DownloadSummary {
    fn of(download: &Download) -> Self {
        Self {
            status: download.status(),
            hops: download.hops().len(),
            elapsed_ms: u64::try_from(download.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes: download.bytes(),
        }
    }
}

#[cfg(feature = "serde")]
fn known_format<'de, D>(deserializer: D) -> Result<Option<Format>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    use serde::Deserialize as _;
    let name = Option::<String>::deserialize(deserializer)?;
    Ok(name.and_then(|name| name.parse().ok()))
}

#[cfg(feature = "serde")]
impl<S> serde::Serialize for Verdict<S> {
    fn serialize<T: serde::Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        self.summary().serialize(serializer)
    }
}
