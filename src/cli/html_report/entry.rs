//! One line of a run's results, as far as the report reads it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    cli::outcome::{NO_RESULT_YET, ScanOutcome, ScanReport, SceneReport},
    image_url::masked,
    probe::classify,
};
use greenlight::{CodeCounts, Provenance, Severity, Violation};

/// The decision on images that were not checked yet.
pub(super) const NOT_CHECKED: &str = "not checked yet";

/// The fields of a line of `check` or `scan --format jsonl` that the report shows. Unknown fields
/// are ignored and all but the first two may be absent, so that lines of older and newer versions
/// are read, and objects that are not results are not.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReportEntry {
    pub(super) source: String,
    pub(super) decision: String,
    pub(super) format: Option<String>,
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    pub(super) bytes: Option<u64>,
    #[serde(default)]
    pub(super) violations: Vec<Finding>,
    pub(super) download: Option<Fetched>,
    pub(super) error: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) results: Option<Vec<SceneResult>>,
    pub(super) list: Option<String>,
    #[serde(flatten)]
    pub(super) provenance: Option<Provenance>,
}

/// A violation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Finding {
    pub(super) code: String,
    pub(super) severity: String,
    pub(super) message: String,
}

impl Finding {
    fn severity(&self) -> Severity {
        match self.severity.as_str() {
            "warn" => Severity::Warn,
            // An unknown word, of a newer version perhaps, counts as the heavier one.
            _ => Severity::Reject,
        }
    }
}

/// A download.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fetched {
    pub(super) elapsed_ms: Option<u64>,
}

/// The service's result for one scene.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SceneResult {
    pub(super) scene: String,
    pub(super) label: String,
    pub(super) suggestion: String,
}

impl From<&ScanReport> for ReportEntry {
    fn from(report: &ScanReport) -> Self {
        let check = &report.check;
        let summary = &check.summary;
        Self {
            source: check.source.clone(),
            decision: summary.decision.name().to_owned(),
            format: summary.format.map(|format| format.name().to_owned()),
            width: summary.width,
            height: summary.height,
            bytes: summary.bytes,
            violations: summary.violations.iter().map(Finding::from).collect(),
            download: summary.download.map(|download| Fetched {
                elapsed_ms: Some(download.elapsed_ms),
            }),
            error: check.error.clone(),
            outcome: Some(report.outcome.name().to_owned()),
            results: Some(report.results.iter().map(SceneResult::from).collect()),
            list: check.list.clone(),
            provenance: check.provenance.clone(),
        }
    }
}

impl From<&Violation> for Finding {
    fn from(violation: &Violation) -> Self {
        Self {
            code: violation.code().name().to_owned(),
            severity: violation.severity().name().to_owned(),
            message: violation.message().to_owned(),
        }
    }
}

impl From<&SceneReport> for SceneResult {
    fn from(result: &SceneReport) -> Self {
        Self {
            scene: result.scene.clone(),
            label: result.label.clone(),
            suggestion: result.suggestion.clone(),
        }
    }
}

/// A row of the table of images, each field cut to a bounded length.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) has_thumbnail: bool,
    source: String,
    decision: String,
    outcome: String,
    format: String,
    width: Option<u32>,
    height: Option<u32>,
    bytes: Option<u64>,
    reasons: Vec<Why>,
}

/// A reason: its code if it has one, whether it rejects, and its message.
type Why = (String, bool, String);

/// Reasons of a row that are shown.
const MAX_REASONS: usize = 20;

impl Listed {
    pub(super) fn of(entry: &ReportEntry) -> Self {
        Self {
            has_thumbnail: false,
            // The lines may be from elsewhere, so a password in a URL need not be masked yet.
            source: cut(&masked(&entry.source), 2_048),
            decision: cut(&entry.decision, 60),
            outcome: cut(entry.outcome.as_deref().unwrap_or_default(), 60),
            format: cut(entry.format.as_deref().unwrap_or_default(), 60),
            width: entry.width,
            height: entry.height,
            bytes: entry.bytes,
            reasons: entry.reasons().take(MAX_REASONS).collect(),
        }
    }

    /// Returns the fields as a JSON array, which the page's script reads by position.
    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&(
            self.has_thumbnail,
            &self.source,
            &self.decision,
            &self.outcome,
            &self.format,
            self.width,
            self.height,
            self.bytes,
            &self.reasons,
        ))
    }

    /// Returns the URL of an image that may be shown: one that was checked and not rejected, on a
    /// public host.
    /// A reader's browser must not send requests into its own network because a list names it.
    pub(super) fn thumbnail(&self) -> Option<url::Url> {
        let has_password = |url: &url::Url| !url.username().is_empty() || url.password().is_some();
        let was_checked = matches!(&*self.decision, "accept" | "inconclusive");
        web_url(&self.source).filter(|url| was_checked && is_public(url) && !has_password(url))
    }
}

/// The text, or as many of its characters as are shown.
pub(super) fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn web_url(source: &str) -> Option<url::Url> {
    url::Url::parse(source)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// Whether a host can be public: a public address, or a name outside the top-level domains that
/// only local networks resolve (RFC 6761, 6762, 8375, 9476; the rest by custom).
fn is_public(url: &url::Url) -> bool {
    const LOCAL: [&str; 13] = [
        "alt",
        "arpa",
        "corp",
        "home",
        "internal",
        "intranet",
        "invalid",
        "lan",
        "local",
        "localdomain",
        "localhost",
        "private",
        "test",
    ];
    match url.host() {
        Some(url::Host::Ipv4(address)) => classify(address.into()).is_none(),
        Some(url::Host::Ipv6(address)) => classify(address.into()).is_none(),
        Some(url::Host::Domain(name)) => {
            // A host may hold `;` and `,`, which would end a directive of the page's policy.
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            let labels = name.trim_end_matches('.').rsplit_once('.');
            name.bytes().all(is_plain) && labels.is_some_and(|(_, last)| !LOCAL.contains(&last))
        }
        None => false,
    }
}

impl ReportEntry {
    /// Returns whether the image was checked: a source that could not be read has an error instead of a
    /// verdict.
    pub(super) fn was_checked(&self) -> bool {
        let is_unread = self.error.is_some() && self.decision == "inconclusive";
        self.decision != NOT_CHECKED && !is_unread
    }

    /// Whether it was submitted and its result is waited for: `export` prints such lines while a scan
    /// runs.
    pub(super) fn is_waiting(&self) -> bool {
        self.outcome.as_deref() == Some(ScanOutcome::Undecided.name())
            && self.error.as_deref() == Some(NO_RESULT_YET)
    }

    /// Whether it was accepted, and passed if it was submitted.
    pub(super) fn is_fine(&self) -> bool {
        self.decision == "accept" && matches!(self.outcome.as_deref(), None | Some("pass"))
    }

    /// The host, for a source that is a URL.
    pub(super) fn host(&self) -> Option<String> {
        web_url(&self.source).and_then(|url| url.host_str().map(|host| cut(host, 255)))
    }

    /// Why it is not fine: its error, its violations, and the scenes that did not pass.
    fn reasons(&self) -> impl Iterator<Item = Why> {
        let error = self.error.iter();
        let error = error.map(|error| (String::new(), true, cut(error, 1_000)));
        let violations = self.violations.iter().map(|finding| {
            let rejects = finding.severity() == Severity::Reject;
            let message = cut(&finding.message, 1_000);
            (cut(&finding.code, 60), rejects, message)
        });
        let results = self.results.iter().flatten();
        let found = results.filter(|result| result.suggestion != "pass");
        let found = found.map(|result| {
            let text = format!("{}: {}, {}", result.scene, result.label, result.suggestion);
            (String::new(), true, cut(&text, 200))
        });
        error.chain(violations).chain(found)
    }

    /// The codes of its violations, each once.
    pub(super) fn codes(&self) -> BTreeMap<&str, Severity> {
        CodeCounts::worst(
            self.violations
                .iter()
                .map(|finding| (finding.code.as_str(), finding.severity())),
        )
    }
}
