//! The judgement: pure, from facts and requirements to a verdict.

mod download;
#[cfg(feature = "files")]
mod file;

use super::{Requirements, code_of};
use crate::{
    download::Download,
    format::{DefectClass, DefectKind, Dimensions, Format},
    frames::{FRAME_CAP, Frames},
    image_url::{ImageUrl, UrlError},
    inspect::{ClaimSource, Identity, Inspection},
    verdict::{Accepted, Code, Enforcement, Measure, Missing, Severity, Verdict, Violation},
};

impl Requirements {
    /// Evaluates an inspection. Facts that are not known yet (a stream that has not ended) make the
    /// verdict inconclusive, not rejected; a rejection is final.
    pub fn judge(&self, inspection: Inspection) -> Verdict {
        let mut findings = Findings::new(self);
        findings.image(&inspection);
        findings.into_verdict((), Some(inspection), None)
    }

    /// Judges a URL by its text alone. What only a download can tell is missing, so the verdict
    /// never accepts.
    pub fn judge_url(&self, url: ImageUrl) -> Verdict<ImageUrl> {
        let mut findings = Findings::new(self);
        findings.url(&url);
        findings.missing.push(Missing::Download);
        findings.into_verdict(url, None, None)
    }

    /// Judges a download: the URL's text, how the download went, and the image's bytes.
    pub fn judge_download(&self, download: Download) -> Verdict<ImageUrl> {
        let mut findings = Findings::new(self);
        findings.url(download.url());
        findings.download(&download);
        findings.image(download.inspection());
        if findings.is_rejected() {
            findings.missing.clear();
        }
        let inspection = download.inspection().clone();
        findings.into_verdict(download.url().clone(), Some(inspection), Some(download))
    }

    /// Judges the URL under which an accepted upload was stored: by its text, while its bytes are
    /// judged again by what is known of them. That the URL serves these bytes is the caller's word:
    /// nothing is downloaded.
    pub fn judge_stored(&self, accepted: &Accepted, url: ImageUrl) -> Verdict<ImageUrl> {
        let mut findings = Findings::new(self);
        findings.url(&url);
        match accepted.inspection() {
            Some(inspection) => findings.image(inspection),
            None => findings.missing.push(Missing::Image),
        }
        findings.into_verdict(url, accepted.inspection().cloned(), None)
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

/// A verdict in the making.
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

    /// States that a rule is broken, as heavily as it is enforced.
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
            self.broken(Code::UrlCredentials, NOTHING, NOTHING, message);
        }
    }

    fn image(&mut self, inspection: &Inspection) {
        self.size(inspection);
        match inspection.identity() {
            Identity::Undecided => {}
            Identity::NotAnImage => {
                let message = "not an image: the first bytes are of no known format".to_owned();
                self.broken(Code::ImageNotAnImage, NOTHING, self.formats(), message);
            }
            Identity::Format(format) => {
                if !self.asked.allows(format) {
                    self.unsupported(format);
                }
                // A format that is refused is converted first, and its other faults go with it.
                if self.asked.allows(format) || !self.rejects(Code::ImageFormatUnsupported) {
                    self.dimensions(format, inspection);
                    self.defects(inspection);
                    self.frames(inspection);
                }
            }
        }
        self.unknown(inspection);
        self.claims(inspection);
    }

    fn unsupported(&mut self, format: Format) {
        let message = match format {
            Format::Html => "a web page, not an image: its server may answer so to every \
                             download, check the URL in a browser"
                .to_owned(),
            Format::Zip => "a ZIP archive, not an image: take the images out of it".to_owned(),
            _ if format.is_video() => {
                format!(
                    "{} is a video, not an image: save a frame of it",
                    format.title()
                )
            }
            _ => format!(
                "{} is not scanned: convert it to {}",
                format.title(),
                self.format_names()
            ),
        };
        self.broken(
            Code::ImageFormatUnsupported,
            format.name(),
            self.formats(),
            message,
        );
    }

    /// What keeps an image from being accepted because it is not known. Whatever is softened or
    /// switched off, an image that was not measured is not accepted.
    fn unknown(&mut self, inspection: &Inspection) {
        let refused = match inspection.identity() {
            Identity::Undecided => false,
            Identity::NotAnImage => self.rejects(Code::ImageNotAnImage),
            Identity::Format(format) => {
                !self.asked.allows(format) && self.rejects(Code::ImageFormatUnsupported)
            }
        };
        // At the end nothing more is to come: what is not known then matters only if nothing
        // else has refused the image.
        if refused || (inspection.is_ended() && self.is_rejected()) {
            return;
        }
        if inspection.identity() == Identity::Undecided {
            self.missing.push(Missing::Format);
            return;
        }
        if inspection.dimensions().is_none() {
            self.missing.push(Missing::Dimensions);
        }
        if !inspection.is_complete() {
            self.missing.push(Missing::Rest);
        }
    }

    fn size(&mut self, inspection: &Inspection) {
        if inspection.is_empty() {
            self.broken(Code::ImageEmpty, 0, NOTHING, "the file is empty".to_owned());
            return;
        }
        let size = inspection
            .bytes_seen()
            .max(inspection.len().unwrap_or_default());
        let (max, warn) = (self.asked.max_bytes, self.asked.warn_bytes);
        if size > max {
            let message = format!("{size} bytes, at most {max}: compress or scale it down");
            self.broken(Code::ImageTooLarge, size, max, message);
        } else if size > warn {
            let message = format!(
                "{size} bytes is over {warn}: the service may count a megabyte as 10^6 bytes"
            );
            let enforcement = self.asked.rules[Code::ImageTooLarge.index()].min(Enforcement::Warn);
            self.broken_as(
                Code::ImageTooLarge,
                enforcement,
                size.into(),
                warn.into(),
                message,
            );
        }
        if inspection.len().is_none() {
            self.missing.push(Missing::Size);
        }
    }

    fn dimensions(&mut self, format: Format, inspection: &Inspection) {
        let Some(dimensions) = inspection.dimensions() else {
            return;
        };
        let Dimensions { width, height } = dimensions;
        let measured = dimensions.to_string();
        let smallest = Dimensions::new(self.asked.min_width, self.asked.min_height);
        if width < smallest.width || height < smallest.height {
            let message = format!("{measured} pixels, at least {smallest}: send a larger version");
            self.broken(
                Code::ImageTooSmall,
                measured.as_str(),
                smallest.to_string(),
                message,
            );
        }
        let side = self.asked.max_side;
        if width > side || height > side {
            let message = format!(
                "{measured} pixels, at most {side} in width or height: scale it down or cut it"
            );
            self.broken(
                Code::ImageSideTooLong,
                measured.as_str(),
                u64::from(side),
                message,
            );
        }
        let pixels = dimensions.pixels();
        let most = if format == Format::Gif {
            self.asked.max_gif_pixels
        } else {
            self.asked.max_pixels
        };
        if pixels > most {
            let message = format!(
                "{pixels} pixels, at most {most} in a {}: scale it down",
                format.title()
            );
            self.broken(Code::ImageTooManyPixels, pixels, most, message);
        }
    }

    fn defects(&mut self, inspection: &Inspection) {
        for (kind, offset) in inspection.defects().iter() {
            let code = code_of(kind.class());
            let enforcement = self.asked.defects[kind.index()];
            let place = offset
                .map(|offset| format!(" at byte {offset}"))
                .unwrap_or_default();
            let measured = match (kind, inspection.trailing_bytes()) {
                (DefectKind::TrailingBytes, Some(bytes)) => bytes.into(),
                _ => format!("{kind}{place}").into(),
            };
            let message = format!(
                "{}{place}: {}",
                kind.description(),
                advice(enforcement, kind)
            );
            self.broken_as(code, enforcement, measured, NOTHING, message);
        }
    }

    /// Compares the counted frames, or parts of a long image, with those that a task scans by default.
    fn frames(&mut self, inspection: &Inspection) {
        if inspection.dimensions().is_none() {
            return;
        }
        let frames = Frames::of(inspection);
        let (interval, max_frames) = frames.spread(FRAME_CAP).unzip();
        let Some(coverage) = frames.coverage(interval, max_frames) else {
            return;
        };
        if let (Some(total), false) = (coverage.total(), coverage.is_whole()) {
            let message = coverage.unseen_message();
            let (seen, total) = (u64::from(coverage.seen()), u64::from(total));
            self.broken(Code::ImageFramesUnseen, seen, total, message);
        }
    }

    fn claims(&mut self, inspection: &Inspection) {
        let actual = match inspection.identity() {
            Identity::Undecided => return,
            Identity::Format(format) => Some(format),
            Identity::NotAnImage => None,
        };
        for claim in inspection
            .claims()
            .filter(|claim| Some(claim.format) != actual)
        {
            let who = match claim.source {
                ClaimSource::Extension => "the name",
                ClaimSource::ContentType => "the Content-Type",
            };
            let is = actual.map_or("no image", Format::title);
            let message = format!(
                "{who} says {}, the content is {is}: the content decides",
                claim.format.title()
            );
            self.broken(
                Code::ImageTypeMismatch,
                actual.map_or("unknown", Format::name),
                claim.format.name(),
                message,
            );
        }
    }

    fn formats(&self) -> Shown {
        self.format_names().into()
    }

    /// The formats that are scanned, in words.
    fn format_names(&self) -> String {
        let names: Vec<_> = self.asked.formats().map(Format::title).collect();
        names.join(", ")
    }
}

fn number(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn advice(enforcement: Enforcement, kind: DefectKind) -> &'static str {
    match (enforcement, kind) {
        (Enforcement::Reject, _) if kind.class() == DefectClass::Truncated => "send the whole file",
        (Enforcement::Reject, _) if kind.class() == DefectClass::Unexamined => {
            "save the image in a common size and coding"
        }
        (Enforcement::Reject, _) => "save the image again",
        _ if kind.class() == DefectClass::Unexamined => "nothing wrong was found",
        _ => "decoders usually tolerate it",
    }
}
