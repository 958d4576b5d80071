//! Huffman-coded data walked without making pixels: every code must be one, every block must fit,
//! every scan must have all of its blocks. Sequential and progressive (T.81 F.2, G.2).
//!
//! Memory: the tables in use, a buffer of fixed size, and for progressive files a bit for each
//! coefficient that is known not to be zero, in pages that are made when such a coefficient is
//! read.

mod bits;
mod huffman;
mod progressive;
mod tables;

use super::{
    DefectKind,
    frame::{Frame, Kind},
    scan::Scan,
};
use bits::{Ahead, Bits, Buffer, MOST_OF_MCU};
use huffman::{Run, Runs, Symbol, Table};
use progressive::{Band, Progression};
use tables::Tables;

/// Blocks in an MCU, at most (T.81 B.2.3).
const MCU_BLOCKS: usize = 10;

/// More scans than this are not walked: each may cost tables of its own.
const MOST_SCANS: u32 = 1000;

/// Why a scan's data cannot be walked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// The next bits are no code.
    Code,
    /// There is more work than the data is worth.
    TooMuch,
}

#[derive(Debug)]
pub(super) struct Payload {
    tables: Tables,
    buffer: Buffer,
    ahead: Ahead,
    scan: Option<Walk>,
    progression: Progression,
    scans: u32,
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
    /// Whether a block had more coefficients than its band.
    overrun: bool,
    /// MCUs in the scan.
    total: u64,
}

/// What is coded in the scan's blocks, and with which tables.
#[derive(Debug)]
enum Coding {
    Sequential(Blocks),
    /// DC coefficients for the first time.
    Dc(Blocks),
    /// A further bit of DC coefficients: one a block.
    DcBit(Blocks),
    Ac(Band),
    AcBit(Band),
}

/// The blocks of an MCU: for each the numbers of its tables, DC in the upper half.
#[derive(Clone, Copy, Debug, Default)]
struct Blocks {
    tables: [u8; MCU_BLOCKS],
    count: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interval {
    /// It is being read.
    Open,
    /// All its MCUs were read; bytes that follow are counted up to a few.
    Whole { extra: bool },
    /// It is broken: what follows is passed over.
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
        })
    }

    /// The Huffman tables, to define some.
    pub(super) const fn tables(&mut self) -> &mut Tables {
        &mut self.tables
    }

    /// Begins a scan of `mcus` MCUs. Returns whether it is walked.
    pub(super) fn begin(&mut self, frame: &Frame, scan: &Scan, mcus: u64, interval: u16) -> bool {
        self.buffer.clear();
        self.ahead = Ahead::default();
        self.scans = self.scans.saturating_add(1);
        let interval = if interval == 0 {
            mcus
        } else {
            u64::from(interval)
        };
        let coding = (self.scans <= MOST_SCANS)
            .then(|| self.coding(frame, scan))
            .flatten();
        self.scan = coding.map(|coding| Walk {
            coding,
            left: mcus,
            interval_left: interval.min(mcus),
            interval,
            state: Interval::Open,
            overrun: false,
            total: mcus,
        });
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
            self.tables.make_dc(numbers)?;
            self.tables.make_runs(numbers)?;
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
                self.tables.make_dc(numbers)?;
            }
            return Some(Coding::Dc(blocks));
        }
        let (component, numbers) = scan.components().next()?;
        self.tables.make_ac(numbers)?;
        let band = Band::new(component, scan.band(), numbers);
        Some(if refines {
            Coding::AcBit(band)
        } else {
            Coding::Ac(band)
        })
    }

    /// Walks no more of the scan.
    pub(super) fn leave_scan(&mut self) {
        self.scan = None;
    }

    /// Takes coded data, stuffed zeros left out.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Fed {
        let Some(walk) = &mut self.scan else {
            return Fed::Fine;
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            match &mut walk.state {
                Interval::Broken => return Fed::Fine,
                Interval::Whole { extra } => {
                    *extra = true;
                    return Fed::Fine;
                }
                Interval::Open => {}
            }
            rest = self.buffer.fill(rest);
            if rest.is_empty() {
                break;
            }
            let fed = walk.read(
                &self.tables,
                &mut self.buffer,
                &mut self.ahead,
                &mut self.progression,
                false,
            );
            if fed != Fed::Fine {
                return fed;
            }
        }
        Fed::Fine
    }

    /// The restart interval's data ended. With `last`, so did the scan's.
    pub(super) fn end_interval(&mut self, last: bool) -> Fed {
        let Some(walk) = &mut self.scan else {
            return Fed::Fine;
        };
        let mut fed = Fed::Fine;
        if walk.state == Interval::Open {
            fed = walk.read(
                &self.tables,
                &mut self.buffer,
                &mut self.ahead,
                &mut self.progression,
                true,
            );
        }
        if fed == Fed::Fine && walk.state == (Interval::Whole { extra: true }) {
            fed = Fed::Defect(DefectKind::JpegDataExcess);
        }
        if fed == Fed::Fine && walk.overrun {
            fed = Fed::Defect(DefectKind::JpegBlockOverrun);
        }
        walk.next_interval();
        if last && walk.left > 0 && !matches!(fed, Fed::Defect(kind) if !kind.is_tolerated()) {
            fed = Fed::Defect(DefectKind::JpegDataShort);
        }
        self.buffer.clear();
        self.ahead = Ahead::default();
        if last || fed == Fed::TooMuch {
            self.scan = None;
        }
        fed
    }
}

/// What came of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fed {
    Fine,
    Defect(DefectKind),
    /// The scan is not walked on, it would cost too much.
    TooMuch,
}

impl Blocks {
    /// The order of T.81 A.2.3.
    fn new(frame: &Frame, scan: &Scan) -> Option<Self> {
        let mut blocks = Self::default();
        let alone = scan.components().count() == 1;
        for (component, numbers) in scan.components() {
            let component = frame.components().get(usize::from(component))?;
            let each = if alone {
                1
            } else {
                component.across.saturating_mul(component.down)
            };
            for _ in 0..each {
                *blocks.tables.get_mut(usize::from(blocks.count))? = numbers;
                blocks.count = blocks.count.saturating_add(1);
            }
        }
        Some(blocks)
    }

    fn tables(&self) -> &[u8] {
        self.tables
            .get(..usize::from(self.count))
            .unwrap_or_default()
    }
}

impl Walk {
    /// Reads MCUs as long as the buffer surely holds one more, or `to_end`.
    fn read(
        &mut self,
        tables: &Tables,
        buffer: &mut Buffer,
        ahead: &mut Ahead,
        progression: &mut Progression,
        to_end: bool,
    ) -> Fed {
        let mut mcus = Mcus {
            left: self.interval_left,
            to_end,
            overrun: false,
        };
        let mut bits = Bits::new(buffer.bytes(), *ahead);
        let read = self.coding.read(tables, &mut bits, &mut mcus, progression);
        let done = self.interval_left.saturating_sub(mcus.left);
        self.interval_left = mcus.left;
        self.left = self.left.saturating_sub(done);
        self.overrun |= mcus.overrun;
        let bits_left = bits.left();
        let (taken, rest) = bits.end();
        *ahead = rest;
        buffer.consume(taken);
        match read {
            // Beyond the end there are no codes to be wrong.
            Err(_) if to_end && bits_left < 16 => {
                self.broken(Fed::Defect(DefectKind::JpegDataShort))
            }
            Err(Broken::Code) => self.broken(Fed::Defect(DefectKind::JpegHuffmanCode)),
            Err(Broken::TooMuch) => self.broken(Fed::TooMuch),
            Ok(()) if self.interval_left == 0 => {
                self.state = Interval::Whole {
                    extra: bits_left >= 8,
                };
                Fed::Fine
            }
            Ok(()) if to_end => self.broken(Fed::Defect(DefectKind::JpegDataShort)),
            Ok(()) => Fed::Fine,
        }
    }

    const fn broken(&mut self, fed: Fed) -> Fed {
        self.state = Interval::Broken;
        fed
    }

    fn next_interval(&mut self) {
        // What a broken interval lacks is not missed again at the scan's end.
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

impl Coding {
    /// Reads as many MCUs as there are and as the data allows.
    fn read(
        &mut self,
        tables: &Tables,
        bits: &mut Bits<'_>,
        mcus: &mut Mcus,
        progression: &mut Progression,
    ) -> Result<(), Broken> {
        match self {
            Self::Sequential(blocks) => {
                let found = blocks.tables.map(|numbers| tables.sequential(numbers));
                let found = found.get(..blocks.tables().len()).unwrap_or_default();
                while mcus.go_on(bits) {
                    for (dc, ac) in found.iter().flatten() {
                        mcus.overrun |= block(bits, dc, ac)?;
                    }
                    mcus.count_one(bits);
                }
            }
            Self::Dc(blocks) => {
                while mcus.go_on(bits) {
                    for table in blocks
                        .tables()
                        .iter()
                        .filter_map(|numbers| tables.dc(*numbers))
                    {
                        bits.refill();
                        difference(bits, table)?;
                    }
                    mcus.count_one(bits);
                }
            }
            Self::DcBit(blocks) => {
                while mcus.go_on(bits) {
                    bits.skip_long(u32::from(blocks.count));
                    mcus.count_one(bits);
                }
            }
            Self::Ac(band) => {
                if let Some(table) = tables.ac(band.table()) {
                    band.read(bits, mcus, table, progression)?;
                }
            }
            Self::AcBit(band) => {
                if let Some(table) = tables.ac(band.table()) {
                    band.refine(bits, mcus, table, progression)?;
                }
            }
        }
        Ok(())
    }
}

/// The MCUs of a restart interval, as they are read.
#[derive(Clone, Copy, Debug)]
struct Mcus {
    left: u64,
    /// Whether the bytes at hand are the interval's last.
    to_end: bool,
    /// Whether a block had more coefficients than its band.
    overrun: bool,
}

impl Mcus {
    /// Whether another MCU is to come and surely at hand.
    #[inline]
    const fn go_on(&self, bits: &Bits<'_>) -> bool {
        self.left > 0 && (bits.bytes_left() >= MOST_OF_MCU || (self.to_end && bits.left() >= 0))
    }

    /// An MCU was read: it counts if it did not end beyond the last byte.
    #[inline]
    const fn count_one(&mut self, bits: &Bits<'_>) {
        if !self.to_end || bits.left() >= 0 {
            self.left = self.left.wrapping_sub(1);
        }
    }
}

/// Reads a DC difference (T.81 F.2.2.1); 32 bits must be ready.
#[inline]
fn difference(bits: &mut Bits<'_>, table: &Table) -> Result<(), Broken> {
    let Symbol { len, value } = table.find(bits.peek());
    if len == 0 {
        return Err(Broken::Code);
    }
    bits.skip(len.wrapping_add(u32::from(value & 31)));
    Ok(())
}

/// Reads a block of a sequential scan (T.81 F.2.2). Returns whether it has more coefficients than
/// it may: decoders drop those.
#[inline]
fn block(bits: &mut Bits<'_>, dc: &Table, ac: &Runs) -> Result<bool, Broken> {
    bits.refill();
    difference(bits, dc)?;
    // The coefficient that comes next.
    let mut next = 1_u32;
    loop {
        if bits.ready() < 32 {
            bits.refill();
        }
        let run = ac.find(bits.peek());
        let after = next.wrapping_add(run.advance);
        if run.bits > 0 {
            if after < 64 {
                bits.skip(run.bits);
                next = after;
                continue;
            }
            // The end of the block, or its last coefficient.
            if after == 64 || (64..128).contains(&after) && run.ends_block() {
                bits.skip(run.bits);
                return Ok(false);
            }
        }
        // A long code, or more symbols than the block has left: one at a time.
        let symbol = ac.find_one(bits.peek());
        if symbol.len == 0 {
            return Err(Broken::Code);
        }
        let run = Run::of(symbol);
        bits.skip(run.bits);
        next = next.wrapping_add(run.advance);
        if run.ends_block() {
            return Ok(false);
        }
        if next >= 64 {
            return Ok(next > 64 && symbol.value & 15 != 0);
        }
    }
}
