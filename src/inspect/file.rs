//! Inspecting a local file: the one place that reads one.

use std::{fs::File, io, path::Path};

use super::{Claim, Depth, Inspection, Inspector, length, whole::read_chunks};
use crate::local_file;

/// How much of a file is read at a time, in bytes.
const CHUNK: usize = 128 * 1024;

/// How much of a file is read first when its header may be enough, in bytes.
const HEADER_CHUNK: usize = 4 * 1024;

impl Inspection {
    /// The maximum size of a file that [`from_path`](Self::from_path) inspects to its end, in
    /// bytes: more than any moderation service accepts.
    pub const MAX_FILE_BYTES: u64 = 64 << 20;

    /// Inspects a local file at `depth`. The file is opened once and must be a regular one; the
    /// extension of its name is recorded as a [`Claim`]. At most 128 KB are held at a time, except
    /// at [`Depth::Decode`].
    ///
    /// Of a file with more than [`MAX_FILE_BYTES`](Self::MAX_FILE_BYTES) bytes that many and one
    /// more are inspected, whatever length the system reports, and [`is_ended`](Self::is_ended)
    /// returns `false`: some files in `/proc` have no end. [`read`](Self::read) has no such limit.
    /// [`Requirements::judge_file`](crate::Requirements::judge_file) reads only as much as a
    /// decision needs.
    ///
    /// ```
    /// use greenlight::{Depth, Dimensions, Inspection};
    ///
    /// let inspection = Inspection::from_path(Depth::Structure, "fixtures/images/png/rgb.png")?;
    /// assert_eq!(inspection.dimensions(), Some(Dimensions::new(256, 256)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the system's error, and one for a path that is not a regular file's. What is wrong
    /// with the bytes is never an error.
    pub fn from_path(depth: Depth, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let file = local_file::open(path)?;
        inspect(file, path, depth, Self::MAX_FILE_BYTES, |_, _| true)
    }
}

/// Inspects an open file while `wants_more` returns `true`. It is called before the first chunk
/// with an empty one, and after every chunk. At most `max` bytes and one more are inspected. If the
/// reading stops before the end of the file, the inspection is not ended.
pub(crate) fn inspect(
    file: File,
    path: &Path,
    depth: Depth,
    max: u64,
    mut wants_more: impl FnMut(&Inspector, &[u8]) -> bool,
) -> io::Result<Inspection> {
    let mut inspector = Inspector::new(depth);
    // The extension counts even if the rest of the name is not UTF-8.
    if let Some(claim) = Claim::from_name(&path.to_string_lossy()) {
        inspector.claim(claim);
    }
    // Files that the system generates as they are read report 0, and may have no end.
    let len = file.metadata()?.len();
    if len > 0 {
        inspector.announce_len(len);
    }
    if !wants_more(&inspector, &[]) {
        return Ok(inspector.inspection().clone());
    }
    let first = match (depth, usize::try_from(len)) {
        (Depth::Header, _) => HEADER_CHUNK,
        // One byte more than a small file, so that the second read finds its end.
        (_, Ok(len @ 1..CHUNK)) => len.saturating_add(1),
        _ => CHUNK,
    };
    // One byte more than allowed proves that the file is too large.
    let mut left = max.saturating_add(1);
    let ended = read_chunks(file, first, CHUNK, |chunk| {
        // Truncated here and not while reading: some files in `/proc` reject reads of an odd
        // length.
        let chunk = chunk
            .get(..usize::try_from(left).unwrap_or(usize::MAX))
            .unwrap_or(chunk);
        left = left.saturating_sub(length(chunk));
        inspector.push(chunk);
        left > 0 && wants_more(&inspector, chunk)
    })?;
    Ok(if ended {
        inspector.finish()
    } else {
        inspector.inspection().clone()
    })
}
