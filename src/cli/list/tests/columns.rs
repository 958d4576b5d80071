//! Columns by name, in every format that has them.

use super::*;

#[test]
fn column_names_match_without_case() {
    for name in ["URL", " url ", "Image_URL", "Source", "LINK", "\u{a0}url"] {
        let table = format!("id,{name}\n1,a\n");
        assert_eq!(read(ListFormat::Csv, table.as_bytes()), [good(2, "a")]);
        let object = format!("{{\"id\":1,\"{name}\":\"a\"}}\n");
        assert_eq!(read(ListFormat::Jsonl, object.as_bytes()), [good(1, "a")]);
    }
    // The second mark of a file that was written from one with a mark.
    for table in ["\u{feff}\u{feff}url,id\na,1\n", "\"\u{feff}url\",id\na,1\n"] {
        assert_eq!(read(ListFormat::Csv, table.as_bytes()), [good(2, "a")]);
    }
    let lines = read(ListFormat::Tsv, b"\"url\"\t\"id\"\n\"a\"\t\"1\"\n");
    let fault = lines[0].3.as_deref().unwrap();
    assert!(
        fault.contains("read the list with --list-format csv"),
        "{fault}"
    );
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
fn a_missing_column_is_reported_with_the_present_ones() {
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
