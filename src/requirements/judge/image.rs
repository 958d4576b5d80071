//! Evaluates the facts of an image.

use super::{Findings, NOTHING};
use crate::{
    format::{DefectClass, DefectKind, Dimensions, Format},
    frames::Frames,
    inspect::{Claim, ClaimSource, Identity, Inspection},
    requirements::code_of,
    verdict::{Code, Enforcement, Missing},
};

impl Findings<'_> {
    pub(super) fn image(&mut self, inspection: &Inspection) {
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
                // A rejected format is converted first, which also removes its other defects.
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
            _ => {
                // What the service scans, these requirements may forbid.
                let what = if format.is_scanned() {
                    "allowed by the requirements"
                } else {
                    "scanned"
                };
                format!(
                    "{} is not {what}: convert it to {}",
                    format.title(),
                    self.format_choice()
                )
            }
        };
        self.broken(
            Code::ImageFormatUnsupported,
            format.name(),
            self.formats(),
            message,
        );
    }

    /// Records missing facts. An image that was not measured is never accepted, even if every rule
    /// is softened or switched off.
    fn unknown(&mut self, inspection: &Inspection) {
        let refused = match inspection.identity() {
            Identity::Undecided => false,
            Identity::NotAnImage => self.rejects(Code::ImageNotAnImage),
            Identity::Format(format) => {
                !self.asked.allows(format) && self.rejects(Code::ImageFormatUnsupported)
            }
        };
        // At the end of the file, missing facts matter only if no other rule rejects the image.
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
        // The larger of both: an announced length counts before the bytes arrive, and more may
        // arrive.
        let size = inspection
            .bytes_seen()
            .max(inspection.len().unwrap_or_default());
        let (max, warn) = (self.asked.max_bytes, self.asked.warn_bytes);
        if size > max {
            let message = format!("{size} bytes, at most {max}: compress or scale it down");
            self.broken(Code::ImageTooLarge, size, max, message);
        } else if size > warn {
            let reason = if is_of_megabytes(warn, max) {
                ": the service may count a megabyte as 10^6 bytes"
            } else {
                ", the largest size without a warning: compress or scale it down"
            };
            let message = format!("{size} bytes is over {warn}{reason}");
            // It never rejects: at most `max` does. A rule that is switched off stays off.
            let enforcement = self.asked.rules[Code::ImageTooLarge.index()].min(Enforcement::Warn);
            self.broken_as(
                Code::ImageTooLarge,
                enforcement,
                size.into(),
                warn.into(),
                message,
            );
        }
        // A stream may still exceed the limit, so it cannot be accepted yet.
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
        let side = match format {
            // A site may have set either limit lower.
            Format::Heic => self.asked.max_heic_side.min(self.asked.max_side),
            _ => self.asked.max_side,
        };
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

    /// Compares the counted frames, or parts of a long image, with those that a task scans by
    /// default.
    fn frames(&mut self, inspection: &Inspection) {
        // The number of parts of a long image depends on its sides.
        if inspection.dimensions().is_none() {
            return;
        }
        let frames = Frames::of(inspection);
        let (interval, max_frames) = frames.spread(self.asked.frame_cap).unzip();
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
        for claim in inspection.claims() {
            self.claim(claim, actual);
        }
    }

    /// Compares a claim with the format of the content, `None` if it is not an image.
    pub(super) fn claim(&mut self, claim: Claim, actual: Option<Format>) {
        if Some(claim.format) == actual {
            return;
        }
        let who = match claim.source {
            ClaimSource::Extension => "the name",
            ClaimSource::ContentType => "the Content-Type",
        };
        let is = actual.map_or("no image", Format::title);
        let remedy = match (self.rejects(Code::ImageTypeMismatch), claim.source) {
            (false, _) => "the content decides",
            (true, ClaimSource::Extension) => "rename it",
            (true, ClaimSource::ContentType) => "correct the header",
        };
        let claimed = claim.format;
        let message = format!(
            "{who} says {}, the content is {is}: {remedy}",
            claimed.title()
        );
        let measured = actual.map_or("unknown", Format::name);
        self.broken(Code::ImageTypeMismatch, measured, claimed.name(), message);
    }
}

/// Whether both limits are one number of megabytes, of 10^6 and of 2^20 bytes.
const fn is_of_megabytes(warn: u64, max: u64) -> bool {
    warn.is_multiple_of(1_000_000) && max.is_multiple_of(1 << 20) && warn / 1_000_000 == max >> 20
}

fn advice(enforcement: Enforcement, kind: DefectKind) -> &'static str {
    match (enforcement, kind) {
        (Enforcement::Reject, _) if kind.class() == DefectClass::Truncated => "send the whole file",
        (Enforcement::Reject, _) if kind.class() == DefectClass::Unexamined => {
            "save the image in a common size and coding"
        }
        (Enforcement::Reject, _) => "save the image again",
        _ if kind.class() == DefectClass::Unexamined => "nothing wrong was found",
        _ if kind.is_tolerated() && !kind.is_rare() => "decoders usually tolerate it",
        _ => "decoders often reject it",
    }
}
