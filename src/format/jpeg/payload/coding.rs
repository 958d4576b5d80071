//! What the MCUs of a scan hold, and how it is read.

use super::{
    bits::Bits,
    huffman::{Run, Runs, Symbol, Table},
    mcus::{Broken, Mcus},
    progressive::{Band, Progression},
    tables::Tables,
};
use crate::format::jpeg::{frame::Frame, scan_header::Scan};

/// Blocks in an MCU, at most (T.81 B.2.3).
const MCU_BLOCKS: usize = 10;

/// What is coded in the scan's blocks, and with which tables.
#[derive(Debug)]
pub(super) enum Coding {
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
pub(super) struct Blocks {
    tables: [u8; MCU_BLOCKS],
    count: u8,
}

impl Blocks {
    /// The order of T.81 A.2.3.
    pub(super) fn new(frame: &Frame, scan: &Scan) -> Option<Self> {
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

    pub(super) fn tables(&self) -> &[u8] {
        self.tables
            .get(..usize::from(self.count))
            .unwrap_or_default()
    }
}

impl Coding {
    /// Reads as many MCUs as there are and as the data allows.
    pub(super) fn read(
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
                // Most of a blank picture is blocks without a difference or coefficient.
                let is_short = (found.iter().flatten())
                    .all(|(dc, ac, _)| dc.is_zero_short() && ac.is_zero_short());
                let visits = found
                    .iter()
                    .flatten()
                    .map(|(_, _, runs)| runs.visits())
                    .sum();
                while mcus.go_on(bits) {
                    if is_short && mcus.pass_zeros(bits, u32::from(blocks.count).wrapping_mul(2)) {
                        continue;
                    }
                    mcus.visit(visits)?;
                    for (dc, ac, runs) in found.iter().flatten() {
                        let overrun = block(bits, dc, ac, runs)?;
                        mcus.note_overrun(overrun, bits);
                    }
                    mcus.count_one(bits);
                }
            }
            Self::Dc(blocks) => {
                let found = blocks.tables.map(|numbers| tables.dc(numbers));
                let found = found.get(..blocks.tables().len()).unwrap_or_default();
                // Most of a blank picture is differences of zero, which have a code of one bit then.
                let is_short = found.iter().flatten().all(|table| table.is_zero_short());
                while mcus.go_on(bits) {
                    if is_short && mcus.pass_zeros(bits, blocks.count.into()) {
                        continue;
                    }
                    mcus.visit(blocks.count.into())?;
                    for table in found.iter().flatten() {
                        bits.refill();
                        difference(bits, table)?;
                    }
                    mcus.count_one(bits);
                }
            }
            Self::DcBit(blocks) => {
                while mcus.go_on(bits) {
                    mcus.pass(bits, blocks.count.into())?;
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
fn block(bits: &mut Bits<'_>, dc: &Table, ac: &Table, runs: &Runs) -> Result<bool, Broken> {
    bits.refill();
    difference(bits, dc)?;
    // The coefficient that comes next.
    let mut next = 1_u32;
    loop {
        if bits.ready() < 32 {
            bits.refill();
        }
        let run = runs.find(bits.peek());
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
        let symbol = ac.find(bits.peek());
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
