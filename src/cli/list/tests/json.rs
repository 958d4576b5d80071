//! JSON lines and arrays.

use super::*;

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
        ]
    );
    let open = read(ListFormat::Jsonl, b"[{\"url\":\"a\"},\n{\"url\":\n\"b\"");
    let fault = "the list ends within this element: the line 3 is skipped";
    assert_eq!(open[1].3.as_deref(), Some(fault));
}

#[test]
fn elements_on_one_line_have_numbers_of_their_own() {
    let places = |text: &[u8]| -> Vec<_> {
        let list = list_of(
            ListFormat::Jsonl,
            Columns::default(),
            Cursor::new(text.to_vec()),
        );
        list.map(|line| (line.place.number(), line.place.to_string()))
            .collect()
    };
    let expected = [
        (1, "list line 1 element 1".to_owned()),
        (2, "list line 1 element 2".to_owned()),
        (3, "list line 2 element 3".to_owned()),
    ];
    assert_eq!(places(b"[\"a\",\"a\",\n\"a\"]"), expected);
    let expected = [(1, "list line 1".to_owned()), (2, "list line 2".to_owned())];
    assert_eq!(places(b"\"a\"\n\"a\"\n"), expected);
    // Elements that are read ahead, and an error that is not in an element.
    let text = b"[{\"url\":\"a\"},{\"link\":\"b\"},\n17,{\"url\":\"c\"}";
    let list = list_of(ListFormat::Jsonl, columns("link", ""), &text[..]);
    let numbers: Vec<_> = list.map(|line| line.place.number()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    // Elements in another encoding.
    let mut list = list_of(
        ListFormat::Jsonl,
        Columns::default(),
        &b"[\"\xe9\",\"\xe8\"]"[..],
    );
    let fault = list.next().and_then(|line| line.fault).unwrap();
    assert!(
        fault.contains("2 elements up to element 2 cannot"),
        "{fault}"
    );
}

#[test]
fn blanks_around_a_url_are_removed_in_every_format() {
    let url = "http://a/b";
    for (format, text, line) in [
        (ListFormat::Text, " http://a/b\t\n", 1),
        (ListFormat::Csv, "url,n\n\" http://a/b \",1\n", 2),
        (ListFormat::Tsv, "url\tn\n http://a/b \t1\n", 2),
        (ListFormat::Jsonl, "\" http://a/b\\n\"\n", 1),
        (ListFormat::Jsonl, "{\"url\":\" http://a/b \"}\n", 1),
    ] {
        assert_eq!(read(format, text.as_bytes()), [good(line, url)], "{text}");
    }
    let path = read(ListFormat::Jsonl, b"\" a.png \"\n");
    assert_eq!(path, [good(1, " a.png ")]);
}

#[test]
fn a_defect_in_an_unused_field_is_ignored() {
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
fn a_line_that_is_not_json_costs_one_line() {
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
            (6, "", "the source is null"),
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
fn a_malformed_array_is_reported_and_its_elements_are_read() {
    let not_closed = "the array is not closed: `]` is missing";
    let no_comma = "`,` is missing before this element";
    let no_element = "an element is missing before this";
    let follows = "text follows the array";
    for (text, wanted) in [
        ("[]", vec![]),
        (" [ ] \n\n", vec![]),
        ("[", vec![bad(1, "", not_closed)]),
        ("[\n\"a\"\n", vec![good(2, "a"), bad(3, "", not_closed)]),
        ("[\"a\",", vec![good(1, "a"), bad(1, "", not_closed)]),
        (
            "[\"a\" \"b\",\n\"c\"]",
            vec![good(1, "a"), bad(1, "\"b\"", no_comma), good(2, "c")],
        ),
        ("[\"a\",\n]", vec![good(1, "a"), bad(2, "]", no_element)]),
        (
            "[\"a\",,\"b\"]",
            vec![good(1, "a"), bad(1, ",", no_element), good(1, "b")],
        ),
        ("[,\"a\"]", vec![bad(1, ",", no_element), good(1, "a")]),
        ("[\"a\"]]", vec![good(1, "a"), bad(1, "]", follows)]),
        (
            "[\"a\"] x\n\"b\"\n\n",
            vec![
                good(1, "a"),
                bad(1, "x", "text follows the array: the line 2 is skipped"),
            ],
        ),
    ] {
        assert_eq!(read(ListFormat::Jsonl, text.as_bytes()), wanted, "{text}");
    }
}

#[test]
fn a_field_that_is_there_twice_is_reported() {
    let twice = |name: &str| format!("more than one field is named `{name}`");
    for (text, fault) in [
        ("{\"url\":\"a\",\"url\":\"b\"}", Some(twice("url"))),
        ("{\"url\":\"a\",\"url\":\"a\"}", Some(twice("url"))),
        ("{\"url\":null,\"url\":\"a\"}", Some(twice("url"))),
        ("{\"url\":\"a\",\"id\":1,\"id\":2}", Some(twice("id"))),
        ("{\"url\":\"a\",\"x\":1,\"x\":2}", None),
    ] {
        let id = if text.contains("id") { "id" } else { "" };
        let lines = read_columns(ListFormat::Jsonl, columns("", id), text.as_bytes());
        assert_eq!(lines.len(), 1, "{text}");
        assert_eq!(lines[0].3, fault, "{text}");
    }
    let text = br#"{"URL":"a","url":"b"}"#;
    let lines = read_columns(ListFormat::Jsonl, columns("url", ""), text);
    assert_eq!(lines, [good(1, "b")]);
    let lines = read_columns(ListFormat::Jsonl, columns("Url", ""), text);
    assert_eq!(lines, [bad(1, "", &twice("Url"))]);
}

#[test]
fn an_unclosed_object_names_the_skipped_lines() {
    let text = "[\n\"a\",\n{\"url\":\"b\",\n{\"url\":\"c\"},\n{\"url\":\"d\"}\n]\n";
    let fault = "an object is not closed: `}` is missing: the lines 4 to 6 are skipped";
    let lines = read(ListFormat::Jsonl, text.as_bytes());
    let shown = "{\"url\":\"b\",";
    assert_eq!(lines, [good(2, "a"), bad(3, shown, fault)]);
    let lines = read(ListFormat::Jsonl, b"[{\"url\":\"a\"},{\"url\":\"b\"]");
    let fault = "an object is not closed: `}` is missing";
    assert_eq!(lines, [good(1, "a"), bad(1, "{\"url\":\"b\"]", fault)]);
    // An array in place of an element.
    let text = "[\n[\"a\",\n\"b\",\n\"c\"\n]";
    let lines = read(ListFormat::Jsonl, text.as_bytes());
    let fault = "neither a JSON object nor a JSON text: the lines 3 to 5 are skipped";
    assert_eq!(lines[0], bad(2, "[\"a\",", fault));
}

#[test]
fn no_wrong_element_is_read_after_a_lost_quote() {
    for (text, wanted) in [
        (
            r#"["U?1","U?2,"U?3","U?4","U?5"]"#,
            vec!["U?1", "U?4", "U?5"],
        ),
        (r#"["U?1",U?2","U?3","U?4"]"#, vec!["U?1", "U?3", "U?4"]),
        (r#"["U?1","U?2",U?3","U?4"]"#, vec!["U?1", "U?2", "U?4"]),
        (r#"["U?1"x","U?2"]"#, vec!["U?2"]),
        ("[\"U?1,\"U?2\n,\"U?3\"]", vec!["U?3"]),
    ] {
        let lines = read(ListFormat::Jsonl, text.as_bytes());
        let good: Vec<_> = lines.iter().filter(|line| line.3.is_none()).collect();
        let good: Vec<_> = good.iter().map(|line| line.1.as_str()).collect();
        assert_eq!(good, wanted, "{text}");
        assert!(good.len() < lines.len(), "{text}");
    }
}

#[test]
fn objects_that_span_lines_are_read() {
    let text = "{\n  \"url\": \"a\",\n  \"tags\": [\n    \"x\",\n    {}\n  ]\n}\n{\"url\":\"b\"}\n\n{\n\"url\":\n\"c\" }\n";
    let wanted = [good(1, "a"), good(8, "b"), good(10, "c")];
    assert_eq!(read(ListFormat::Jsonl, text.as_bytes()), wanted);
    for chunk in [1, 2, 7] {
        let lines = read_chunked(
            ListFormat::Jsonl,
            Columns::default(),
            text.as_bytes(),
            chunk,
        );
        assert_eq!(lines, wanted);
    }
    // A brace that is missing or too many costs its line.
    for (text, lines) in [
        (
            "{\"url\":\"a\"\n{\"url\":\"b\"}\n{\"url\":\"c\"}\n",
            vec!["", "b", "c"],
        ),
        ("{\"url\":\"a\",\n{\"url\":\"b\"}\n", vec!["", "b"]),
        ("{\n{\"url\":\"b\"}\n", vec!["", "b"]),
        ("{\"url\":\"a\"}}\n{\"url\":\"b\"}\n", vec!["", "b"]),
        ("{\"url\":\"a\n\"}\n{\"url\":\"b\"}\n", vec!["", "", "b"]),
        (
            "{\n\"url\":\"a\"\n} x\n{\"url\":\"b\"}\n",
            vec!["", "", "", "b"],
        ),
    ] {
        let found = read(ListFormat::Jsonl, text.as_bytes());
        let plain: Vec<_> = found
            .iter()
            .map(|line| {
                if line.3.is_some() {
                    ""
                } else {
                    line.1.as_str()
                }
            })
            .collect();
        assert_eq!(plain, lines, "{text}: {found:?}");
    }
    let open = read(
        ListFormat::Jsonl,
        b"{\"url\":\"a\"}\n{\n\"url\":\n\"b\"\n\n",
    );
    let fault = "the list ends within this element: the lines 3 to 4 are skipped";
    assert_eq!(open, [good(1, "a"), bad(2, "{", fault)]);
}

#[test]
fn an_object_around_the_elements_is_one_error() {
    let hint =
        |name: &str| format!("; write the elements of `{name}` as lines: jq -c '.{name}[]' FILE");
    let skipped = ": the lines 2 to 5 are skipped";
    let text = "{\n\"data\": [\n{\"url\":\"a\"},\n{\"url\":\"b\"}\n]}\n";
    let fault = format!("the source is an array{}{skipped}", hint("data"));
    assert_eq!(
        read(ListFormat::Jsonl, text.as_bytes()),
        [bad(1, "", &fault)]
    );
    let text = r#"{"next":null,"urls":["a","b"],"count":2}"#;
    let fault = format!(
        "no field `url`, `image_url`, `source` or `link`; there are: next, urls, count{}",
        hint("urls")
    );
    assert_eq!(
        read(ListFormat::Jsonl, text.as_bytes()),
        [bad(1, "", &fault)]
    );
    let text = r#"{"a b":[{"url":"a"}]}"#;
    let fault = "the source is an array; write the elements of the array in it as lines";
    assert_eq!(
        read(ListFormat::Jsonl, text.as_bytes()),
        [bad(1, "", fault)]
    );
    // One that is too long to hold.
    let element = "{\"url\":\"a\"},\n".repeat(100_000);
    let text = format!("{{\"n\":1,\"data\":[\n{element}{{}}\n]}}\n{{\"url\":\"b\"}}\n");
    let lines = read(ListFormat::Jsonl, text.as_bytes());
    let fault = format!(
        "longer than 1048576 bytes{}: the lines 2 to 100003 are skipped",
        hint("data")
    );
    assert_eq!(
        lines,
        [bad(1, "{\"n\":1,\"data\":[", &fault), good(100_004, "b")]
    );
}

#[test]
fn malformed_lines_are_read_twice_at_most() {
    // Each line opens what the others seem to continue.
    let text = "{\"a\":[\n".repeat(3) + &"[[\n".repeat(400_000) + "]}x\n";
    let lines = read(ListFormat::Jsonl, text.as_bytes());
    assert!(lines.len() > 1);
}
