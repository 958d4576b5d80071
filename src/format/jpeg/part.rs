//! The parts of segments (T.81 B.2), and how those of variable length are read.

use super::{
    DefectKind, Depth, Facts,
    exif::{Exif, ExifNeed},
    frame::Process,
    marker::Marker,
};

/// Which part of a segment comes next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// Nothing of interest, to the segment's end.
    Rest,
    Jfif,
    Exif(Exif),
    MultiPicture,
    Adobe,
    FrameHead(Process),
    FrameComponent(u8),
    Hierarchy,
    QuantizationHead,
    /// `high` is the first byte of a two-byte value that was cut.
    QuantizationValues {
        left: u16,
        wide: bool,
        high: Option<u8>,
    },
    HuffmanHead,
    HuffmanSymbols {
        left: u16,
        dc: bool,
    },
    RestartInterval,
    Lines,
    ScanHead,
    ScanComponent(u8),
    ScanTail,
}

/// How the next part is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need {
    Field(u16),
    /// Up to so many bytes as they come.
    Bytes(u16),
    Rest,
}

impl Part {
    /// The first part of a segment of `marker`. What a depth does not ask for is skipped.
    pub(super) const fn first(marker: Marker, depth: Depth) -> Self {
        match (marker, depth) {
            (Marker::Frame(process), _) => Self::FrameHead(process),
            (Marker::Hierarchy, _) => Self::Hierarchy,
            (Marker::App(0), _) => Self::Jfif,
            (Marker::App(1), _) => Self::Exif(Exif::new()),
            (Marker::App(14), _) => Self::Adobe,
            // At header depth too: it follows the scan of a frame without a height (T.81 B.2.5).
            (Marker::NumberOfLines, _) => Self::Lines,
            (Marker::Scan, _) => Self::ScanHead,
            (_, Depth::Header) => Self::Rest,
            (Marker::App(_), _) => Self::MultiPicture,
            (Marker::HuffmanTables, _) => Self::HuffmanHead,
            (Marker::QuantizationTables, _) => Self::QuantizationHead,
            (Marker::RestartInterval, _) => Self::RestartInterval,
            _ => Self::Rest,
        }
    }

    pub(super) const fn need(self) -> Need {
        match self {
            Self::Rest => Need::Rest,
            Self::Jfif => Need::Field(5),
            Self::Exif(exif) => match exif.need() {
                ExifNeed::Field(bytes) => Need::Field(bytes),
                ExifNeed::Skip(bytes) => Need::Bytes(bytes),
                ExifNeed::Nothing => Need::Rest,
            },
            Self::MultiPicture => Need::Field(4),
            Self::Adobe => Need::Field(12),
            Self::FrameHead(_) | Self::Hierarchy => Need::Field(6),
            Self::FrameComponent(_) | Self::ScanTail => Need::Field(3),
            Self::QuantizationHead | Self::ScanHead => Need::Field(1),
            Self::HuffmanHead => Need::Field(17),
            Self::QuantizationValues { left, .. } | Self::HuffmanSymbols { left, .. } => {
                Need::Bytes(left)
            }
            Self::RestartInterval | Self::Lines | Self::ScanComponent(_) => Need::Field(2),
        }
    }

    /// Whether the image cannot be read without this part.
    pub(super) const fn is_vital(self) -> bool {
        matches!(
            self,
            Self::FrameHead(_)
                | Self::FrameComponent(_)
                | Self::Hierarchy
                | Self::ScanHead
                | Self::ScanComponent(_)
                | Self::ScanTail
        )
    }

    pub(super) const fn is_table(self) -> bool {
        self.begins_table()
            || matches!(
                self,
                Self::QuantizationValues { .. }
                    | Self::HuffmanSymbols { .. }
                    | Self::RestartInterval
                    | Self::Lines
            )
    }

    pub(super) const fn begins_table(self) -> bool {
        matches!(self, Self::QuantizationHead | Self::HuffmanHead)
    }
}

/// What follows a part.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    Part(Part),
    /// The segment's end; bytes that are left are too many.
    End,
    /// The same, and coded data after it.
    Coded,
}

/// Reads bytes of a part that is not gathered first.
pub(super) fn read_bytes(
    part: Part,
    bytes: &[u8],
    at: u64,
    facts: &mut Facts,
) -> Result<Next, DefectKind> {
    let count = took(bytes);
    Ok(match part {
        Part::Exif(mut exif) => match exif.need() {
            ExifNeed::Skip(wanted) if wanted > count => {
                Next::Part(Part::Exif(exif.seek(wanted.saturating_sub(count))))
            }
            _ => {
                exif.skipped();
                Next::Part(Part::Exif(exif))
            }
        },
        Part::QuantizationValues { left, wide, high } => {
            let high = check_quantizers(bytes, wide, high, at, facts);
            match left.saturating_sub(count) {
                0 => Next::Part(Part::QuantizationHead),
                left => Next::Part(Part::QuantizationValues { left, wide, high }),
            }
        }
        Part::HuffmanSymbols { left, dc } => {
            // A DC symbol is a number of bits (T.81 F.1.2.1.1, H.1.2.2).
            if dc && bytes.iter().any(|symbol| *symbol > 16) {
                return Err(DefectKind::JpegHuffmanTable);
            }
            match left.saturating_sub(count) {
                0 => Next::Part(Part::HuffmanHead),
                left => Next::Part(Part::HuffmanSymbols { left, dc }),
            }
        }
        _ => Next::Part(Part::Rest),
    })
}

/// Whether codes of these lengths fit in 16 bits (T.81 C.2): a code takes up a share of them that
/// halves with each bit of its length, and all the shares together are at most the whole.
pub(super) fn is_prefix_code(counts: &[u8; 16]) -> bool {
    let shares = counts.iter().zip(1..=16_u32);
    let taken = shares.map(|(count, len)| u32::from(*count) << (16_u32.wrapping_sub(len)));
    taken.sum::<u32>() <= 1 << 16
}

/// Records a zero among the quantizers. Returns the first byte of a value that is incomplete.
fn check_quantizers(
    bytes: &[u8],
    wide: bool,
    mut high: Option<u8>,
    at: u64,
    facts: &mut Facts,
) -> Option<u8> {
    let mut zero = false;
    if wide {
        for byte in bytes {
            match high.take() {
                None => high = Some(*byte),
                Some(first) => zero |= first == 0 && *byte == 0,
            }
        }
    } else {
        zero = bytes.contains(&0);
    }
    if zero {
        facts.defect(DefectKind::JpegZeroQuantizer, at);
    }
    high
}

/// The length of bytes that a two-byte length bounds.
pub(super) fn took(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX)
}
