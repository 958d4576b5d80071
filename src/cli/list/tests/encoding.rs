//! Encodings, line ends and read errors, in every format.

use std::io::Read;

use super::*;

#[test]
fn a_read_error_is_reported_with_its_line() {
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
        let last = lines.last().expect("the error is reported");
        assert_eq!(*last, bad(2, "", "cannot read on: timed out"), "{format:?}");
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

/// The text in each encoding that a list may have, with the encoding's name.
fn encoded(text: &str) -> Vec<(String, Vec<u8>)> {
    let utf_16 =
        |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect();
    let marked = format!("\u{feff}{text}");
    let mut all = Vec::new();
    for (mark, text) in [("", text), (" with a mark", &marked)] {
        all.push((format!("UTF-8{mark}"), text.as_bytes().to_vec()));
        all.push((format!("UTF-16LE{mark}"), utf_16(text, u16::to_le_bytes)));
        all.push((format!("UTF-16BE{mark}"), utf_16(text, u16::to_be_bytes)));
    }
    all
}

#[test]
fn lines_are_the_same_in_every_encoding_and_with_every_line_end() {
    for (format, text) in [
        (ListFormat::Text, "\nhttp://a/\u{e9}\n\n\nhttp://b/"),
        (
            ListFormat::Csv,
            "url,n\nhttp://a/\u{e9},\"x\ny\"\n\nhttp://b/,1\n",
        ),
        (
            ListFormat::Tsv,
            "url\tn\nhttp://a/\u{e9}\t\"\n\n\nhttp://b/\t1\n",
        ),
        (
            ListFormat::Jsonl,
            "\n\"http://a/\u{e9}\"\n\n\n{\"url\":\"http://b/\"}\n",
        ),
        (
            ListFormat::Jsonl,
            "[\n\"http://a/\u{e9}\"\n,\n\n{\"url\":\"http://b/\"}\n]\n",
        ),
    ] {
        let wanted = [good(2, "http://a/\u{e9}"), good(5, "http://b/")];
        for end in ["\n", "\r\n", "\r"] {
            for (encoding, bytes) in encoded(&text.replace('\n', end)) {
                for chunk in [1, 2, 64 * 1024] {
                    let lines = read_chunked(format, Columns::default(), &bytes, chunk);
                    assert_eq!(lines, wanted, "{format:?} {encoding} {end:?} {chunk}");
                }
            }
        }
    }
}

#[test]
fn an_empty_list_has_no_lines_in_any_format() {
    for format in [
        ListFormat::Text,
        ListFormat::Csv,
        ListFormat::Tsv,
        ListFormat::Jsonl,
    ] {
        for text in ["", "\n", "\r\n\r\n", "\u{feff}", "\u{feff}\n"] {
            for columns in [Columns::default(), columns("a", "b")] {
                let lines = read_columns(format, columns, text.as_bytes());
                assert_eq!(lines, [], "{format:?} {text:?}");
            }
        }
    }
    for text in ["url\n", "sep=;\n", "sep=;\nurl;id\n"] {
        assert_eq!(read(ListFormat::Csv, text.as_bytes()), [], "{text:?}");
    }
}
