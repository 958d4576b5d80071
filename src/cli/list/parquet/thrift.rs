//! Thrift's compact protocol (thrift-compact-protocol.md), as far as needed to validate a Parquet
//! file's structures before the `parquet` crate reads them: strictly, on a slice, without
//! allocation.
//!
//! The crate trusts what a file declares: it reserves memory for as many children as a group
//! claims, follows groups to any depth, and takes the last of two fields with one id. Here ids must
//! ascend, as every writer has them, so that what was validated is what is read.

/// Maximum depth, more than Parquet's structures have.
const MOST_DEPTH: u32 = 32;

/// What is wrong with a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It continues after the slice's end.
    Truncated,
    /// It is not valid.
    Malformed,
}

/// A field's type as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    True,
    False,
    Byte,
    /// 16, 32 or 64 bits.
    Int,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

impl Kind {
    const fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::True,
            2 => Self::False,
            3 => Self::Byte,
            4..=6 => Self::Int,
            7 => Self::Double,
            8 => Self::Binary,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return None,
        })
    }
}

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compact<'a>(&'a [u8]);

impl<'a> Compact<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many bytes are left.
    pub(super) const fn left(&self) -> usize {
        self.0.len()
    }

    /// Reads a structure's fields. `take` reads a field's value and says so, or leaves it.
    pub(super) fn structure(
        &mut self,
        mut take: impl FnMut(i16, Kind, &mut Self) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        self.structure_at(MOST_DEPTH, &mut take)
    }

    fn structure_at(
        &mut self,
        depth: u32,
        take: &mut impl FnMut(i16, Kind, &mut Self) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let mut last = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            let kind = Kind::of(head & 0x0F).ok_or(Fault::Malformed)?;
            let id = match head >> 4 {
                0 => i16::try_from(self.int()?).map_err(|_| Fault::Malformed)?,
                delta => last.checked_add(i16::from(delta)).ok_or(Fault::Malformed)?,
            };
            if id <= last {
                return Err(Fault::Malformed);
            }
            last = id;
            if !take(id, kind, self)? {
                self.skip(kind, depth)?;
            }
        }
    }

    /// A list's head: how many elements follow, and of which kind.
    pub(super) fn list(&mut self) -> Result<(u64, Kind), Fault> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.number()?,
            count => u64::from(count),
        };
        let kind = Kind::of(head & 0x0F).ok_or(Fault::Malformed)?;
        // Each takes a byte at least.
        let is_possible = usize::try_from(count).is_ok_and(|count| count <= self.left());
        if is_possible {
            Ok((count, kind))
        } else {
            Err(Fault::Truncated)
        }
    }

    /// A signed number.
    pub(super) fn int(&mut self) -> Result<i64, Fault> {
        let number = self.number()?;
        let half = i64::try_from(number >> 1).map_err(|_| Fault::Malformed)?;
        Ok(if number & 1 == 0 { half } else { !half })
    }

    /// An unsigned number of at most 64 bits.
    pub(super) fn number(&mut self) -> Result<u64, Fault> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            // A number of more than 64 bits would lose its upper ones, and another reader might
            // not.
            if bits.leading_zeros() < shift {
                return Err(Fault::Malformed);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Fault::Malformed)
    }

    fn skip(&mut self, kind: Kind, depth: u32) -> Result<(), Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::Malformed)?;
        match kind {
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.byte().map(drop),
            Kind::Int => self.number().map(drop),
            Kind::Double => self.pass(8),
            Kind::Uuid => self.pass(16),
            Kind::Binary => {
                let length = self.number()?;
                self.pass(length)
            }
            Kind::List => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            Kind::Map => self.skip_map(depth),
            Kind::Struct => self.structure_at(depth, &mut |_, _, _| Ok(false)),
        }
    }

    /// An element is written as a field's value, but for truth values, which take a byte.
    fn skip_element(&mut self, kind: Kind, depth: u32) -> Result<(), Fault> {
        match kind {
            Kind::True | Kind::False => self.pass(1),
            kind => self.skip(kind, depth),
        }
    }

    fn skip_map(&mut self, depth: u32) -> Result<(), Fault> {
        let count = self.number()?;
        if count == 0 {
            return Ok(());
        }
        let kinds = self.byte()?;
        let kind = |code| Kind::of(code).ok_or(Fault::Malformed);
        let (key, value) = (kind(kinds >> 4)?, kind(kinds & 0x0F)?);
        // An empty structure takes a byte, so the bytes that are left bound the loop.
        (0..count).try_for_each(|_| {
            self.skip_element(key, depth)?;
            self.skip_element(value, depth)
        })
    }

    fn pass(&mut self, length: u64) -> Result<(), Fault> {
        let length = usize::try_from(length).map_err(|_| Fault::Truncated)?;
        self.0 = self.0.get(length..).ok_or(Fault::Truncated)?;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let (first, rest) = self.0.split_first().ok_or(Fault::Truncated)?;
        self.0 = rest;
        Ok(*first)
    }
}
