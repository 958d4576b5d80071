//! The project's fixtures, whose catalogue states what is wrong with each.

use std::path::Path;

use crate::{catalogue, truth::File};

pub(crate) fn files() -> Vec<File> {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images");
    let files = catalogue::all().into_iter().map(|fixture| {
        let (folder, name) = fixture.path.split_once('/').unwrap_or_default();
        let format = match folder {
            // Named `is-a-FORMAT` if the name claims another one.
            "png" | "jpeg" | "gif" | "bmp" | "webp" if !name.starts_with("is-a-") => Some(folder),
            _ => None,
        };
        let has = |code: &str| fixture.codes.contains(&code);
        let is_corrupt = has("image/corrupt") || has("image/truncated") || has("image/empty");
        let is_scanned = matches!(format, Some("png" | "jpeg" | "gif" | "bmp"));
        File {
            path: images.join(fixture.path),
            // No reader can recognize a file without bytes.
            format: format.filter(|_| !has("image/empty")).map(str::to_owned),
            dimensions: None,
            is_good: is_scanned && !is_corrupt && !has("image/not-an-image"),
            is_corrupt: is_scanned && is_corrupt,
            bytes: fixture.bytes,
        }
    });
    files.collect()
}
