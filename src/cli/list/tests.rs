use std::io::{Cursor, Read};

use proptest::{collection::vec, prelude::*};

use super::*;

/// A line as tests compare it: its number, its text, its data id and what is wrong with it.
type Plain = (u64, String, Option<String>, Option<String>);

fn plain(list: List) -> Vec<Plain> {
    list.map(|line| {
        let data_id = line.data_id.map(|data_id| data_id.to_string());
        (line.place.line, line.text, data_id, line.fault)
    })
    .collect()
}

fn list_of(format: ListFormat, columns: Columns, reader: impl BufRead + Send + 'static) -> List {
    List::new("list", format, rows(reader, format, columns))
}

fn read(format: ListFormat, bytes: &[u8]) -> Vec<Plain> {
    read_columns(format, Columns::default(), bytes)
}

fn read_columns(format: ListFormat, columns: Columns, bytes: &[u8]) -> Vec<Plain> {
    plain(list_of(format, columns, Cursor::new(bytes.to_vec())))
}

/// The same, `chunk` bytes at a time.
fn read_chunked(format: ListFormat, columns: Columns, bytes: &[u8], chunk: usize) -> Vec<Plain> {
    let reader = BufReader::with_capacity(chunk, Cursor::new(bytes.to_vec()));
    plain(list_of(format, columns, reader))
}

fn columns(source: &str, data_id: &str) -> Columns {
    let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    Columns {
        source: name(source),
        data_id: name(data_id),
        delimiter: None,
        rows_per_byte: None,
    }
}

fn good(line: u64, text: &str) -> Plain {
    (line, text.to_owned(), None, None)
}

fn named(line: u64, text: &str, data_id: &str) -> Plain {
    (line, text.to_owned(), Some(data_id.to_owned()), None)
}

fn bad(line: u64, text: &str, fault: &str) -> Plain {
    (line, text.to_owned(), None, Some(fault.to_owned()))
}

#[test]
fn blank_lines_and_comments_are_counted_and_skipped() {
    let text = b"\xEF\xBB\xBFa.png\r\n\n  \t\n# note\n  # note\n b c.png \n HTTPS://a/b\t\nlast";
    let lines = [
        good(1, "a.png"),
        good(6, " b c.png "),
        good(7, "HTTPS://a/b"),
        good(8, "last"),
    ];
    assert_eq!(read(ListFormat::Text, text), lines);
    assert_eq!(read(ListFormat::Text, b""), []);
    assert_eq!(read(ListFormat::Text, b"\n\n"), []);
}

#[test]
fn a_bad_line_is_told_by_its_number_and_the_rest_goes_on() {
    let mut text = b"a\n\xff\xfe\n".to_vec();
    text.extend(std::iter::repeat_n(b'x', 3 * LONGEST));
    text.extend(b"\nb\n");
    let shown = "x".repeat(SHOWN) + "\u{2026}";
    let lines = [
        good(1, "a"),
        bad(2, "\u{fffd}\u{fffd}", "not UTF-8"),
        bad(3, &shown, "longer than 65536 bytes"),
        good(4, "b"),
    ];
    assert_eq!(read(ListFormat::Text, &text), lines);
}

#[test]
fn a_long_source_of_another_scheme_is_rejected_by_its_beginning() {
    let long = format!("data:image/png;base64,{}", "A".repeat(2 * LONGEST));
    let shown: String = long.chars().take(SHOWN).chain(['\u{2026}']).collect();
    let web = format!("https://host/{}", "a".repeat(2 * LONGEST));
    let text = format!("{long}\n{web}\n");
    let quoted = format!("url\n\"{long}\"\n{web}\n");
    for (format, text) in [(ListFormat::Text, &text), (ListFormat::Csv, &quoted)] {
        let lines = read(format, text.as_bytes());
        assert_eq!(lines[0].1, shown, "{format:?}");
        assert_eq!(lines[0].3, None, "{format:?}");
        assert_eq!(lines[1].3.as_deref(), Some("longer than 65536 bytes"));
    }
}

#[test]
fn the_longest_line_is_taken() {
    let longest = "y".repeat(LONGEST);
    for end in ["\nz", "\r\nz"] {
        assert_eq!(
            read(ListFormat::Text, format!("{longest}{end}").as_bytes()),
            [good(1, &longest), good(2, "z")]
        );
    }
    assert_eq!(
        read(ListFormat::Text, longest.as_bytes()),
        [good(1, &longest)]
    );
    let line = format!("url\n{longest}\n\"{longest}y\"\n");
    let lines = read(ListFormat::Csv, line.as_bytes());
    assert_eq!(lines[0], good(2, &longest));
    assert_eq!(lines[1].3.as_deref(), Some("longer than 65536 bytes"));
}

#[test]
fn a_list_that_cannot_be_read_on_says_where() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::TimedOut.into())
        }
    }
    for (format, start) in [
        (ListFormat::Text, "a\n"),
        (ListFormat::Csv, "url\n"),
        (ListFormat::Jsonl, "\"a\"\n"),
    ] {
        let reader = BufReader::new(Cursor::new(start).chain(Broken));
        let lines = plain(list_of(format, Columns::default(), reader));
        let last = lines.last().expect("the fault is told");
        assert_eq!(*last, bad(2, "", "cannot read on: timed out"), "{format:?}");
    }
}

#[test]
fn a_table_s_columns_are_found_by_their_names() {
    let table = b"\xEF\xBB\xBFid,url,note\r\n7,http://a/,\"two\nlines\"\r\n\r\n8,\"http://b/?q=\"\"x\"\"\",\r\n";
    let lines = [good(2, "http://a/"), good(5, r#"http://b/?q="x""#)];
    assert_eq!(read(ListFormat::Csv, table), lines);
    let lines = read_columns(ListFormat::Csv, columns("note", "id"), table);
    assert_eq!(lines[0], named(2, "two\nlines", "7"));
    assert_eq!(lines[1], bad(5, "", "no source in this line"));
    let only = read(ListFormat::Csv, b"anything\nhttp://a/\n");
    assert_eq!(only, [good(2, "http://a/")]);
    let beside = read_columns(ListFormat::Csv, columns("", "id"), b"pic,id\nx,1\ny,\n");
    assert_eq!(beside, [named(2, "x", "1"), good(3, "y")]);
    let tabs = read(ListFormat::Tsv, b"source\tid\na,b\t1\n");
    assert_eq!(tabs, [good(2, "a,b")]);
}

#[test]
fn a_broken_record_costs_itself_alone() {
    let table =
        b"url,id\nhttp://a/,1\nhttp://b/\nhttp://c/,2,3\n\xff,4\nhttp://d/,\xc3\xa9\nhttp://e/,5\n";
    let long = "z".repeat(129);
    let wanted = columns("url", "id");
    let lines = read_columns(ListFormat::Csv, wanted.clone(), table);
    let alphabet = "not a dataId (letters, digits, `_`, `-` and `.`, at most 128): ";
    assert_eq!(
        lines,
        [
            named(2, "http://a/", "1"),
            bad(3, "http://b/", "fields: 1, where the first line has 2"),
            bad(4, "http://c/", "fields: 3, where the first line has 2"),
            bad(5, "\u{fffd}", "not UTF-8"),
            bad(6, "http://d/", &format!("{alphabet}\u{e9}")),
            named(7, "http://e/", "5"),
        ]
    );
    let lines = read_columns(
        ListFormat::Csv,
        wanted,
        format!("url,id\nx,{long}\n").as_bytes(),
    );
    let fault = lines[0].3.as_deref().expect("it is too long");
    assert!(fault.starts_with(alphabet), "{fault}");
}

#[test]
fn a_quote_that_is_never_closed_is_given_up() {
    let lines = read(ListFormat::Csv, b"url\na\n\"b\nc\n");
    assert_eq!(lines[0], good(2, "a"));
    assert_eq!(
        lines[1],
        bad(3, "b\nc\n", "a quote is opened and never closed")
    );
    assert_eq!(lines[2], good(4, "c"));
    let mut table = b"url\n\"open\n".to_vec();
    for _ in 0..100_000 {
        table.extend(b"http://host/path\n");
    }
    let lines = read(ListFormat::Csv, &table);
    let fault = "a quote is opened, and not closed within 1048576 bytes";
    assert_eq!(lines[0].0, 2);
    assert_eq!(lines[0].3.as_deref(), Some(fault));
    // One quote costs one line.
    assert_eq!(lines.len(), 100_001);
    assert!(lines[1..].iter().all(|line| line.1 == "http://host/path"));
}

#[test]
fn a_quote_costs_one_line_at_most() {
    // A quote in a TSV field is a character.
    let table = b"url\tcaption\na\t\"x\nb\ty\nc\t\"z\"\n";
    let lines = [good(2, "a"), good(3, "b"), good(4, "c")];
    assert_eq!(read(ListFormat::Tsv, table), lines);
    // RFC 4180: nothing follows a closing quote.
    let table = b"url,caption\na,1\nb,\"x\" y\nc,\"open\nd,2\ne,\"closes\" late\nf,3\n";
    let fault = "text follows a closing quote; write a quote within quotes twice";
    let lines = read(ListFormat::Csv, table);
    let wanted = [
        good(2, "a"),
        bad(3, "b", fault),
        bad(4, "c", fault),
        good(5, "d"),
        bad(6, "e", fault),
        good(7, "f"),
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn much_that_is_malformed_is_read_in_proportion() {
    // From either state a line of this kind ends within quotes.
    let mut table = b"url,b\n".to_vec();
    for _ in 0..600_000 {
        table.extend(b"x\",\"y\n");
    }
    let lines = read(ListFormat::Csv, &table);
    let last = lines.last().expect("it is reported");
    assert!(last.3.is_some());
    assert!(lines.len() < 200, "{}", lines.len());
}

#[test]
fn the_delimiter_is_found_from_the_first_line() {
    for (table, delimiter) in [
        ("url;caption\na;x, y\n", None),
        ("caption|url\nx|a\n", None),
        ("url\tcaption\na\tx\n", None),
        ("url;a, b, c\na;x\n", None),
        ("sep=;\nurl;caption\na;x\n", None),
        ("\"sep=\t\"\r\nurl\tcaption\r\na\tx\r\n", None),
        ("url#caption\na#x\n", Some(b'#')),
    ] {
        let columns = Columns {
            delimiter,
            ..Columns::default()
        };
        let lines = read_columns(ListFormat::Csv, columns, table.as_bytes());
        let texts: Vec<_> = lines.iter().map(|line| (&*line.1, &line.3)).collect();
        assert_eq!(texts, [("a", &None)], "{table:?}");
    }
    let lines = read(ListFormat::Tsv, b"id,address\n1,a\n");
    assert_eq!(
        lines[0].3.as_deref(),
        Some(
            "its first line is read as one column; split at `,` there are: id, address: name the \
             delimiter with --delimiter ','"
        )
    );
}

#[test]
fn column_names_match_whatever_their_case() {
    for name in ["URL", " url ", "Image_URL", "Source", "LINK"] {
        let table = format!("id,{name}\n1,a\n");
        assert_eq!(read(ListFormat::Csv, table.as_bytes()), [good(2, "a")]);
        let object = format!("{{\"id\":1,\"{name}\":\"a\"}}\n");
        assert_eq!(read(ListFormat::Jsonl, object.as_bytes()), [good(1, "a")]);
    }
    let lines = read_columns(ListFormat::Csv, columns("PIC", ""), b"id,pic\n1,a\n");
    assert_eq!(lines, [good(2, "a")]);
    let why = "more than one column may hold the sources: url, Link: name the one that does with \
               --column";
    for (format, text) in [
        (ListFormat::Csv, "url,Link\na,b\n"),
        (ListFormat::Jsonl, "{\"url\":\"a\",\"Link\":\"b\"}\n"),
    ] {
        assert_eq!(read(format, text.as_bytes()), [bad(1, "", why)]);
    }
}

#[test]
fn utf_16_is_read_with_and_without_a_byte_order_mark() {
    let text = "http://a/\u{1F600}\r\nhttp://b/\r\n";
    for has_mark in [true, false] {
        for is_big in [true, false] {
            let mark = has_mark.then_some(0xFEFF_u16);
            let units = mark.into_iter().chain(text.encode_utf16());
            let bytes: Vec<u8> = units
                .flat_map(|unit| {
                    if is_big {
                        unit.to_be_bytes()
                    } else {
                        unit.to_le_bytes()
                    }
                })
                .collect();
            let lines = [good(1, "http://a/\u{1F600}"), good(2, "http://b/")];
            assert_eq!(read(ListFormat::Text, &bytes), lines);
            assert_eq!(
                read_chunked(ListFormat::Text, Columns::default(), &bytes, 3),
                lines
            );
        }
    }
    let utf_32: Vec<u8> = text
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    let lines = read(ListFormat::Text, &utf_32);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].3.as_ref().unwrap().contains("UTF-32"), "{lines:?}");
}

#[test]
fn an_array_is_read_element_by_element() {
    let text = "[\n {\"url\":\"a\",\n  \"n\":[1,{}]},\"b\" ,\n{\"url\":\"c\n{\"url\":\"d\"}, 17]\n]\n\"e\"";
    let lines = read(ListFormat::Jsonl, text.as_bytes());
    let plain: Vec<_> = lines
        .iter()
        .map(|line| (line.0, line.1.as_str(), line.3.is_some()))
        .collect();
    assert_eq!(
        plain,
        [
            (2, "a", false),
            (3, "b", false),
            (4, "{\"url\":\"c", true),
            (5, "d", false),
            (5, "17", true),
            (6, "]", true),
            (7, "e", false),
        ]
    );
    let open = read(ListFormat::Jsonl, b"[{\"url\":\"a\"},\n{\"url\":\n\"b\"");
    let fault = "the list ends within this element: the lines up to 3 are skipped";
    assert_eq!(open[1].3.as_deref(), Some(fault));
}

#[test]
fn a_defect_in_a_field_that_is_not_asked_for_costs_nothing() {
    for other in [
        r#""\ud83d""#,
        "\"a\tb\u{1}\"",
        "NaN",
        "-Infinity",
        "01",
        "1e999",
        r#""\x""#,
        "[1,,{]}",
        "'x'",
    ] {
        let text = format!("{{\"x\":{other},\"url\":\"a\",\"y\\ud83d\":{other}}}\n");
        assert_eq!(
            read(ListFormat::Jsonl, text.as_bytes()),
            [good(1, "a")],
            "{text}"
        );
    }
    let bytes = b"{\"x\":\"\xff\",\"url\":\"a\"}\n";
    assert_eq!(read(ListFormat::Jsonl, bytes), [good(1, "a")]);
    let lines = read(ListFormat::Jsonl, br#"{"url":"\ud83d","x":1}"#);
    assert_eq!(lines, [bad(1, "", "the source is not a valid JSON text")]);
}

#[test]
fn fields_are_found_by_their_names() {
    let text = concat!(
        r#"{"id":7,"url":"http://a/","tags":["x",{"y":1}]}"#,
        "\n\n",
        r#""http://b/""#,
        "\r\n",
        r#"{"source":"http://c/","id":null}"#,
        "\n",
        r#"{"picture":"http://d/"}"#,
    );
    let lines = read_columns(ListFormat::Jsonl, columns("", "id"), text.as_bytes());
    assert_eq!(
        lines,
        [
            named(1, "http://a/", "7"),
            good(3, "http://b/"),
            good(4, "http://c/"),
            good(5, "http://d/"),
        ]
    );
}

#[test]
fn a_line_that_is_no_json_costs_itself_alone() {
    let text = concat!(
        "{\"url\":\"a\"}\n",
        "{\"url\":\n",
        "{\"url\":3.5}\n",
        "{\"url\":[1]}\n",
        "{\"other\":\"x\",\"more\":\"y\"}\n",
        "{\"url\":null}\n",
        "{\"url\":\"b\"} {}\n",
        "17\n",
        "{\"url\":\"c\"}\n",
    );
    let lines = read(ListFormat::Jsonl, text.as_bytes());
    let faults: Vec<_> = lines
        .iter()
        .map(|(line, text, _, fault)| (*line, text.as_str(), fault.as_deref().unwrap_or("")))
        .collect();
    assert_eq!(
        faults,
        [
            (1, "a", ""),
            (
                2,
                "{\"url\":",
                "not a JSON object as it should be: the value of a field is missing"
            ),
            (3, "", "the source is a number with a fraction"),
            (4, "", "the source is an array"),
            (
                5,
                "",
                "no field `url`, `image_url`, `source` or `link`; there are: other, more"
            ),
            (6, "", "no source in this line"),
            (
                7,
                "{\"url\":\"b\"} {}",
                "not a JSON object as it should be: text follows it"
            ),
            (8, "17", "neither a JSON object nor a JSON text"),
            (9, "c", ""),
        ]
    );
    let mut long = b"\"".to_vec();
    long.resize(3 << 20, b'x');
    long.extend(b"\"\n\"d\"\n");
    let lines = read(ListFormat::Jsonl, &long);
    assert_eq!(lines[0].3.as_deref(), Some("longer than 1048576 bytes"));
    assert_eq!(lines[1], good(2, "d"));
}

#[test]
fn a_column_that_is_not_there_is_told_with_those_that_are() {
    let error = |format, wanted, text: &str| {
        let lines = read_columns(format, wanted, text.as_bytes());
        assert_eq!(lines.len(), 1, "nothing is read after it");
        lines[0].3.clone().expect("it is a fault")
    };
    assert_eq!(
        error(ListFormat::Csv, columns("pic", ""), "id,url\n1,x\n"),
        "no column `pic`; there are: id, url: give one of these names to --column"
    );
    assert_eq!(
        error(ListFormat::Csv, Columns::default(), "id,pic\n1,x\n"),
        "no column `url`, `image_url`, `source` or `link`; there are: id, pic: say which one holds the sources with --column"
    );
    assert_eq!(
        error(ListFormat::Csv, columns("url", "key"), "id,url\n1,x\n"),
        "no column `key`; there are: id, url: give one of these names to --data-id-column"
    );
    assert_eq!(
        error(ListFormat::Csv, columns("url", ""), "url,url\n1,x\n"),
        "more than one column is named `url`; there are: url, url: rename one of them"
    );
    let lines = "{\"url\":\"a\",\"n\":1}\n{\"m\":1}\n";
    assert_eq!(
        error(ListFormat::Jsonl, columns("link", ""), lines),
        "no field `link` in the first lines; there are: url, n, m: give one of these names to --column"
    );
    // A field that only some lines have.
    let lines = read_columns(
        ListFormat::Jsonl,
        columns("url", "m"),
        lines.replace("\"m\"", "\"url\":\"b\",\"m\"").as_bytes(),
    );
    assert_eq!(lines, [good(1, "a"), named(2, "b", "1")]);
}

const FORMATS: [ListFormat; 4] = [
    ListFormat::Text,
    ListFormat::Csv,
    ListFormat::Tsv,
    ListFormat::Jsonl,
];

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
        .zip(bytes.split(|byte| *byte == b'\n'))
        .filter(|(_, line)| !is_blank(line) && !is_comment(line))
        .map(|(number, _)| number)
        .filter(|number| !(seen.contains(number) || has_header && *number == 1))
        .collect()
}

proptest! {
    #[test]
    fn every_line_is_accounted_for(bytes in vec(prop_oneof![
            1 => any::<u8>(),
            9 => proptest::sample::select(b"url,id\n\n\r\t\"\"#{}:[]\\ ax1".to_vec()),
        ], 0..300)) {
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
    fn any_bytes_are_read_to_their_end_alike_in_any_chunks(
        bytes in vec(prop_oneof![
            4 => any::<u8>(),
            6 => proptest::sample::select(b"url,id\n\r\t\"#{}:[]\\ ax1".to_vec()),
        ], 0..400),
        has_header in any::<bool>(),
        chunk in 1_usize..50,
    ) {
        let start: &[u8] = if has_header { b"url,id\n" } else { b"" };
        let bytes = [start, &bytes].concat();
        let ends = memchr::memchr_iter(b'\n', &bytes).count();
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
            let last = u64::try_from(ends).unwrap() + 1;
            prop_assert!(all.iter().all(|line| (1..=last).contains(&line.0)));
            prop_assert_eq!(&all, &read_chunked(format, Columns::default(), &bytes, chunk));
        }
    }

    #[test]
    fn a_table_comes_back_as_it_was_written(
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
            let before = memchr::memchr_iter(b'\n', table.get_ref()).count();
            let line = u64::try_from(before).unwrap() + 1;
            table.write_record([note, source, data_id]).unwrap();
            table.flush().unwrap();
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
    fn objects_come_back_as_they_were_written(
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
                ("", _) => bad(line, "", "no source in this line"),
                (source, None) => good(line, source),
                (source, Some(data_id)) => named(line, source, &data_id.to_string()),
            });
        }
        prop_assert_eq!(read_chunked(ListFormat::Jsonl, columns("url", "id"), text.as_bytes(), chunk), wanted);
    }
}
