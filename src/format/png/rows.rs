//! The rows of a picture: where each begins, and with which filter type.

use super::header::Header;
use crate::format::Dimensions;

/// PNG 9.2: filter types 0 to 4.
const MAX_FILTER: u8 = 4;

/// Rows of so few bytes are checked many at a time.
const SHORT_ROW: usize = 64;
pub(super) const SHORT_ROW_BYTES: u64 = 64;

/// How many bytes of short rows are checked at a time, at most.
const SPAN: usize = 256;

/// Where in the rows the decompressed bytes are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    /// Length in bytes and number of the rows of each pass, the present one last.
    passes: [(u64, u64); 7],
    /// How many passes are not behind.
    count: usize,
    /// Bytes until the next row.
    left: u64,
    /// Ones where short rows of `masked` bytes have their filter types, zeros elsewhere.
    mask: [u8; SPAN],
    masked: usize,
}

impl Rows {
    pub(super) fn new(header: &Header, size: Dimensions) -> Self {
        let mut passes = [(0, 0); 7];
        let mut count = 0_usize;
        for (slot, pass) in passes.iter_mut().zip(header.passes(size)) {
            *slot = pass;
            count = count.saturating_add(1);
        }
        passes.get_mut(..count).unwrap_or_default().reverse();
        Self {
            passes,
            count,
            left: 0,
            mask: [0; SPAN],
            masked: 0,
        }
    }

    /// Bytes of a row of the present pass.
    pub(super) fn present_row(&self) -> u64 {
        let present = self.count.checked_sub(1);
        let pass = present.and_then(|present| self.passes.get(present));
        pass.map_or(u64::MAX, |(row, _)| *row)
    }

    /// Reads `bytes`; where the first row in them begins that has an unknown filter type.
    pub(super) fn wrong_filter(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.left == 0 {
                rest = self.skip_short_rows(rest);
                let Some(first) = rest.first() else {
                    break;
                };
                if *first > MAX_FILTER {
                    return Some(bytes.len().saturating_sub(rest.len()));
                }
                self.left = self.next_row();
            }
            let in_row = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            self.left = self
                .left
                .saturating_sub(u64::try_from(in_row).unwrap_or(self.left));
            rest = rest.get(in_row..).unwrap_or_default();
        }
        None
    }

    /// Passes short rows many at a time, as long as their filter types are known. A few bytes of
    /// image data can make thousands of them.
    fn skip_short_rows<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some(present) = self.count.checked_sub(1)
            && let Some((row, rows)) = self.passes.get(present).copied()
            && let Ok(len @ 1..=SHORT_ROW) = usize::try_from(row)
        {
            // A whole number of rows, so that one mask fits every span.
            let span = SPAN.saturating_sub(SPAN % len);
            let most = usize::try_from(rows)
                .unwrap_or(usize::MAX)
                .saturating_mul(len);
            let whole = bytes.len().min(most);
            let spans = bytes.get(..whole).unwrap_or_default().chunks_exact(span);
            if spans.len() == 0 {
                break;
            }
            self.set_mask(len);
            let mut passed = 0_usize;
            for bytes in spans {
                let highest = bytes
                    .iter()
                    .zip(&self.mask)
                    .fold(0, |highest, (byte, mask)| highest.max(byte & mask));
                // `wrong_filter` reads this span row by row and finds the position.
                if highest > MAX_FILTER {
                    break;
                }
                passed = passed.saturating_add(span);
            }
            if passed == 0 {
                break;
            }
            let passed_rows = u64::try_from(passed / len).unwrap_or(rows);
            if let Some((_, rows)) = self.passes.get_mut(present) {
                *rows = rows.saturating_sub(passed_rows);
                if *rows == 0 {
                    self.count = present;
                }
            }
            bytes = bytes.get(passed..).unwrap_or_default();
        }
        bytes
    }

    fn set_mask(&mut self, len: usize) {
        if self.masked == len {
            return;
        }
        self.masked = len;
        self.mask = [0; SPAN];
        for place in self.mask.iter_mut().step_by(len) {
            *place = u8::MAX;
        }
    }

    fn next_row(&mut self) -> u64 {
        let present = self.count.checked_sub(1);
        let Some((row, rows)) = present.and_then(|present| self.passes.get_mut(present)) else {
            return u64::MAX;
        };
        *rows = rows.saturating_sub(1);
        if *rows == 0 {
            self.count = self.count.saturating_sub(1);
        }
        *row
    }
}
