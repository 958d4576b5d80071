//! A list without a known extension, most often standard input, is read as text. Its first line shows
//! whether another format was meant.

use super::column::{DELIMITERS, is_usual};

/// Returns what to tell the user of a text's first line that belongs to another format.
pub(super) fn format_of(first_line: &str) -> Option<&'static str> {
    let line = first_line.trim();
    if line.starts_with(['[', '{']) {
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
