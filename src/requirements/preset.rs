//! The requirements that the service documents, each under its name.

use std::{fmt, str::FromStr, time::Duration};

use super::{
    MAX_HEIC_SIDE, Requirements,
    defaults::{default_defects, default_rules},
};
use crate::{
    error::UnknownName,
    format::Format,
    frames::FRAME_CAP,
    verdict::{Code, Enforcement},
};

impl Requirements {
    /// The requirements of the asynchronous scan.
    pub const ASYNC: Self = Self {
        formats: Format::Png.bit() | Format::Jpeg.bit() | Format::Gif.bit() | Format::Bmp.bit(),
        // Of the two meanings of "20 MB" the larger one rejects, and the smaller one warns.
        max_bytes: 20 << 20,
        warn_bytes: 20_000_000,
        min_width: 256,
        min_height: 256,
        max_side: 30_000,
        max_pixels: 250_000_000,
        max_gif_pixels: 4_194_304,
        max_heic_side: MAX_HEIC_SIDE,
        max_url_chars: 2_048,
        download_time: Duration::from_secs(3),
        frame_cap: FRAME_CAP,
        rules: default_rules(),
        defects: default_defects(),
    };

    /// The requirements of the synchronous scan: as [`ASYNC`](Self::ASYNC), but at most 5 MB.
    pub const SYNC: Self = Self {
        max_bytes: 5 << 20,
        warn_bytes: 5_000_000,
        ..Self::ASYNC
    };

    /// The requirements of Image Moderation 2.0 on the international site.
    pub const V2: Self = Self {
        formats: Self::ASYNC.formats | Format::Webp.bit(),
        warn_bytes: 10_000_000,
        min_width: 200,
        min_height: 200,
        // No page of 2.0 states a limit of its own for GIF.
        max_gif_pixels: 250_000_000,
        // The name of the parameter that selects more frames is on no page.
        frame_cap: 1,
        rules: {
            let mut rules = default_rules();
            rules[Code::ImageTooSmall.index()] = Enforcement::Warn;
            rules
        },
        ..Self::ASYNC
    };

    /// The requirements of Image Moderation 2.0 in mainland China.
    pub const V2_MAINLAND: Self = Self {
        max_side: 16_384,
        max_pixels: 167_000_000,
        max_gif_pixels: 167_000_000,
        download_time: Duration::from_secs(7),
        ..Self::V2
    };
}

/// A scan with documented requirements.
///
/// ```
/// use greenlight::{Preset, Requirements};
///
/// let preset: Preset = "v2-mainland".parse()?;
/// assert_eq!(preset.requirements(), Requirements::V2_MAINLAND);
/// # Ok::<(), greenlight::UnknownName>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "kebab-case")
)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub enum Preset {
    /// [`Requirements::ASYNC`]
    #[default]
    #[cfg_attr(feature = "serde", serde(alias = "v1-async"))]
    Async,
    /// [`Requirements::SYNC`]
    #[cfg_attr(feature = "serde", serde(alias = "v1-sync"))]
    Sync,
    /// [`Requirements::V2`]
    V2,
    /// [`Requirements::V2_MAINLAND`]
    V2Mainland,
}

impl Preset {
    /// Every preset.
    pub const ALL: &'static [Self] = &[Self::Async, Self::Sync, Self::V2, Self::V2Mainland];

    /// Returns the stable name: `async`, `sync`, `v2` or `v2-mainland`. The first two are also parsed
    /// with the prefix `v1-`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Async => "async",
            Self::Sync => "sync",
            Self::V2 => "v2",
            Self::V2Mainland => "v2-mainland",
        }
    }

    /// Returns the requirements.
    pub const fn requirements(self) -> Requirements {
        match self {
            Self::Async => Requirements::ASYNC,
            Self::Sync => Requirements::SYNC,
            Self::V2 => Requirements::V2,
            Self::V2Mainland => Requirements::V2_MAINLAND,
        }
    }
}

impl FromStr for Preset {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "v1-async" => return Ok(Self::Async),
            "v1-sync" => return Ok(Self::Sync),
            _ => {}
        }
        let mut presets = Self::ALL.iter().copied();
        let found = presets.find(|preset| preset.name() == text);
        let names = Self::ALL.iter().map(|preset| preset.name());
        found.ok_or_else(|| UnknownName::new("preset", text, names))
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
