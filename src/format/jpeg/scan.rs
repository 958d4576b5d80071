//! Scans: their headers (T.81 B.2.3) and the coded data after them.

use std::num::NonZeroU64;

use super::{
    Cursor, DefectKind, Depth, Facts, Jpeg, State,
    frame::{COMPONENTS, Frame, Kind},
    marker::Marker,
    mcu::{blocks_in_mcu, component, mcus, most_mcus},
    part::{Next, Part},
    payload::Fed,
    walker,
};

/// The scan that is being read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// The offset of its marker.
    at: u64,
    /// The offset of its first coded byte.
    start: u64,
    pub(super) count: u8,
    /// Its components, by their place in the frame.
    components: [u8; COMPONENTS],
    /// The tables' numbers: DC in the upper half, AC in the lower.
    tables: [u8; COMPONENTS],
    /// First and last coefficient of the band.
    band: (u8, u8),
    /// Point transform: high (of the scan before), low.
    approximation: (u8, u8),
    /// Restart markers so far.
    restarts: u32,
    /// The offset and the number of a restart marker that the end may follow.
    held: Option<NonZeroU64>,
    held_number: u8,
}

impl Scan {
    /// Its components by their place in the frame, with their tables.
    pub(super) fn components(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        self.components
            .iter()
            .copied()
            .zip(self.tables.iter().copied())
            .take(usize::from(self.count))
    }

    pub(super) const fn band(&self) -> (u8, u8) {
        self.band
    }

    pub(super) const fn starts_with_dc(&self) -> bool {
        self.band.0 == 0
    }

    /// Whether it adds a bit to coefficients that an earlier scan coded.
    pub(super) const fn refines(&self) -> bool {
        self.approximation.0 > 0
    }

    /// Whether it codes DC coefficients for the first time.
    fn needs_dc(&self, kind: Kind) -> bool {
        match kind {
            Kind::Baseline | Kind::Extended | Kind::Lossless => true,
            Kind::Progressive => self.band.0 == 0 && self.approximation.0 == 0,
            Kind::Ls => false,
        }
    }

    fn needs_ac(&self, kind: Kind) -> bool {
        match kind {
            Kind::Baseline | Kind::Extended => true,
            Kind::Progressive => self.band.1 > 0,
            Kind::Lossless | Kind::Ls => false,
        }
    }
}

impl Jpeg {
    pub(super) fn scan_head(&mut self, count: u8) -> Result<Next, DefectKind> {
        let known = self.frame.map_or(0, |frame| frame.count);
        if count == 0 || count > known {
            return Err(DefectKind::JpegScanHeader);
        }
        self.scan = Scan {
            count,
            ..Scan::default()
        };
        Ok(Next::Part(Part::ScanComponent(0)))
    }

    pub(super) fn scan_component(
        &mut self,
        index: u8,
        id: u8,
        tables: u8,
    ) -> Result<Next, DefectKind> {
        let scan = &mut self.scan;
        let place = self
            .frame
            .as_ref()
            .and_then(|frame| {
                frame
                    .components()
                    .iter()
                    .zip(0_u8..)
                    .filter(|(component, _)| component.id == id)
                    .map(|(_, place)| place)
                    .find(|place| {
                        !scan
                            .components()
                            .take(usize::from(index))
                            .any(|(held, _)| held == *place)
                    })
            })
            .ok_or(DefectKind::JpegScanHeader)?;
        if tables >> 4 > 3 || tables & 15 > 3 {
            return Err(DefectKind::JpegScanHeader);
        }
        if let Some(held) = scan.components.get_mut(usize::from(index)) {
            *held = place;
        }
        if let Some(held) = scan.tables.get_mut(usize::from(index)) {
            *held = tables;
        }
        let next = index.saturating_add(1);
        Ok(Next::Part(if next < scan.count {
            Part::ScanComponent(next)
        } else {
            Part::ScanTail
        }))
    }

    pub(super) fn scan_tail(
        &mut self,
        [start, end, approximation]: [u8; 3],
        at: u64,
        facts: &mut Facts,
    ) -> Result<(), DefectKind> {
        let Some(frame) = &mut self.frame else {
            return Ok(());
        };
        let scan = &mut self.scan;
        scan.band = (start, end);
        scan.approximation = (approximation >> 4, approximation & 15);
        for (place, _) in scan.components() {
            frame.seen |= 1 << (place & 7);
        }
        match frame.process.kind {
            // What the other parameters must be is certain here, and decoders ignore them.
            Kind::Baseline | Kind::Extended => {
                // A band beyond the block is read by few, unless the coding is arithmetic.
                if start.max(end) > 63 && !frame.process.arithmetic {
                    return Err(DefectKind::JpegScanHeader);
                }
                if (scan.band, approximation) != ((0, 63), 0) {
                    facts.defect(DefectKind::JpegScanParameters, at);
                }
            }
            Kind::Progressive => check_progressive(scan)?,
            Kind::Lossless => {
                if !(1..=7).contains(&start) {
                    facts.defect(DefectKind::JpegScanParameters, at);
                }
            }
            Kind::Ls => {}
        }
        if scan.count > 1 && frame.process.has_blocks() && blocks_in_mcu(frame, scan) > 10 {
            return Err(DefectKind::JpegScanHeader);
        }
        self.check_tables(at, facts);
        Ok(())
    }

    /// Whether the tables that the scan names are defined.
    fn check_tables(&self, at: u64, facts: &mut Facts) {
        let Some(frame) = &self.frame else { return };
        let process = frame.process;
        let has = |tables: u8, number: u8| tables >> (number & 7) & 1 == 1;
        for (place, tables) in self.scan.components() {
            let quantization = component(frame, place).quantization;
            if process.has_blocks() && !has(self.tables.quantization, quantization) {
                facts.defect(DefectKind::JpegNoQuantizationTable, at);
            }
            if process.arithmetic || process.kind == Kind::Ls {
                continue;
            }
            let lacks_dc = self.scan.needs_dc(process.kind) && !has(self.tables.dc, tables >> 4);
            let lacks_ac = self.scan.needs_ac(process.kind) && !has(self.tables.ac, tables & 15);
            if lacks_dc || lacks_ac {
                // Motion JPEG leaves out all of them and means those of T.81 annex K. Most readers
                // use these only in a file that says so.
                let has_none = self.tables.dc == 0 && self.tables.ac == 0;
                let kind = if has_none && self.app.motion {
                    DefectKind::JpegDefaultTables
                } else {
                    DefectKind::JpegNoHuffmanTable
                };
                facts.defect(kind, at);
            }
        }
    }

    /// The scan's header, whose marker is at `at`, is read: coded data follows.
    pub(super) fn begin_scan(&mut self, at: u64, facts: &mut Facts) {
        self.scans = self.scans.saturating_add(1);
        self.scan.at = at;
        self.scan.start = 0;
        self.state = State::Coded { fill: false };
        #[cfg(feature = "decode")]
        if let (Depth::Decode, Some(frame)) = (self.depth, &self.frame) {
            facts.effort.scan(frame, &self.scan);
        }
        if let (Some(payload), Some(frame)) = (walker(&mut self.payload), &self.frame) {
            let mcus = mcus(frame, &self.scan);
            let is_walked = frame.height != 0
                && payload.begin(frame, &self.scan, mcus, self.restart_interval, at);
            if !is_walked {
                facts.defect(DefectKind::NotWalked, at);
                payload.leave_scan();
            }
        } else if cfg!(not(feature = "payload")) && self.depth >= Depth::Payload {
            facts.defect(DefectKind::NotWalked, at);
        }
    }

    /// Walks coded data from one 0xFF to the next: stuffed zeros belong to it, restart markers
    /// count up, any other marker ends it.
    pub(super) fn walk_coded(&mut self, fill: bool, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        if self.scan.start == 0 {
            self.scan.start = cursor.offset();
        }
        if self.scan.held.is_some() && !may_end(fill, cursor.rest()) {
            self.release_restart(facts);
        }
        if !fill {
            let (bytes, ends_in_fill) = match walker(&mut self.payload) {
                None => coded_run(cursor.rest(), |_, _| {}),
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
            (0x00, _) => self.feed_payload(&[0xFF], at, facts),
            // T.87 A.1 stuffs a bit, not a byte.
            (0x01..=0x7F, _) if self.is_ls() => {}
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
                if let Some(held) = self.scan.held.take() {
                    facts.defect(DefectKind::JpegStrayMarker, held.get());
                }
                self.end_interval(true, at, facts);
                self.end_scan(marker, at, facts);
                self.begin(marker, at, facts);
            }
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

    /// Ends the restart interval at `at`. Returns whether its data were walked and hold no more than
    /// tolerated defects.
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
        let is_covered = self.frame.as_ref().is_some_and(Frame::is_covered);
        // What a truncated scan lacks is not stated a second time.
        let mut found = *facts;
        let is_whole = is_covered && self.end_interval(true, len, &mut found);
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

    /// A restart marker after data that are `is_sound`. After the scan's last block it is stray, which
    /// only the walk can tell.
    fn restart(&mut self, number: u8, at: u64, is_sound: bool, facts: &mut Facts) {
        let payload = walker(&mut self.payload);
        let is_whole = payload.and_then(|payload| payload.is_scan_whole());
        if is_sound && is_whole == Some(true) {
            facts.defect(DefectKind::JpegDataExcess, at);
        } else if self.restart_interval == 0 && is_whole.is_none() {
            facts.defect(DefectKind::JpegRestartCount, at);
        } else if u32::from(number) != self.scan.restarts & 7 || self.restart_interval == 0 {
            facts.defect(DefectKind::JpegRestartOrder, at);
        }
        self.scan.restarts = self.scan.restarts.saturating_add(1);
    }

    /// The coded data ended before `marker`, at `at`.
    fn end_scan(&mut self, marker: Marker, at: u64, facts: &mut Facts) {
        let Some(frame) = &self.frame else { return };
        if frame.height == 0 {
            if marker != Marker::NumberOfLines {
                facts.defect(DefectKind::ZeroDimension, at);
            }
            return;
        }
        let interval = u64::from(self.restart_interval);
        if interval > 0 {
            let intervals = u64::from(self.scan.restarts).saturating_add(1);
            if intervals != mcus(frame, &self.scan).div_ceil(interval) {
                facts.defect(DefectKind::JpegRestartCount, at);
            }
        }
        let bits = at.saturating_sub(self.scan.start).saturating_mul(8);
        let per_mcu = self.least_bits(frame);
        // MCUs are counted by divisions, which is done only where so few bits leave a doubt.
        if bits < most_mcus(frame).saturating_mul(per_mcu)
            && bits < mcus(frame, &self.scan).saturating_mul(per_mcu)
        {
            facts.defect(DefectKind::JpegScanShort, at);
        }
    }

    /// The fewest bits that can code an MCU of the scan: a Huffman code has at least one.
    fn least_bits(&self, frame: &Frame) -> u64 {
        let per_block = match frame.process.kind {
            _ if frame.process.arithmetic => 0,
            Kind::Baseline | Kind::Extended => 2,
            Kind::Progressive => u64::from(self.scan.band.0 == 0),
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
    let end: &[u8] = if fill { &[0xD9] } else { &[0xFF, 0xD9] };
    end.starts_with(rest) || rest.starts_with(end)
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

/// T.81 G.1.1.1.1: DC coefficients alone or interleaved, a band of AC coefficients of one
/// component, a refinement by one bit.
fn check_progressive(scan: &Scan) -> Result<(), DefectKind> {
    let ((start, end), (high, low)) = (scan.band, scan.approximation);
    let band_is_legal = if start == 0 {
        end == 0
    } else {
        start <= end && end <= 63 && scan.count == 1
    };
    let steps_by_one = high == 0 || high.checked_sub(1) == Some(low);
    if band_is_legal && steps_by_one && low <= 13 {
        Ok(())
    } else {
        Err(DefectKind::JpegScanHeader)
    }
}
