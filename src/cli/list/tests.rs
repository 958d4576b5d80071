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
    let mut table = b"url\n\"open\n".to_vec();
    for _ in 0..100_000 {
        table.extend(b"http://host/path\n");
    }
    let lines = read(ListFormat::Csv, &table);
    let (number, _, _, fault) = &lines[0];
    let fault = fault.as_deref().expect("it is given up");
    assert_eq!(*number, 2);
    let passed = fault
        .split("up to line ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok())
        .expect(fault);
    // Every line is either passed over and told, or read.
    assert_eq!(lines[1].0, passed + 1);
    assert_eq!(lines[1].1, "http://host/path");
    assert_eq!(lines.last().map(|line| line.0), Some(100_002));
    assert_eq!(lines.len(), usize::try_from(100_002 - passed + 1).unwrap());
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
                "not JSON as expected: EOF while parsing a value at character 7"
            ),
            (3, "", "the source is a number with a fraction"),
            (4, "", "the source is an array"),
            (5, "", "no field `url` or `source`; there are: other, more"),
            (6, "", "no source in this line"),
            (
                7,
                "{\"url\":\"b\"} {}",
                "not JSON as expected: trailing characters at character 13"
            ),
            (
                8,
                "17",
                "not JSON as expected: invalid type: integer `17`, expected an object or a text at character 2"
            ),
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
        error(ListFormat::Csv, columns("link", ""), "id,url\n1,x\n"),
        "no column `link`; there are: id, url: give one of these names to --column"
    );
    assert_eq!(
        error(ListFormat::Csv, Columns::default(), "id,link\n1,x\n"),
        "no column `url` or `source`; there are: id, link: say which one holds the sources with --column"
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

proptest! {
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
            let lines = read(format, &bytes);
            prop_assert!(lines.windows(2).all(|pair| pair[0].0 < pair[1].0 || format != ListFormat::Text));
            prop_assert!(lines.windows(2).all(|pair| pair[0].0 <= pair[1].0));
            let last = u64::try_from(ends).unwrap() + 1;
            prop_assert!(lines.iter().all(|line| (1..=last).contains(&line.0)));
            prop_assert_eq!(&lines, &read_chunked(format, Columns::default(), &bytes, chunk));
        }
    }

    #[test]
    fn a_table_comes_back_as_it_was_written(
        rows in vec(("(?s).{0,12}", "(?s).{0,6}", "[a-zA-Z0-9_.-]{0,8}"), 0..40),
        chunk in 1_usize..60,
        is_tabbed in any::<bool>(),
        has_cr in any::<bool>(),
    ) {
        let (format, delimiter) = if is_tabbed { (ListFormat::Tsv, b'\t') } else { (ListFormat::Csv, b',') };
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
