//! Evaluates requirements: pure, from facts to a verdict.

mod download;
#[cfg(feature = "files")]
mod file;
mod image;

use super::Requirements;
#[cfg(feature = "pipeline")]
use crate::inspect::Claim;
use crate::{
    download::Download,
    format::Format,
    image_url::{ImageUrl, UrlError},
    inspect::Inspection,
    verdict::{
        Accepted, Code, Enforcement, Measure, Missing, Severity, Verdict, Violation, listed,
    },
};

impl Requirements {
    /// Evaluates an inspection. Facts that are not known yet (a stream that has not ended) make the
    /// verdict inconclusive, not rejected; a rejection is final.
    pub fn judge(&self, inspection: Inspection) -> Verdict {
        let mut findings = Findings::new(self);
        findings.image(&inspection);
        findings.into_verdict((), Some(inspection), None)
    }

    /// Evaluates a URL by its text alone. The facts of a download are missing, so the verdict never
    /// accepts.
    pub fn judge_url(&self, url: ImageUrl) -> Verdict<ImageUrl> {
        let mut findings = Findings::new(self);
        findings.url(&url);
        findings.missing.push(Missing::Download);
        findings.into_verdict(url, None, None)
    }

    /// Evaluates a download: the URL's text, how the download ended, and the image's bytes.
    pub fn judge_download(&self, download: Download) -> Verdict<ImageUrl> {
        let mut findings = Findings::new(self);
        findings.url(download.url());
        findings.download(&download);
        findings.image(download.inspection());
        if findings.is_rejected() {
            // A rejection is final, so facts that a longer download could add do not matter.
            findings.missing.clear();
        }
        let inspection = download.inspection().clone();
        findings.into_verdict(download.url().clone(), Some(inspection), Some(download))
    }

    /// Evaluates the URL under which an accepted upload was stored: its text, and again the facts
    /// of the upload's bytes. The caller guarantees that the URL serves these bytes: nothing is
    /// downloaded.
    pub fn judge_stored(&self, accepted: &Accepted, url: ImageUrl) -> Verdict<ImageUrl> {
        let mut findings = Findings::new(self);
        findings.url(&url);
        match accepted.inspection() {
            Some(inspection) => findings.image(inspection),
            None => findings.missing.push(Missing::Image),
        }
        findings.into_verdict(url, accepted.inspection().cloned(), None)
    }

    /// Evaluates a claim about content of a format, `None` if it is not an image.
    #[cfg(feature = "pipeline")]
    pub(crate) fn judge_claim(&self, claim: Claim, actual: Option<Format>) -> Option<Violation> {
        let mut findings = Findings::new(self);
        findings.claim(claim, actual);
        findings.violations.pop()
    }

    /// Returns whether the facts so far are enough to reject, without creating a verdict.
    pub(crate) fn rejects(&self, inspection: &Inspection) -> bool {
        let mut findings = Findings::new(self);
        findings.image(inspection);
        findings.is_rejected()
    }
}

impl Verdict<String> {
    /// Returns the verdict of text that cannot be parsed as a URL.
    pub fn of_text(text: String, error: &UrlError) -> Self {
        let (code, measured, limit) = match error {
            UrlError::Malformed { reason } => {
                (Code::UrlMalformed, Measure::from(reason.as_str()), None)
            }
            UrlError::Scheme { scheme } => (
                Code::UrlScheme,
                Measure::from(scheme.as_str()),
                Some(Measure::from("http, https")),
            ),
        };
        let violation = Violation::new(
            code,
            Severity::Reject,
            error.to_string(),
            Some(measured),
            limit,
        );
        Self::new(text, vec![violation], Vec::new(), None, None)
    }
}

/// A value of a violation, or none.
struct Shown(Option<Measure>);

const NOTHING: Shown = Shown(None);

impl<T: Into<Measure>> From<T> for Shown {
    fn from(value: T) -> Self {
        Self(Some(value.into()))
    }
}

/// The violations and missing facts of a verdict.
struct Findings<'a> {
    asked: &'a Requirements,
    violations: Vec<Violation>,
    missing: Vec<Missing>,
}

impl<'a> Findings<'a> {
    const fn new(asked: &'a Requirements) -> Self {
        Self {
            asked,
            violations: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn into_verdict<S>(
        self,
        subject: S,
        inspection: Option<Inspection>,
        download: Option<Download>,
    ) -> Verdict<S> {
        Verdict::new(subject, self.violations, self.missing, inspection, download)
    }

    fn is_rejected(&self) -> bool {
        self.violations
            .iter()
            .any(|violation| violation.severity() == Severity::Reject)
    }

    fn rejects(&self, code: Code) -> bool {
        self.asked.rules[code.index()] == Enforcement::Reject
    }

    /// Records a violation, unless its rule is switched off.
    fn broken(
        &mut self,
        code: Code,
        measured: impl Into<Shown>,
        limit: impl Into<Shown>,
        message: String,
    ) {
        let enforcement = self.asked.rules[code.index()];
        self.broken_as(code, enforcement, measured.into(), limit.into(), message);
    }

    fn broken_as(
        &mut self,
        code: Code,
        enforcement: Enforcement,
        measured: Shown,
        limit: Shown,
        message: String,
    ) {
        if let Some(severity) = enforcement.severity() {
            self.violations
                .push(Violation::new(code, severity, message, measured.0, limit.0));
        }
    }

    fn url(&mut self, url: &ImageUrl) {
        let (chars, limit) = (url.char_count(), self.asked.max_url_chars);
        if chars > limit {
            let message =
                format!("URL has {chars} characters, at most {limit} are taken: shorten it");
            self.broken(Code::UrlTooLong, number(chars), number(limit), message);
        }
        if url.has_credentials() {
            let message =
                "URL carries a user name or password: remove it, the service would store it"
                    .to_owned();
            // No measured value: verdicts are stored and printed, and it would be the password.
            self.broken(Code::UrlCredentials, NOTHING, NOTHING, message);
        }
    }

    /// The formats that are scanned.
    fn formats(&self) -> Shown {
        listed(&self.format_titles(), ", ").into()
    }

    /// The formats to convert an image to.
    fn format_choice(&self) -> String {
        listed(&self.format_titles(), " or ")
    }

    fn format_titles(&self) -> Vec<&'static str> {
        self.asked.formats().map(Format::title).collect()
    }
}

fn number(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
