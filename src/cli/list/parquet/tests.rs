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

#[test]
fn what_is_no_whole_parquet_file_says_so() {
    let trouble = |bytes: &[u8]| {
        let trouble = open(bytes, &Columns::default()).err();
        trouble.expect("it does not open").why
    };
    let file = write(&rows_of(20), 20, properties());
    assert!(trouble(b"").contains("too short"));
    assert!(trouble(b"url,id\na,1\n").contains("not a Parquet file"));
    assert!(trouble(&file[..file.len() - 1]).contains("not a Parquet file, or not a whole one"));
    let (_, tail) = file.split_at(file.len() - 8);
    assert!(trouble(tail).contains("its directory is longer than the file"));
    assert!(trouble(b"\xff\xff\xff\x7fPAR1").contains("at most 16777216 are read"));
    assert!(trouble(b"\0\0\0\0PARE").contains("encrypted"));
}

/// Reads what may be damaged: row numbers ascend, and no more rows come than there are.
fn read_damaged(bytes: &[u8]) {
    let Ok(mut rows) = open(bytes, &columns("", "id")) else {
        return;
    };
    let mut last = 0;
    for count in 0_u32.. {
        let Some(row) = rows.next() else { return };
        assert!(row.number > last || matches!(row.found, Found::Broken { .. }));
        last = row.number;
        // A damaged count may say more rows than there are, and pages may repeat one value.
        if count > 5_000 {
            return;
        }
    }
}

#[test]
fn a_file_cut_anywhere_does_no_harm() {
    let file = write(&rows_of(60), 25, properties());
    for length in 0..file.len() {
        read_damaged(&file[..length]);
        // With its directory, and a piece of its pages missing.
        let directory = u32::from_le_bytes(file[file.len() - 8..][..4].try_into().unwrap());
        let start = file.len() - 8 - usize::try_from(directory).unwrap();
        if length < start {
            read_damaged(&[&file[..length], &file[start..]].concat());
        }
    }
}

#[test]
fn a_file_with_a_bit_turned_anywhere_does_no_harm() {
    for packing in [
        Compression::UNCOMPRESSED,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let file = write(&rows_of(24), 12, properties().set_compression(packing));
        for at in 0..file.len() {
            let mut turned = file.clone();
            turned[at] ^= 1 << (at * 5 % 8);
            read_damaged(&turned);
        }
    }
}

#[test]
fn a_page_s_rows_are_told_when_it_is_damaged_and_the_next_group_is_read() {
    let rows = rows_of(90);
    let properties = properties().set_compression(Compression::SNAPPY);
    let mut file = write(&rows, 30, properties);
    let metadata = open(&file, &Columns::default()).unwrap().metadata;
    let (start, length) = metadata.row_group(1).column(0).byte_range();
    let (start, length) = (
        usize::try_from(start).unwrap(),
        usize::try_from(length).unwrap(),
    );
    file[start..start + length].fill(0xA5);
    let read = read(&file, &columns("", "id"));
    let whole = wanted(&rows);
    assert_eq!(read[..30], whole[..30]);
    assert_eq!(read[30].number, 31);
    let Found::Broken { why, .. } = &read[30].found else {
        panic!("{:?}", read[30]);
    };
    assert!(why.starts_with("up to row 60 cannot be read: "), "{why}");
    assert_eq!(read[31..], whole[60..]);
}

/// A number of any length, as the compact protocol writes it.
fn number(mut rest: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let bits = u8::try_from(rest & 0x7F).unwrap();
        rest >>= 7;
        if rest == 0 {
            bytes.push(bits);
            return bytes;
        }
        bytes.push(bits | 0x80);
    }
}

/// A structure of signed numbers by their ids.
fn structure(fields: &[(u8, i64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut last = 0;
    for (id, signed) in fields {
        bytes.push(((id - last) << 4) | 5);
        last = *id;
        bytes.extend(number(((signed << 1) ^ (signed >> 63)).cast_unsigned()));
    }
    bytes.push(0);
    bytes
}

/// A directory whose schema has elements that claim so many children.
fn directory(children: &[i64]) -> Vec<u8> {
    let mut bytes = vec![0x15, 0x04, 0x19, 0xFC];
    bytes.extend(number(u64::try_from(children.len()).unwrap()));
    for claimed in children {
        bytes.extend(structure(&[(5, *claimed)]));
    }
    bytes.push(0);
    bytes
}

#[test]
fn a_schema_must_be_a_tree_of_what_is_there() {
    assert!(check_metadata(&directory(&[2, 0, 0])).is_ok());
    assert!(check_metadata(&directory(&[2, 1, 0, 0])).is_ok());
    for children in [
        vec![i64::from(i32::MAX)],
        vec![2, 0],
        vec![1, 0, 0],
        vec![-1],
        vec![],
        vec![1; 100_000],
    ] {
        assert!(check_metadata(&directory(&children)).is_err());
    }
    assert!(check_metadata(b"").is_err());
    // An id twice: the library would take the second.
    assert!(check_metadata(&[0x15, 0x04, 0x05, 0x02, 0x04, 0]).is_err());
}

#[test]
fn what_a_page_declares_is_bounded() {
    let head = |packed, unpacked| page_head(&structure(&[(1, 0), (2, unpacked), (3, packed)]));
    let found = head(100, 1_000).expect("it is one");
    assert_eq!((found.packed, found.unpacked), (100, 1_000));
    assert!(found.check().is_ok());
    assert!(head(100, 1 << 30).expect("it is one").check().is_err());
    assert!(head(1 << 30, 100).expect("it is one").check().is_err());
    assert!(head(-1, 100).is_err());
    assert!(page_head(&structure(&[(1, 0), (2, 5)])).is_err());
}

#[test]
fn a_gzip_page_must_not_unpack_to_more_than_it_declares() {
    let rows: Vec<Values> = vec![(Some("x".repeat(60_000)), None); 20];
    let properties = properties()
        .set_dictionary_enabled(false)
        .set_compression(Compression::GZIP(GzipLevel::default()));
    let mut file = write(&rows, 20, properties);
    assert_eq!(read(&file, &columns("url", "")).len(), 20);
    let metadata = open(&file, &Columns::default()).unwrap().metadata;
    let (start, _) = metadata.row_group(0).column(0).byte_range();
    let start = usize::try_from(start).unwrap();
    // The header's second field, of three bytes: it declares 1 200 000 and some.
    assert_eq!(file[start..start + 3], [0x15, 0x00, 0x15]);
    let declared = page_head(&file[start..start + 200]).unwrap().unpacked;
    assert!(declared > 1 << 20);
    file[start + 3] = 0x80 | 0x10;
    file[start + 4] = 0x80;
    file[start + 5] = 0x80;
    file[start + 6] = 0;
    let length = page_head(&file[start..start + 200]);
    assert!(length.is_ok_and(|head| head.unpacked == 8));
    let read = read(&file, &columns("url", ""));
    let Found::Broken { why, .. } = &read[0].found else {
        panic!("it was read");
    };
    assert!(why.contains("more than the 8 bytes it declares"), "{why}");
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
