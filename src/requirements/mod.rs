//! What the moderation service asks of an image, and the judgement by it.
//!
//! Every rule can be set, made a warning or switched off; the presets never change silently (see
//! the changelog).

mod judge;

use std::time::Duration;

use crate::{
    format::{DefectKind, Format},
    verdict::{Code, Enforcement},
};

/// What is asked of an image.
///
/// The presets hold what the service documents for `/green/image/asyncscan` and `/green/image/scan`
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirements {
    formats: u32,
    max_bytes: u64,
    warn_bytes: u64,
    min_width: u32,
    min_height: u32,
    max_side: u32,
    max_pixels: u64,
    max_gif_pixels: u64,
    max_url_chars: usize,
    download_time: Duration,
    rules: [Enforcement; Code::COUNT],
    defects: [Enforcement; DefectKind::COUNT],
}

impl Requirements {
    /// What the asynchronous scan asks.
    pub const ASYNC: Self = Self {
        formats: Format::Png.bit() | Format::Jpeg.bit() | Format::Gif.bit() | Format::Bmp.bit(),
        max_bytes: 20 << 20,
        warn_bytes: 20_000_000,
        min_width: 256,
        min_height: 256,
        max_side: 30_000,
        max_pixels: 250_000_000,
        max_gif_pixels: 4_194_304,
        max_url_chars: 2_048,
        download_time: Duration::from_secs(3),
        rules: default_rules(),
        defects: default_defects(),
    };

    /// What the synchronous scan asks: as [`ASYNC`](Self::ASYNC), but at most 5 MB.
    pub const SYNC: Self = Self {
        max_bytes: 5 << 20,
        warn_bytes: 5_000_000,
        ..Self::ASYNC
    };

    /// Allows files of at most `bytes` bytes, without a warning below.
    #[must_use]
    pub const fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self.warn_bytes = bytes;
        self
    }

    /// Asks for at least `pixels` in width.
    #[must_use]
    pub const fn with_min_width(mut self, pixels: u32) -> Self {
        self.min_width = pixels;
        self
    }

    /// Asks for at least `pixels` in height.
    #[must_use]
    pub const fn with_min_height(mut self, pixels: u32) -> Self {
        self.min_height = pixels;
        self
    }

    /// Allows at most `pixels` in width and in height.
    #[must_use]
    pub const fn with_max_side(mut self, pixels: u32) -> Self {
        self.max_side = pixels;
        self
    }

    /// Allows at most `pixels` in all, for formats other than GIF.
    #[must_use]
    pub const fn with_max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// Allows at most `pixels` in all for a GIF's screen.
    #[must_use]
    pub const fn with_max_gif_pixels(mut self, pixels: u64) -> Self {
        self.max_gif_pixels = pixels;
        self
    }

    /// Allows URLs of at most `chars` characters.
    #[must_use]
    pub const fn with_max_url_chars(mut self, chars: usize) -> Self {
        self.max_url_chars = chars;
        self
    }

    /// Asks that a download takes at most `time`.
    #[must_use]
    pub const fn with_download_time(mut self, time: Duration) -> Self {
        self.download_time = time;
        self
    }

    /// Allows a format besides. One that has no parser here ([`Format::Tiff`] and those after it)
    /// stays undecidable, because its dimensions are not measured.
    #[must_use]
    pub const fn allow_format(mut self, format: Format) -> Self {
        self.formats |= format.bit();
        self
    }

    /// Refuses a format.
    #[must_use]
    pub const fn refuse_format(mut self, format: Format) -> Self {
        self.formats &= !format.bit();
        self
    }

    /// Says what is done when a rule is broken.
    ///
    /// A rule that is softened leaves the others as they are: a format that is only warned about is
    /// still held against the limits. And an image whose width and height could not be measured is
    /// never accepted but [`Inconclusive`](crate::Decision::Inconclusive), even with every rule
    /// switched off and every limit opened: nothing then says that there is an image.
    ///
    /// For [`Code::ImageCorrupt`], [`Code::ImageTruncated`] and [`Code::ImageTrailingBytes`] this
    /// is a ceiling over what [`enforce_defect`](Self::enforce_defect) says of the single defect.
    #[must_use]
    pub const fn enforce(mut self, code: Code, enforcement: Enforcement) -> Self {
        self.rules[code.index()] = enforcement;
        self
    }

    /// Says what is done about one kind of defect.
    #[must_use]
    pub const fn enforce_defect(mut self, kind: DefectKind, enforcement: Enforcement) -> Self {
        self.defects[kind.index()] = enforcement;
        self
    }

    /// The largest file, in bytes.
    pub const fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// How long a download may take.
    pub const fn download_time(&self) -> Duration {
        self.download_time
    }

    /// Whether images of this format are scanned.
    pub const fn allows(&self, format: Format) -> bool {
        self.formats & format.bit() != 0
    }
}

/// [`Requirements::ASYNC`].
impl Default for Requirements {
    fn default() -> Self {
        Self::ASYNC
    }
}

const fn default_rules() -> [Enforcement; Code::COUNT] {
    let mut rules = [Enforcement::Reject; Code::COUNT];
    rules[Code::DownloadContentType.index()] = Enforcement::Warn;
    rules[Code::DownloadTlsUnsupported.index()] = Enforcement::Warn;
    rules[Code::ImageTypeMismatch.index()] = Enforcement::Warn;
    rules
}

const fn default_defects() -> [Enforcement; DefectKind::COUNT] {
    let mut defects = [Enforcement::Reject; DefectKind::COUNT];
    let mut index = 0;
    while index < DefectKind::COUNT {
        if DefectKind::ALL[index].is_tolerated() {
            defects[index] = Enforcement::Warn;
        }
        index += 1;
    }
    defects
}
