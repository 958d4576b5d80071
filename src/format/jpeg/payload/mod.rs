//! Huffman-coded data walked without making pixels: every code must be one, every block must fit,
//! every scan must have all of its blocks. Sequential and progressive (T.81 F.2, G.2).
//!
//! Memory: the tables in use, a buffer of fixed size, and for progressive files a bit for each
//! coefficient that is known not to be zero, in pages that are made when such a coefficient is
//! read.

mod bits;
mod coding;
mod huffman;
mod mcus;
mod progressive;
mod tables;

use super::{
    DefectKind,
    frame::{Frame, Kind},
    scan_header::Scan,
};
use crate::format::work::Work;
use bits::{Ahead, Bits, Buffer};
use coding::{Blocks, Coding};
use mcus::{Broken, Mcus};
use progressive::{Band, Progression};
use tables::Tables;

/// More scans than this are not walked: each may cost tables of its own.
const MOST_SCANS: u32 = 1000;

/// Picoseconds that a restart interval costs, and that a scan does.
const INTERVAL: u64 = 200_000;
const SCAN: u64 = 50_000;

/// Bytes of a scan's marker and header, at least (T.81 B.2.3).
const SCAN_HEADER: usize = 10;

/// Bytes of a restart marker.
const MARKER: usize = 2;

#[derive(Debug)]
pub(super) struct Payload {
    tables: Tables,
    buffer: Buffer,
    ahead: Ahead,
    scan: Option<Walk>,
    progression: Progression,
    scans: u32,
    work: Work,
    /// The file's offset after the last coded data.
    end: u64,
    /// Whether a scan was not walked, or not to its end. What it coded is not known then, which
    /// later scans may refine.
    is_over: bool,
}

/// The scan that is walked.
#[derive(Debug)]
struct Walk {
    coding: Coding,
    /// MCUs to come in the scan and in the restart interval.
    left: u64,
    interval_left: u64,
    interval: u64,
    state: Interval,
    /// The offset of the first block with more coefficients than its band.
    overrun: Option<u64>,
    /// MCUs in the scan.
    total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interval {
    /// It is being read.
    Open,
    /// All its MCUs were read. `extra` is the offset of bytes that follow.
    Whole { extra: Option<u64> },
    /// It is malformed; the rest is skipped.
    Broken,
}

impl Payload {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            tables: Tables::default(),
            buffer: Buffer::new(),
            ahead: Ahead::default(),
            scan: None,
            progression: Progression::new(),
            scans: 0,
            work: Work::new(),
            end: 0,
            is_over: false,
        })
    }

    /// The Huffman tables, to define some.
    pub(super) const fn tables(&mut self) -> &mut Tables {
        &mut self.tables
    }

    /// Begins a scan of `mcus` MCUs, whose marker is at `at`. Returns whether it is walked.
    pub(super) fn begin(
        &mut self,
        frame: &Frame,
        scan: &Scan,
        mcus: u64,
        interval: u16,
        at: u64,
    ) -> bool {
        self.buffer.clear(at);
        self.ahead = Ahead::default();
        self.scans = self.scans.saturating_add(1);
        // The segments between two scans are bytes of the file, so they pay for work as well.
        let before = at.saturating_sub(self.end);
        self.work
            .earn(usize::try_from(before).unwrap_or(usize::MAX));
        self.work.earn(SCAN_HEADER);
        let interval = if interval == 0 {
            mcus
        } else {
            u64::from(interval)
        };
        let is_affordable = self.work.spend(SCAN).is_some();
        let coding = (self.scans <= MOST_SCANS && !self.is_over && is_affordable)
            .then(|| self.coding(frame, scan))
            .flatten();
        self.scan = coding.map(|coding| Walk {
            coding,
            left: mcus,
            interval_left: interval.min(mcus),
            interval,
            state: Interval::Open,
            overrun: None,
            total: mcus,
        });
        self.is_over |= self.scan.is_none();
        self.scan.is_some()
    }

    /// How the scan is coded; `None` if that is not walked or a table is missing.
    fn coding(&mut self, frame: &Frame, scan: &Scan) -> Option<Coding> {
        if frame.process.arithmetic {
            return None;
        }
        match frame.process.kind {
            Kind::Baseline | Kind::Extended => self.sequential(frame, scan),
            Kind::Progressive => self.progressive(frame, scan),
            Kind::Lossless | Kind::Ls => None,
        }
    }

    fn sequential(&mut self, frame: &Frame, scan: &Scan) -> Option<Coding> {
        for (_, numbers) in scan.components() {
            self.tables.make_dc(numbers, &mut self.work)?;
            self.tables.make_ac(numbers, &mut self.work)?;
        }
        Some(Coding::Sequential(Blocks::new(frame, scan)?))
    }

    fn progressive(&mut self, frame: &Frame, scan: &Scan) -> Option<Coding> {
        let refines = scan.refines();
        if scan.starts_with_dc() {
            let blocks = Blocks::new(frame, scan)?;
            if refines {
                return Some(Coding::DcBit(blocks));
            }
            for (_, numbers) in scan.components() {
                self.tables.make_dc(numbers, &mut self.work)?;
            }
            return Some(Coding::Dc(blocks));
        }
        let (component, numbers) = scan.components().next()?;
        self.tables.make_ac(numbers, &mut self.work)?;
        let band = Band::new(component, scan.band(), numbers);
        Some(if refines {
            Coding::AcBit(band)
        } else {
            Coding::Ac(band)
        })
    }

    /// Walks no more of the scan, nor of the scans after it.
    pub(super) fn leave_scan(&mut self) {
        self.scan = None;
        self.is_over = true;
    }

    /// Reads coded data at the offset `at` of the file, without stuffed zeros.
    pub(super) fn feed(&mut self, bytes: &[u8], at: u64) -> Fed {
        let Some(walk) = &mut self.scan else {
            return Fed::Fine;
        };
        let (mut rest, mut at) = (bytes, at);
        while !rest.is_empty() {
            match &mut walk.state {
                Interval::Broken => return Fed::Fine,
                Interval::Whole { extra } => {
                    extra.get_or_insert(at);
                    return Fed::Fine;
                }
                Interval::Open => {}
            }
            let filled = self.buffer.fill(rest, at);
            self.work.earn(filled);
            rest = rest.get(filled..).unwrap_or_default();
            at = at.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            if rest.is_empty() {
                break;
            }
            // The buffer is full, so the scan is long enough to be worth its tables of runs.
            if let Coding::Sequential(blocks) = &walk.coding {
                for numbers in blocks.tables() {
                    // Without it the walk is slower.
                    let _ = self.tables.make_runs(*numbers, &mut self.work);
                }
            }
            let fed = walk.read(
                &self.tables,
                &mut self.buffer,
                &mut self.ahead,
                &mut self.progression,
                &mut self.work,
                false,
            );
            if matches!(fed, Fed::TooMuch(_)) {
                self.leave_scan();
                return fed;
            }
            if fed != Fed::Fine {
                return fed;
            }
        }
        Fed::Fine
    }

    /// Whether a scan is walked, and whether all of its blocks were read.
    pub(super) fn is_scan_whole(&self) -> Option<bool> {
        self.scan.as_ref().map(|walk| walk.left == 0)
    }

    /// The restart interval's data ended at `at`. With `last`, so did the scan's.
    pub(super) fn end_interval(&mut self, last: bool, at: u64) -> Fed {
        let Some(walk) = &mut self.scan else {
            return Fed::Fine;
        };
        self.work.earn(MARKER);
        self.end = at;
        let mut fed = Fed::Fine;
        if self.work.spend(INTERVAL).is_none() {
            fed = walk.broken(Fed::TooMuch(at));
        } else if walk.state == Interval::Open {
            fed = walk.read(
                &self.tables,
                &mut self.buffer,
                &mut self.ahead,
                &mut self.progression,
                &mut self.work,
                true,
            );
        }
        // One defect is reported per interval, the one that costs most pixels first.
        if let (Fed::Fine, Interval::Whole { extra: Some(extra) }) = (fed, walk.state) {
            fed = Fed::Defect(DefectKind::JpegDataExcess, extra);
        }
        if let (Fed::Fine, Some(overrun)) = (fed, walk.overrun) {
            fed = Fed::Defect(DefectKind::JpegBlockOverrun, overrun);
        }
        walk.next_interval();
        // Missing blocks outrank a tolerated defect, which would let the scan pass.
        if last && walk.left > 0 && !matches!(fed, Fed::Defect(kind, _) if !kind.is_tolerated()) {
            fed = Fed::Defect(DefectKind::JpegDataShort, at);
        }
        self.buffer.clear(at);
        self.ahead = Ahead::default();
        if matches!(fed, Fed::TooMuch(_)) {
            self.leave_scan();
        } else if last {
            self.scan = None;
        }
        fed
    }
}

/// The result of reading data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fed {
    Fine,
    /// A defect, and its offset.
    Defect(DefectKind, u64),
    /// The scan is not walked on from this offset, it would cost too much.
    TooMuch(u64),
}

impl Walk {
    /// Reads MCUs as long as the buffer surely holds one more, or `to_end`.
    fn read(
        &mut self,
        tables: &Tables,
        buffer: &mut Buffer,
        ahead: &mut Ahead,
        progression: &mut Progression,
        work: &mut Work,
        to_end: bool,
    ) -> Fed {
        let mut mcus = Mcus {
            left: self.interval_left,
            to_end,
            overrun: None,
            work: *work,
        };
        let mut bits = Bits::new(buffer.bytes(), *ahead);
        let read = self.coding.read(tables, &mut bits, &mut mcus, progression);
        *work = mcus.work;
        let done = self.interval_left.saturating_sub(mcus.left);
        self.interval_left = mcus.left;
        self.left = self.left.saturating_sub(done);
        let bits_left = bits.left();
        let (taken, rest) = bits.end();
        let overrun = mcus.overrun.map(|left| buffer.offset(left));
        self.overrun = self.overrun.or(overrun);
        let fed = match read {
            // Beyond the end there are no codes to be wrong.
            Err(_) if to_end && bits_left < 16 => {
                self.broken(Fed::Defect(DefectKind::JpegDataShort, buffer.offset(0)))
            }
            Err(Broken::Code) => {
                let at = buffer.offset(bits_left);
                self.broken(Fed::Defect(DefectKind::JpegHuffmanCode, at))
            }
            Err(Broken::TooMuch) => self.broken(Fed::TooMuch(buffer.offset(bits_left))),
            Ok(()) if self.interval_left == 0 => {
                self.state = Interval::Whole {
                    // Up to seven bits pad the last byte (T.81 F.1.2.3).
                    extra: (bits_left >= 8).then(|| buffer.offset(bits_left & !7)),
                };
                Fed::Fine
            }
            Ok(()) if to_end => {
                self.broken(Fed::Defect(DefectKind::JpegDataShort, buffer.offset(0)))
            }
            Ok(()) => Fed::Fine,
        };
        *ahead = rest;
        buffer.consume(taken);
        fed
    }

    const fn broken(&mut self, fed: Fed) -> Fed {
        self.state = Interval::Broken;
        fed
    }

    fn next_interval(&mut self) {
        // What a malformed interval lacks is not reported again at the scan's end.
        self.left = self.left.saturating_sub(self.interval_left);
        self.interval_left = self.interval.min(self.left);
        self.state = Interval::Open;
        if let Coding::Ac(band) | Coding::AcBit(band) = &mut self.coding {
            band.restart(
                usize::try_from(self.total.saturating_sub(self.left)).unwrap_or(usize::MAX),
            );
        }
    }
}
