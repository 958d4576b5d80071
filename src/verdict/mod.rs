//! Facts joined with requirements: accepted, rejected or inconclusive, and why.

mod counts;
mod listed;
mod missing;
mod summary;
mod violation;

use std::fmt;

use crate::{download::Download, image_url::ImageUrl, inspect::Inspection};

pub(crate) use crate::code::Code;
pub use counts::CodeCounts;
#[cfg(feature = "pipeline")]
pub(crate) use counts::CodeSet;
pub(crate) use listed::listed;
pub use missing::Missing;
pub use summary::{DownloadSummary, Summary};
pub use violation::{Enforcement, Measure, Severity, Violation};

/// The decision about an image.
///
/// ```
/// use greenlight::{Decision, Depth, Inspector, Requirements};
///
/// let file = std::fs::read("fixtures/images/png/rgb.png")?;
/// let mut inspector = Inspector::new(Depth::Header);
/// inspector.push(&file[..20]); // the connection was lost after 20 bytes
/// let verdict = Requirements::ASYNC.judge(inspector.inspection().clone());
/// assert_eq!(verdict.decision(), Decision::Inconclusive); // may be accepted if it is sent again
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Decision {
    /// Every requirement is met.
    Accept,
    /// A requirement is not met.
    Reject,
    /// A fact is missing that a requirement needs. Never submitted.
    Inconclusive,
}

impl Decision {
    /// `accept`, `reject`, `inconclusive`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The verdict on one image. `S` is what was evaluated: bytes alone (`()`), or an [`ImageUrl`].
///
/// ```
/// use greenlight::{Decision, Inspection, Requirements};
///
/// let verdict = Requirements::ASYNC.judge(Inspection::of(b"no image"));
/// assert_eq!(verdict.decision(), Decision::Reject);
/// let rejected = verdict.into_result().unwrap_err();
/// assert_eq!(rejected.violations()[0].code().name(), "image/not-an-image");
/// ```
#[derive(Clone, Debug)]
pub struct Verdict<S = ()> {
    subject: S,
    findings: Findings,
}

/// The findings of a verdict, independent of its subject.
#[derive(Clone, Debug, Default)]
struct Findings {
    violations: Vec<Violation>,
    missing: Vec<Missing>,
    inspection: Option<Inspection>,
    download: Option<Box<Download>>,
}

impl Findings {
    fn decision(&self) -> Decision {
        // A rejection is final, so it precedes the missing facts.
        if self
            .violations
            .iter()
            .any(|violation| violation.severity() == Severity::Reject)
        {
            Decision::Reject
        } else if self.missing.is_empty() {
            Decision::Accept
        } else {
            Decision::Inconclusive
        }
    }
}

impl<S> Verdict<S> {
    pub(crate) fn new(
        subject: S,
        violations: Vec<Violation>,
        missing: Vec<Missing>,
        inspection: Option<Inspection>,
        download: Option<Download>,
    ) -> Self {
        let download = download.map(Box::new);
        Self {
            subject,
            findings: Findings {
                violations,
                missing,
                inspection,
                download,
            },
        }
    }

    /// The same verdict, about the bytes alone.
    #[cfg(feature = "pipeline")]
    pub(crate) fn without_subject(self) -> Verdict {
        Verdict {
            subject: (),
            findings: self.findings,
        }
    }

    /// The evaluated subject: a URL, or nothing for bytes.
    pub const fn subject(&self) -> &S {
        &self.subject
    }

    /// The decision: rejected if any violation rejects, else inconclusive if a fact is missing.
    pub fn decision(&self) -> Decision {
        self.findings.decision()
    }

    /// Whether every requirement is met.
    pub fn is_accepted(&self) -> bool {
        self.decision() == Decision::Accept
    }

    /// What is wrong with the image, warnings too.
    pub fn violations(&self) -> &[Violation] {
        &self.findings.violations
    }

    /// The facts that are missing for a decision.
    pub fn missing(&self) -> &[Missing] {
        &self.findings.missing
    }

    /// What the bytes say, if any were seen.
    pub const fn inspection(&self) -> Option<&Inspection> {
        self.findings.inspection.as_ref()
    }

    /// What the download was, if there was one.
    pub fn download(&self) -> Option<&Download> {
        self.findings.download.as_deref()
    }

    /// The receipt that lets the image through.
    ///
    /// # Errors
    ///
    /// Returns [`Rejected`] for any other decision than [`Decision::Accept`].
    pub fn into_result(self) -> Result<Accepted<S>, Rejected> {
        match self.decision() {
            Decision::Accept => Ok(Accepted {
                subject: self.subject,
                findings: self.findings,
            }),
            Decision::Reject | Decision::Inconclusive => Err(Rejected {
                findings: Box::new(self.findings),
            }),
        }
    }
}

/// The receipt of an accepting verdict, the only way to get one.
///
/// ```
/// use greenlight::{Accepted, Inspection, Requirements};
///
/// let bytes = std::fs::read("fixtures/images/png/rgb.png")?;
/// let verdict = Requirements::ASYNC.judge(Inspection::of(&bytes));
/// let accepted: Accepted = verdict.into_result()?;
/// assert!(accepted.inspection().is_some_and(Inspection::is_complete));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Accepted<S = ()> {
    subject: S,
    findings: Findings,
}

impl<S> Accepted<S> {
    /// The accepted subject.
    pub const fn subject(&self) -> &S {
        &self.subject
    }

    /// The accepted subject, without the receipt.
    pub fn into_subject(self) -> S {
        self.subject
    }

    /// The facts of the bytes.
    pub const fn inspection(&self) -> Option<&Inspection> {
        self.findings.inspection.as_ref()
    }

    /// What the download was, if there was one.
    pub fn download(&self) -> Option<&Download> {
        self.findings.download.as_deref()
    }

    /// Warnings, which do not stop the image.
    pub fn warnings(&self) -> &[Violation] {
        &self.findings.violations
    }

    /// Restores the receipt of an image whose acceptance a ledger has recorded. The findings are
    /// not kept. Only the pipeline calls it, with an image that it claimed to submit.
    #[cfg(feature = "pipeline")]
    pub(crate) fn restored(subject: S) -> Self {
        Self {
            subject,
            findings: Findings::default(),
        }
    }

    /// The same receipt for the same bytes under a URL.
    #[cfg_attr(
        not(feature = "client"),
        expect(dead_code, reason = "only an upload moves bytes to a URL")
    )]
    pub(crate) fn moved_to(self, url: ImageUrl) -> Accepted<ImageUrl> {
        Accepted {
            subject: url,
            findings: self.findings,
        }
    }
}

/// An image that was rejected, or whose verdict is inconclusive. As an error it names the first
/// reason.
///
/// ```
/// use greenlight::{Decision, Inspection, Requirements};
///
/// let verdict = Requirements::ASYNC.judge(Inspection::of(b"no image"));
/// let rejected = verdict.into_result().unwrap_err();
/// assert_eq!(rejected.decision(), Decision::Reject);
/// assert!(rejected.to_string().starts_with("image rejected: image/not-an-image: "));
/// ```
#[derive(Clone, Debug)]
pub struct Rejected {
    // Boxed, because it is the error of many small results.
    findings: Box<Findings>,
}

impl Rejected {
    /// [`Decision::Reject`] or [`Decision::Inconclusive`].
    pub fn decision(&self) -> Decision {
        self.findings.decision()
    }

    /// What is wrong with the image, warnings too.
    pub fn violations(&self) -> &[Violation] {
        &self.findings.violations
    }

    /// The facts that are missing for a decision.
    pub fn missing(&self) -> &[Missing] {
        &self.findings.missing
    }

    /// What the bytes say, if any were seen.
    pub const fn inspection(&self) -> Option<&Inspection> {
        self.findings.inspection.as_ref()
    }

    /// What the download was, if there was one.
    pub fn download(&self) -> Option<&Download> {
        self.findings.download.as_deref()
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self
            .violations()
            .iter()
            .find(|violation| violation.severity() == Severity::Reject)
        {
            Some(violation) => write!(f, "image rejected: {}: {violation}", violation.code()),
            None => write!(
                f,
                "image not decidable: unknown: {}",
                Missing::in_words(self.missing())
            ),
        }
    }
}

impl std::error::Error for Rejected {}
