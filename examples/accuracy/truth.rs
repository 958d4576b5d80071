//! What is known about the files.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use crate::catalogue;

pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    /// If known for certain; `none` if the file is not an image.
    pub(crate) format: Option<String>,
    /// As stored, if known for certain.
    pub(crate) dimensions: Option<(u32, u32)>,
    /// Decoders accept it.
    pub(crate) is_good: bool,
    /// Most decoders reject it.
    pub(crate) is_corrupt: bool,
}

impl File {
    pub(crate) fn has_format(&self, formats: &[&str]) -> bool {
        self.format
            .as_deref()
            .is_some_and(|format| formats.contains(&format))
    }
}

/// Reads a folder with `truth.tsv`.
pub(crate) fn folder(folder: &Path) -> Result<Vec<File>, Box<dyn Error>> {
    let path = folder.join("truth.tsv");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut lines = text.lines();
    let head: Vec<_> = lines.next().unwrap_or_default().split('\t').collect();
    let column = |name: &str| {
        let at = head.iter().position(|column| *column == name);
        at.ok_or(format!("{}: no column `{name}`", path.display()))
    };
    let [
        path_at,
        format_at,
        format_status,
        dims_at,
        dims_status,
        decode_at,
    ] = [
        column("path")?,
        column("cons_format")?,
        column("fmt_status")?,
        column("cons_dims")?,
        column("dims_status")?,
        column("cons_decode")?,
    ];
    let mut files = Vec::new();
    for line in lines {
        let cells: Vec<_> = line.split('\t').collect();
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
        let is_firm = |at: usize| matches!(cell(at), "agree" | "majority");
        let path = folder.join(cell(path_at));
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let sides = cell(dims_at).split_once('x');
        let sides =
            sides.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        files.push(File {
            path,
            bytes,
            format: is_firm(format_status).then(|| cell(format_at).to_owned()),
            dimensions: sides.filter(|_| is_firm(dims_status)),
            is_good: matches!(cell(decode_at), "clean" | "tolerated"),
            is_corrupt: cell(decode_at) == "corrupt",
        });
    }
    Ok(files)
}

/// The fixtures, whose catalogue states what is wrong with each.
pub(crate) fn fixtures() -> Vec<File> {
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
