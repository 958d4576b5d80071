//! CSV and TSV.

use super::*;

#[test]
fn columns_of_a_table_are_found_by_name() {
    let table = b"\xEF\xBB\xBFid,url,note\r\n7,http://a/,\"two\nlines\"\r\n\r\n8,\"http://b/?q=\"\"x\"\"\",\r\n";
    let lines = [good(2, "http://a/"), good(5, r#"http://b/?q="x""#)];
    assert_eq!(read(ListFormat::Csv, table), lines);
    let lines = read_columns(ListFormat::Csv, columns("note", "id"), table);
    assert_eq!(lines[0], named(2, "two\nlines", "7"));
    assert_eq!(lines[1], bad(5, "", "no source in this line"));
    let only = read_columns(
        ListFormat::Csv,
        columns("anything", ""),
        b"anything\nhttp://a/\n",
    );
    assert_eq!(only, [good(2, "http://a/")]);
    let beside = read_columns(ListFormat::Csv, columns("", "id"), b"pic,id\nx,1\ny,\n");
    assert_eq!(beside, [named(2, "x", "1"), good(3, "y")]);
    let tabs = read(ListFormat::Tsv, b"source\tid\na,b\t1\n");
    assert_eq!(tabs, [good(2, "a,b")]);
}

#[test]
fn a_malformed_record_costs_one_line() {
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
fn a_quote_that_is_never_closed_costs_one_line() {
    let lines = read(ListFormat::Csv, b"url\na\n\"b\nc\n");
    assert_eq!(lines[0], good(2, "a"));
    assert_eq!(lines[1], bad(3, "b", "a quote is opened and never closed"));
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
fn a_stray_quote_costs_one_line() {
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
fn rereading_malformed_records_is_bounded() {
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
fn a_malformed_record_shows_its_first_line() {
    let table = "url,note\n\"a\nb\nc\" x,1\nd,2\n\"e\nf,3\n";
    let lines = read(ListFormat::Csv, table.as_bytes());
    let shown: Vec<_> = lines.iter().map(|line| (line.0, line.1.as_str())).collect();
    let wanted = [
        (2, "a"),
        (3, "b"),
        (4, "c\" x"),
        (5, "d"),
        (6, "e"),
        (7, "f"),
    ];
    assert_eq!(shown, wanted, "{lines:?}");
}

#[test]
fn a_first_line_without_a_known_name_is_an_error() {
    for first in [
        "a.png",
        "www.example.com/a.jpg",
        "//host/a.jpg",
        "/etc/hostname",
        "http://a/",
        "anything",
    ] {
        for format in [ListFormat::Csv, ListFormat::Tsv] {
            let lines = read(format, format!("{first}\nb.png\n").as_bytes());
            assert_eq!(lines.len(), 1, "{lines:?}");
            let fault = lines[0].3.as_deref().expect("it is an error");
            assert!(fault.contains(&format!("there are: {first}: ")), "{fault}");
        }
    }
    let lines = read_columns(ListFormat::Csv, columns("", "id"), b"pic,id\na,1\n");
    assert_eq!(lines, [named(2, "a", "1")]);
}

#[test]
fn a_table_of_one_line_is_an_error_if_that_is_not_text() {
    // `url,x` and a row in EBCDIC, whose line end is NEL.
    let ebcdic = b"\xa4\x99\x93\x6b\xa7\x15\xe4\x6b\xf1\x15";
    let binary: Vec<u8> = (0..=255_u8)
        .filter(|byte| !b"\r\n".contains(byte))
        .collect();
    let zero = b"u\0rl,x\nU,1\nU,2\n".as_slice();
    let separated = b"url,x\x1eU,1\x1e".as_slice();
    for bytes in [ebcdic.as_slice(), &binary, zero, separated] {
        for format in [ListFormat::Csv, ListFormat::Tsv] {
            let lines = read(format, bytes);
            let [(1, _, _, Some(fault))] = &lines[..] else {
                panic!("{lines:?}");
            };
            assert!(fault.contains("first line"), "{fault}");
        }
    }
}

#[test]
fn quoted_fields_that_seem_to_hold_rows_are_noted() {
    let quoted = |text: &str| {
        let bytes = Cursor::new(text.as_bytes().to_vec());
        let mut list = list_of(ListFormat::Csv, Columns::default(), bytes);
        let lines: Vec<_> = list.by_ref().collect();
        assert!(lines.iter().all(|line| line.fault.is_none()), "{lines:?}");
        (list.quoted_rows(), list.quoted_lines())
    };
    let rows = "U,x\n".repeat(50);
    let found = quoted(&format!("url,t\nU,\"open\n{rows}U,y\"\nU,z\n"));
    assert_eq!(found, (Some((2, 53)), 51));
    for text in [
        "url,t\nhttp://a/,\"x\nhttp://b/,y\nhttp://c/,z\"\n",
        "t,url\n\"x,http://a/\n2,http://b/\n3\",http://c/\n",
    ] {
        assert_eq!(quoted(text), (Some((2, 4)), 2), "{text}");
    }
    // Descriptions have several lines, which are counted without a note.
    for (text, lines) in [
        (
            "url,t\nU,\"one\ntwo, three\n\nsee http://a/\"\nU,\"1\n2\"\n",
            4,
        ),
        ("url,t\nU,x\nU,y\n", 0),
    ] {
        assert_eq!(quoted(text), (None, lines), "{text}");
    }
}
