//! Where the picture of a directory ends: the offsets and lengths of its strips or tiles, of which only the
//! last in the file is kept.

/// The entries that list the strips or tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Offsets,
    Lengths,
}

impl Column {
    /// TIFF 6.0, 8 and 15.
    pub(super) const fn of_tag(tag: u16) -> Option<Self> {
        match tag {
            273 | 324 => Some(Self::Offsets),
            279 | 325 => Some(Self::Lengths),
            _ => None,
        }
    }
}

/// Values of an entry that lie elsewhere in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) column: Column,
    /// The type of a value.
    pub(super) kind: u16,
    /// Where the next one lies.
    pub(super) at: u64,
    pub(super) count: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Strips {
    /// Values that are not read yet, of either column.
    values: [Option<Values>; 2],
    /// How many offsets were read.
    offsets: u64,
    /// How many lengths were read, and the last.
    lengths: (u64, u64),
    /// The number and the offset of the strip that begins last.
    last: Option<(u64, u64)>,
    /// Its length.
    length: u64,
}

impl Strips {
    pub(super) const NONE: Self = Self {
        values: [None; 2],
        offsets: 0,
        lengths: (0, 0),
        last: None,
        length: 0,
    };

    /// Notes where values lie. Of an entry that is repeated, the first counts.
    pub(super) fn refer(&mut self, values: Values) {
        let is_known =
            |held: &Option<Values>| held.is_some_and(|held| held.column == values.column);
        if self.values.iter().any(is_known) {
            return;
        }
        if let Some(free) = self.values.iter_mut().find(|held| held.is_none()) {
            *free = Some(values);
        }
    }

    /// Returns the values that come first at or after an offset, and forgets them.
    pub(super) fn take_next(&mut self, from: u64) -> Option<Values> {
        let next = self
            .values
            .iter_mut()
            .filter(|held| held.is_some_and(|held| held.at >= from))
            .min_by_key(|held| held.map_or(u64::MAX, |held| held.at))?;
        next.take()
    }

    pub(super) fn add(&mut self, column: Column, value: u64) {
        match column {
            Column::Offsets => {
                self.offsets = self.offsets.saturating_add(1);
                if self.last.is_none_or(|(_, last)| value > last) {
                    self.last = Some((self.offsets, value));
                    // The lengths may precede the offsets; only the last of them is held then.
                    let (number, length) = self.lengths;
                    self.length = if number == self.offsets { length } else { 0 };
                }
            }
            Column::Lengths => {
                let number = self.lengths.0.saturating_add(1);
                self.lengths = (number, value);
                if self.last.is_some_and(|(last, _)| last == number) {
                    self.length = value;
                }
            }
        }
    }

    /// Where the picture ends, as far as it is known.
    pub(super) fn end(&self) -> u64 {
        self.last
            .map_or(0, |(_, offset)| offset.saturating_add(self.length))
    }
}
