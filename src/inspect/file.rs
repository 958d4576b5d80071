//! Inspecting a local file: the one place that reads one.

use std::{fs::File, io, path::Path};

use super::{Claim, Depth, Inspection, Inspector, whole::read_chunks};
use crate::local_file;

/// How much of a file is read at a time, in bytes.
const CHUNK: usize = 128 * 1024;

/// How much of a file is read first when its header may be enough, in bytes.
const HEADER_CHUNK: usize = 4 * 1024;

impl Inspection {
    /// Inspects a local file to its end, at `depth`. The file is opened once and must be a regular
    /// one; the extension of its name is recorded as a [`Claim`]. At most 128 KB are held at a time,
    /// except at [`Depth::Decode`].
    ///
    /// [`Requirements::judge_file`](crate::Requirements::judge_file) reads only as much as a
    /// decision needs.
    ///
    /// ```no_run
    /// use greenlight::{Depth, Inspection};
    ///
    /// let inspection = Inspection::from_path(Depth::Structure, "photo.png")?;
    /// println!("{:?}", inspection.dimensions());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the system's error, and one for a path that is not a regular file's. What is wrong
    /// with the bytes is never an error.
    pub fn from_path(depth: Depth, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        inspect(local_file::open(path)?, path, depth, |_, _| true)
    }
}

/// Inspects an open file for as long as `wants_more`, which is asked before the first chunk with an
/// empty one and after every chunk. If it stops, the inspection is not an ended one.
pub(crate) fn inspect(
    file: File,
    path: &Path,
    depth: Depth,
    mut wants_more: impl FnMut(&Inspector, &[u8]) -> bool,
) -> io::Result<Inspection> {
    let mut inspector = Inspector::new(depth);
    let name = path.file_name().and_then(|name| name.to_str());
    if let Some(claim) = name.and_then(Claim::from_name) {
        inspector.claim(claim);
    }
    // Files that the system makes up as they are read say 0, and may have no end.
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
    let ended = read_chunks(file, first, CHUNK, |chunk| {
        inspector.push(chunk);
        wants_more(&inspector, chunk)
    })?;
    Ok(if ended {
        inspector.finish()
    } else {
        inspector.inspection().clone()
    })
}
