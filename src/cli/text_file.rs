//! Small files of tokens and secrets.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// No such file is larger, in bytes.
const MAX: u64 = 1 << 20;

/// Reads the first megabyte of a file.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX).read_to_string(&mut text)?;
    Ok(text)
}
