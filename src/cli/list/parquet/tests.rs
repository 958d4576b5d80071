mod damaged;

use std::{io::Write, sync::Arc};

use parquet::{
    basic::{Compression, Encoding, GzipLevel, ZstdLevel},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    file::{
        properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion},
        writer::SerializedFileWriter,
    },
    schema::parser::parse_message_type,
};

use super::{
    super::{List, ListFormat},
    bounds::{check_metadata, page_head},
    *,
};

const SCHEMA: &str = "message list { optional binary url (UTF8); optional int64 id; \
                      required binary note (UTF8); optional int32 small (INTEGER(32, false)); \
                      repeated binary tags (UTF8); }";

/// A row: a URL and an id, each or none.
type Values = (Option<String>, Option<i64>);

fn rows_of(count: usize) -> Vec<Values> {
    (0..count)
        .map(|n| {
            let url = (n % 7 != 3).then(|| format!("http://host{}.example/{}.png", n % 5, n / 2));
            let id = (n % 11 != 5).then(|| i64::try_from(n).unwrap());
            (url, id)
        })
        .collect()
}

/// Writes the rows, `group` of them in a row group.
fn write(rows: &[Values], group: usize, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = Arc::new(properties.build());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    for rows in rows.chunks(group) {
        let mut columns = file.next_row_group().unwrap();
        let mut at = 0;
        while let Some(mut column) = columns.next_column().unwrap() {
            let levels = |is_there: &dyn Fn(&Values) -> bool| -> Vec<i16> {
                rows.iter().map(|row| i16::from(is_there(row))).collect()
            };
            match (at, column.untyped()) {
                (0, ColumnWriter::ByteArrayColumnWriter(writer)) => {
                    let urls: Vec<ByteArray> = rows
                        .iter()
                        .filter_map(|row| row.0.as_deref().map(ByteArray::from))
                        .collect();
                    let levels = levels(&|row| row.0.is_some());
                    writer.write_batch(&urls, Some(&levels), None).unwrap();
                }
                (1, ColumnWriter::Int64ColumnWriter(writer)) => {
                    let ids: Vec<i64> = rows.iter().filter_map(|row| row.1).collect();
                    let levels = levels(&|row| row.1.is_some());
                    writer.write_batch(&ids, Some(&levels), None).unwrap();
                }
                (2, ColumnWriter::ByteArrayColumnWriter(writer)) => {
                    let notes = vec![ByteArray::from("note"); rows.len()];
                    writer.write_batch(&notes, None, None).unwrap();
                }
                (3, ColumnWriter::Int32ColumnWriter(writer)) => {
                    let numbers = vec![-1; rows.len()];
                    let levels = levels(&|_| true);
                    writer.write_batch(&numbers, Some(&levels), None).unwrap();
                }
                (4, ColumnWriter::ByteArrayColumnWriter(writer)) => {
                    let none = vec![0; rows.len()];
                    writer.write_batch(&[], Some(&none), Some(&none)).unwrap();
                }
                _ => panic!("the schema has other columns"),
            }
            column.close().unwrap();
            at += 1;
        }
        columns.close().unwrap();
    }
    file.into_inner().unwrap()
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
}

fn columns(source: &str, data_id: &str) -> Columns {
    let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    Columns {
        source: name(source),
        data_id: name(data_id),
        delimiter: None,
        rows_per_byte: None,
        checks: false,
    }
}

fn open(bytes: &[u8], columns: &Columns) -> Result<ParquetRows, Trouble> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    ParquetRows::new(file, columns)
}

fn read(bytes: &[u8], columns: &Columns) -> Vec<Row> {
    let mut rows = open(bytes, columns).expect("it opens");
    std::iter::from_fn(|| rows.next()).collect()
}

/// What is to be read of rows with their ids, of which no two without a URL follow each other.
fn wanted(rows: &[Values]) -> Vec<Row> {
    let found = |(url, id): &Values| match url {
        Some(url) => Found::Source {
            source: url.clone().into_bytes(),
            data_id: id.map(|id| id.to_string().into_bytes()),
            check: None,
        },
        None => Found::broken("", "no source in this row"),
    };
    let numbered = rows.iter().zip(1..);
    numbered
        .map(|(row, number)| Row {
            number,
            last: number,
            element: None,
            found: found(row),
        })
        .collect()
}

#[test]
fn what_writers_make_is_read() {
    let rows = rows_of(3_000);
    let packings = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4_RAW,
    ];
    for packing in packings {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for has_dictionary in [true, false] {
                let properties = properties()
                    .set_compression(packing)
                    .set_writer_version(version)
                    .set_dictionary_enabled(has_dictionary)
                    .set_column_encoding("url".into(), Encoding::PLAIN)
                    .set_data_page_row_count_limit(700)
                    .set_write_batch_size(100);
                let file = write(&rows, 1_300, properties);
                let what = format!("{packing} {version:?} {has_dictionary}");
                assert_eq!(read(&file, &columns("", "id")), wanted(&rows), "{what}");
            }
        }
    }
}

#[test]
fn lengths_written_by_their_differences_are_read_and_prefixes_are_not() {
    let rows = rows_of(500);
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let encoded = |encoding| {
            let properties = properties()
                .set_writer_version(version)
                .set_dictionary_enabled(false)
                .set_column_encoding("url".into(), encoding);
            write(&rows, 500, properties)
        };
        let lengths = encoded(Encoding::DELTA_LENGTH_BYTE_ARRAY);
        assert_eq!(read(&lengths, &columns("", "id")), wanted(&rows));
        let prefixes = read(&encoded(Encoding::DELTA_BYTE_ARRAY), &columns("", "id"));
        assert_eq!(prefixes.len(), 1);
        let Found::Broken { why, .. } = &prefixes[0].found else {
            panic!("{prefixes:?}");
        };
        assert!(why.starts_with("up to row 500 cannot be read: "), "{why}");
        assert!(why.contains("DELTA_BYTE_ARRAY are not read"), "{why}");
    }
}

/// A file of one column and one row group whose rows are the same: a few bytes for millions of them.
fn repeated(url: Option<&str>, rows: usize) -> Vec<u8> {
    let schema = "message list { optional binary url (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = properties()
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut columns = file.next_row_group().unwrap();
    let mut column = columns.next_column().unwrap().unwrap();
    let ColumnWriter::ByteArrayColumnWriter(writer) = column.untyped() else {
        panic!("the schema has text");
    };
    let value = url.map(ByteArray::from);
    for start in (0..rows).step_by(10_000) {
        let count = rows.min(start + 10_000) - start;
        let values = vec![value.clone().unwrap_or_default(); count * usize::from(url.is_some())];
        let levels = vec![i16::from(url.is_some()); count];
        writer.write_batch(&values, Some(&levels), None).unwrap();
    }
    column.close().unwrap();
    columns.close().unwrap();
    file.into_inner().unwrap()
}

fn with_rows_per_byte(rows_per_byte: u32) -> Columns {
    Columns {
        rows_per_byte: Some(rows_per_byte),
        ..Columns::default()
    }
}

#[test]
fn far_more_rows_than_bytes_are_refused_unless_asked_for() {
    for url in [None, Some("http://host/a.png")] {
        let file = repeated(url, 1_000_000);
        assert!(file.len() < 50_000, "{}", file.len());
        let trouble = open(&file, &Columns::default()).err().unwrap();
        let declared = format!("it declares 1000000 rows in {} bytes", file.len());
        assert!(trouble.why.starts_with(&declared), "{trouble:?}");
        assert!(trouble.hint.contains("--rows-per-byte"), "{trouble:?}");
        assert!(open(&file, &with_rows_per_byte(100_000)).is_ok());
        let few = repeated(url, 1_000);
        assert!(open(&few, &Columns::default()).is_ok(), "{}", few.len());
    }
}

#[test]
fn a_long_text_is_not_repeated_without_bound() {
    let url = format!("http://host/{}", "a".repeat(60_000));
    let file = repeated(Some(&url), 2_000);
    let rows = read(&file, &Columns::default());
    let (end, read) = rows.split_last().expect("there are rows");
    let most = file.len() * 16 * 128;
    assert_eq!(read.len(), most / url.len());
    let number = u64::try_from(read.len()).unwrap() + 1;
    assert_eq!((end.number, end.last), (number, 2_000));
    let Found::Broken { why, .. } = &end.found else {
        panic!("{end:?}");
    };
    assert!(why.starts_with("up to row 2000 cannot be read: "), "{why}");
    assert!(why.contains("--rows-per-byte"), "{why}");
    assert_eq!(count(&file), 2_000);
}

#[test]
fn a_file_without_rows_is_an_empty_list_whatever_the_type_is() {
    let schema = "message list { optional int32 url; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    for has_group in [false, true] {
        let properties = Arc::new(properties().build());
        let mut file =
            SerializedFileWriter::new(Vec::new(), Arc::clone(&schema), properties).unwrap();
        if has_group {
            let mut columns = file.next_row_group().unwrap();
            let column = columns.next_column().unwrap().unwrap();
            column.close().unwrap();
            columns.close().unwrap();
        }
        let file = file.into_inner().unwrap();
        assert_eq!(read(&file, &Columns::default()), []);
    }
}

/// How many rows with a source there are, if the bound is raised.
fn count(file: &[u8]) -> usize {
    let mut rows = open(file, &with_rows_per_byte(1_000_000)).expect("it opens");
    std::iter::from_fn(|| rows.next())
        .filter(|row| matches!(row.found, Found::Source { .. }))
        .count()
}

#[test]
fn rows_without_a_source_are_one_message_with_their_range() {
    let rows = read(&repeated(None, 1_000_000), &with_rows_per_byte(100_000));
    let wanted = Row {
        number: 1,
        last: 1_000_000,
        element: None,
        found: Found::broken("", "no source in the rows up to 1000000"),
    };
    assert_eq!(rows, [wanted]);

    // Across row groups, and with what is read between.
    let mut rows: Vec<Values> = vec![(None, None); 30];
    rows[0].0 = Some("http://host/first".to_owned());
    rows[2].0 = Some("http://host/second".to_owned());
    let found = read(&write(&rows, 10, properties()), &columns("url", ""));
    let places: Vec<_> = found.iter().map(|row| (row.number, row.last)).collect();
    assert_eq!(places, [(1, 1), (2, 2), (3, 3), (4, 30)]);
    assert_eq!(found[1].found, Found::broken("", "no source in this row"));
}

#[test]
fn a_text_that_is_too_long_is_not_copied_for_each_row() {
    let long = "x".repeat(100_000);
    let rows = 300;
    let file = repeated(Some(&long), rows);
    let mut list = open(&file, &with_rows_per_byte(1_000)).expect("it opens");
    let mut held = 0;
    let mut count = 0;
    while let Some(row) = list.next() {
        let Found::Broken { text, why } = row.found else {
            panic!("it is too long");
        };
        assert_eq!(why, "longer than 65536 bytes");
        held += text.capacity();
        count += 1;
    }
    assert_eq!(count, rows);
    assert!(held <= rows * 2_048, "{held} bytes were copied");
}

#[test]
fn blanks_around_urls_are_removed_and_those_around_paths_are_kept() {
    let rows: Vec<Values> = [" http://a/\t", "\r\nHTTPS://b/ ", " c d.png ", "http://e/"]
        .into_iter()
        .map(|source| (Some(source.to_owned()), None))
        .collect();
    let file = write(&rows, 2, properties());
    let rows = open(&file, &Columns::default()).unwrap();
    let list = List::new("list.parquet", ListFormat::Parquet, Box::new(rows));
    let lines: Vec<_> = list.map(|line| (line.text, line.fault)).collect();
    let wanted = ["http://a/", "HTTPS://b/", " c d.png ", "http://e/"];
    assert_eq!(lines, wanted.map(|text| (text.to_owned(), None)));
}

#[test]
fn columns_are_found_by_their_names_and_numbers_may_be_data_ids() {
    let rows = rows_of(3);
    let file = write(&rows, 3, properties());
    let small = read(&file, &columns("note", "small"));
    let Found::Source {
        source, data_id, ..
    } = &small[2].found
    else {
        panic!("{small:?}");
    };
    assert_eq!(source, b"note");
    assert_eq!(data_id.as_deref(), Some(b"4294967295".as_slice()));
    let trouble = |columns| open(&file, &columns).err().expect("it does not open").why;
    assert_eq!(
        trouble(columns("link", "")),
        "no column `link`; there are: url, id, note, small, tags"
    );
    assert_eq!(
        trouble(columns("id", "")),
        "the column `id` is of type INT64, not text"
    );
    assert_eq!(
        trouble(columns("tags", "")),
        "the column `tags` is a list, not text"
    );
}

/// Columns as pandas writes them: whole numbers are floating-point if some are absent.
const CHECK_SCHEMA: &str = "message list { required binary source (UTF8); \
                            required binary decision (UTF8); required binary format (UTF8); \
                            optional double width; required int64 height; required int64 bytes; \
                            required binary version (UTF8); required binary requirements (UTF8); \
                            required int64 checked_at; }";

#[test]
fn the_columns_of_an_earlier_check_are_read() {
    let schema = Arc::new(parse_message_type(CHECK_SCHEMA).unwrap());
    let properties = Arc::new(properties().build());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let texts = [
        ["http://a/", "http://b/", "http://c/"],
        ["accept", "accept", "reject"],
    ];
    let (mut texts, mut at) = (texts.into_iter(), 0);
    let mut columns_of = file.next_row_group().unwrap();
    while let Some(mut column) = columns_of.next_column().unwrap() {
        match column.untyped() {
            ColumnWriter::ByteArrayColumnWriter(writer) => {
                let values = texts.next().unwrap_or(["png"; 3]);
                let values = values.map(ByteArray::from);
                writer.write_batch(&values, None, None).unwrap();
            }
            ColumnWriter::DoubleColumnWriter(writer) => {
                let levels = [1, 0, 1];
                writer
                    .write_batch(&[640.0, 1.0], Some(&levels), None)
                    .unwrap();
            }
            ColumnWriter::Int64ColumnWriter(writer) => {
                at += 1;
                writer.write_batch(&[480 + at; 3], None, None).unwrap();
            }
            _ => unreachable!("the schema has no other column"),
        }
        column.close().unwrap();
    }
    columns_of.close().unwrap();
    let bytes = file.into_inner().unwrap();
    let checks = |columns: &Columns| -> Vec<_> {
        let mut rows = open(&bytes, columns).unwrap();
        std::iter::from_fn(|| rows.next())
            .map(|row| match row.found {
                Found::Source { check, .. } => check,
                found => panic!("{found:?}"),
            })
            .collect()
    };
    let wanted = EarlierCheck {
        format: greenlight::Format::Png,
        width: 640,
        height: 481,
        bytes: 482,
        frames: None,
        version: "png".to_owned(),
        requirements: "png".to_owned(),
        checked_at: 483,
    };
    let with_checks = Columns {
        checks: true,
        ..columns("source", "")
    };
    assert_eq!(checks(&with_checks), [Some(wanted), None, None]);
    assert_eq!(checks(&columns("source", "")), [None, None, None]);
}
