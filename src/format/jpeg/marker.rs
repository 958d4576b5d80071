//! Marker codes (T.81 table B.1).

use super::frame::Process;

/// A marker by what the walk does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// Start of image.
    Soi,
    /// End of image.
    Eoi,
    /// RST0 to RST7.
    Restart(u8),
    /// TEM, for private use in arithmetic coding.
    Temporary,
    /// Start of frame.
    Frame(Process),
    /// DHP: a hierarchical progression follows.
    Hierarchy,
    HuffmanTables,
    QuantizationTables,
    RestartInterval,
    NumberOfLines,
    /// Start of scan.
    Scan,
    /// APP0, APP1, APP2, APP14.
    App(u8),
    /// A segment that is skipped by its length: other application data, comments, arithmetic
    /// conditioning, expansion, JPEG extensions.
    Other,
    /// A code that T.81 reserves: no decoder knows what follows.
    Reserved,
}

impl Marker {
    #[inline]
    pub(super) const fn new(code: u8) -> Self {
        match code {
            0xD8 => Self::Soi,
            0xD9 => Self::Eoi,
            0xD0..=0xD7 => Self::Restart(code & 7),
            0x01 => Self::Temporary,
            0xC4 => Self::HuffmanTables,
            0xDB => Self::QuantizationTables,
            0xDD => Self::RestartInterval,
            0xDC => Self::NumberOfLines,
            0xDA => Self::Scan,
            0xDE => Self::Hierarchy,
            0xE0 | 0xE1 | 0xE2 | 0xEE => Self::App(code & 15),
            0xC8 | 0xCC | 0xDF | 0xE3..=0xED | 0xEF | 0xF0..=0xF6 | 0xF8..=0xFE => Self::Other,
            0xC0..=0xCF | 0xF7 => Self::Frame(Process::of_marker(code)),
            0x00 | 0x02..=0xBF | 0xFF => Self::Reserved,
        }
    }

    /// Whether a length follows.
    pub(super) const fn has_segment(self) -> bool {
        !matches!(
            self,
            Self::Soi | Self::Eoi | Self::Restart(_) | Self::Temporary | Self::Reserved
        )
    }
}
