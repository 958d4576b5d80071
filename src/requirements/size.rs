//! Sizes of files as people write them.

use std::{fmt, str::FromStr};

/// A size in bytes, written as a number with or without a unit: `20971520`, `20MB`, `5 MiB`.
///
/// `kB`, `MB` and `GB` are powers of 1000, `KiB`, `MiB` and `GiB` powers of 1024, in any case.
///
/// ```
/// use greenlight::ByteSize;
///
/// assert_eq!("20MB".parse::<ByteSize>()?.bytes(), 20_000_000);
/// assert_eq!("5MiB".parse::<ByteSize>()?.bytes(), 5 * 1024 * 1024);
/// # Ok::<(), greenlight::SizeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// A size of this many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// The error of a text that is not a [`ByteSize`].
///
/// ```
/// use greenlight::{ByteSize, SizeError};
///
/// assert_eq!("20 images".parse::<ByteSize>(), Err(SizeError::Malformed));
/// assert_eq!("99999999999GB".parse::<ByteSize>(), Err(SizeError::TooLarge));
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not a whole number, or one with an unknown unit.
    #[error("expected a whole number of bytes, or one with a unit: 20971520, 20MB, 5MiB")]
    Malformed,
    /// More than 2^64 - 1 bytes.
    #[error("the size is too large")]
    TooLarge,
}

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unit_at = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(unit_at);
        if digits.is_empty() {
            return Err(SizeError::Malformed);
        }
        let scale: u64 = match unit.trim_start_matches(' ').to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(SizeError::Malformed),
        };
        let number: u64 = digits.parse().map_err(|_| SizeError::TooLarge)?;
        let bytes = number.checked_mul(scale).ok_or(SizeError::TooLarge)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
