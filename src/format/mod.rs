//! Image formats: their names, how their first bytes look, and one push parser for each that is
//! measured.
//!
//! A parser says what *is* in the bytes. It knows no limit of the moderation service and cannot
//! fail: what is wrong with a file is among its [`Defects`], facts like the others.

mod bytes;
mod defect;
mod depth;
mod dimensions;
mod facts;
mod glance;
mod markup;
mod pixels;
mod sniff;
mod targa;
mod work;

pub(crate) mod bmp;
pub(crate) mod gif;
#[cfg(feature = "containers")]
pub(crate) mod heif;
#[cfg(feature = "containers")]
pub(crate) mod ico;
pub(crate) mod jpeg;
pub(crate) mod png;
#[cfg(feature = "containers")]
pub(crate) mod svg;
#[cfg(feature = "containers")]
pub(crate) mod tiff;
pub(crate) mod webp;

use std::fmt;

use crate::error::from_name;

use self::depth::walker;
pub use self::{depth::Depth, dimensions::Dimensions};
pub use defect::{DefectClass, DefectKind, Defects};
pub use pixels::{ColorType, Orientation};

pub(crate) use facts::Facts;
pub(crate) use glance::Glance;
pub(crate) use markup::{Found, Markup};
pub(crate) use sniff::{SNIFF_BYTES, Sniffed, sniff, sniff_all};
pub(crate) use targa::Footer;

/// A file format that is recognized by its content.
///
/// 1.0 of the moderation service scans the first four. [`Webp`](Self::Webp), [`Tiff`](Self::Tiff),
/// [`Heic`](Self::Heic), [`Avif`](Self::Avif), [`Ico`](Self::Ico) and [`Svg`](Self::Svg), which 2.0
/// scans too, are measured with the feature `containers` and can be allowed
/// ([`Requirements::with_format`](crate::Requirements::with_format)). The others are recognized so
/// that a refusal can name them.
///
/// ```
/// use greenlight::{Format, Inspection};
///
/// assert_eq!(Inspection::of(b"\x89PNG\r\n\x1a\n").format(), Some(Format::Png));
/// assert_eq!(Format::from_media_type("image/jpeg"), Some(Format::Jpeg));
/// assert_eq!(Format::Jpeg.extension(), "jpg");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Format {
    /// Portable Network Graphics, with APNG.
    Png,
    /// JPEG in any of its processes (ITU-T T.81).
    Jpeg,
    /// Graphics Interchange Format, 87a and 89a.
    Gif,
    /// Windows and OS/2 bitmap.
    Bmp,
    /// WebP.
    Webp,
    /// Tagged Image File Format and what builds on it (camera raw files too).
    Tiff,
    /// High Efficiency Image File Format with HEVC.
    Heic,
    /// AV1 Image File Format.
    Avif,
    /// Windows icon or cursor.
    Ico,
    /// Adobe Photoshop document.
    Psd,
    /// Scalable Vector Graphics.
    Svg,
    /// Portable Document Format.
    Pdf,
    /// An HTML page, which servers send in place of an image.
    Html,
    /// ZIP archive and what builds on it (office documents too).
    Zip,
    /// JPEG XL.
    JpegXl,
    /// JPEG 2000, in a file or as a bare codestream.
    #[cfg_attr(feature = "serde", serde(rename = "jpeg-2000"))]
    Jpeg2000,
    /// Netpbm: PBM, PGM, PPM and PAM.
    Pnm,
    /// Quite OK Image.
    Qoi,
    /// An MPEG-4 video.
    Mp4,
    /// A `QuickTime` video.
    Mov,
    /// Apple icons.
    Icns,
    /// Truevision TGA, if its footer says so (the first bytes have no signature).
    Tga,
}

impl Format {
    /// Every format, in order of declaration.
    pub const ALL: [Self; 22] = [
        Self::Png,
        Self::Jpeg,
        Self::Gif,
        Self::Bmp,
        Self::Webp,
        Self::Tiff,
        Self::Heic,
        Self::Avif,
        Self::Ico,
        Self::Psd,
        Self::Svg,
        Self::Pdf,
        Self::Html,
        Self::Zip,
        Self::JpegXl,
        Self::Jpeg2000,
        Self::Pnm,
        Self::Qoi,
        Self::Mp4,
        Self::Mov,
        Self::Icns,
        Self::Tga,
    ];

    /// The stable lower-case name, as in JSON: `png`, `jpeg`, `jpeg-xl`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Gif => "gif",
            Self::Bmp => "bmp",
            Self::Webp => "webp",
            Self::Tiff => "tiff",
            Self::Heic => "heic",
            Self::Avif => "avif",
            Self::Ico => "ico",
            Self::Psd => "psd",
            Self::Svg => "svg",
            Self::Pdf => "pdf",
            Self::Html => "html",
            Self::Zip => "zip",
            Self::JpegXl => "jpeg-xl",
            Self::Jpeg2000 => "jpeg-2000",
            Self::Pnm => "pnm",
            Self::Qoi => "qoi",
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::Icns => "icns",
            Self::Tga => "tga",
        }
    }

    /// The media type that is registered for the format, or the usual one.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Bmp => "image/bmp",
            Self::Webp => "image/webp",
            Self::Tiff => "image/tiff",
            Self::Heic => "image/heic",
            Self::Avif => "image/avif",
            Self::Ico => "image/vnd.microsoft.icon",
            Self::Psd => "image/vnd.adobe.photoshop",
            Self::Svg => "image/svg+xml",
            Self::Pdf => "application/pdf",
            Self::Html => "text/html",
            Self::Zip => "application/zip",
            Self::JpegXl => "image/jxl",
            Self::Jpeg2000 => "image/jp2",
            Self::Pnm => "image/x-portable-anymap",
            Self::Qoi => "image/qoi",
            Self::Mp4 => "video/mp4",
            Self::Mov => "video/quicktime",
            Self::Icns => "image/x-icns",
            Self::Tga => "image/x-tga",
        }
    }

    /// The usual file name extension, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::JpegXl => "jxl",
            Self::Jpeg2000 => "jp2",
            _ => self.name(),
        }
    }

    /// The format that a file name extension (without the dot, any case) claims; `None` for one
    /// that claims nothing.
    pub fn from_extension(extension: &str) -> Option<Self> {
        let lower = extension.to_ascii_lowercase();
        Some(match lower.as_str() {
            "png" | "apng" => Self::Png,
            "jpg" | "jpeg" | "jpe" | "jfif" => Self::Jpeg,
            "gif" => Self::Gif,
            "bmp" | "dib" => Self::Bmp,
            "webp" => Self::Webp,
            "tif" | "tiff" => Self::Tiff,
            "heic" | "heif" => Self::Heic,
            "avif" => Self::Avif,
            "ico" | "cur" => Self::Ico,
            "psd" => Self::Psd,
            "svg" => Self::Svg,
            "pdf" => Self::Pdf,
            "html" | "htm" => Self::Html,
            "zip" => Self::Zip,
            "jxl" => Self::JpegXl,
            "jp2" | "j2k" | "j2c" | "jpc" | "jpf" | "jpx" => Self::Jpeg2000,
            "pnm" | "pbm" | "pgm" | "ppm" | "pam" => Self::Pnm,
            "qoi" => Self::Qoi,
            "mp4" | "m4v" => Self::Mp4,
            "mov" | "qt" => Self::Mov,
            "icns" => Self::Icns,
            "tga" => Self::Tga,
            _ => return None,
        })
    }

    /// The format that a media type (as in `Content-Type`, parameters ignored) claims; `None` for
    /// one that claims nothing, such as `application/octet-stream`.
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        Some(match essence.as_str() {
            "image/png" | "image/apng" | "image/x-png" => Self::Png,
            "image/jpeg" | "image/jpg" | "image/pjpeg" => Self::Jpeg,
            "image/gif" => Self::Gif,
            "image/bmp" | "image/x-bmp" | "image/x-ms-bmp" => Self::Bmp,
            "image/webp" => Self::Webp,
            "image/tiff" => Self::Tiff,
            "image/heic" | "image/heif" => Self::Heic,
            "image/avif" => Self::Avif,
            "image/vnd.microsoft.icon" | "image/x-icon" => Self::Ico,
            "image/vnd.adobe.photoshop" => Self::Psd,
            "image/svg+xml" => Self::Svg,
            "application/pdf" => Self::Pdf,
            "text/html" | "application/xhtml+xml" => Self::Html,
            "application/zip" => Self::Zip,
            "image/jxl" => Self::JpegXl,
            "image/jp2" | "image/jpx" | "image/j2c" => Self::Jpeg2000,
            "image/x-portable-anymap"
            | "image/x-portable-bitmap"
            | "image/x-portable-graymap"
            | "image/x-portable-pixmap" => Self::Pnm,
            "image/qoi" => Self::Qoi,
            "video/mp4" => Self::Mp4,
            "video/quicktime" => Self::Mov,
            "image/x-icns" => Self::Icns,
            "image/x-tga" | "image/x-targa" => Self::Tga,
            _ => return None,
        })
    }

    /// The name for messages: `PNG`, `JPEG XL`.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Webp => "WebP",
            Self::Tiff => "TIFF",
            Self::Heic => "HEIC",
            Self::Avif => "AVIF",
            Self::Ico => "ICO",
            Self::Psd => "PSD",
            Self::Svg => "SVG",
            Self::Pdf => "PDF",
            Self::Html => "HTML",
            Self::Zip => "ZIP",
            Self::JpegXl => "JPEG XL",
            Self::Jpeg2000 => "JPEG 2000",
            Self::Pnm => "PNM",
            Self::Qoi => "QOI",
            Self::Mp4 => "MP4",
            Self::Mov => "MOV",
            Self::Icns => "ICNS",
            Self::Tga => "TGA",
        }
    }

    /// Whether the service scans images of the format, in 1.0 or in 2.0.
    pub(crate) const fn is_scanned(self) -> bool {
        matches!(
            self,
            Self::Png
                | Self::Jpeg
                | Self::Gif
                | Self::Bmp
                | Self::Webp
                | Self::Tiff
                | Self::Heic
                | Self::Avif
                | Self::Ico
                | Self::Svg
        )
    }

    /// Whether the width and height of images of the format are measured, so that they can be
    /// accepted. TIFF, HEIC, AVIF, ICO and SVG need the feature `containers`.
    ///
    /// ```
    /// use greenlight::Format;
    ///
    /// assert!(Format::Webp.is_measured());
    /// assert!(!Format::Qoi.is_measured());
    /// ```
    pub const fn is_measured(self) -> bool {
        let is_container = matches!(
            self,
            Self::Tiff | Self::Heic | Self::Avif | Self::Ico | Self::Svg
        );
        self.is_scanned() && (!is_container || cfg!(feature = "containers"))
    }

    pub(crate) const fn is_video(self) -> bool {
        matches!(self, Self::Mp4 | Self::Mov)
    }

    #[expect(
        clippy::as_conversions,
        reason = "a fieldless enum's discriminant, in constant context"
    )]
    pub(crate) const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The stable name, as in JSON; [`title`](Format::title) is the one for messages.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

from_name!(Format, "format");

/// What a parser needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More bytes.
    More,
    /// Nothing: the asked depth is reached, or the file's own end. The inspector counts what
    /// follows.
    Done,
    /// Nothing: the file is broken here and the parser cannot find its way any more. The defect is
    /// in the facts.
    Failed,
}

/// A format's push parser.
///
/// Chunks may be cut anywhere: the facts are the same for any chunking of the same bytes, and a
/// recorded fact never changes. Neither method allocates below payload depth, indexes without a
/// check, or does arithmetic that can overflow.
pub(crate) trait Parser {
    /// Reads all of `input`, whose first byte is the file's byte `offset`. Not called again after
    /// `Done` or `Failed`.
    fn push(&mut self, input: &[u8], offset: u64, facts: &mut Facts) -> Progress;

    /// The file ended after `len` bytes while the parser still wanted more: states what that means,
    /// usually a truncation.
    fn finish(&mut self, len: u64, facts: &mut Facts);
}
