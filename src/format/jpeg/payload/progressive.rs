//! Bands of AC coefficients in progressive scans (T.81 G.1.2.2, G.1.2.3).
//!
//! A refinement has a bit for every coefficient that earlier scans made other than zero, so that
//! these must be known: a mask of 64 bits for each block, kept only where one is not zero.

use super::{
    bits::Bits,
    huffman::Table,
    mcus::{Broken, Mcus},
};

/// Making a page of masks costs as much as visiting so many blocks.
const PAGE_MADE: u64 = 32;

/// Blocks whose masks are kept together.
const PAGE: usize = 64;

/// The most memory that masks take, in bytes: enough for 4 million blocks of which every one has
/// coefficients. What goes beyond is not walked.
const MOST_BYTES: usize = 32 << 20;

type Page = Box<[u64; PAGE]>;

/// What earlier scans made of the blocks.
#[derive(Debug)]
pub(super) struct Progression {
    components: [Vec<Option<Page>>; 4],
    bytes: usize,
}

/// The band that a scan codes of a component, and how far it got.
#[derive(Debug)]
pub(super) struct Band {
    component: usize,
    /// The numbers of its tables.
    tables: u8,
    first: u32,
    last: u32,
    /// Blocks to come that end before they begin.
    run: u32,
    /// The block that comes next.
    block: usize,
}

impl Progression {
    pub(super) const fn new() -> Self {
        Self {
            components: [const { Vec::new() }; 4],
            bytes: 0,
        }
    }

    fn page(&self, component: usize, block: usize) -> Option<&Page> {
        self.components
            .get(component)?
            .get(block.wrapping_div(PAGE))?
            .as_ref()
    }

    fn mask(&self, component: usize, block: usize) -> u64 {
        self.page(component, block)
            .and_then(|page| page.get(block.wrapping_rem(PAGE)))
            .copied()
            .unwrap_or_default()
    }

    fn add(
        &mut self,
        component: usize,
        block: usize,
        mask: u64,
        mcus: &mut Mcus,
    ) -> Result<(), Broken> {
        let Some(pages) = self.components.get_mut(component) else {
            return Ok(());
        };
        let place = block.wrapping_div(PAGE);
        if place >= pages.len() {
            let more = place.saturating_add(1).saturating_sub(pages.len());
            self.bytes = self
                .bytes
                .saturating_add(more.saturating_mul(size_of::<Option<Page>>()));
            if self.bytes > MOST_BYTES {
                return Err(Broken::TooMuch);
            }
            pages.resize_with(place.saturating_add(1), || None);
        }
        let Some(slot) = pages.get_mut(place) else {
            return Ok(());
        };
        if slot.is_none() {
            mcus.visit(PAGE_MADE)?;
            self.bytes = self.bytes.saturating_add(size_of::<[u64; PAGE]>());
            if self.bytes > MOST_BYTES {
                return Err(Broken::TooMuch);
            }
        }
        let page = slot.get_or_insert_with(|| Box::new([0; PAGE]));
        if let Some(held) = page.get_mut(block.wrapping_rem(PAGE)) {
            *held |= mask;
        }
        Ok(())
    }
}

impl Band {
    pub(super) fn new(component: u8, (first, last): (u8, u8), tables: u8) -> Self {
        Self {
            component: usize::from(component),
            tables,
            first: u32::from(first),
            last: u32::from(last & 63),
            run: 0,
            block: 0,
        }
    }

    pub(super) const fn table(&self) -> u8 {
        self.tables
    }

    /// Continues after a restart marker, which ends a run and precedes `block`.
    pub(super) const fn restart(&mut self, block: usize) {
        self.run = 0;
        self.block = block;
    }

    /// Passes blocks of the run, at most `most`.
    fn pass_run(&mut self, left: &mut u64, most: usize) {
        let blocks = u64::from(self.run)
            .min(*left)
            .min(u64::try_from(most).unwrap_or(u64::MAX));
        *left = left.saturating_sub(blocks);
        let passed = u32::try_from(blocks).unwrap_or(u32::MAX);
        self.run = self.run.saturating_sub(passed);
        let passed = usize::try_from(blocks).unwrap_or(usize::MAX);
        self.block = self.block.saturating_add(passed);
    }

    /// Reads blocks whose band is coded for the first time.
    pub(super) fn read(
        &mut self,
        bits: &mut Bits<'_>,
        mcus: &mut Mcus,
        table: &Table,
        progression: &mut Progression,
    ) -> Result<(), Broken> {
        while mcus.go_on(bits) {
            if self.run > 0 {
                self.pass_run(&mut mcus.left, usize::MAX);
                continue;
            }
            mcus.visit(1)?;
            let mask = self.read_block(bits, mcus, table)?;
            if mask != 0 {
                progression.add(self.component, self.block, mask, mcus)?;
            }
            self.block = self.block.wrapping_add(1);
            mcus.count_one(bits);
        }
        Ok(())
    }

    /// Reads a block; returns its coefficients that are not zero.
    #[inline]
    fn read_block(
        &mut self,
        bits: &mut Bits<'_>,
        mcus: &mut Mcus,
        table: &Table,
    ) -> Result<u64, Broken> {
        let mut mask = 0_u64;
        let mut next = self.first;
        while next <= self.last {
            if bits.ready() < 32 {
                bits.refill();
            }
            let symbol = table.find(bits.peek());
            if symbol.len == 0 {
                return Err(Broken::Code);
            }
            bits.skip(symbol.len);
            match (u32::from(symbol.value >> 4), u32::from(symbol.value & 15)) {
                // ZRL: sixteen zeros (T.81 F.1.2.2.1).
                (15, 0) => next = next.wrapping_add(16),
                // EOBn: this block and a run of further ones end here (T.81 G.1.2.2).
                (size, 0) => {
                    self.run = 1_u32
                        .wrapping_shl(size)
                        .wrapping_sub(1)
                        .wrapping_add(bits.take(size));
                    break;
                }
                (zeros, size) => {
                    bits.skip(size);
                    next = next.wrapping_add(zeros);
                    mcus.note_overrun(next > self.last, bits);
                    // Decoders put what is too much in the last place.
                    mask |= 1_u64.wrapping_shl(next.min(63));
                    next = next.wrapping_add(1);
                }
            }
        }
        Ok(mask)
    }

    /// Reads blocks whose band is refined by one bit.
    pub(super) fn refine(
        &mut self,
        bits: &mut Bits<'_>,
        mcus: &mut Mcus,
        table: &Table,
        progression: &mut Progression,
    ) -> Result<(), Broken> {
        while mcus.go_on(bits) {
            mcus.visit(1)?;
            if self.run > 0 {
                if progression.page(self.component, self.block).is_none() {
                    // No block of the page has a coefficient to refine.
                    let rest = PAGE.wrapping_sub(self.block.wrapping_rem(PAGE));
                    self.pass_run(&mut mcus.left, rest);
                    continue;
                }
                let mask =
                    progression.mask(self.component, self.block) & band(self.first, self.last);
                bits.skip_long(mask.count_ones());
                self.run = self.run.wrapping_sub(1);
            } else {
                let known = progression.mask(self.component, self.block);
                let new = self.refine_block(bits, mcus, table, known)?;
                if new != 0 {
                    progression.add(self.component, self.block, new, mcus)?;
                }
            }
            self.block = self.block.wrapping_add(1);
            mcus.count_one(bits);
        }
        Ok(())
    }

    /// Reads a block of which `known` coefficients are not zero; returns the new ones.
    fn refine_block(
        &mut self,
        bits: &mut Bits<'_>,
        mcus: &mut Mcus,
        table: &Table,
        known: u64,
    ) -> Result<u64, Broken> {
        let mut new = 0_u64;
        let mut next = self.first;
        while next <= self.last {
            bits.refill();
            let symbol = table.find(bits.peek());
            if symbol.len == 0 {
                return Err(Broken::Code);
            }
            bits.skip(symbol.len);
            let zeros = match (u32::from(symbol.value >> 4), symbol.value & 15) {
                (15, 0) => 15,
                (size, 0) => {
                    // The run takes in this block: it was counted one too far.
                    let run = bits.take(size);
                    self.run = 1_u32.wrapping_shl(size).wrapping_add(run).wrapping_sub(1);
                    bits.skip_long((known & band(next, self.last)).count_ones());
                    return Ok(new);
                }
                // T.81 G.1.2.3: a coefficient that becomes nonzero in a refinement has one bit, its
                // sign.
                (zeros, 1) => {
                    bits.skip(1);
                    zeros
                }
                _ => return Err(Broken::Code),
            };
            let is_new = symbol.value & 15 != 0;
            let mut free = !known & band(next, self.last);
            for _ in 0..zeros {
                // A run counts only coefficients that are still zero: the lowest of them is passed.
                free &= free.wrapping_sub(1);
            }
            mcus.note_overrun(free == 0 && is_new, bits);
            // Past the last coefficient when a run of zeros is longer than the band.
            let place = free.trailing_zeros().min(self.last.wrapping_add(1));
            bits.skip_long((known & band(next, place) & !1_u64.wrapping_shl(place)).count_ones());
            if is_new {
                new |= 1_u64.wrapping_shl(place.min(63));
            }
            next = place.wrapping_add(1);
        }
        Ok(new)
    }
}

/// The bits from `first` to `last`, both below 64 or nearly so.
fn band(first: u32, last: u32) -> u64 {
    let up_to_last = u64::MAX.wrapping_shr(63_u32.saturating_sub(last));
    let from_first = u64::MAX.checked_shl(first).unwrap_or_default();
    up_to_last & from_first
}
