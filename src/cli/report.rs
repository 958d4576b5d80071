//! What is said of one source, in the shape that is printed.

use serde::Serialize;

use super::{args::Kind, exit::Exit, list::CHECK_COLUMNS};
use crate::image_url::masked;
use greenlight::{Code, Decision, Missing, Provenance, Severity, Summary, Verdict};

/// One source's line. The order of the fields is the order of the keys.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) source: String,
    /// The bytes of a file's name that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_base64: Option<String>,
    /// The list that names the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) list: Option<String>,
    /// The line or row of the list, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
    #[serde(flatten)]
    pub(crate) summary: Summary,
    pub(crate) error: Option<String>,
    /// When and how the image was checked; absent in a ledger until it is.
    #[serde(flatten)]
    pub(crate) provenance: Option<Provenance>,
}

impl Report {
    pub(crate) fn of<S>(source: &str, verdict: &Verdict<S>) -> Self {
        let summary = verdict.summary();
        let error = (summary.decision == Decision::Inconclusive).then(|| {
            format!(
                "not decidable, unknown: {}",
                Missing::in_words(verdict.missing())
            )
        });
        Self {
            source: masked(source).into_owned(),
            source_base64: None,
            list: None,
            line: None,
            summary,
            error,
            provenance: None,
        }
    }

    /// The names of [`values`](Self::values).
    pub(crate) const COLUMNS: [&'static str; 18] = {
        let [
            decision,
            format,
            width,
            height,
            bytes,
            frames,
            version,
            requirements,
            checked_at,
        ] = CHECK_COLUMNS;
        [
            "source",
            "line",
            decision,
            format,
            width,
            height,
            bytes,
            frames,
            "rejecting",
            "warnings",
            "status",
            "hops",
            "elapsed_ms",
            "download_bytes",
            "error",
            version,
            requirements,
            checked_at,
        ]
    };

    /// The same as the line's keys, flat: an absent value is empty, violations are the codes that
    /// reject and those that warn.
    pub(crate) fn values(&self) -> [String; 18] {
        let summary = &self.summary;
        let codes = |severity| {
            let codes: Vec<_> = summary.codes(severity).map(Code::name).collect();
            codes.join(" ")
        };
        let download = summary.download;
        let provenance = self.provenance.as_ref();
        [
            self.source.clone(),
            text(self.line),
            summary.decision.to_string(),
            text(summary.format),
            text(summary.width),
            text(summary.height),
            text(summary.bytes),
            text(summary.frames),
            codes(Severity::Reject),
            codes(Severity::Warn),
            text(download.and_then(|download| download.status)),
            text(download.map(|download| download.hops)),
            text(download.map(|download| download.elapsed_ms)),
            text(download.map(|download| download.bytes)),
            text(self.error.as_ref()),
            text(provenance.map(|provenance| &provenance.version)),
            text(provenance.map(|provenance| &provenance.requirements)),
            text(provenance.map(|provenance| provenance.checked_at)),
        ]
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self.summary.decision {
            Decision::Accept => Kind::Accepted,
            Decision::Reject => Kind::Rejected,
            Decision::Inconclusive => Kind::Inconclusive,
        }
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self.summary.decision {
            Decision::Accept => Exit::Success,
            Decision::Reject => Exit::Rejected,
            Decision::Inconclusive => Exit::Failed,
        }
    }

    /// A source that could not be looked at.
    pub(crate) fn failed(source: &str, error: String) -> Self {
        Self {
            source: masked(source).into_owned(),
            source_base64: None,
            list: None,
            line: None,
            summary: Summary::unseen(),
            error: Some(error),
            provenance: None,
        }
    }
}

/// A value's text; nothing for none.
pub(crate) fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
