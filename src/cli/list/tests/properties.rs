//! Properties over any bytes.

use proptest::{collection::vec, prelude::*};

use super::*;

const FORMATS: [ListFormat; 4] = [
    ListFormat::Text,
    ListFormat::Csv,
    ListFormat::Tsv,
    ListFormat::Jsonl,
];

/// The bytes with LF in place of CR and CRLF.
fn with_lf(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte == b'\r' {
            rest.next_if_eq(&b'\n');
        }
        lines.push(if byte == b'\r' { b'\n' } else { byte });
    }
    lines
}

fn count_lf(bytes: &[u8]) -> u64 {
    let ends = memchr::memchr_iter(b'\n', bytes).count();
    u64::try_from(ends).unwrap()
}

/// The lines with something in them that rows say nothing of.
fn unaccounted(format: ListFormat, bytes: &[u8]) -> Vec<u64> {
    let columns = Columns {
        delimiter: Some(b','),
        ..columns("url", "")
    };
    let mut rows = rows(Cursor::new(bytes.to_vec()), format, columns);
    if rows.begin().is_err() {
        return Vec::new(); // The list as a whole is reported.
    }
    let mut seen = std::collections::BTreeSet::new();
    while let Some(row) = rows.next() {
        seen.extend(row.number..=row.last);
        if matches!(row.found, Found::Unreadable(_)) {
            return Vec::new();
        }
    }
    let has_header = matches!(format, ListFormat::Csv | ListFormat::Tsv);
    let is_blank = |line: &[u8]| line.iter().all(|byte| b"[], \t\r\x0c".contains(byte));
    let is_comment =
        |line: &[u8]| format == ListFormat::Text && line.trim_ascii().starts_with(b"#");
    (1..)
        .zip(with_lf(bytes).split(|byte| *byte == b'\n'))
        .filter(|(_, line)| !is_blank(line) && !is_comment(line))
        .map(|(number, _)| number)
        .filter(|number| !(seen.contains(number) || has_header && *number == 1))
        .collect()
}

/// How many lines the results, the reports and the quoted fields of a list are, with a table's header.
fn counted(format: ListFormat, bytes: &[u8]) -> Option<u64> {
    let columns = Columns {
        delimiter: Some(b','),
        ..columns("url", "")
    };
    let mut list = list_of(format, columns, Cursor::new(bytes.to_vec()));
    let mut count = u64::from(format.has_cells());
    for line in list.by_ref() {
        if line
            .fault
            .as_deref()
            .is_some_and(|fault| fault.contains("cannot read on"))
        {
            return None;
        }
        count += if line.fault.is_some() { line.lines } else { 1 };
    }
    Some(count + list.quoted_lines())
}

/// Bytes that are often those of lists.
fn list_bytes() -> impl Strategy<Value = Vec<u8>> {
    let usual = proptest::sample::select(b"url,id\n\n\r\t\"\"#{}:[]\\ ax1".to_vec());
    vec(prop_oneof![1 => any::<u8>(), 9 => usual], 0..300)
}

proptest! {
    #[test]
    fn the_counts_add_up_to_the_lines(bytes in list_bytes()) {
        for (format, start) in [
            (ListFormat::Text, "line\n"),
            (ListFormat::Csv, "url,id\n"),
            (ListFormat::Tsv, "url,id\n"),
        ] {
            let bytes = [start.as_bytes(), &bytes].concat();
            let Some(counted) = counted(format, &bytes) else { continue };
            let lines = with_lf(&bytes);
            let is_empty = |line: &[u8]| match format {
                ListFormat::Text => {
                    let line = line.trim_ascii();
                    line.is_empty() || line.starts_with(b"#")
                }
                _ => line.is_empty(),
            };
            let filled = lines.split(|byte| *byte == b'\n').filter(|line| !is_empty(line)).count();
            let empty = lines.split(|byte| *byte == b'\n').count() - filled;
            let least = u64::try_from(filled).unwrap();
            // A field or a skipped part of the list may have empty lines, which are counted.
            let most = least + u64::try_from(empty).unwrap();
            prop_assert!((least..=most).contains(&counted), "{:?}: {counted} of {least} to {most}", format);
        }
    }

    #[test]
    fn every_line_is_accounted_for(bytes in list_bytes()) {
        for (format, start) in [
            // No list begins like UTF-16, whose lines are not those of its bytes.
            (ListFormat::Text, "line\n"),
            (ListFormat::Csv, "url,id\n"),
            (ListFormat::Tsv, "url,id\n"),
            (ListFormat::Jsonl, "{\"url\":\"x\"}\n"),
            (ListFormat::Jsonl, "[{\"url\":\"x\"}\n"),
        ] {
            let bytes = [start.as_bytes(), &bytes].concat();
            prop_assert_eq!(unaccounted(format, &bytes), Vec::<u64>::new(), "{:?}", format);
        }
    }

    #[test]
    fn any_bytes_are_read_alike_in_any_chunks(
        bytes in vec(prop_oneof![
            4 => any::<u8>(),
            6 => proptest::sample::select(b"url,id\n\r\t\"#{}:[]\\ ax1".to_vec()),
        ], 0..400),
        has_header in any::<bool>(),
        chunk in 1_usize..50,
    ) {
        let start: &[u8] = if has_header { b"url,id\n" } else { b"" };
        let bytes = [start, &bytes].concat();
        let last = count_lf(&with_lf(&bytes)) + 1;
        for format in FORMATS {
            let all = read(format, &bytes);
            // The report of lines in another encoding comes after all others.
            let is_foreign = |line: &Plain| {
                line.3.as_deref().is_some_and(|fault| fault.starts_with("the list is neither"))
            };
            let foreign = all.iter().position(is_foreign).unwrap_or(all.len());
            prop_assert!(foreign + 1 >= all.len());
            let lines = &all[..foreign];
            prop_assert!(lines.windows(2).all(|pair| pair[0].0 < pair[1].0 || format != ListFormat::Text));
            prop_assert!(lines.windows(2).all(|pair| pair[0].0 <= pair[1].0));
            prop_assert!(all.iter().all(|line| (1..=last).contains(&line.0)));
            prop_assert_eq!(&all, &read_chunked(format, Columns::default(), &bytes, chunk));
        }
    }

    #[test]
    fn tables_round_trip(
        rows in vec(("(?s).{0,12}", "(?s).{0,6}", "[a-zA-Z0-9_.-]{0,8}"), 0..40),
        chunk in 1_usize..60,
        has_cr in any::<bool>(),
    ) {
        let (format, delimiter) = (ListFormat::Csv, b',');
        let terminator = if has_cr { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut table = csv::WriterBuilder::new().delimiter(delimiter).terminator(terminator).from_writer(Vec::new());
        table.write_record(["note", "url", "id"]).unwrap();
        table.flush().unwrap();
        let mut wanted = Vec::new();
        for (source, note, data_id) in &rows {
            let line = count_lf(&with_lf(table.get_ref())) + 1;
            table.write_record([note, source, data_id]).unwrap();
            table.flush().unwrap();
            // A line end within a field is read as LF.
            let source = String::from_utf8(with_lf(source.as_bytes())).unwrap();
            wanted.push(match (source.as_str(), data_id.as_str()) {
                ("", _) => bad(line, "", "no source in this line"),
                (source, "") => good(line, source),
                (source, data_id) => named(line, source, data_id),
            });
        }
        let table = table.into_inner().unwrap();
        prop_assert_eq!(read_chunked(format, columns("url", "id"), &table, chunk), wanted);
    }

    #[test]
    fn objects_round_trip(
        rows in vec(("(?s).{0,12}", any::<Option<u32>>()), 0..40),
        chunk in 1_usize..60,
    ) {
        let mut text = String::new();
        let mut wanted = Vec::new();
        for (at, (source, data_id)) in rows.iter().enumerate() {
            let line = u64::try_from(at).unwrap() + 1;
            text += &serde_json::json!({ "z": [source], "url": source, "id": data_id }).to_string();
            text.push('\n');
            wanted.push(match (source.as_str(), data_id) {
                ("", _) => bad(line, "", "the source is empty"),
                (source, None) => good(line, source),
                (source, Some(data_id)) => named(line, source, &data_id.to_string()),
            });
        }
        prop_assert_eq!(read_chunked(ListFormat::Jsonl, columns("url", "id"), text.as_bytes(), chunk), wanted);
    }
}
