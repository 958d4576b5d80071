//! The fast path for segments that are complete in one chunk: no state for each of their fields. It
//! reads what the state machine reads, and leaves anything unusual to it.

use super::{
    Cursor, Facts, Jpeg, State, exif,
    frame::{Frame, Process},
    marker::Marker,
    part::{Next, Part},
};
/// A marker and the length of its segment.
const HEAD: usize = 4;

impl Jpeg {
    /// Reads the segments that the chunk begins with.
    pub(super) fn leap(&mut self, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        while let [0xFF, code, after @ ..] = cursor.rest() {
            let marker = Marker::new(*code);
            if marker == Marker::Soi && cursor.offset() == 0 {
                cursor.take_len(2);
                continue;
            }
            let Some(body) = body(after).filter(|_| marker.has_segment()) else {
                return;
            };
            if !self.take_segment(marker, body, cursor.offset(), facts) {
                return;
            }
            cursor.take_len(body.len().saturating_add(HEAD));
            if !matches!(self.state, State::Marker { .. }) {
                return;
            }
        }
    }

    /// Reads a segment. Returns whether it did.
    fn take_segment(&mut self, marker: Marker, body: &[u8], at: u64, facts: &mut Facts) -> bool {
        match Part::first(marker, self.depth) {
            Part::Rest => {}
            Part::Jfif => self.app.take_app0(body),
            Part::Exif(_) => {
                facts.orientation = facts.orientation.or_else(|| exif::orientation(body));
            }
            // A short one is left to the steps.
            Part::Adobe if body.len() < 12 => return false,
            Part::Adobe => self.app.take_adobe(body),
            Part::FrameHead(process) => return self.take_frame(process, body, at, facts),
            Part::HuffmanHead => return self.take_huffman(body, at, facts),
            Part::QuantizationHead => return self.take_quantizers(body, at, facts),
            Part::ScanHead => return self.take_scan(body, at, facts),
            _ => return false,
        }
        true
    }

    /// Reads Huffman tables, one after the other.
    fn take_huffman(&mut self, body: &[u8], at: u64, facts: &mut Facts) -> bool {
        let mut rest = body;
        #[cfg(feature = "decode")]
        let mut effort = facts.effort;
        while let Some((head, after)) = rest.split_first_chunk() {
            #[cfg(feature = "decode")]
            if self.depth == super::Depth::Decode {
                effort.table();
            }
            // The segment is left unread, and the steps record the tables before this one again:
            // defining a table twice has the effect of defining it once.
            let Ok(Next::Part(part)) = self.huffman_head(head) else {
                return false;
            };
            rest = after;
            if let Part::HuffmanSymbols { left, .. } = part {
                let Some((symbols, after)) = rest.split_at_checked(left.into()) else {
                    return false;
                };
                if self.take_bytes(part, symbols, at, facts).is_err() {
                    return false;
                }
                rest = after;
            }
        }
        // Otherwise the steps count the tables again.
        #[cfg(feature = "decode")]
        if rest.is_empty() {
            facts.effort = effort;
        }
        rest.is_empty()
    }

    /// Reads quantization tables, one after the other.
    fn take_quantizers(&mut self, body: &[u8], at: u64, facts: &mut Facts) -> bool {
        let mut rest = body;
        while let Some((head, after)) = rest.split_first() {
            let Ok(part @ Part::QuantizationValues { left, .. }) = self.quantization_head(*head)
            else {
                return false;
            };
            let Some((values, after)) = after.split_at_checked(left.into()) else {
                return false;
            };
            if self.take_bytes(part, values, at, facts).is_err() {
                return false;
            }
            rest = after;
        }
        true
    }

    /// Reads a scan's header.
    fn take_scan(&mut self, body: &[u8], at: u64, facts: &mut Facts) -> bool {
        let Some((count, rest)) = body.split_first() else {
            return false;
        };
        let Some((components, tail)) = rest.split_last_chunk() else {
            return false;
        };
        let (components, excess) = components.as_chunks();
        if self.frame.is_none()
            || components.len() != usize::from(*count)
            || !excess.is_empty()
            || self.scan_head(*count).is_err()
        {
            return false;
        }
        for (index, [id, tables]) in (0..).zip(components) {
            if self.scan_component(index, *id, *tables).is_err() {
                return false;
            }
        }
        if self.scan_tail(*tail, at, facts).is_err() {
            return false;
        }
        self.begin_scan(at, facts);
        true
    }

    fn take_frame(&mut self, process: Process, body: &[u8], at: u64, facts: &mut Facts) -> bool {
        let Some(frame) = Frame::of_body(process, body).filter(|_| self.frame.is_none()) else {
            return false;
        };
        facts.dimensions = facts.dimensions.or(frame.dimensions());
        self.frame = Some(frame);
        self.state_frame(at, facts);
        true
    }
}

/// The body of the segment whose length `after` begins with, if all of it is there.
fn body(after: &[u8]) -> Option<&[u8]> {
    let [high, low, rest @ ..] = after else {
        return None;
    };
    let length = u16::from_be_bytes([*high, *low]).checked_sub(2)?;
    rest.get(..usize::from(length))
}
