//! LZW without pixels (appendix F): the lengths of the strings that codes stand for are
//! all that it takes to count a frame's pixels and to see a code that means nothing.

use core::fmt;

/// The longest code has 12 bits.
const MOST_CODES: usize = 4096;
const MOST_BITS: u32 = 12;

/// What has become of a frame's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// More is to come.
    Going,
    /// The last pixel, and then the end code.
    Whole,
    /// The last pixel, and then no end code.
    Beyond,
    /// The end code before the last pixel.
    Short,
    /// A code that means nothing.
    Invalid,
}

/// Walks one frame after another, in 8 KB.
pub(super) struct Lzw {
    /// The length of each code's string. The last is written when the table is full.
    lengths: [u16; MOST_CODES + 1],
    buffer: u64,
    bits: u32,
    width: u32,
    first_width: u32,
    clear: usize,
    /// The code that the next entry takes.
    next: usize,
    /// The length of the string before.
    before: u16,
    pixels_left: u64,
    outcome: Outcome,
    /// The file offset of the last byte of the code that decided the outcome.
    decided_at: u64,
}

impl fmt::Debug for Lzw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lzw")
            .field("pixels_left", &self.pixels_left)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl Lzw {
    pub(super) const fn new() -> Self {
        Self {
            lengths: [1; MOST_CODES + 1],
            buffer: 0,
            bits: 0,
            width: 0,
            first_width: 0,
            clear: 0,
            next: 0,
            before: 0,
            pixels_left: 0,
            outcome: Outcome::Whole,
            decided_at: 0,
        }
    }

    /// Begins a frame of so many pixels, whose codes begin with `code_size` bits and one more (at
    /// most 11).
    pub(super) fn begin(&mut self, code_size: u8, pixels: u64) {
        let code_size = u32::from(code_size).min(MOST_BITS.saturating_sub(1));
        self.clear = 1_usize << code_size;
        self.lengths
            .get_mut(..self.clear)
            .unwrap_or_default()
            .fill(1);
        self.first_width = code_size.saturating_add(1);
        self.width = self.first_width;
        self.next = self.clear.saturating_add(1);
        self.before = 0;
        self.buffer = 0;
        self.bits = 0;
        self.pixels_left = pixels;
        self.outcome = Outcome::Going;
    }

    /// Reads a slice of the frame's data, of any length, which ends before `end`.
    pub(super) fn push(&mut self, mut data: &[u8], end: u64) {
        while self.outcome == Outcome::Going && !data.is_empty() {
            data = self.refill(data);
            self.codes();
            if self.outcome != Outcome::Going {
                // Bytes of which no bit was read follow the code.
                let unread = u64::from(self.bits >> 3)
                    .saturating_add(u64::try_from(data.len()).unwrap_or_default())
                    .saturating_add(1);
                self.decided_at = end.saturating_sub(unread);
            }
        }
    }

    /// The file offset of the code that decided the outcome, if one did.
    pub(super) fn decided_at(&self) -> Option<u64> {
        (self.outcome != Outcome::Going).then_some(self.decided_at)
    }

    /// The frame's data is at its end.
    pub(super) const fn finish(&self) -> Outcome {
        match self.outcome {
            Outcome::Going if self.pixels_left == 0 => Outcome::Beyond,
            Outcome::Going => Outcome::Short,
            known => known,
        }
    }

    /// Fills the bit buffer, eight bytes at once where there are as many.
    fn refill<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        if let Some(word) = data.first_chunk() {
            // All eight bytes are added. Those that are not counted yet are read again by the next
            // call, which sets the same bits.
            self.buffer |= u64::from_le_bytes(*word) << self.bits;
            let taken = (63_u32.saturating_sub(self.bits)) >> 3;
            self.bits = self.bits.saturating_add(taken << 3);
            return data
                .get(usize::try_from(taken).unwrap_or_default()..)
                .unwrap_or_default();
        }
        let mut data = data;
        while let Some((byte, rest)) = data.split_first()
            && self.bits <= 56
        {
            self.buffer |= u64::from(*byte) << self.bits;
            self.bits = self.bits.saturating_add(8);
            data = rest;
        }
        data
    }

    /// Reads the codes that the bit buffer holds.
    fn codes(&mut self) {
        let Self {
            mut buffer,
            mut bits,
            mut width,
            mut next,
            mut before,
            clear,
            ..
        } = *self;
        let mut left = self.pixels_left;
        let mut decided = None;
        while bits >= width {
            let code = usize::try_from(buffer & !(u64::MAX << width)).unwrap_or_default();
            buffer >>= width;
            bits = bits.saturating_sub(width);
            // The clear code is a power of two and the end code follows it: one comparison finds
            // both.
            if code & !1 == clear {
                if code != clear {
                    // The end code.
                    decided = Some(if left == 0 {
                        Outcome::Whole
                    } else {
                        Outcome::Short
                    });
                    break;
                }
                width = self.first_width;
                // The code that follows has no string before it and makes no entry: the one that
                // it makes here is the end code's, which is never looked up.
                next = clear.saturating_add(1);
                before = 0;
                continue;
            }
            if code > next {
                decided = Some(Outcome::Invalid);
                break;
            }
            // The entry is made before it is looked up: a code may represent the very string that
            // it makes.
            if let Some(entry) = self.lengths.get_mut(next) {
                *entry = before.saturating_add(1);
            }
            before = self.lengths.get(code).copied().unwrap_or_default();
            let Some(still_left) = left.checked_sub(before.into()) else {
                decided = Some(Outcome::Beyond);
                break;
            };
            left = still_left;
            // A full table is used as it is until a clear code, which encoders may defer.
            next = next.saturating_add(1).min(MOST_CODES);
            if next >> width != 0 && width < MOST_BITS {
                width = width.saturating_add(1);
            }
        }
        self.buffer = buffer;
        self.bits = bits;
        self.width = width;
        self.next = next;
        self.before = before;
        self.pixels_left = left;
        if let Some(outcome) = decided {
            self.outcome = outcome;
        }
    }
}
