//! Width and height of an image.

use std::fmt;

/// Width and height in pixels, as stored in the file: before any orientation tag is applied.
///
/// ```
/// use greenlight::Dimensions;
///
/// let dimensions = Dimensions::new(1920, 1080);
/// assert_eq!(dimensions.pixels(), 2_073_600);
/// assert_eq!(dimensions.to_string(), "1920x1080");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dimensions {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Dimensions {
    /// Width and height in pixels.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Width times height, which cannot overflow.
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

impl fmt::Display for Dimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}
