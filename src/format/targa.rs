//! Recognizing TGA: the first bytes have no signature, but the last ones have (Truevision TGA
//! specification 2.0, "TGA file footer").

use super::Format;

/// Bytes of the header.
const HEADER: usize = 18;

/// The end of a footer, and with it of a file.
const SIGNATURE: &[u8; 18] = b"TRUEVISION-XFILE.\0";

/// Whether a file that begins with `head` may be a TGA, whose footer decides; `None` if that takes
/// more bytes. Texts and most other files are excluded by their second byte.
pub(super) fn may_begin(head: &[u8]) -> Option<bool> {
    let field = |at: usize| head.get(at).copied();
    let is_possible = |at: usize, allows: fn(u8) -> bool| field(at).is_none_or(allows);
    let fits = is_possible(1, |map| map <= 1)
        && is_possible(2, |kind| matches!(kind, 1..=3 | 9..=11))
        && is_possible(16, |bits| matches!(bits, 8 | 15 | 16 | 24 | 32))
        // The two highest bits are reserved (TGA 2.0, field 5.6).
        && is_possible(17, |descriptor| descriptor & 0xC0 == 0);
    if !fits {
        return Some(false);
    }
    (head.len() >= HEADER).then_some(true)
}

/// Holds the last bytes of a file that may be a TGA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footer {
    last: [u8; SIGNATURE.len()],
}

impl Footer {
    pub(crate) const fn new() -> Self {
        Self {
            last: [0; SIGNATURE.len()],
        }
    }

    /// Reads the file's next bytes.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        let kept = chunk.len().min(self.last.len());
        self.last.rotate_left(kept);
        let start = self.last.len().saturating_sub(kept);
        let newest = chunk.get(chunk.len().saturating_sub(kept)..);
        for (slot, byte) in self
            .last
            .iter_mut()
            .skip(start)
            .zip(newest.unwrap_or_default())
        {
            *slot = *byte;
        }
    }

    /// What the file is, now that it is at its end.
    pub(crate) fn finish(&self) -> Option<Format> {
        (&self.last == SIGNATURE).then_some(Format::Tga)
    }
}
