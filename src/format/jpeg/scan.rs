//! Scans and their headers (T.81 B.2.3).

use super::{
    DefectKind, Depth, Facts, Jpeg, State,
    frame::Kind,
    mcu::{blocks_in_mcu, component, mcus},
    part::{Next, Part},
    scan_header::Scan,
    walker,
};

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
                    // A component is in a scan once (T.81 B.2.3).
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
        let coded = scan.coded(frame.process.kind);
        for (place, _) in scan.components() {
            frame.seen |= 1 << (place & 7);
            if let Some(held) = frame.coded.get_mut(usize::from(place)) {
                *held |= coded;
            }
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
        // T.81 B.2.3 limits an MCU to ten blocks, which `payload::bits` relies on.
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

    /// The scan's header, whose marker is at `at`, was read: coded data follows.
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
            // Without a height the blocks cannot be counted: DNL comes only after the scan.
            let is_walked = frame.height != 0
                && payload.begin(frame, &self.scan, mcus, self.restart_interval, at);
            if !is_walked {
                facts.defect(DefectKind::NotWalked, at);
                // Later scans may refine coefficients that were not read.
                payload.leave_scan();
            }
        } else if cfg!(not(feature = "payload")) && self.depth >= Depth::Payload {
            facts.defect(DefectKind::NotWalked, at);
        }
    }
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
    // T.81 table B.3 limits the point transform to 13.
    if band_is_legal && steps_by_one && low <= 13 {
        Ok(())
    } else {
        Err(DefectKind::JpegScanHeader)
    }
}
