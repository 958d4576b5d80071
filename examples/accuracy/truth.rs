//! What is known about the files.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Debug)]
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

const COLUMNS: [&str; 6] = [
    "path",
    "cons_format",
    "fmt_status",
    "cons_dims",
    "dims_status",
    "cons_decode",
];
/// Of these, the first two are certain.
const STATUSES: [&str; 4] = ["agree", "majority", "weak", "-"];
/// Of these, the first two are good, and the third is corrupt.
const DECODED: [&str; 6] = ["clean", "tolerated", "corrupt", "disputed", "other", "-"];
/// So many malformed lines are reported.
const REPORTED: usize = 20;

/// Reads a folder with `truth.tsv`.
///
/// # Errors
///
/// If a line is malformed or its file cannot be read, with the number of the line, or if there are no
/// files. Figures of a part of the files would not be those of the folder.
pub(crate) fn folder(folder: &Path) -> Result<Vec<File>, String> {
    let path = folder.join("truth.tsv");
    let in_file = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(&path).map_err(|error| in_file(&error))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let mut lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let (_, head) = lines.next().ok_or_else(|| in_file(&"the file is empty"))?;
    let head: Vec<_> = head.split('\t').collect();
    let (mut columns, mut width) = ([0; COLUMNS.len()], 0);
    for (at, name) in columns.iter_mut().zip(COLUMNS) {
        let found = head.iter().position(|column| *column == name);
        *at = found.ok_or_else(|| in_file(&format!("no column `{name}`")))?;
        width = width.max(*at + 1);
    }
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for (number, line) in lines {
        let cells: Vec<_> = line.split('\t').collect();
        let file = if (width..=head.len()).contains(&cells.len()) {
            row(
                folder,
                columns.map(|at| cells.get(at).copied().unwrap_or_default()),
            )
        } else {
            Err(format!("{} cells, not {}", cells.len(), head.len()))
        };
        match file {
            Ok(file) => files.push(file),
            Err(error) => errors.push(format!("{}:{number}: {error}", path.display())),
        }
    }
    match errors.len() {
        0 if files.is_empty() => Err(in_file(&"no files")),
        0 => Ok(files),
        count => {
            errors.truncate(REPORTED);
            if count > REPORTED {
                errors.push(format!("{} more", count - REPORTED));
            }
            Err(format!("{count} malformed lines\n{}", errors.join("\n")))
        }
    }
}

/// Reads the file of a line, whose cells are in the order of the columns.
fn row(folder: &Path, cells: [&str; COLUMNS.len()]) -> Result<File, String> {
    let [path, format, format_status, sides, sides_status, decoded] = cells;
    let known = |column: &str, cell: &str, known: &[&str]| {
        if known.contains(&cell) {
            return Ok(());
        }
        Err(format!(
            "`{column}` is `{cell}`, not one of {}",
            known.join(", ")
        ))
    };
    known("fmt_status", format_status, &STATUSES)?;
    known("dims_status", sides_status, &STATUSES)?;
    known("cons_decode", decoded, &DECODED)?;
    let is_certain = |status| matches!(status, "agree" | "majority");
    if is_certain(format_status) && matches!(format, "" | "-") {
        return Err(format!("no `cons_format`, but it is `{format_status}`"));
    }
    let dimensions = dimensions(sides)?;
    if is_certain(sides_status) && dimensions.is_none() {
        return Err(format!("no `cons_dims`, but they are `{sides_status}`"));
    }
    if path.is_empty() {
        return Err("no `path`".to_owned());
    }
    let path = folder.join(path);
    let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(File {
        path,
        bytes,
        format: is_certain(format_status).then(|| format_name(format)),
        dimensions: dimensions.filter(|_| is_certain(sides_status)),
        is_good: matches!(decoded, "clean" | "tolerated"),
        is_corrupt: decoded == "corrupt",
    })
}

fn dimensions(cell: &str) -> Result<Option<(u32, u32)>, String> {
    if matches!(cell, "" | "-") {
        return Ok(None);
    }
    let sides = cell.split_once('x');
    let sides = sides.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let expected = format!("`cons_dims` is `{cell}`, not like 640x480");
    sides.map(Some).ok_or(expected)
}

/// The one name of a format, of those that are compared.
pub(crate) fn format_name(name: &str) -> String {
    let name = name.to_lowercase();
    match name.as_str() {
        "jpg" => "jpeg".to_owned(),
        _ => name,
    }
}
