//! Coded data without its stuffed zeros, read bit by bit.

/// Bytes held at a time.
const HELD: usize = 16 * 1024;

/// Bits that a refill makes ready, at least.
pub(super) const READY: u32 = 56;

/// What is left when the held bytes are too few for another MCU: ten blocks of 64 coefficients of
/// at most 32 bits each.
pub(super) const MOST_OF_MCU: usize = 10 * 64 * 4;

/// Holds coded data until it is read.
#[derive(Debug)]
pub(super) struct Buffer {
    held: [u8; HELD],
    len: usize,
    /// The file's offset after the last held byte.
    end: u64,
}

impl Buffer {
    pub(super) const fn new() -> Self {
        Self {
            held: [0; HELD],
            len: 0,
            end: 0,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.held.get(..self.len).unwrap_or_default()
    }

    /// The file's offset of the held byte that begins `bits` before the end. Each 0xFF that another
    /// byte follows has a stuffed zero in the file.
    pub(super) fn offset(&self, bits: i64) -> u64 {
        let bytes = usize::try_from(bits).unwrap_or(0).div_ceil(8).min(self.len);
        let (_, tail) = self.bytes().split_at(self.len.saturating_sub(bytes));
        let stuffed = match tail {
            [before @ .., _] => memchr::memchr_iter(0xFF, before).count(),
            [] => 0,
        };
        let back = u64::try_from(bytes.saturating_add(stuffed)).unwrap_or(u64::MAX);
        self.end.saturating_sub(back)
    }

    /// Copies as many of `bytes`, which are at the offset `at` of the file, as there is room for;
    /// returns how many.
    pub(super) fn fill(&mut self, bytes: &[u8], at: u64) -> usize {
        let room = HELD.saturating_sub(self.len).min(bytes.len());
        let taken = bytes.get(..room).unwrap_or_default();
        let end = self.len.saturating_add(room);
        if let Some(place) = self.held.get_mut(self.len..end) {
            place.copy_from_slice(taken);
        }
        self.len = end;
        self.end = at.saturating_add(u64::try_from(room).unwrap_or(u64::MAX));
        room
    }

    /// Drops the first `read` bytes.
    pub(super) fn consume(&mut self, read: usize) {
        let read = read.min(self.len);
        self.held.copy_within(read..self.len, 0);
        self.len = self.len.saturating_sub(read);
    }

    /// Drops all bytes; what is held next is at `at` in the file or after it.
    pub(super) const fn clear(&mut self, at: u64) {
        self.len = 0;
        self.end = at;
    }
}

/// The bits that were taken out of the buffer and not yet read. They outlive a borrow of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ahead {
    bits: u64,
    count: u32,
}

/// Reads bits of held bytes; beyond their end there are zeros without end.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    next: usize,
    /// The next bits, from the highest on; below `count` they may be right or zero.
    ahead: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(bytes: &'a [u8], ahead: Ahead) -> Self {
        Self {
            bytes,
            next: 0,
            ahead: ahead.bits,
            count: ahead.count,
        }
    }

    /// The bytes that were taken, and the bits of them that were not read.
    pub(super) const fn end(self) -> (usize, Ahead) {
        let ahead = Ahead {
            bits: self.ahead,
            count: self.count,
        };
        (self.next, ahead)
    }

    /// How many bytes were not taken yet; negative beyond the end.
    #[inline]
    pub(super) const fn bytes_left(&self) -> usize {
        self.bytes.len().saturating_sub(self.next)
    }

    /// How many bits were not read yet; negative when more were read than there are.
    #[inline]
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_wrap,
        reason = "the buffer's size bounds both"
    )]
    pub(super) const fn left(&self) -> i64 {
        let bytes = (self.bytes.len() as i64).saturating_sub(self.next as i64);
        bytes.saturating_mul(8).saturating_add(self.count as i64)
    }

    /// Makes at least [`READY`] bits ready.
    #[inline]
    pub(super) fn refill(&mut self) {
        let word = self
            .bytes
            .get(self.next..)
            .and_then(|rest| rest.first_chunk::<8>());
        // The rare path takes and returns values, so that the reader can stay in registers.
        let word = word.map_or_else(|| word_at_end(self.bytes, self.next), |word| *word);
        self.add(u64::from_be_bytes(word));
    }

    #[inline]
    fn add(&mut self, word: u64) {
        // All eight bytes are added, and `count` becomes 56 to 63. Bytes beyond it are read again
        // by the next call, which sets the same bits.
        self.ahead |= word.wrapping_shr(self.count);
        let bytes = 63_u32.wrapping_sub(self.count).wrapping_shr(3);
        self.next = self
            .next
            .wrapping_add(usize::try_from(bytes).unwrap_or_default());
        self.count |= 0b11_1000;
    }

    /// The next bits, from the highest on. As many are right as were made ready and not read.
    #[inline]
    pub(super) const fn peek(&self) -> u64 {
        self.ahead
    }

    #[inline]
    pub(super) const fn ready(&self) -> u32 {
        self.count
    }

    /// Reads over `count` bits, at most 63 and at most as many as are ready.
    #[inline]
    pub(super) const fn skip(&mut self, count: u32) {
        self.ahead = self.ahead.wrapping_shl(count);
        self.count = self.count.wrapping_sub(count);
    }

    /// Reads over any number of bits.
    pub(super) fn skip_long(&mut self, count: u32) {
        let mut count = count;
        while count > 0 {
            self.refill();
            let step = count.min(READY);
            self.skip(step);
            count = count.saturating_sub(step);
        }
    }

    /// Reads `count` bits, at most 16, which are ready.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        let value = self.ahead.wrapping_shr(64_u32.wrapping_sub(count));
        self.skip(count);
        u32::try_from(value).unwrap_or_default()
    }
}

/// The last bytes from `next` on, with zeros after them.
#[cold]
fn word_at_end(bytes: &[u8], next: usize) -> [u8; 8] {
    let mut word = [0; 8];
    let rest = bytes.get(next..).unwrap_or_default();
    for (place, byte) in word.iter_mut().zip(rest) {
        *place = *byte;
    }
    word
}
