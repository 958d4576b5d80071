//! The chunk that is being read (PNG 5.3).

/// The longest beginning of a chunk's body that is looked at: fcTL, whole.
const LOOKED_AT: usize = 26;

/// The chunk that is being read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chunk {
    pub(super) name: [u8; 4],
    /// Offset of its length.
    pub(super) start: u64,
    pub(super) len: u32,
    /// Bytes of its body still to come.
    pub(super) left: u32,
}

impl Chunk {
    /// PNG 5.4: a small first letter.
    pub(super) const fn is_ancillary(&self) -> bool {
        self.name[0] & 0x20 != 0
    }

    pub(super) const fn is_image_data(&self) -> bool {
        matches!(&self.name, b"IDAT")
    }

    /// How much of its body is looked at.
    pub(super) fn looked_at(&self) -> usize {
        let most = match &self.name {
            b"acTL" => 8,
            b"fcTL" => LOOKED_AT,
            b"fdAT" => 4,
            _ => 0,
        };
        usize::try_from(self.len).unwrap_or(most).min(most)
    }
}
