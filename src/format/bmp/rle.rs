//! RLE8 and RLE4 (Microsoft Win32 documentation, "Bitmap Compression"): runs walked without
//! making pixels.

use super::{Cursor, DefectKind};

/// The walk through run lengths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rle {
    width: u32,
    height: u32,
    /// Two pixels to a byte.
    is_packed: bool,
    /// The next pixel, rows counted as they are stored.
    column: u32,
    row: u32,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Before a run's count, or the zero of an escape.
    Count,
    /// Before the colors of `pixels` pixels.
    Colors {
        pixels: u8,
    },
    /// Before the escape's kind.
    Escape,
    /// Before the columns of a delta.
    Columns,
    Rows {
        columns: u8,
    },
    /// In an absolute run: its bytes to come, with the one that pads to an even number.
    Absolute {
        left: u16,
    },
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walked {
    More,
    /// The end code was read, or the last row is whole and needs none.
    End,
    Wrong(DefectKind),
    /// A run follows the last row. Readers ignore it.
    Excess,
}

impl Rle {
    pub(super) const fn new(width: u32, height: u32, is_packed: bool) -> Self {
        Self {
            width,
            height,
            is_packed,
            column: 0,
            row: 0,
            step: Step::Count,
        }
    }

    /// Whether every pixel was passed, so that only the end code can be missing.
    pub(super) fn is_whole(&self) -> bool {
        let on_last = self.row.saturating_add(1) == self.height && self.column >= self.width;
        self.row >= self.height || on_last
    }

    /// Walks on, and hands over the offset where a run goes into its row's padding.
    pub(super) fn walk(&mut self, cursor: &mut Cursor<'_>, mut overrun: impl FnMut(u64)) -> Walked {
        loop {
            if let Step::Absolute { left } = self.step {
                let taken = cursor.take(u64::from(left)).len();
                let left = left.saturating_sub(u16::try_from(taken).unwrap_or(u16::MAX));
                if left > 0 {
                    self.step = Step::Absolute { left };
                    return Walked::More;
                }
                self.step = Step::Count;
            }
            let Some(byte) = cursor.byte() else {
                return Walked::More;
            };
            match self.take(byte) {
                Walked::More if self.column > self.width => {
                    overrun(cursor.offset().saturating_sub(1));
                }
                Walked::More => {}
                end => return end,
            }
        }
    }

    fn take(&mut self, byte: u8) -> Walked {
        self.step = match (self.step, byte) {
            (Step::Count, 0) => Step::Escape,
            (Step::Count, pixels) => Step::Colors { pixels },
            (Step::Colors { pixels }, _) => {
                if let Err(end) = self.pass(pixels) {
                    return end;
                }
                Step::Count
            }
            (Step::Escape, 0) => {
                self.column = 0;
                self.row = self.row.saturating_add(1);
                Step::Count
            }
            (Step::Escape, 1) => return Walked::End,
            (Step::Escape, 2) => Step::Columns,
            (Step::Escape, pixels) => {
                if let Err(end) = self.pass(pixels) {
                    return end;
                }
                let bytes = if self.is_packed {
                    u16::from(pixels).div_ceil(2)
                } else {
                    u16::from(pixels)
                };
                Step::Absolute {
                    // Absolute runs are padded to 16 bits.
                    left: bytes.next_multiple_of(2),
                }
            }
            (Step::Columns, columns) => Step::Rows { columns },
            (Step::Rows { columns }, rows) => {
                self.column = self.column.saturating_add(u32::from(columns));
                self.row = self.row.saturating_add(u32::from(rows));
                // A delta may end just after the last pixel, but not outside of the picture.
                if self.column > self.width || self.row > self.height {
                    return Walked::Wrong(DefectKind::BmpRleOutside);
                }
                Step::Count
            }
            (Step::Absolute { .. }, _) => Step::Count,
        };
        Walked::More
    }

    fn pass(&mut self, pixels: u8) -> Result<(), Walked> {
        if self.row >= self.height {
            return Err(Walked::Excess);
        }
        self.column = self.column.saturating_add(u32::from(pixels));
        // Encoders that count the bytes of a padded row write up to three pixels too many.
        if self.column > self.width.next_multiple_of(4) {
            return Err(Walked::Wrong(DefectKind::BmpRleBeyondRow));
        }
        Ok(())
    }
}
