//! Which frames of an animation, and which parts of a long image, the service scans.
//!
//! By default it scans the first only (asynchronous moderation page, 2021): the content of the
//! second is never seen. So `interval` and `maxFrames` are set from what the inspection counted.

use std::fmt;

use crate::{
    format::{Dimensions, Format},
    inspect::Inspection,
    verdict::{Code, Measure, Severity, Violation},
};

/// How many frames of an image the service scans.
///
/// `Display` describes it: `looks at 10 of 95 frames`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Coverage {
    pub(super) total: Option<u32>,
    pub(super) seen: u32,
}

impl Coverage {
    /// How many frames or parts there are; `None` when they were not counted.
    pub const fn total(&self) -> Option<u32> {
        self.total
    }

    /// How many of them are looked at, at most. Each is billed as an image.
    pub const fn seen(&self) -> u32 {
        self.seen
    }

    /// How many stay unseen; `None` when they were not counted.
    pub const fn unseen(&self) -> Option<u32> {
        match self.total {
            Some(total) => Some(total.saturating_sub(self.seen)),
            None => None,
        }
    }

    /// Whether every frame is known to be looked at.
    pub fn is_whole(&self) -> bool {
        self.unseen() == Some(0)
    }

    /// Returns a warning if frames or parts are not scanned.
    pub(crate) fn warning(&self) -> Option<Violation> {
        let total = self.total;
        (!self.is_whole()).then(|| {
            Violation::new(
                Code::ImageFramesUnseen,
                Severity::Warn,
                format!("the service {self}: a pass says nothing of the others"),
                Some(Measure::Number(self.seen.into())),
                total.map(|total| Measure::Number(total.into())),
            )
        })
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            Some(total) => write!(f, "looks at {} of {total} frames", self.seen),
            None => write!(f, "looks at no more than {} frames, uncounted", self.seen),
        }
    }
}

/// How many frames there are to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frames {
    /// The image was not inspected.
    Unknown,
    /// There may be more than one.
    Uncounted,
    /// This many, at least one.
    Counted(u32),
}

impl Frames {
    /// Counts the frames of an animation, or the parts that the service cuts a long image into.
    pub(crate) fn of(inspection: &Inspection) -> Self {
        let parts = inspection.dimensions().map_or(1, parts);
        match inspection.frames() {
            Some(frames) => Self::Counted(frames.max(parts).max(1)),
            None if may_be_animated(inspection) => Self::Uncounted,
            None => Self::Counted(parts),
        }
    }

    /// The `interval` and `maxFrames` that spread at most `cap` looks evenly over all frames;
    /// `None` where the service's own way, the first frame only, sees it all.
    pub(crate) fn spread(self, cap: u32) -> Option<(u32, u32)> {
        let cap = cap.max(1);
        match self {
            Self::Unknown | Self::Counted(0 | 1) => None,
            Self::Uncounted => Some((1, cap)),
            Self::Counted(total) => {
                let interval = total.div_ceil(cap);
                Some((interval, total.div_ceil(interval)))
            }
        }
    }

    /// What these settings look at.
    pub(crate) fn coverage(
        self,
        interval: Option<u32>,
        max_frames: Option<u32>,
    ) -> Option<Coverage> {
        let most = match interval {
            // Without an interval only the first frame is looked at.
            None => 1,
            Some(_) => max_frames.unwrap_or(1).max(1),
        };
        match self {
            Self::Unknown => None,
            Self::Uncounted => Some(Coverage {
                total: None,
                seen: most,
            }),
            Self::Counted(total) => Some(Coverage {
                total: Some(total),
                seen: most.min(total.div_ceil(interval.unwrap_or(1).max(1))),
            }),
        }
    }
}

/// Into how many parts the service cuts an image: one longer than 400 pixels and than two and a
/// half times its other side is cut into as many parts as the sides' whole ratio.
fn parts(dimensions: Dimensions) -> u32 {
    let long = dimensions.width.max(dimensions.height);
    let short = dimensions.width.min(dimensions.height).max(1);
    if long > 400 && u64::from(long) * 2 > u64::from(short) * 5 {
        long / short
    } else {
        1
    }
}

/// Whether the format holds animations and its frames were not counted to the end.
fn may_be_animated(inspection: &Inspection) -> bool {
    inspection.is_animated()
        || inspection
            .format()
            .is_some_and(|format| matches!(format, Format::Gif | Format::Webp))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn looks_are_spread_to_the_last_frame_and_never_more_than_the_cap(
            total in 2_u32..,
            cap in 0_u32..,
        ) {
            let frames = Frames::Counted(total);
            let (interval, looks) = frames.spread(cap).unwrap();
            prop_assert!(looks >= 1 && looks <= cap.max(1));
            prop_assert!(u64::from(interval) * u64::from(looks) >= u64::from(total));
            prop_assert!(u64::from(interval) * u64::from(looks - 1) < u64::from(total));
            let coverage = frames.coverage(Some(interval), Some(looks)).unwrap();
            prop_assert_eq!(coverage.seen(), looks);
            prop_assert_eq!(coverage.is_whole(), looks == total);
        }
    }
}
