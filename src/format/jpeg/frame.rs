//! The frame: process, size and components (T.81 B.2.2).

use super::{AppSegments, DefectKind};
use crate::format::{ColorType, Dimensions};

/// How the samples are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) kind: Kind,
    pub(super) arithmetic: bool,
    /// A frame that is a difference to the one before it in a hierarchy.
    pub(super) differential: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Baseline,
    Extended,
    Progressive,
    Lossless,
    /// JPEG-LS (ITU-T T.87), which uses T.81's segments.
    Ls,
}

impl Process {
    /// The process of a start-of-frame marker (T.81 table B.1, T.87 C.1).
    #[inline]
    pub(super) const fn of_marker(code: u8) -> Self {
        let kind = match code {
            0xC0 => Kind::Baseline,
            0xF7 => Kind::Ls,
            // In table B.1 the two lower bits name the process, and the others its coding.
            _ => match code & 3 {
                1 => Kind::Extended,
                2 => Kind::Progressive,
                _ => Kind::Lossless,
            },
        };
        Self {
            kind,
            arithmetic: matches!(code, 0xC9..=0xCF),
            differential: matches!(code, 0xC5..=0xC7 | 0xCD..=0xCF),
        }
    }

    /// Whether samples are coded as blocks of 8 by 8 coefficients.
    pub(super) const fn has_blocks(self) -> bool {
        !matches!(self.kind, Kind::Lossless | Kind::Ls)
    }

    const fn allows_precision(self, precision: u8) -> bool {
        match self.kind {
            Kind::Baseline => precision == 8,
            Kind::Extended | Kind::Progressive => precision == 8 || precision == 12,
            Kind::Lossless | Kind::Ls => precision >= 2 && precision <= 16,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks across and down in an MCU, 1 to 4.
    pub(super) across: u8,
    pub(super) down: u8,
    pub(super) quantization: u8,
}

impl Component {
    /// A component by its three bytes, if they are legal: factors of 1 to 4, a table of 0 to 3.
    #[inline]
    const fn new([id, sampling, quantization]: [u8; 3]) -> Option<Self> {
        let (across, down) = (sampling >> 4, sampling & 15);
        // One comparison for three fields: 0 wraps to 255, and only 0 to 3 have no higher bit.
        if across.wrapping_sub(1) | down.wrapping_sub(1) | quantization > 3 {
            return None;
        }
        Some(Self {
            id,
            across,
            down,
            quantization,
        })
    }
}

/// The color of so many components as decoders guess it, of which three may be `named` RGB (JFIF
/// 1.02; Adobe technical note 5116).
#[inline]
const fn color(count: u8, named: bool, app: AppSegments) -> Option<ColorType> {
    match (count, app.adobe_transform) {
        // The order of libjpeg's `default_decompress_parms`: JFIF implies YCbCr, then Adobe's
        // transform decides, then the identifiers.
        (1, _) => Some(ColorType::Gray),
        (3, Some(0)) if !app.jfif => Some(ColorType::Rgb),
        (3, None) if !app.jfif && named => Some(ColorType::Rgb),
        (3, _) => Some(ColorType::YCbCr),
        (4, Some(2)) => Some(ColorType::Ycck),
        (4, _) => Some(ColorType::Cmyk),
        _ => None,
    }
}

/// Size and color of a frame of eight bits, by the whole body of its segment, if every field of it
/// is legal.
#[inline]
pub(super) fn glance(body: &[u8], app: AppSegments) -> Option<(Dimensions, Option<ColorType>)> {
    let [8, h1, h0, w1, w0, count @ 1..=4, components @ ..] = body else {
        return None;
    };
    if components.len() != usize::from(*count).saturating_mul(3) {
        return None;
    }
    let (components, _) = components.as_chunks::<3>();
    let height = u32::from(u16::from_be_bytes([*h1, *h0]));
    let width = u32::from(u16::from_be_bytes([*w1, *w0]));
    let is_legal = width != 0
        && height != 0
        && !repeats_id(components)
        && components
            .iter()
            .all(|bytes| Component::new(*bytes).is_some());
    let named = matches!(components, [[b'R', ..], [b'G', ..], [b'B', ..]]);
    is_legal.then(|| (Dimensions::new(width, height), color(*count, named, app)))
}

/// Whether two components have one identifier, which must be unique (T.81 B.2.2).
#[inline]
fn repeats_id(components: &[[u8; 3]]) -> bool {
    let mut rest = components;
    while let [[id, ..], after @ ..] = rest {
        if after.iter().any(|[other, ..]| other == id) {
            return true;
        }
        rest = after;
    }
    false
}

/// More components than this no common decoder takes (T.81 allows 255 outside of progressive).
pub(super) const COMPONENTS: usize = 4;

#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) process: Process,
    pub(super) precision: u8,
    pub(super) width: u16,
    /// 0 until a DNL segment says it.
    pub(super) height: u16,
    pub(super) count: u8,
    pub(super) components: [Component; COMPONENTS],
    /// Which components a scan has held, a bit for each.
    pub(super) seen: u8,
    /// Which coefficients of each component a scan has coded to their last bit, a bit for each.
    pub(super) coded: [u64; COMPONENTS],
}

impl Frame {
    /// A frame by the first six bytes of its segment.
    #[inline]
    pub(super) fn new(process: Process, head: [u8; 6]) -> Self {
        let [
            precision,
            height_high,
            height_low,
            width_high,
            width_low,
            count,
        ] = head;
        Self {
            process,
            precision,
            width: u16::from_be_bytes([width_high, width_low]),
            height: u16::from_be_bytes([height_high, height_low]),
            count,
            components: [Component::default(); COMPONENTS],
            seen: 0,
            coded: [0; COMPONENTS],
        }
    }

    #[inline]
    pub(super) const fn check(&self) -> Result<(), DefectKind> {
        if self.width == 0 {
            Err(DefectKind::ZeroDimension)
        } else if !self.process.allows_precision(self.precision) || !matches!(self.count, 1..=4) {
            Err(DefectKind::JpegFrameHeader)
        } else {
            Ok(())
        }
    }

    /// What is wrong with its process: no common decoder knows it, or not all do.
    pub(super) const fn fault(&self) -> Option<DefectKind> {
        let Process {
            kind,
            arithmetic,
            differential,
        } = self.process;
        if differential || matches!(kind, Kind::Ls) {
            Some(DefectKind::JpegUnsupportedProcess)
        } else if matches!(kind, Kind::Lossless) || self.precision != 8 {
            Some(DefectKind::JpegUnreadProcess)
        } else if arithmetic {
            Some(DefectKind::JpegRareProcess)
        } else {
            None
        }
    }

    /// A frame by the whole body of its segment, if every field of it is legal.
    #[inline]
    pub(super) fn of_body(process: Process, body: &[u8]) -> Option<Self> {
        let (head, components) = body.split_first_chunk()?;
        let mut frame = Self::new(process, *head);
        let (components, rest) = components.as_chunks();
        if frame.check().is_err()
            || components.len() != usize::from(frame.count)
            || !rest.is_empty()
            || repeats_id(components)
        {
            return None;
        }
        for (place, component) in frame.components.iter_mut().zip(components) {
            *place = Component::new(*component)?;
        }
        Some(frame)
    }

    /// Its size, once both sides are known.
    pub(super) fn dimensions(&self) -> Option<Dimensions> {
        (self.width > 0 && self.height > 0)
            .then(|| Dimensions::new(u32::from(self.width), u32::from(self.height)))
    }

    /// Reads the parameters of component `index`.
    #[inline]
    pub(super) fn set_component(
        &mut self,
        index: u8,
        component: [u8; 3],
    ) -> Result<(), DefectKind> {
        let component = Component::new(component).ok_or(DefectKind::JpegFrameHeader)?;
        // A scan names components by these identifiers, so a repeated one is ambiguous.
        let mut before = self.components.iter().take(usize::from(index));
        if before.any(|held| held.id == component.id) {
            return Err(DefectKind::JpegFrameHeader);
        }
        if let Some(place) = self.components.get_mut(usize::from(index)) {
            *place = component;
        }
        Ok(())
    }

    pub(super) fn components(&self) -> &[Component] {
        self.components
            .get(..usize::from(self.count))
            .unwrap_or_default()
    }

    /// Whether every component was in a scan.
    pub(super) fn is_covered(&self) -> bool {
        let all = 1_u8
            .checked_shl(u32::from(self.count))
            .map_or(u8::MAX, |bit| bit.wrapping_sub(1));
        self.seen & all == all
    }

    /// Whether the scans so far code every coefficient of every component (T.81 G.1.1.1): a
    /// progressive image is complete only then.
    pub(super) fn is_complete(&self) -> bool {
        let mut coded = self.coded.iter().take(usize::from(self.count));
        coded.all(|coded| *coded == u64::MAX)
    }

    /// The color as decoders guess it.
    pub(super) fn color(&self, app: AppSegments) -> Option<ColorType> {
        let named = match self.components() {
            [red, green, blue] => [red.id, green.id, blue.id] == *b"RGB",
            _ => false,
        };
        color(self.count, named, app)
    }

    /// The largest sampling factors, across and down.
    pub(super) fn max_sampling(&self) -> (u8, u8) {
        self.components()
            .iter()
            .fold((1, 1), |(across, down), component| {
                (across.max(component.across), down.max(component.down))
            })
    }
}
