//! One line of a run's results, as far as the report reads it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    cli::outcome::{ScanReport, SceneReport},
    image_url::masked,
    probe::classify,
    verdict::{Severity, Violation, worst_by_code},
};

/// The fields of a line of `check` or `scan --format jsonl` that the report shows. Unknown fields
/// are ignored and all but the first two may be absent, so that lines of older and newer versions
/// are read, and objects that are not results are not.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
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
}

/// A violation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Finding {
    pub(super) code: String,
    pub(super) severity: String,
    pub(super) message: String,
}

/// A download.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fetched {
    pub(super) elapsed_ms: Option<u64>,
}

/// What the service said of one scene.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SceneResult {
    pub(super) scene: String,
    pub(super) suggestion: String,
}

impl From<&ScanReport> for Entry {
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
            suggestion: result.suggestion.clone(),
        }
    }
}

/// A line that is shown, with no more of each field than a person reads.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) source: String,
    pub(super) decision: String,
    pub(super) outcome: String,
    pub(super) format: String,
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    pub(super) bytes: Option<u64>,
    pub(super) codes: String,
    pub(super) reason: String,
}

impl Listed {
    pub(super) fn of(entry: &Entry) -> Self {
        let codes = entry.codes().into_iter();
        let rejecting = codes.filter(|(_, severity)| *severity == Severity::Reject);
        let rejecting: Vec<_> = rejecting.map(|(code, _)| code).collect();
        Self {
            source: cut(&masked(&entry.source), 2_048),
            decision: cut(&entry.decision, 60),
            outcome: cut(entry.outcome.as_deref().unwrap_or_default(), 60),
            format: cut(entry.format.as_deref().unwrap_or_default(), 60),
            width: entry.width,
            height: entry.height,
            bytes: entry.bytes,
            codes: cut(&rejecting.join(" "), 300),
            reason: cut(&entry.reason(), 1_000),
        }
    }

    /// Returns the URL of an image that may be shown: one that was not rejected, on a public host.
    /// A reader's browser must not send requests into its own network because a list names it.
    pub(super) fn thumbnail(&self) -> Option<url::Url> {
        let has_password = |url: &url::Url| !url.username().is_empty() || url.password().is_some();
        web_url(&self.source)
            .filter(|url| self.decision != "reject" && is_public(url) && !has_password(url))
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
    const LOCAL: [&str; 12] = [
        "alt",
        "arpa",
        "corp",
        "home",
        "internal",
        "intranet",
        "invalid",
        "lan",
        "local",
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

impl Entry {
    /// Whether there is nothing to look at: accepted, and passed where it was submitted.
    pub(super) fn is_fine(&self) -> bool {
        self.decision == "accept" && matches!(self.outcome.as_deref(), None | Some("pass"))
    }

    /// The host, for a source that is a URL.
    pub(super) fn host(&self) -> Option<String> {
        web_url(&self.source).and_then(|url| url.host_str().map(|host| cut(host, 255)))
    }

    /// Why it is not fine, in one line.
    fn reason(&self) -> String {
        let mut reasons: Vec<&str> = self.error.as_deref().into_iter().collect();
        reasons.extend(
            self.violations
                .iter()
                .map(|finding| finding.message.as_str()),
        );
        reasons.join("; ")
    }

    /// The codes of its violations, each once.
    pub(super) fn codes(&self) -> BTreeMap<&str, Severity> {
        worst_by_code(self.violations.iter().map(|finding| {
            let severity = match finding.severity.as_str() {
                "warn" => Severity::Warn,
                _ => Severity::Reject,
            };
            (finding.code.as_str(), severity)
        }))
    }
}
