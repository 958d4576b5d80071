//! Plain text.

use super::*;

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
fn a_bad_line_is_reported_and_reading_continues() {
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
fn a_long_data_uri_is_rejected_by_its_scheme() {
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
fn a_line_of_the_longest_length_is_accepted() {
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
fn json_in_a_text_is_one_error() {
    let why = "JSON, not a source: read the list with --list-format jsonl";
    let range = |lines: &str| format!("{why}: the {lines} skipped");
    for (text, wanted) in [
        (
            "{\n \"data\": [\n\n  {\"url\": \"http://a/\"}\n ]\n}\nhttp://b/\n",
            vec![
                bad(1, "{", &range("lines 2 to 6 are")),
                good(7, "http://b/"),
            ],
        ),
        (
            "[\n\"http://a/\",\n\"http://b/\"\n]\n",
            vec![bad(1, "[", &range("lines 2 to 4 are"))],
        ),
        (
            "http://a/\n{\"url\":\"http://b/\"}\n{\"url\":\"http://c/\"}\nhttp://d/\n",
            vec![
                good(1, "http://a/"),
                bad(2, "{\"url\":\"http://b/\"}", &range("line 3 is")),
                good(4, "http://d/"),
            ],
        ),
        (
            "{\nhttp://a/\n",
            vec![bad(1, "{", why), good(2, "http://a/")],
        ),
        // Names of files.
        (
            "{3F25}.png\n[1].png\n",
            vec![good(1, "{3F25}.png"), good(2, "[1].png")],
        ),
    ] {
        assert_eq!(read(ListFormat::Text, text.as_bytes()), wanted, "{text}");
    }
}
