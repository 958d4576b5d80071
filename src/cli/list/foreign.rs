//! A list in another encoding (GBK, Latin-1, Shift JIS): its lines that are not UTF-8 are reported
//! once, together. The other lines are read, because URLs are ASCII.

use super::ListLine;

/// What is wrong with a line that is not UTF-8.
pub(super) const FAULT: &str = "not UTF-8";

/// A list is in another encoding if two of this many consecutive lines are not UTF-8. A single one
/// is corrupt.
pub(super) const NEAR: usize = 64;

pub(super) fn is_foreign(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_err()
}

/// Whether a line is reported as not UTF-8.
pub(super) fn is_reported(line: &ListLine) -> bool {
    line.fault.as_deref() == Some(FAULT)
}

/// The lines of a list that are not UTF-8.
pub(super) struct Foreign {
    first: ListLine,
    last: u64,
    count: u64,
    lines: u64,
}

impl Foreign {
    pub(super) const fn begin(first: ListLine) -> Self {
        Self {
            last: first.place.number(),
            count: 1,
            lines: first.lines,
            first,
        }
    }

    pub(super) const fn add(&mut self, line: &ListLine) {
        self.last = line.place.number();
        self.count = self.count.saturating_add(1);
        self.lines = self.lines.saturating_add(line.lines);
    }

    /// The one line that reports them.
    pub(super) fn report(self) -> ListLine {
        let Self {
            first,
            last,
            count,
            lines,
        } = self;
        let unit = first.place.element.map_or(first.place.unit, |_| "element");
        ListLine {
            fault: Some(format!(
                "the list is neither UTF-8 nor UTF-16: {count} {unit}s up to {unit} {last} cannot be \
                 read; save it as UTF-8"
            )),
            lines,
            ..first
        }
    }
}
