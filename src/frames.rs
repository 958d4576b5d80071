//! Which frames of an animation, and which parts of a long image, the service scans.
//!
//! By default it scans the first only (asynchronous moderation page, 2021). So `interval` and
//! `maxFrames` are set from what the inspection counted.

use std::fmt;

use crate::{
    format::{Dimensions, Format},
    inspect::Inspection,
};

/// How many frames of an animation, or parts of a long image, are scanned by default. Each is
/// billed as an image.
pub(crate) const FRAME_CAP: u32 = 10;

/// The number of frames of an image that the service scans.
///
/// `Display` describes it: `looks at 10 of 95 frames`, or `looks at 10 of 121 parts of the long
/// image`.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{
///     ImageUrl, Requirements,
///     green::Task,
///     probe::{AddressPolicy, Probe},
///     sandbox::Sandbox,
/// };
///
/// let server = Sandbox::builder().serve("fixtures/images").start().await?;
/// let url = ImageUrl::parse(&server.url_for("gif/animated.gif")?)?;
/// let policy = AddressPolicy::new().allow("127.0.0.1/32")?;
/// let probe = Probe::builder().policy(policy).build()?;
/// let verdict = probe.check(&url, &Requirements::ASYNC).await?;
/// let task = Task::new(verdict.into_result()?).with_frame_cap(1);
/// let coverage = task.coverage().expect("the image was inspected");
/// assert!(!coverage.is_whole());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Coverage {
    total: Option<u32>,
    seen: u32,
    /// Whether they are parts of a long image.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "std::ops::Not::not")
    )]
    is_of_parts: bool,
}

impl Coverage {
    /// The number of frames or parts; `None` if they were not counted.
    pub const fn total(&self) -> Option<u32> {
        self.total
    }

    /// The maximum number of them that is scanned. Each is billed as an image.
    pub const fn seen(&self) -> u32 {
        self.seen
    }

    /// The number of those that are not scanned; `None` if they were not counted.
    pub const fn unseen(&self) -> Option<u32> {
        match self.total {
            Some(total) => Some(total.saturating_sub(self.seen)),
            None => None,
        }
    }

    /// Whether every frame is known to be scanned.
    pub fn is_whole(&self) -> bool {
        self.unseen() == Some(0)
    }

    /// Returns the message of a violation.
    pub(crate) fn unseen_message(&self) -> String {
        format!("the service {self}: a pass says nothing of the others")
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            Some(total) if self.is_of_parts => {
                write!(
                    f,
                    "looks at {} of {total} parts of the long image",
                    self.seen
                )
            }
            Some(total) => write!(f, "looks at {} of {total} frames", self.seen),
            None => write!(f, "looks at no more than {} frames, uncounted", self.seen),
        }
    }
}

/// How many frames there are to scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frames {
    /// The image was not inspected.
    #[cfg_attr(
        not(feature = "client"),
        expect(dead_code, reason = "only a task can lack an inspection")
    )]
    Unknown,
    /// There may be more than one.
    Uncounted,
    /// This many, at least one.
    Counted(u32),
    /// So many parts of a long image, more than its frames.
    Parts(u32),
}

impl Frames {
    /// Counts the frames of an animation, or the parts that the service divides a long image into.
    pub(crate) fn of(inspection: &Inspection) -> Self {
        let may_be_animated =
            inspection.is_animated() || inspection.format().is_some_and(holds_animations);
        Self::of_facts(
            inspection.dimensions(),
            inspection.frames(),
            may_be_animated,
        )
    }

    /// The same for the facts of an inspection.
    pub(crate) fn of_facts(
        dimensions: Option<Dimensions>,
        frames: Option<u32>,
        may_be_animated: bool,
    ) -> Self {
        let parts = dimensions.map_or(1, parts);
        match frames {
            None if may_be_animated => Self::Uncounted,
            frames if parts > frames.unwrap_or(1).max(1) => Self::Parts(parts),
            frames => Self::Counted(frames.unwrap_or(1).max(1)),
        }
    }

    /// Returns the `interval` and `maxFrames` that spread at most `cap` scanned frames evenly over
    /// all frames; `None` if the service's default, the first frame only, scans them all.
    pub(crate) fn spread(self, cap: u32) -> Option<(u32, u32)> {
        let cap = cap.max(1);
        match self {
            Self::Unknown | Self::Counted(0 | 1) | Self::Parts(0 | 1) => None,
            Self::Uncounted => Some((1, cap)),
            Self::Counted(total) | Self::Parts(total) => {
                // `maxFrames` may be less than `cap`, because every frame that it allows can be
                // billed.
                let interval = total.div_ceil(cap);
                Some((interval, total.div_ceil(interval)))
            }
        }
    }

    /// Returns what these settings scan.
    pub(crate) fn coverage(
        self,
        interval: Option<u32>,
        max_frames: Option<u32>,
    ) -> Option<Coverage> {
        let most = match interval {
            // Without an interval only the first frame is scanned.
            None => 1,
            Some(_) => max_frames.unwrap_or(1).max(1),
        };
        match self {
            Self::Unknown => None,
            Self::Uncounted => Some(Coverage {
                total: None,
                seen: most,
                is_of_parts: false,
            }),
            Self::Counted(total) | Self::Parts(total) => Some(Coverage {
                total: Some(total),
                seen: most.min(total.div_ceil(interval.unwrap_or(1).max(1))),
                is_of_parts: matches!(self, Self::Parts(_)),
            }),
        }
    }
}

/// Into how many parts the service divides an image: one longer than 400 pixels and than two and a
/// half times its other side is divided into as many parts as the integer ratio of the sides.
fn parts(dimensions: Dimensions) -> u32 {
    let long = dimensions.width.max(dimensions.height);
    let short = dimensions.width.min(dimensions.height).max(1);
    if long > 400 && u64::from(long) * 2 > u64::from(short) * 5 {
        long / short
    } else {
        1
    }
}

/// Whether files of the format usually hold animations.
pub(crate) const fn holds_animations(format: Format) -> bool {
    matches!(format, Format::Gif | Format::Webp)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_are_spread_to_the_last_and_at_most_the_cap(
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
