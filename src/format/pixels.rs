//! How pixels are stored: color and orientation.

use std::num::NonZeroU8;

/// The color model of a pixel.
///
/// ```
/// use greenlight::{ColorType, Inspection};
///
/// // Browsers show a JPEG in inks with other colors than print does, or not at all.
/// let inspection = Inspection::of(&std::fs::read("fixtures/images/jpeg/cmyk.jpg")?);
/// assert_eq!(inspection.color_type(), Some(ColorType::Cmyk));
/// # Ok::<(), std::io::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum ColorType {
    /// One channel.
    Gray,
    /// One channel and transparency.
    GrayAlpha,
    /// Indices into a palette.
    Palette,
    /// Three channels of light (BMP's BGR too).
    Rgb,
    /// Three channels of light and transparency.
    Rgba,
    /// Luma and two differences, the usual JPEG.
    YCbCr,
    /// Four inks.
    Cmyk,
    /// Four inks as luma, two differences and black.
    Ycck,
}

/// The EXIF orientation tag, 1 to 8 (Exif 2.3, table 5): reported, never applied.
///
/// ```
/// use greenlight::Inspection;
///
/// let photo = std::fs::read("fixtures/images/jpeg/exif-orientation-6.jpg")?;
/// let orientation = Inspection::of(&photo).orientation().expect("the photo has an EXIF tag");
/// assert_eq!(orientation.tag(), 6); // a viewer turns the picture by 90 degrees
/// assert!(orientation.swaps_sides());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "u16")
)]
pub struct Orientation(NonZeroU8);

impl Orientation {
    /// The tag's value, if it is one of the eight that have a meaning.
    pub fn new(tag: u16) -> Option<Self> {
        let tag = u8::try_from(tag).ok().filter(|tag| *tag <= 8)?;
        NonZeroU8::new(tag).map(Self)
    }

    /// 1 to 8.
    pub const fn tag(self) -> u8 {
        self.0.get()
    }

    /// Whether a viewer that obeys the tag swaps width and height.
    pub const fn swaps_sides(self) -> bool {
        self.0.get() >= 5
    }
}

#[cfg(feature = "serde")]
impl TryFrom<u16> for Orientation {
    type Error = &'static str;

    fn try_from(tag: u16) -> Result<Self, Self::Error> {
        Self::new(tag).ok_or("an orientation is a number from 1 to 8")
    }
}
