//! A list without a known extension, most often standard input, is read as text. Its first line
//! shows whether another format was meant. The first bytes of a file show whether it is a list.

use std::{
    io::{self, Cursor, Read as _},
    path::Path,
};

use super::{
    Columns, ListFormat,
    column::{DELIMITERS, is_usual},
    row::Found,
    rows, text,
};
use crate::local_file;
use greenlight::{Claim, Depth, Inspection};

/// Number of bytes read to see whether a file is a list.
const HEAD: u64 = 4096;

/// Whether a file that is named as an image is more likely a list: it is not an image, and either
/// its extension is a list's or its first line is a URL or names columns.
pub(crate) fn is_list(path: &Path) -> bool {
    let Some(name) = path.file_name() else {
        return false;
    };
    // A reply that was saved in place of an image is not a list.
    if Claim::from_name(&name.to_string_lossy()).is_some() {
        return false;
    }
    let Ok(head) = head(path) else {
        return false;
    };
    if Inspection::at(Depth::Header, &head).format().is_some() {
        return false;
    }
    let has_extension =
        ListFormat::of_extension(name).is_some_and(|format| format != ListFormat::Text);
    has_extension || begins_as_list(head)
}

fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    local_file::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

fn begins_as_list(head: Vec<u8>) -> bool {
    let mut rows = rows(Cursor::new(head), ListFormat::Text, Columns::default());
    match rows.next().map(|row| row.found) {
        Some(Found::Source { source, .. } | Found::Broken { text: source, .. }) => {
            let line = String::from_utf8_lossy(&source);
            text::is_url(source.trim_ascii()) || format_of(&line).is_some()
        }
        Some(Found::Unreadable(_)) | None => false,
    }
}

/// Returns a hint if the first line of a text belongs to another format.
pub(super) fn format_of(first_line: &str) -> Option<&'static str> {
    let line = first_line.trim();
    if text::is_json(line.as_bytes()) {
        return Some("looks like JSON: read it with --list-format jsonl");
    }
    if line.starts_with("PAR1") {
        return Some(
            "looks like Parquet: write it to a file and read that with --list-format parquet",
        );
    }
    if has_usual_name(line, b'\t') {
        return Some("looks like TSV: read it with --list-format tsv");
    }
    let is_table = line.to_ascii_lowercase().starts_with("sep=")
        || DELIMITERS
            .iter()
            .any(|delimiter| has_usual_name(line, *delimiter));
    is_table.then_some("looks like CSV: read it with --list-format csv")
}

/// Whether one of the names is usual for the column with the sources.
fn has_usual_name(line: &str, delimiter: u8) -> bool {
    let delimiter = char::from(delimiter);
    let mut names = line.split(delimiter);
    // A header of one column has no delimiter; it is tried once, as CSV.
    let is_table = delimiter == ',' || line.contains(delimiter);
    is_table && names.any(|name| is_usual(name.trim().trim_matches('"')))
}

#[cfg(test)]
mod tests {
    use super::format_of;

    #[test]
    fn the_first_line_of_another_format_is_recognized() {
        for (line, word) in [
            ("[{\"url\":\"http://a/\"},", "JSON"),
            ("  [", "JSON"),
            ("{\"url\":\"http://a/\"}", "JSON"),
            ("id,url", "CSV"),
            ("url", "CSV"),
            ("\"URL\";\"caption\"", "CSV"),
            ("sep=;", "CSV"),
            ("caption\timage_url", "TSV"),
            ("PAR1\u{15}", "Parquet"),
        ] {
            assert!(
                format_of(line).is_some_and(|hint| hint.contains(word)),
                "{line}"
            );
        }
        for line in [
            "",
            "http://a/b,c",
            "http://a/?url,x",
            "a.png",
            "photos/a,b.png",
            "ftp://a/[1].png",
        ] {
            assert_eq!(format_of(line), None, "{line}");
        }
    }
}
