//! The coded data of a scan: its restart intervals, and how it ends (T.81 B.1.1.5, B.2.1).

use std::num::NonZeroU64;

use super::{
    Cursor, DefectKind, Facts, Jpeg, State,
    frame::{Frame, Kind},
    marker::Marker,
    mcu::{blocks_in_mcu, mcus, most_mcus},
    payload::Fed,
    walker,
};

impl Jpeg {
    /// Walks coded data from one 0xFF to the next: stuffed zeros belong to it, restart markers
    /// count up, any other marker ends it.
    pub(super) fn walk_coded(&mut self, fill: bool, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        if self.scan.start == 0 {
            self.scan.start = cursor.offset();
        }
        // A restart marker is held until the next marker is known: before EOI it is stray,
        // elsewhere it begins an interval.
        if self.scan.held.is_some() && !may_end(fill, cursor.rest()) {
            self.release_restart(facts);
        }
        if !fill {
            let (bytes, ends_in_fill) = match walker(&mut self.payload) {
                None => self.count_restarts(cursor, facts),
                Some(payload) => {
                    let mut fed = Fed::Fine;
                    let start = cursor.offset();
                    let run = coded_run(cursor.rest(), |bytes, at| {
                        if fed == Fed::Fine {
                            fed = payload.feed(bytes, start.saturating_add(at));
                        }
                    });
                    state_fed(fed, facts);
                    run
                }
            };
            // The 0xFF stays unread where a whole marker follows, so that `leap` can read the
            // segment at once.
            cursor.take_len(bytes.saturating_sub(usize::from(ends_in_fill)));
            if !self.ends_before_segment(cursor, facts) {
                cursor.take_len(usize::from(ends_in_fill));
                self.state = State::Coded { fill: ends_in_fill };
            }
            return;
        }
        let at = cursor.offset().saturating_sub(1);
        let Some(code) = cursor.byte() else { return };
        self.state = State::Coded { fill: false };
        match (code, Marker::new(code)) {
            // `coded_run` handles stuffed zeros, except one that begins a chunk.
            (0x00, _) => self.feed_payload(&[0xFF], at, facts),
            // T.87 A.1 stuffs a bit, not a byte.
            (0x01..=0x7F, _) if self.is_ls() => {}
            // Fill bytes may precede any marker (T.81 B.1.1.2).
            (0xFF, _) => self.state = State::Coded { fill: true },
            (_, Marker::Restart(number)) => {
                if walker(&mut self.payload).is_none() {
                    self.scan.held = NonZeroU64::new(at);
                    self.scan.held_number = number;
                } else {
                    let is_sound = self.end_interval(false, at, facts);
                    self.restart(number, at, is_sound, facts);
                }
            }
            (_, marker) => {
                if let Some(held) = self.scan.held.take()
                    && !self.lacks_intervals()
                {
                    facts.defect(DefectKind::JpegStrayMarker, held.get());
                }
                self.end_interval(true, at, facts);
                self.end_scan(marker, at, facts);
                self.begin(marker, at, facts);
            }
        }
    }

    /// Walks coded data that is not decoded, past the restart markers that begin an interval: some
    /// files have one for every few bytes, too many to hold each of them. Returns what `coded_run`
    /// returns of the rest.
    fn count_restarts(&mut self, cursor: &mut Cursor<'_>, facts: &mut Facts) -> (usize, bool) {
        loop {
            let (bytes, ends_in_fill) = coded_run(cursor.rest(), |_, _| {});
            let Some([code @ 0xD0..=0xD7, after @ ..]) =
                cursor.rest().get(bytes..).filter(|_| ends_in_fill)
            else {
                return (bytes, ends_in_fill);
            };
            if may_end(false, after) {
                return (bytes, ends_in_fill);
            }
            cursor.take_len(bytes.saturating_add(1));
            self.restart(code & 7, cursor.offset().saturating_sub(2), false, facts);
        }
    }

    /// Counts a restart marker that the end did not follow.
    fn release_restart(&mut self, facts: &mut Facts) {
        if let Some(at) = self.scan.held.take() {
            self.restart(self.scan.held_number, at.get(), false, facts);
        }
    }

    /// Ends the scan if a segment follows whose marker lies in the chunk, which stays unread.
    fn ends_before_segment(&mut self, cursor: &Cursor<'_>, facts: &mut Facts) -> bool {
        let [0xFF, code @ 0x80..=0xFE, ..] = cursor.rest() else {
            return false;
        };
        let marker = Marker::new(*code);
        if marker.has_segment() {
            self.end_interval(true, cursor.offset(), facts);
            self.end_scan(marker, cursor.offset(), facts);
            self.state = State::Marker { fill: false };
        }
        marker.has_segment()
    }

    fn feed_payload(&mut self, bytes: &[u8], at: u64, facts: &mut Facts) {
        if let Some(payload) = walker(&mut self.payload) {
            state_fed(payload.feed(bytes, at), facts);
        }
    }

    /// Ends the restart interval at `at`. Returns whether its data were walked and hold no more
    /// than tolerated defects.
    fn end_interval(&mut self, last: bool, at: u64, facts: &mut Facts) -> bool {
        let Some(payload) = walker(&mut self.payload) else {
            return false;
        };
        let is_walked = payload.is_scan_whole().is_some();
        let fed = payload.end_interval(last, at);
        state_fed(fed, facts);
        is_walked
            && match fed {
                Fed::Fine => true,
                Fed::Defect(kind, _) => kind.is_tolerated(),
                Fed::TooMuch(_) => false,
            }
    }

    /// Whether the file's end at `len`, inside of coded data, is only the lack of an end marker.
    pub(super) fn ends_whole(&mut self, len: u64, facts: &mut Facts) -> bool {
        let is_complete = self.frame.as_ref().is_some_and(Frame::is_complete);
        // What a truncated scan lacks is not stated a second time.
        let mut found = *facts;
        // Data after the last block may be those of a damaged scan, whose end is not known then.
        let is_whole = is_complete
            && self.end_interval(true, len, &mut found)
            && !found.defects.contains(DefectKind::JpegDataExcess);
        if is_whole {
            *facts = found;
        }
        is_whole
    }

    fn is_ls(&self) -> bool {
        self.frame
            .as_ref()
            .is_some_and(|frame| frame.process.kind == Kind::Ls)
    }

    /// A restart marker after data that `is_sound`. After the scan's last block it is stray, which
    /// only the walk detects.
    fn restart(&mut self, number: u8, at: u64, is_sound: bool, facts: &mut Facts) {
        let payload = walker(&mut self.payload);
        let is_whole = payload.and_then(|payload| payload.is_scan_whole());
        if is_sound && is_whole == Some(true) {
            facts.defect(DefectKind::JpegDataExcess, at);
        } else if self.restart_interval == 0 && is_whole.is_none() {
            facts.defect(DefectKind::JpegRestartCount, at);
        // T.81 table B.1: the numbers count modulo 8, from 0 in each scan.
        } else if u32::from(number) != self.scan.restarts & 7 || self.restart_interval == 0 {
            facts.defect(DefectKind::JpegRestartOrder, at);
        }
        self.scan.restarts = self.scan.restarts.saturating_add(1);
    }

    /// The coded data ended before `marker`, at `at`.
    fn end_scan(&mut self, marker: Marker, at: u64, facts: &mut Facts) {
        let Some(frame) = &self.frame else { return };
        if frame.height == 0 {
            // A frame without a height needs DNL directly after its first scan (T.81 B.2.5).
            if marker != Marker::NumberOfLines {
                facts.defect(DefectKind::ZeroDimension, at);
            }
            return;
        }
        if self
            .intervals()
            .is_some_and(|(found, announced)| found != announced)
        {
            facts.defect(DefectKind::JpegRestartCount, at);
        }
        let bits = at.saturating_sub(self.scan.start).saturating_mul(8);
        let per_mcu = self.least_bits(frame);
        // Counting MCUs takes divisions, so it is done only where so few bits leave a doubt.
        if bits < most_mcus(frame).saturating_mul(per_mcu)
            && bits < mcus(frame, &self.scan).saturating_mul(per_mcu)
        {
            facts.defect(DefectKind::JpegScanShort, at);
        }
    }

    /// Whether the restart markers so far begin fewer intervals than are announced.
    fn lacks_intervals(&self) -> bool {
        self.intervals()
            .is_some_and(|(found, announced)| found < announced)
    }

    /// The number of restart intervals that were found, and that are announced, if any are.
    fn intervals(&self) -> Option<(u64, u64)> {
        let found = u64::from(self.scan.restarts).saturating_add(1);
        let interval = NonZeroU64::new(self.restart_interval.into())?;
        let mcus = mcus(self.frame.as_ref()?, &self.scan);
        Some((found, mcus.div_ceil(interval.get())))
    }

    /// The fewest bits that can code an MCU of the scan: a Huffman code has at least one.
    fn least_bits(&self, frame: &Frame) -> u64 {
        let per_block = match frame.process.kind {
            _ if frame.process.arithmetic => 0,
            // A block has a DC code and at least one AC code.
            Kind::Baseline | Kind::Extended => 2,
            // One code can end the band of thousands of blocks (T.81 G.1.2.2), so AC scans have no
            // minimum.
            Kind::Progressive => u64::from(self.scan.starts_with_dc()),
            Kind::Lossless | Kind::Ls => 0,
        };
        if self.scan.count > 1 && per_block > 0 {
            per_block.saturating_mul(blocks_in_mcu(frame, &self.scan).into())
        } else {
            per_block
        }
    }
}

/// Whether EOI may come next, behind the bytes that were read.
fn may_end(fill: bool, rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [code, ..] if fill => *code == 0xD9,
        [0xFF, after @ ..] => after.first().is_none_or(|code| *code == 0xD9),
        _ => false,
    }
}

/// Records the result of reading coded data.
fn state_fed(fed: Fed, facts: &mut Facts) {
    match fed {
        Fed::Fine => {}
        Fed::Defect(kind, at) => facts.defect(kind, at),
        Fed::TooMuch(at) => facts.defect(DefectKind::NotWalked, at),
    }
}

/// How much of coded data `bytes` begins with, up to and with an 0xFF that a zero does not follow
/// (or that is the last byte); and whether there is one. What is coded, without stuffed zeros and
/// that 0xFF, goes to `sink`, with its offset in `bytes`.
#[inline]
fn coded_run(bytes: &[u8], mut sink: impl FnMut(&[u8], u64)) -> (usize, bool) {
    let mut rest = bytes;
    let at = |rest: &[u8]| u64::try_from(bytes.len().saturating_sub(rest.len())).unwrap_or(0);
    while let Some(found) = memchr::memchr(0xFF, rest) {
        let (coded, marked) = rest.split_at(found);
        let [_, 0x00, after @ ..] = marked else {
            sink(coded, at(rest));
            let after = marked.len().saturating_sub(1);
            return (bytes.len().saturating_sub(after), true);
        };
        let coded = rest.get(..found.saturating_add(1)).unwrap_or_default();
        sink(coded, at(rest));
        rest = after;
    }
    sink(rest, at(rest));
    (bytes.len(), false)
}
