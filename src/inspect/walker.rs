//! The parser of a file's format, and of markup whose first element determines the format.

use crate::format::{
    Depth, Facts, Format, Found, Markup, Parser, Progress, bmp::Bmp, gif::Gif, jpeg::Jpeg,
    png::Png, webp::Webp,
};
#[cfg(feature = "containers")]
use crate::format::{heif::Heif, ico::Ico, svg::Svg, tiff::Tiff};

// Held in place and not boxed: nothing is allocated below payload depth.
#[derive(Debug)]
pub(super) enum Walker {
    Png(Png),
    Jpeg(Jpeg),
    Gif(Gif),
    Bmp(Bmp),
    Webp(Webp),
    #[cfg(feature = "containers")]
    Tiff(Tiff),
    #[cfg(feature = "containers")]
    Heif(Heif),
    #[cfg(feature = "containers")]
    Ico(Ico),
    #[cfg(feature = "containers")]
    Svg(Svg),
}

impl Walker {
    pub(super) fn new(format: Format, depth: Depth) -> Option<Self> {
        Some(match format {
            Format::Png => Self::Png(Png::new(depth)),
            Format::Jpeg => Self::Jpeg(Jpeg::new(depth)),
            Format::Gif => Self::Gif(Gif::new(depth)),
            Format::Bmp => Self::Bmp(Bmp::new(depth)),
            Format::Webp => Self::Webp(Webp::new(depth)),
            #[cfg(feature = "containers")]
            Format::Tiff => Self::Tiff(Tiff::new(depth)),
            #[cfg(feature = "containers")]
            Format::Heic | Format::Avif => Self::Heif(Heif::new(depth)),
            #[cfg(feature = "containers")]
            Format::Ico => Self::Ico(Ico::new(depth)),
            _ => return None,
        })
    }

    pub(super) fn parser(&mut self) -> &mut dyn Parser {
        match self {
            Self::Png(parser) => parser,
            Self::Jpeg(parser) => parser,
            Self::Gif(parser) => parser,
            Self::Bmp(parser) => parser,
            Self::Webp(parser) => parser,
            #[cfg(feature = "containers")]
            Self::Tiff(parser) => parser,
            #[cfg(feature = "containers")]
            Self::Heif(parser) => parser,
            #[cfg(feature = "containers")]
            Self::Ico(parser) => parser,
            #[cfg(feature = "containers")]
            Self::Svg(parser) => parser,
        }
    }
}

/// Markup. It is read as SVG from its first byte on, because it is not held until its format is
/// known.
#[derive(Debug)]
pub(super) struct Text {
    markup: Markup,
    #[cfg(feature = "containers")]
    svg: Svg,
    #[cfg(feature = "containers")]
    progress: Progress,
}

impl Text {
    #[cfg(feature = "containers")]
    pub(super) const fn new(depth: Depth) -> Self {
        Self {
            markup: Markup::new(),
            svg: Svg::new(depth),
            progress: Progress::More,
        }
    }

    #[cfg(not(feature = "containers"))]
    pub(super) const fn new(_: Depth) -> Self {
        Self {
            markup: Markup::new(),
        }
    }

    #[cfg(feature = "containers")]
    pub(super) fn push(&mut self, chunk: &[u8], offset: u64) -> Found {
        if self.progress == Progress::More {
            self.progress = self.svg.read_on(chunk, offset);
        }
        self.markup.push(chunk)
    }

    #[cfg(not(feature = "containers"))]
    pub(super) fn push(&mut self, chunk: &[u8], _: u64) -> Found {
        self.markup.push(chunk)
    }

    /// The format of the text if it ends here.
    pub(super) fn finish(&self) -> Option<Format> {
        self.markup.finish()
    }

    /// Returns the parser of this format with its progress, if it read the text, and its facts in
    /// `facts`.
    #[cfg(feature = "containers")]
    pub(super) fn into_walker(
        self,
        format: Format,
        facts: &mut Facts,
    ) -> Option<(Walker, Progress)> {
        if format != Format::Svg {
            return None;
        }
        self.svg.state(facts);
        Some((Walker::Svg(self.svg), self.progress))
    }

    #[cfg(not(feature = "containers"))]
    #[expect(clippy::unused_self, reason = "only the other variant has a parser")]
    pub(super) const fn into_walker(self, _: Format, _: &mut Facts) -> Option<(Walker, Progress)> {
        None
    }
}
