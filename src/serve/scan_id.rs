//! The ids of scans.

use std::{fmt, str::FromStr};

use crate::ledger::{Key, Row};

/// The id of a scan: the row in the ledger, and a part of the image's key, so that an id cannot be
/// guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScanId {
    number: i64,
    check: [u8; 8],
}

impl ScanId {
    pub(super) fn new(number: i64, key: &Key) -> Self {
        let check = key.as_bytes().first_chunk().copied().unwrap_or_default();
        Self { number, check }
    }

    pub(super) fn of(row: &Row) -> Self {
        Self::new(row.number, &row.key)
    }

    /// The number of the row.
    pub(super) const fn number(self) -> i64 {
        self.number
    }
}

impl fmt::Display for ScanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.number, u64::from_be_bytes(self.check))
    }
}

impl FromStr for ScanId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, check) = text.split_once('-').ok_or(())?;
        let number = number.parse().map_err(|_| ())?;
        // `from_str_radix` accepts a sign, too, and fewer digits.
        let digits = check.len() == 16 && check.bytes().all(|byte| byte.is_ascii_hexdigit());
        let check = u64::from_str_radix(check, 16).map_err(|_| ())?;
        if !digits || number < 1 {
            return Err(());
        }
        let check = check.to_be_bytes();
        Ok(Self { number, check })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = ScanId::new(17, &Key::from_bytes([0xab; 32]));
        assert_eq!(id.to_string(), "17-abababababababab");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in [
            "",
            "17",
            "17-",
            "17-ab",
            "0-abababababababab",
            "17-+bababababababab",
            "17-abababababababab0",
        ] {
            assert_eq!(text.parse::<ScanId>(), Err(()), "{text}");
        }
    }
}
