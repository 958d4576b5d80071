//! The image data unpacked into a scratch buffer, to see that it can be and that it is as long as
//! the picture's rows. No pixel is made.

use core::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::header::Header;
use crate::format::Dimensions;

/// How much is unpacked at a time, in bytes. What an image repeats from before the last piece is copied
/// from the unpacker's window, which is slower than from the piece itself: fewer pieces, fewer such
/// copies.
const SCRATCH: usize = 128 * 1024;

/// PNG 9.2: filter types 0 to 4.
const MOST_FILTER: u8 = 4;

/// What the image data of one picture turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Whole,
    /// It cannot be unpacked.
    Invalid,
    /// A row begins with a filter type that there is not.
    Filter,
    /// It ends before the last row.
    Short,
    /// It goes on after the last row, or its checksum is wrong or not there.
    Beyond,
}

/// Unpacks one picture after another, with 128 KB and what the unpacker takes.
pub(super) struct Payload {
    inflate: Inflate,
    scratch: Box<[u8]>,
    rows: Rows,
    /// Bytes that the rows still lack.
    left: u64,
    outcome: Option<Outcome>,
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("left", &self.left)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl Payload {
    /// Begins with a picture of `size`.
    pub(super) fn new(header: &Header, size: Dimensions) -> Self {
        Self {
            inflate: Inflate::new(true, 15),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            rows: Rows::new(header, size),
            left: header.unpacked(size),
            outcome: None,
        }
    }

    /// Begins with another picture.
    pub(super) fn restart(&mut self, header: &Header, size: Dimensions) {
        self.inflate.reset(true);
        self.rows = Rows::new(header, size);
        self.left = header.unpacked(size);
        self.outcome = None;
    }

    /// Unpacks a piece of the image data, of any length.
    pub(super) fn push(&mut self, mut input: &[u8]) {
        while self.outcome.is_none() {
            // One byte more than there may be tells whether there is one.
            let room = usize::try_from(self.left.max(1))
                .unwrap_or(SCRATCH)
                .min(SCRATCH);
            let output = self.scratch.get_mut(..room).unwrap_or_default();
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(input, output, InflateFlush::NoFlush);
            let read = self.inflate.total_in().saturating_sub(read);
            let written = self.inflate.total_out().saturating_sub(written);
            input = input.get(index(read)..).unwrap_or_default();
            self.outcome = self.after(status.ok(), written);
            let full = index(written) == room;
            if (input.is_empty() || read == 0) && !full {
                return;
            }
        }
    }

    /// The image data is at its end: what it was.
    pub(super) fn finish(&mut self) -> Outcome {
        let outcome = self.outcome.unwrap_or(if self.left > 0 {
            Outcome::Short
        } else {
            Outcome::Beyond
        });
        self.outcome = Some(outcome);
        outcome
    }

    fn after(&mut self, status: Option<Status>, written: u64) -> Option<Outcome> {
        if self.left == 0 {
            return match status {
                _ if written > 0 => Some(Outcome::Beyond),
                Some(Status::StreamEnd) => Some(Outcome::Whole),
                Some(_) => None,
                None => Some(Outcome::Beyond),
            };
        }
        let output = self.scratch.get(..index(written)).unwrap_or_default();
        if !self.rows.check(output) {
            return Some(Outcome::Filter);
        }
        self.left = self.left.saturating_sub(written);
        match (status, self.left) {
            (Some(Status::StreamEnd), 0) => Some(Outcome::Whole),
            (Some(Status::StreamEnd), _) => Some(Outcome::Short),
            (Some(_), _) => None,
            (None, 0) => Some(Outcome::Beyond),
            (None, _) => Some(Outcome::Invalid),
        }
    }
}

fn index(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Where in the rows the unpacked bytes are.
#[derive(Clone, Copy, Debug)]
struct Rows {
    /// Length in bytes and number of the rows of each pass, the present one last.
    passes: [(u64, u64); 7],
    /// How many passes are not behind.
    count: usize,
    /// Bytes until the next row.
    left: u64,
}

impl Rows {
    fn new(header: &Header, size: Dimensions) -> Self {
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
        }
    }

    /// Whether the rows that begin in `bytes` begin with a filter type.
    fn check(&mut self, mut bytes: &[u8]) -> bool {
        while let Some(first) = bytes.first() {
            if self.left == 0 {
                if *first > MOST_FILTER {
                    return false;
                }
                self.left = self.next_row();
            }
            let in_row = index(self.left).min(bytes.len());
            self.left = self
                .left
                .saturating_sub(u64::try_from(in_row).unwrap_or(self.left));
            bytes = bytes.get(in_row..).unwrap_or_default();
        }
        true
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
