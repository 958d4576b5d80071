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
fn stray_zeros_do_not_make_a_list_utf_16() {
    for (text, lines) in [
        (
            "a\0bc\nU\nU\n",
            vec![good(1, "a\0bc"), good(2, "U"), good(3, "U")],
        ),
        ("\0\nU", vec![good(1, "\0"), good(2, "U")]),
        ("\0\0\0\n", vec![good(1, "\0\0\0")]),
        ("\0\0\0\nU\n", vec![good(1, "\0\0\0"), good(2, "U")]),
        ("x\0\0\0\nU\n", vec![good(1, "x\0\0\0"), good(2, "U")]),
        (
            "a.pn\0\nb.pn\0\n",
            vec![good(1, "a.pn\0"), good(2, "b.pn\0")],
        ),
    ] {
        assert_eq!(read(ListFormat::Text, text.as_bytes()), lines, "{text:?}");
    }
    // A late zero, and another encoding.
    let text = b"\xd0\xc5\xbd\xd4\nhttp://a/\nhttp://b/\0\n";
    assert_eq!(read(ListFormat::Text, text).len(), 3);
}

#[test]
fn utf_16_and_utf_32_are_recognized_whatever_the_first_letter_is() {
    let text = "\u{984c},url\n\u{5199}\u{771f},http://a/\u{1F600}.png\nx,\u{4e00}.png\n";
    let lines = [good(2, "http://a/\u{1F600}.png"), good(3, "\u{4e00}.png")];
    for (encoding, bytes) in encoded(text) {
        for chunk in [1, 3, 64 * 1024] {
            let read = read_chunked(ListFormat::Csv, Columns::default(), &bytes, chunk);
            assert_eq!(read, lines, "{encoding}");
        }
    }
    for order in [u32::to_le_bytes, u32::to_be_bytes] {
        for text in [text.to_owned(), format!("\u{feff}{text}")] {
            let bytes: Vec<u8> = text.chars().flat_map(|c| order(c.into())).collect();
            for format in [ListFormat::Text, ListFormat::Csv, ListFormat::Jsonl] {
                let lines = read(format, &bytes);
                let [(1, _, _, Some(fault))] = &lines[..] else {
                    panic!("{format:?} {lines:?}");
                };
                assert!(fault.contains("it is UTF-32: save it as UTF-8"), "{fault}");
            }
        }
    }
}

#[test]
fn a_compressed_list_is_reported_as_that() {
    let lines = read(ListFormat::Text, b"\x1f\x8b\x08\0\0\n\n\0");
    let fault = "cannot read on: it is gzip: decompress it with gzip -d";
    assert_eq!(lines, [bad(1, "", fault)]);
    for (start, name) in [
        (&b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"[..], "it is a document"),
        (b"ARROW1\0\0", "it is Arrow"),
        (b"Obj\x01\x04", "it is Avro"),
        (b"SQLite format 3\0", "it is an SQLite database"),
        (b"{\\rtf1\\ansi\n", "it is RTF"),
    ] {
        for format in [ListFormat::Text, ListFormat::Csv, ListFormat::Jsonl] {
            let lines = read(format, start);
            assert_eq!(lines.len(), 1, "{name}: {lines:?}");
            let fault = lines[0].3.as_deref().unwrap();
            assert!(fault.contains(name), "{name}: {fault}");
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
