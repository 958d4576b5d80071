//! The short way through segments that lie in a chunk as a whole: no step for each of their fields.
//! It reads what the steps read; whatever is out of the ordinary is left to them.

use super::{
    Cursor, FIELD, Facts, Jpeg, State, exif,
    frame::{Frame, Process},
    marker::Marker,
    part::{Need, Next, Part},
};
/// A marker and the length of its segment.
const HEAD: usize = 4;

impl Jpeg {
    /// Takes the segments that the chunk begins with.
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

    /// Takes a segment. Returns whether it did.
    fn take_segment(&mut self, marker: Marker, body: &[u8], at: u64, facts: &mut Facts) -> bool {
        match Part::first(marker, self.depth) {
            Part::Rest => {}
            Part::Jfif => self.app.take_jfif(body),
            Part::Exif(_) => {
                facts.orientation = facts.orientation.or_else(|| exif::orientation(body));
            }
            Part::Adobe => self.app.take_adobe(body),
            Part::FrameHead(process) => return self.take_frame(process, body, at, facts),
            Part::ScanHead if self.frame.is_none() => return false,
            part if part.begins_table() || matches!(part, Part::ScanHead) => {
                return self.take_parts(part, body, at, facts);
            }
            _ => return false,
        }
        true
    }

    /// Takes tables, one after the other, or a scan's header.
    fn take_parts(&mut self, part: Part, body: &[u8], at: u64, facts: &mut Facts) -> bool {
        let (mut part, mut rest) = (part, body);
        while !rest.is_empty() {
            let next = match part.need() {
                Need::Field(len) => {
                    let Some((field, after)) = take_field(rest, len) else {
                        return false;
                    };
                    rest = after;
                    self.take_field(part, &field, at, facts)
                }
                Need::Bytes(len) => {
                    let Some((bytes, after)) = rest.split_at_checked(usize::from(len)) else {
                        return false;
                    };
                    rest = after;
                    self.take_bytes(part, bytes, at, facts)
                }
                Need::Rest => return false,
            };
            match next {
                Ok(Next::Part(next)) => part = next,
                Ok(Next::Coded) if rest.is_empty() => {
                    self.begin_scan(at, facts);
                    return true;
                }
                _ => return false,
            }
        }
        part.begins_table()
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

/// A field of `len` bytes, and what follows it.
fn take_field(bytes: &[u8], len: u16) -> Option<([u8; FIELD], &[u8])> {
    let (taken, after) = bytes.split_at_checked(usize::from(len))?;
    let mut field = [0; FIELD];
    field.get_mut(..taken.len())?.copy_from_slice(taken);
    Some((field, after))
}
