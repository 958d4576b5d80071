//! How far a file is read.

use std::fmt;

use crate::error::from_name;

/// How far a file is read and what is checked on the way; each depth includes those before it.
///
/// ```
/// use greenlight::{Depth, Inspection};
///
/// let header = b"GIF89a\x00\x01\x00\x01\x00\x00\x00"; // 256x256, and nothing after it
/// assert!(Inspection::at(Depth::Header, header).defects().is_empty());
/// assert!(!Inspection::at(Depth::Structure, header).defects().is_empty());
/// assert_eq!("payload".parse(), Ok(Depth::Payload));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Depth {
    /// Format and dimensions, from the first bytes. A TGA is not recognized, because only its
    /// footer names it.
    Header,
    /// The file's structure to its end: chunk order and checksums, markers, blocks, trailers,
    /// truncation, what follows the end, frames counted, BMP's runs followed.
    #[default]
    Structure,
    /// The coded pixels too, without making pixels of them: PNG's image data is unpacked, GIF's
    /// codes are counted and JPEG's Huffman codes are followed, each against the declared size.
    /// WebP, and JPEG's arithmetic and lossless processes, are walked as at
    /// [`Structure`](Self::Structure). Without the feature `payload` no coded pixels are examined,
    /// and [`NotWalked`](super::DefectKind::NotWalked) records that.
    ///
    /// A file of 4 KB or more costs at most 60 ns of CPU time for each of its bytes, and a shorter
    /// one at most 0.25 ms. That is kept by counting the work, in nanoseconds of the machine of the
    /// benchmarks: 40 for each byte and 80,000 for any file. The rest of a file that needs more is
    /// not walked, which is [`NotWalked`](super::DefectKind::NotWalked), a warning: a blank picture
    /// is among those files if PNG compresses it more than 350 times.
    Payload,
    /// The `image` crate also decodes the first picture, as a second opinion. The whole file is
    /// held for that.
    #[cfg(feature = "decode")]
    Decode,
}

impl Depth {
    /// Every depth, in order.
    pub const ALL: &'static [Self] = &[
        Self::Header,
        Self::Structure,
        Self::Payload,
        #[cfg(feature = "decode")]
        Self::Decode,
    ];

    /// The stable name: `header`, `structure`, `payload`, `decode`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Structure => "structure",
            Self::Payload => "payload",
            #[cfg(feature = "decode")]
            Self::Decode => "decode",
        }
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

from_name!(Depth, "depth");

/// What walks coded pixels, if there is one. Without the feature `payload` there never is, and the
/// compiler can leave the code out.
pub(super) const fn walker<T>(held: &mut Option<T>) -> Option<&mut T> {
    if cfg!(feature = "payload") {
        held.as_mut()
    } else {
        None
    }
}
