//! Huffman codes (T.81 C and F.2.2.3), as tables that are looked up with the next twelve bits.

/// Bits that one look-up sees.
const LOOK: u32 = 12;

const ENTRIES: usize = 1 << LOOK;

/// The advance that stands for the end of a block: more than any block has coefficients.
const END_OF_BLOCK: u32 = 64;

/// A code as a segment defines it.
#[derive(Debug)]
pub(super) struct Definition {
    counts: [u8; 16],
    symbols: [u8; 256],
    len: usize,
}

impl Definition {
    pub(super) const fn new(counts: [u8; 16]) -> Self {
        Self {
            counts,
            symbols: [0; 256],
            len: 0,
        }
    }

    /// Adds the next symbols.
    pub(super) fn extend(&mut self, symbols: &[u8]) {
        for symbol in symbols {
            if let Some(place) = self.symbols.get_mut(self.len) {
                *place = *symbol;
                self.len = self.len.saturating_add(1);
            }
        }
    }

    fn symbols(&self) -> &[u8] {
        self.symbols.get(..self.len).unwrap_or_default()
    }
}

/// A symbol and the length of its code in bits; a length of 0 means that no code matches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    pub(super) len: u32,
    pub(super) value: u8,
}

/// Finds the symbol that the next bits code.
#[derive(Debug)]
pub(super) struct Table {
    /// By the next twelve bits: a code's length, and its symbol in the lower byte.
    short: [u16; ENTRIES],
    /// For the lengths from 13 to 16: the first 16 bits that are beyond the codes of this length,
    /// and what leads from a code to its symbol.
    long: [(u32, i32); 4],
    symbols: [u8; 256],
}

impl Table {
    pub(super) fn new(definition: &Definition) -> Box<Self> {
        let mut table = Box::new(Self {
            short: [0; ENTRIES],
            long: [(0, 0); 4],
            symbols: definition.symbols,
        });
        let mut code = 0_u32;
        let mut next = 0_usize;
        for (len, count) in (1_u32..).zip(definition.counts) {
            let first = next;
            for _ in 0..count {
                let symbol = definition.symbols().get(next).copied().unwrap_or_default();
                if len <= LOOK {
                    table.set_short(code, len, symbol);
                }
                code = code.wrapping_add(1);
                next = next.saturating_add(1);
            }
            if let Some(long) = len.checked_sub(LOOK.wrapping_add(1)).and_then(|place| {
                table
                    .long
                    .get_mut(usize::try_from(place).unwrap_or(usize::MAX))
            }) {
                let end = code.wrapping_shl(16_u32.wrapping_sub(len));
                // The last symbol of this length is at `next - 1`, its code is `code - 1`.
                let lead = i32::try_from(next)
                    .unwrap_or_default()
                    .wrapping_sub(code.cast_signed());
                *long = (if next > first { end } else { 0 }, lead);
            }
            // The codes of the next length begin behind the last one of this (T.81 C.2).
            code = code.wrapping_shl(1);
        }
        table
    }

    fn set_short(&mut self, code: u32, len: u32, symbol: u8) {
        let free = LOOK.wrapping_sub(len);
        let start = usize::try_from(code.wrapping_shl(free)).unwrap_or(usize::MAX);
        let end = start.saturating_add(1_usize.wrapping_shl(free));
        if let (Some(entries), Ok(len)) = (self.short.get_mut(start..end), u16::try_from(len)) {
            entries.fill(len.wrapping_shl(8) | u16::from(symbol));
        }
    }

    /// The symbol that `bits`, the next ones from the highest on, begin with.
    #[inline]
    pub(super) fn find(&self, bits: u64) -> Symbol {
        let entry = self.short.get(look(bits)).copied().unwrap_or_default();
        if entry == 0 {
            return self.find_long(bits);
        }
        let [len, value] = entry.to_be_bytes();
        Symbol {
            len: u32::from(len),
            value,
        }
    }

    /// Whether the symbol 0 has the code of one zero bit.
    pub(super) fn is_zero_short(&self) -> bool {
        let Symbol { len, value } = self.find(0);
        (len, value) == (1, 0)
    }

    #[cold]
    fn find_long(&self, bits: u64) -> Symbol {
        let bits = u32::try_from(bits.wrapping_shr(48)).unwrap_or_default();
        for (len, (end, lead)) in (LOOK.wrapping_add(1)..).zip(self.long) {
            if bits < end {
                let code = bits.wrapping_shr(16_u32.wrapping_sub(len)).cast_signed();
                let place = usize::try_from(code.wrapping_add(lead)).unwrap_or(usize::MAX);
                if let Some(value) = self.symbols.get(place) {
                    return Symbol { len, value: *value };
                }
            }
        }
        Symbol { len: 0, value: 0 }
    }
}

/// What some of the next bits say of a sequential block's AC coefficients (T.81 F.1.2.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Bits of codes and coefficients.
    pub(super) bits: u32,
    /// Coefficients passed; 64 more at the end of the block.
    pub(super) advance: u32,
}

impl Run {
    /// One symbol with its coefficient's bits.
    #[inline]
    pub(super) fn of(symbol: Symbol) -> Self {
        let (zeros, size) = (u32::from(symbol.value >> 4), u32::from(symbol.value & 15));
        // Of the symbols without a coefficient, only ZRL continues the block (T.81 F.1.2.2.1).
        let advance = if size == 0 && zeros < 15 {
            END_OF_BLOCK
        } else {
            zeros.wrapping_add(1)
        };
        Self {
            bits: symbol.len.wrapping_add(size),
            advance,
        }
    }

    pub(super) const fn ends_block(self) -> bool {
        self.advance >= END_OF_BLOCK
    }
}

/// Finds runs of symbols of a sequential block's AC coefficients: as many as twelve bits hold, the
/// last one's coefficient may lie beyond them.
#[derive(Debug)]
pub(super) struct Runs {
    /// By the next twelve bits: bits and advance of all, in the lower two bytes; 0 for a longer
    /// code.
    all: [u16; ENTRIES],
}

impl Runs {
    /// None of any code.
    pub(super) fn none() -> &'static Self {
        static NONE: Runs = Runs { all: [0; ENTRIES] };
        &NONE
    }

    pub(super) fn new(table: &Table) -> Box<Self> {
        let mut runs = Box::new(Self { all: [0; ENTRIES] });
        for (bits, entry) in (0_u64..).zip(&mut runs.all) {
            *entry = gather(table, bits.wrapping_shl(64_u32.wrapping_sub(LOOK)));
        }
        runs
    }

    /// What reading a short block costs, in visits: without runs it takes twice as long.
    pub(super) fn visits(&self) -> u64 {
        if core::ptr::eq(self, Self::none()) {
            2
        } else {
            1
        }
    }

    /// As many symbols as the look-up holds; none if `bits` is 0.
    #[inline]
    pub(super) fn find(&self, bits: u64) -> Run {
        let [advance, bits] = self
            .all
            .get(look(bits))
            .copied()
            .unwrap_or_default()
            .to_be_bytes();
        Run {
            bits: u32::from(bits),
            advance: u32::from(advance),
        }
    }
}

/// The symbols whose codes lie in the highest twelve of `bits`.
fn gather(table: &Table, bits: u64) -> u16 {
    let (mut used, mut passed) = (0_u32, 0_u32);
    while used < LOOK {
        let symbol = table.find(bits.wrapping_shl(used));
        // Behind the twelve bits `bits` has zeros, which are not what the file has there.
        if symbol.len == 0 || used.wrapping_add(symbol.len) > LOOK {
            break;
        }
        let run = Run::of(symbol);
        // A block has 63 AC coefficients, and its end counts 64 more. What exceeds either is left
        // to the reader of single symbols, which detects an overrun.
        if passed.wrapping_add(run.advance) > 127
            || (!run.ends_block() && passed.wrapping_add(run.advance) > 63)
        {
            break;
        }
        used = used.wrapping_add(run.bits);
        passed = passed.wrapping_add(run.advance);
        if run.ends_block() {
            break;
        }
    }
    let (used, passed) = (
        u8::try_from(used).unwrap_or_default(),
        u8::try_from(passed).unwrap_or_default(),
    );
    u16::from_be_bytes([passed, used])
}

/// The place in a table for the next bits.
#[inline]
fn look(bits: u64) -> usize {
    usize::try_from(bits.wrapping_shr(64_u32.wrapping_sub(LOOK))).unwrap_or_default()
}
