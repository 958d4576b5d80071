//! The columns of an earlier check, as `check` prints them. The Python package has the same names.

use crate::pipeline::EarlierCheck;

/// The columns, in the order of [`Cells`].
pub(crate) const CHECK_COLUMNS: [&str; 9] = [
    "decision",
    "format",
    "width",
    "height",
    "bytes",
    "frames",
    "version",
    "requirements",
    "checked_at",
];

/// Longest value, in bytes.
const LONGEST_VALUE: usize = 64;

/// The positions of the columns.
pub(super) type At = [Option<usize>; CHECK_COLUMNS.len()];

/// Finds the columns by their exact names.
pub(super) fn find<N: AsRef<str>>(names: impl Iterator<Item = N>) -> At {
    let mut at = [None; CHECK_COLUMNS.len()];
    for (position, name) in names.enumerate() {
        let column = CHECK_COLUMNS
            .iter()
            .position(|wanted| *wanted == name.as_ref());
        if let Some(column) = column.and_then(|column| at.get_mut(column)) {
            column.get_or_insert(position);
        }
    }
    at
}

/// The values of one row, as text.
#[derive(Debug, Default)]
pub(super) struct Cells([Vec<u8>; CHECK_COLUMNS.len()]);

impl Cells {
    /// Adds a part of the value of the column at this index of [`At`].
    pub(super) fn push(&mut self, column: usize, bytes: &[u8]) {
        if let Some(cell) = self.0.get_mut(column) {
            // One byte more than is valid, so that the value is not.
            let room = (LONGEST_VALUE + 1).saturating_sub(cell.len());
            cell.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    /// Returns the check if it accepted the image and every value is valid; `frames` may be absent.
    pub(super) fn parse(&self) -> Option<EarlierCheck> {
        let [
            decision,
            format,
            width,
            height,
            bytes,
            frames,
            version,
            requirements,
            checked_at,
        ] = &self.0;
        if decision != b"accept" {
            return None;
        }
        Some(EarlierCheck {
            format: text(format)?.parse().ok()?,
            width: positive(width)?.try_into().ok()?,
            height: positive(height)?.try_into().ok()?,
            bytes: positive(bytes)?,
            frames: match frames.as_slice() {
                b"" => None,
                frames => Some(positive(frames)?.try_into().ok()?),
            },
            version: text(version)?.to_owned(),
            requirements: text(requirements)?.to_owned(),
            checked_at: positive(checked_at)?,
        })
    }
}

fn text(cell: &[u8]) -> Option<&str> {
    let is_short = !cell.is_empty() && cell.len() <= LONGEST_VALUE;
    std::str::from_utf8(cell).ok().filter(|_| is_short)
}

/// Reads a whole number. pandas writes a column with absent numbers as `640.0`.
fn positive(cell: &[u8]) -> Option<u64> {
    let text = text(cell)?;
    let number = text.strip_suffix(".0").unwrap_or(text).parse().ok()?;
    (number > 0).then_some(number)
}
