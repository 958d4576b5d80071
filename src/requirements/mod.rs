//! The requirements of the moderation service on an image, and verdicts by them.
//!
//! Every rule can be set, made a warning or switched off; the presets never change silently (see
//! the changelog).

mod defaults;
#[cfg(feature = "serde")]
mod json;
mod judge;
mod preset;
#[cfg(feature = "serde")]
mod provenance;
mod rule;
mod size;
mod validate;

use std::time::Duration;

use crate::{
    format::{DefectClass, DefectKind, Format},
    verdict::{Code, Enforcement},
};

pub use preset::Preset;
#[cfg(feature = "serde")]
pub use provenance::Provenance;
pub use rule::Rule;
pub use size::{ByteSize, SizeError};

/// The largest side of a HEIC: "less than 8192" (pages of 2.0, international and mainland). AVIF is
/// named beside HEIF there, without the limit.
const MAX_HEIC_SIDE: u32 = 8_191;

/// The requirements on an image: limits, and what is done when a rule is broken.
///
/// The presets are what the service documents for `/green/image/asyncscan` and `/green/image/scan`
/// (version 2018-05-09), each with the stricter of its readings:
///
/// | rule | [`ASYNC`](Self::ASYNC) | [`SYNC`](Self::SYNC) | source |
/// |---|---|---|---|
/// | scheme | http, https | same | image moderation page, Python SDK (2019-06) |
/// | format | PNG, JPEG, BMP, GIF | same | same; WebP is named since 2026-03 and can be allowed |
/// | size | 20 MB | 5 MB | same; more than the decimal megabytes is a warning, because the base is not documented |
/// | width and height | at least 256 | same | same, as advice |
/// | width or height | at most 30 000 | same | synchronous moderation page (2026-03) |
/// | pixels | at most 250 000 000; GIF 4 194 304 | same | same; code 480 `GIF_TOO_MUCH_PIXELS` |
/// | URL | at most 2 048 characters | same | Python SDK page (2026-03) |
/// | download | within 3 seconds | same | returned-results page, code 592 |
///
/// For Image Moderation 2.0 (version 2022-03-02) the documents differ by site:
///
/// | rule | [`V2`](Self::V2) | [`V2_MAINLAND`](Self::V2_MAINLAND) | source |
/// |---|---|---|---|
/// | format | PNG, JPEG, BMP, GIF, WebP | same | international pages (2026-01 to 2026-07); pages 2638108 and 2983804 |
/// | size | 20 MB | same | same; more than 10 MB is a warning, because page 2669854 names 10 MB |
/// | width and height | a warning below 200 | same | same, as advice |
/// | width or height | at most 30 000; HEIC 8 191 | at most 16 384; HEIC 8 191 | same |
/// | pixels | at most 250 000 000 | at most 167 000 000 | same; no page has a limit of its own for GIF |
/// | download | within 3 seconds | within 7 seconds | same |
/// | frames | the first | same | same; the name of the parameter for more is on no page |
///
/// TIFF, SVG, ICO, HEIC and AVIF are named too (AVIF on the international pages only), and have to
/// be allowed: what is shown of them and what is scanned can differ. The service scans the last
/// image of an ICO, and renders an SVG itself, in a size that no page states.
///
/// ```
/// use greenlight::{Code, DefectKind, Enforcement, Format, Requirements};
///
/// let site = Requirements::ASYNC
///     .with_max_bytes(8_000_000)
///     .with_format(Format::Webp)
///     .with_enforcement(Code::ImageTypeMismatch, Enforcement::Reject)
///     .with_enforcement(DefectKind::PngAncillaryCrc, Enforcement::Off);
/// assert_eq!(site.max_bytes(), 8_000_000);
/// assert_eq!(site.enforcement(Code::ImageTypeMismatch), Enforcement::Reject);
/// ```
///
/// With the feature `serde` they are written to and read from JSON; a file can set some of them on
/// top of a preset, see `docs/requirements.md` in the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    formats: u32,
    max_bytes: u64,
    warn_bytes: u64,
    min_width: u32,
    min_height: u32,
    max_side: u32,
    max_pixels: u64,
    max_gif_pixels: u64,
    max_heic_side: u32,
    max_url_chars: usize,
    download_time: Duration,
    frame_cap: u32,
    /// Of the codes that no defect becomes; those of the others are not used.
    rules: [Enforcement; Code::COUNT],
    defects: [Enforcement; DefectKind::COUNT],
}

impl Requirements {
    /// Sets the largest file, in bytes, and removes the warning for smaller ones.
    #[must_use]
    pub const fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self.warn_bytes = bytes;
        self
    }

    /// Sets the largest file without a warning, in bytes; at most [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub const fn with_warn_bytes(mut self, bytes: u64) -> Self {
        self.warn_bytes = if bytes < self.max_bytes {
            bytes
        } else {
            self.max_bytes
        };
        self
    }

    /// Sets the smallest width, in pixels.
    #[must_use]
    pub const fn with_min_width(mut self, pixels: u32) -> Self {
        self.min_width = pixels;
        self
    }

    /// Sets the smallest height, in pixels.
    #[must_use]
    pub const fn with_min_height(mut self, pixels: u32) -> Self {
        self.min_height = pixels;
        self
    }

    /// Sets the largest width and height, in pixels.
    #[must_use]
    pub const fn with_max_side(mut self, pixels: u32) -> Self {
        self.max_side = pixels;
        self
    }

    /// Sets the largest product of width and height for formats other than GIF.
    #[must_use]
    pub const fn with_max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// Sets the largest product of width and height of all formats: lowers that of a GIF's screen
    /// if it is larger.
    #[must_use]
    pub const fn with_max_pixels_of_all(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        if pixels < self.max_gif_pixels {
            self.max_gif_pixels = pixels;
        }
        self
    }

    /// Sets the largest product of width and height of a GIF's screen.
    #[must_use]
    pub const fn with_max_gif_pixels(mut self, pixels: u64) -> Self {
        self.max_gif_pixels = pixels;
        self
    }

    /// Sets the largest width and height of a HEIC, in pixels, if it is below
    /// [`max_side`](Self::max_side).
    #[must_use]
    pub const fn with_max_heic_side(mut self, pixels: u32) -> Self {
        self.max_heic_side = pixels;
        self
    }

    /// Sets the longest URL, in characters.
    #[must_use]
    pub const fn with_max_url_chars(mut self, chars: usize) -> Self {
        self.max_url_chars = chars;
        self
    }

    /// Sets the longest download, from resolving the host to the last byte.
    #[must_use]
    pub const fn with_download_time(mut self, time: Duration) -> Self {
        self.download_time = time;
        self
    }

    /// Sets how many frames of an animation, or parts of a long image, are scanned at most. With
    /// fewer than there are, [`Code::ImageFramesUnseen`] is broken. Zero counts as one, and is refused
    /// by [`validate`](Self::validate).
    #[must_use]
    pub const fn with_frame_cap(mut self, frames: u32) -> Self {
        self.frame_cap = frames;
        self
    }

    /// Allows a format. The verdict of one that has no parser here ([`Format::Psd`] and those after
    /// it except SVG, and TIFF, HEIC, AVIF, ICO and SVG without the feature `containers`) is then
    /// inconclusive, because its dimensions are not measured. What is shown of a TIFF, HEIC, AVIF,
    /// ICO or SVG can differ from what is scanned: the service looks at the last image of an ICO,
    /// and an SVG is measured by its `width`, `height` and `viewBox`, not by its rendering.
    #[must_use]
    pub const fn with_format(mut self, format: Format) -> Self {
        self.formats |= format.bit();
        self
    }

    /// Rejects a format.
    #[must_use]
    pub const fn without_format(mut self, format: Format) -> Self {
        self.formats &= !format.bit();
        self
    }

    /// Sets what is done when a rule is broken.
    ///
    /// The other rules stay as they are: a format that is only warned about is still compared with
    /// the limits. And the verdict of an image whose width and height could not be measured is
    /// never better than [`Inconclusive`](crate::Decision::Inconclusive), even with every rule
    /// switched off and every limit opened: nothing then shows that there is an image.
    ///
    /// [`Code::ImageCorrupt`], [`Code::ImageTruncated`], [`Code::ImageTrailingBytes`] and
    /// [`Code::ImageNotExamined`] set every kind of defect that becomes such a violation; set
    /// single kinds afterwards.
    ///
    /// To reject [`Code::ImageTooLarge`] also rejects what is only a warning by default: files over
    /// [`warn_bytes`](Self::warn_bytes). A rule that [is fixed](Rule::is_fixed) stays a rejection.
    #[must_use]
    pub fn with_enforcement(mut self, rule: impl Into<Rule>, enforcement: Enforcement) -> Self {
        let rule = rule.into();
        match rule {
            Rule::Defect(kind) => self.defects[kind.index()] = enforcement,
            Rule::Code(code) => {
                // A code that defects become has no rule: it sets each of its kinds.
                let mut kinds = kinds(code).peekable();
                if kinds.peek().is_none() && !rule.is_fixed() {
                    self.rules[code.index()] = enforcement;
                }
                if rule == Rule::Code(Code::ImageTooLarge) && enforcement == Enforcement::Reject {
                    // Sizes between both limits are the only warning with this code.
                    self.max_bytes = self.max_bytes.min(self.warn_bytes);
                }
                for kind in kinds {
                    self.defects[kind.index()] = enforcement;
                }
            }
        }
        self
    }

    /// Makes every warning a rejection, the one for files over [`warn_bytes`](Self::warn_bytes)
    /// included. Rules that are switched off stay so.
    #[must_use]
    pub fn with_warnings_rejected(mut self) -> Self {
        self.max_bytes = self.max_bytes.min(self.warn_bytes);
        for enforcement in self.rules.iter_mut().chain(&mut self.defects) {
            if *enforcement == Enforcement::Warn {
                *enforcement = Enforcement::Reject;
            }
        }
        self
    }

    /// The largest file, in bytes.
    pub const fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// The largest file without a warning, in bytes.
    pub const fn warn_bytes(&self) -> u64 {
        self.warn_bytes
    }

    /// The smallest width, in pixels.
    pub const fn min_width(&self) -> u32 {
        self.min_width
    }

    /// The smallest height, in pixels.
    pub const fn min_height(&self) -> u32 {
        self.min_height
    }

    /// The largest width and height, in pixels.
    pub const fn max_side(&self) -> u32 {
        self.max_side
    }

    /// The largest product of width and height for formats other than GIF.
    pub const fn max_pixels(&self) -> u64 {
        self.max_pixels
    }

    /// The largest product of width and height of a GIF's screen.
    pub const fn max_gif_pixels(&self) -> u64 {
        self.max_gif_pixels
    }

    /// The largest width and height of a HEIC, in pixels.
    pub const fn max_heic_side(&self) -> u32 {
        self.max_heic_side
    }

    /// The longest URL, in characters.
    pub const fn max_url_chars(&self) -> usize {
        self.max_url_chars
    }

    /// The longest download, from resolving the host to the last byte.
    pub const fn download_time(&self) -> Duration {
        self.download_time
    }

    /// The maximum number of scanned frames of an animation, or parts of a long image.
    pub const fn frame_cap(&self) -> u32 {
        self.frame_cap
    }

    /// Whether images of this format are scanned.
    pub const fn allows(&self, format: Format) -> bool {
        self.formats & format.bit() != 0
    }

    /// The formats that are scanned.
    pub fn formats(&self) -> impl Iterator<Item = Format> + '_ {
        let formats = Format::ALL.iter().copied();
        formats.filter(|format| self.allows(*format))
    }

    /// What is done when a rule is broken; for a code that defects become, the heaviest over
    /// their kinds.
    pub fn enforcement(&self, rule: impl Into<Rule>) -> Enforcement {
        match rule.into() {
            Rule::Defect(kind) => self.defects[kind.index()],
            Rule::Code(code) => kinds(code)
                .map(|kind| self.defects[kind.index()])
                .max()
                .unwrap_or(self.rules[code.index()]),
        }
    }
}

/// The kinds of defects that become violations of this code.
fn kinds(code: Code) -> impl Iterator<Item = DefectKind> {
    let kinds = DefectKind::ALL.iter().copied();
    kinds.filter(move |kind| code_of(kind.class()) == code)
}

const fn code_of(class: DefectClass) -> Code {
    match class {
        DefectClass::Corrupt => Code::ImageCorrupt,
        DefectClass::Truncated => Code::ImageTruncated,
        DefectClass::Trailing => Code::ImageTrailingBytes,
        DefectClass::Unexamined => Code::ImageNotExamined,
    }
}

/// [`Requirements::ASYNC`].
impl Default for Requirements {
    fn default() -> Self {
        Self::ASYNC
    }
}
