//! The facts of a file's bytes.

use super::{ColorType, DefectKind, Defects, Depth, Orientation};
use crate::format::{Dimensions, Facts, Format, Glance};

/// The type of a file by its first bytes.
///
/// ```
/// use greenlight::{Format, Identity, Inspection};
///
/// let identity = |bytes: &[u8]| Inspection::of(bytes).identity();
/// assert_eq!(identity(b"\x89PNG\r\n\x1a\n"), Identity::Format(Format::Png));
/// // The page of an error is recognized, so the report says more than "not an image".
/// assert_eq!(identity(b"<!doctype html>"), Identity::Format(Format::Html));
/// assert_eq!(identity(b"Not Found"), Identity::NotAnImage);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Identity {
    /// More bytes are needed.
    Undecided,
    /// A format that is known by name.
    Format(Format),
    /// None of the formats known by name.
    NotAnImage,
}

/// The source of a [`Claim`].
///
/// ```
/// use greenlight::{Claim, ClaimSource, Depth, Inspector};
///
/// let mut inspector = Inspector::new(Depth::Header);
/// inspector.claim(Claim::from_name("cat.gif").expect("an extension of images"));
/// inspector.claim(Claim::from_content_type("image/png").expect("a type of images"));
/// let sources: Vec<_> = inspector.finish().claims().map(|claim| claim.source).collect();
/// assert_eq!(sources, [ClaimSource::Extension, ClaimSource::ContentType]);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum ClaimSource {
    /// The file name's or the URL path's extension.
    Extension,
    /// The `Content-Type` of a response or an upload.
    ContentType,
}

/// The format of a file by its name or a header, independent of its content.
///
/// ```
/// use greenlight::{Claim, Format};
///
/// let claim = Claim::from_name("photo.JPG").expect("an extension of images");
/// assert_eq!(claim.format, Format::Jpeg);
/// assert_eq!(Claim::from_content_type("application/octet-stream"), None);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Claim {
    /// The source of the claim.
    pub source: ClaimSource,
    /// The claimed format.
    pub format: Format,
}

impl Claim {
    /// The claim of a file name (or a URL's path) by its extension, if it makes one.
    pub fn from_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        Some(Self {
            source: ClaimSource::Extension,
            format: Format::from_extension(extension)?,
        })
    }

    /// The claim of a `Content-Type`, if it makes one.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        Some(Self {
            source: ClaimSource::ContentType,
            format: Format::from_media_type(content_type)?,
        })
    }
}

/// The facts of a file's bytes, as far as they were read. Whether they are acceptable is decided by
/// [`Requirements`](crate::Requirements).
///
/// With the feature `serde` it can be stored, and evaluated again later under other requirements.
/// The text is read back by the same or a later version; a kind of defect or a format that this
/// version does not know is an error.
///
/// ```
/// use greenlight::{Dimensions, Inspection};
///
/// let inspection = Inspection::of(b"GIF89a\x78\x00\x50\x00\x00\x00\x00;");
/// assert_eq!(inspection.dimensions(), Some(Dimensions::new(120, 80)));
/// assert_eq!(inspection.frames(), Some(0));
/// assert!(!inspection.defects().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Inspection {
    pub(super) depth: Depth,
    pub(super) identity: Identity,
    pub(super) facts: Facts,
    pub(super) bytes_seen: u64,
    pub(super) announced_len: Option<u64>,
    /// Whether the parser reached the end of the requested depth.
    pub(super) walked: bool,
    /// Whether the file's last byte was seen.
    pub(super) ended: bool,
    claims: [Option<Claim>; 2],
}

impl Inspection {
    pub(super) const fn new(depth: Depth) -> Self {
        Self {
            depth,
            identity: Identity::Undecided,
            facts: Facts::new(),
            bytes_seen: 0,
            announced_len: None,
            walked: false,
            ended: false,
            claims: [None; 2],
        }
    }

    /// The facts that the fast path found in a complete file of `len` bytes.
    #[inline]
    pub(super) const fn glanced(glance: &Glance, len: u64) -> Self {
        Self {
            depth: Depth::Header,
            identity: Identity::Format(glance.format),
            facts: Facts::glanced(glance),
            bytes_seen: len,
            announced_len: None,
            walked: true,
            ended: true,
            claims: [None; 2],
        }
    }

    /// Records bytes beyond the image's own end as they arrive.
    pub(super) fn note_trailing(&mut self) {
        if let Some(end) = self.facts.end()
            && self.bytes_seen > end
        {
            self.facts.defect(DefectKind::TrailingBytes, end);
        }
    }

    pub(super) fn claim(&mut self, claim: Claim) {
        let slot = self
            .claims
            .iter_mut()
            // Two slots for two sources: a repeated claim replaces the earlier one, so the state
            // cannot grow.
            .find(|held| held.is_none_or(|held| held.source == claim.source));
        if let Some(slot) = slot {
            *slot = Some(claim);
        }
    }

    /// Removes the claims of a file name or `Content-Type`.
    #[cfg(feature = "pipeline")]
    pub(crate) const fn without_claims(mut self) -> Self {
        self.claims = [None; 2];
        self
    }

    /// The requested depth.
    pub const fn depth(&self) -> Depth {
        self.depth
    }

    /// The type of the file by its first bytes.
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// The format, once it is known and has a name.
    pub const fn format(&self) -> Option<Format> {
        match self.identity {
            Identity::Format(format) => Some(format),
            Identity::Undecided | Identity::NotAnImage => None,
        }
    }

    /// Width and height in pixels, as stored.
    pub const fn dimensions(&self) -> Option<Dimensions> {
        self.facts.dimensions
    }

    /// The number of pushed bytes.
    pub const fn bytes_seen(&self) -> u64 {
        self.bytes_seen
    }

    /// The file's length in bytes: counted if its end was seen, else as announced, else unknown.
    pub fn len(&self) -> Option<u64> {
        if self.ended {
            Some(self.bytes_seen)
        } else {
            self.announced_len
        }
    }

    /// Whether the file was read to its end and has no bytes.
    pub const fn is_empty(&self) -> bool {
        self.ended && self.bytes_seen == 0
    }

    /// Whether the file was seen to its end.
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether everything that the depth requires was examined.
    pub const fn is_complete(&self) -> bool {
        self.walked
            || (self.ended && matches!(self.identity, Identity::Format(_) | Identity::NotAnImage))
    }

    /// Whole frames counted, once their number is final: 1 for a still image. `None` below
    /// structure depth for formats whose header does not state it.
    pub const fn frames(&self) -> Option<u32> {
        if self.facts.frames_final {
            Some(self.facts.frames)
        } else {
            None
        }
    }

    /// Whether more than one frame was seen.
    pub const fn is_animated(&self) -> bool {
        self.facts.frames > 1
    }

    /// Bits per channel, or per index of a palette.
    pub const fn bit_depth(&self) -> Option<u8> {
        self.facts.bit_depth
    }

    /// The color model of a pixel.
    pub const fn color_type(&self) -> Option<ColorType> {
        self.facts.color
    }

    /// The EXIF orientation, reported and not applied.
    pub const fn orientation(&self) -> Option<Orientation> {
        self.facts.orientation
    }

    /// Bytes after the image's own end, once that end was seen.
    pub fn trailing_bytes(&self) -> Option<u64> {
        self.facts
            .end()
            .map(|end| self.bytes_seen.saturating_sub(end))
    }

    /// Returns whether coded pixels were skipped at [`Depth::Payload`]: their coding is not
    /// supported (arithmetic and lossless JPEG among others), or reading them would have cost too
    /// much.
    pub const fn is_payload_unchecked(&self) -> bool {
        self.facts.defects.contains(DefectKind::NotWalked)
    }

    /// The defects of the bytes.
    pub const fn defects(&self) -> &Defects {
        &self.facts.defects
    }

    /// Whether nothing but the number of bytes differs.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        Self {
            bytes_seen: other.bytes_seen,
            // A copy and one comparison, so that a field that is added later cannot be forgotten
            // here.
            ..self.clone()
        } == *other
    }

    /// The claims about the file.
    pub fn claims(&self) -> impl Iterator<Item = Claim> + '_ {
        self.claims.iter().flatten().copied()
    }
}
