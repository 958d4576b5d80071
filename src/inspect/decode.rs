//! The second opinion: the `image` crate decodes the first picture, within bounds of memory and
//! work that are computed before.

mod budget;
mod cost;
mod held;
mod thread;

use std::{
    future::poll_fn,
    io::Cursor,
    panic::{self, AssertUnwindSafe},
    pin::pin,
    task::Poll,
};

use image::{
    ImageDecoder, ImageError, Limits,
    codecs::{bmp::BmpDecoder, gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder},
};

use crate::format::{DefectKind, Facts, Format};
use budget::Budget;
use cost::{Cost, MAX_MEMORY};
use thread::{block_on, on_new_thread};

pub(super) use held::{Held, MAX_FILE};

/// What the decodes of the process share.
static BUDGET: Budget = Budget::new(MAX_MEMORY);

/// The smallest share of the budget: a thread has a cost too.
const MIN_SHARE: u64 = 4 << 20;

/// A picture that is to be decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    format: Format,
    cost: Cost,
}

impl Task {
    /// Decides whether a file of `len` bytes (`None` when it was not held) is decoded. A file in
    /// which the parser found a rejected defect is not, and one that is too expensive or of a
    /// process that the decoder lacks is recorded.
    pub(super) fn plan(format: Format, len: Option<usize>, facts: &mut Facts) -> Option<Self> {
        let is_known = matches!(
            format,
            Format::Png | Format::Jpeg | Format::Gif | Format::Bmp
        );
        if !is_known {
            return None;
        }
        let is_lacking = format == Format::Jpeg && lacks_process(facts);
        let is_rejected = facts.defects.iter().any(|(kind, _)| !kind.is_tolerated());
        // A second opinion would cost work and could not change the rejection.
        if is_rejected && !is_lacking {
            return None;
        }
        let cost = len
            .filter(|_| !is_lacking)
            .and_then(|len| Cost::of(format, u64::try_from(len).ok()?, facts))
            .filter(Cost::is_bounded);
        let Some(cost) = cost else {
            facts.defects.add_unplaced(DefectKind::NotDecoded);
            return None;
        };
        Some(Self { format, cost })
    }

    const fn share(self) -> u64 {
        if self.cost.memory < MIN_SHARE {
            MIN_SHARE
        } else {
            self.cost.memory
        }
    }

    /// Decodes on the calling thread, once there is memory for it.
    pub(super) fn run(self, file: &[u8], facts: &mut Facts) {
        let _share = block_on(BUDGET.claim(self.share()));
        state(opinion(self, file), facts);
    }

    /// Decodes on a dedicated thread, once there is memory for it, unless `deadline` is ready
    /// first.
    pub(super) async fn run_until(
        self,
        file: Held,
        deadline: impl Future<Output = ()>,
        facts: &mut Facts,
    ) {
        let work = async move {
            let share = BUDGET.claim(self.share()).await;
            on_new_thread(move || {
                // Held until the work is done, even if no caller waits for it: the memory is in
                // use.
                let _share = share;
                opinion(self, file.bytes())
            })
            .await
        };
        let (mut work, mut deadline) = (pin!(work), pin!(deadline));
        // The work first: a result that is ready together with the deadline counts.
        let found = poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(found) => Poll::Ready(found),
            Poll::Pending => deadline.as_mut().poll(cx).map(|()| None),
        })
        .await;
        state(found.unwrap_or(Some(DefectKind::NotDecoded)), facts);
    }
}

/// Records an opinion. A decoder does not tell the place.
fn state(found: Option<DefectKind>, facts: &mut Facts) {
    match found {
        Some(DefectKind::DecoderRefused) if has_tolerated_defect(facts) => {
            facts.defects.add_unplaced(DefectKind::DecoderStrict);
        }
        Some(kind) => facts.defects.add_unplaced(kind),
        None => {}
    }
}

/// Whether all coded data was walked, and the defects found are those that most readers tolerate:
/// one decoder that refuses such a picture proves nothing else.
fn has_tolerated_defect(facts: &Facts) -> bool {
    !facts.defects.contains(DefectKind::NotWalked) && !facts.defects.is_empty()
}

/// Whether a JPEG is of a process that zune-jpeg does not know: arithmetic, lossless, hierarchical,
/// or not of 8 bits.
fn lacks_process(facts: &Facts) -> bool {
    [
        DefectKind::JpegRareProcess,
        DefectKind::JpegUnreadProcess,
        DefectKind::JpegUnsupportedProcess,
    ]
    .iter()
    .any(|kind| facts.defects.contains(*kind))
}

/// Returns the defect that the decoder reports.
fn opinion(task: Task, file: &[u8]) -> Option<DefectKind> {
    // Unwind safe: nothing of a decoder that panicked is used afterwards.
    match panic::catch_unwind(AssertUnwindSafe(|| decode(task, file))) {
        Ok(Ok(())) => None,
        // Neither is evidence against the file.
        Ok(Err(ImageError::Limits(_) | ImageError::Unsupported(_))) => Some(DefectKind::NotDecoded),
        Ok(Err(_)) | Err(_) => Some(DefectKind::DecoderRefused),
    }
}

fn decode(Task { format, cost }: Task, file: &[u8]) -> Result<(), ImageError> {
    let file = Cursor::new(file);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(cost.side);
    match format {
        // Its constructor decompresses metadata, so it needs the limits too.
        Format::Png => read(PngDecoder::with_limits(file, limits.clone())?, limits, cost),
        Format::Jpeg => read(JpegDecoder::new(file)?, limits, cost),
        Format::Gif => read(GifDecoder::new(file)?, limits, cost),
        _ => read(BmpDecoder::new(file)?, limits, cost),
    }
}

fn read(mut decoder: impl ImageDecoder, limits: Limits, cost: Cost) -> Result<(), ImageError> {
    decoder.set_limits(limits)?;
    let bytes = usize::try_from(decoder.total_bytes())
        .ok()
        .filter(|_| decoder.total_bytes() <= cost.output);
    let mut output = Vec::new();
    // The allocation may fail where the system limits the process; that is not the file's defect.
    let reserved = bytes.is_some_and(|bytes| output.try_reserve_exact(bytes).is_ok());
    let Some(bytes) = bytes.filter(|_| reserved) else {
        let kind = image::error::LimitErrorKind::InsufficientMemory;
        return Err(ImageError::Limits(image::error::LimitError::from_kind(
            kind,
        )));
    };
    output.resize(bytes, 0_u8);
    decoder.read_image(&mut output)
}
