//! How far a file is read.

/// How far a file is read and what is checked on the way; each depth includes those before it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Depth {
    /// Format and dimensions, from the first bytes.
    Header,
    /// The file's structure to its end: chunk order and checksums, markers, blocks, trailers,
    /// truncation, what follows the end, frames counted, BMP's runs followed.
    #[default]
    Structure,
    /// The coded pixels too, without making pixels of them: PNG's image data is unpacked, GIF's
    /// codes are counted and JPEG's Huffman codes are followed, each against the
    /// declared size. WebP, and JPEG's arithmetic and lossless processes, are walked as at
    /// [`Structure`](Self::Structure).
    Payload,
    /// Besides, the `image` crate decodes the first picture, as a second opinion. The whole file is
    /// held for that.
    #[cfg(feature = "decode")]
    Decode,
}
